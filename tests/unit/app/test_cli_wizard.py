"""`whimbrel setup` on a terminal: questions, mistakes asked again, and nothing written before the last answer."""

import os
import pty
import select
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import other_user
from whimbrel.app.installation import Installation
from whimbrel.flow.report.reports import ReportSettings
from whimbrel.flow.settings import SmtpSettings

DEADLINE = 60.0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The interpreter: where root sets up, one that the user to run as can start."""
    if os.geteuid() != 0:
        yield sys.executable
        return
    with tempfile.TemporaryDirectory(prefix="whimbrel-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        made = other_user.program(Path(folder))
        if made is None:
            pytest.skip(f"no Python that {other_user.OTHER} may run")
        yield made


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where another user may enter: pytest's own folder is root's."""
    with tempfile.TemporaryDirectory(prefix="whimbrel-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


MOST_PRESSED = 10


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, program: str, *words: str, kind: str = "xterm") -> None:
        self.pid, self._descriptor = pty.fork()
        if not self.pid:
            environment = os.environ | {"PYTHONPATH": "src", "TERM": kind}
            os.execve(program, [program, "-m", "whimbrel.app.cli", *words], environment)
        self.seen, self._heard = "", 0
        """`_heard`: characters of what was seen that were waited for."""

    def wait_for(self, *texts: str) -> str:
        """The first of `texts` to come."""
        while True:
            places = {self.seen.find(text, self._heard): text for text in texts}
            places.pop(-1, None)
            if places:
                text = places[min(places)]
                self._heard = min(places) + len(text)
                return text
            ready, _, _ = select.select([self._descriptor], [], [], DEADLINE)
            assert ready, f"none of {texts} after: {self.seen}"
            try:
                data = os.read(self._descriptor, 4096)
            except OSError:
                data = b""
            assert data, f"ended without {texts}: {self.seen}"
            self.seen += data.decode()

    def write(self, text: str) -> None:
        os.write(self._descriptor, f"{text}\n".encode())

    def answer(self, question: str, text: str) -> None:
        self.wait_for(question)
        self.write(text)

    def break_off(self) -> int:
        """As Ctrl-C, pressed again where nothing happens: a signal that comes between readline's prompt and its wait is
        seen with the next one only."""
        for _ in range(MOST_PRESSED):
            os.kill(self.pid, signal.SIGINT)
            while select.select([self._descriptor], [], [], 2)[0]:
                try:
                    data = os.read(self._descriptor, 4096)
                except OSError:
                    data = b""
                if not data:
                    return self.end()
                self.seen += data.decode()
        return self.end()

    def end(self) -> int:
        while True:
            ready, _, _ = select.select([self._descriptor], [], [], DEADLINE)
            assert ready, f"goes on after: {self.seen}"
            try:
                data = os.read(self._descriptor, 4096)
            except OSError:
                break
            if not data:
                break
            self.seen += data.decode()
        _, status = os.waitpid(self.pid, 0)
        os.close(self._descriptor)
        return os.waitstatus_to_exitcode(status)


def begin(program: str, directory: Path) -> Terminal:
    """To the last question."""
    terminal = Terminal(program, "--dir", str(directory), "setup")
    terminal.answer("Language [en]", "xx")
    terminal.answer("is none of en", "de")
    # Where another program holds a port here, the wizard asks for another one.
    if os.geteuid() == 0:
        terminal.answer("User that the server runs as", "no such user")
        terminal.answer("there is no user", "root")
        terminal.answer("may do everything", other_user.OTHER)
    terminal.answer("Mail server to call", "")
    while terminal.wait_for("Another address:port", "Internet hostname") == "Another address:port":
        terminal.write("off")
    terminal.write("not a name!")
    terminal.answer("is not a domain name", "192.0.2.1")
    terminal.answer("a name is meant", "mail.example.org")
    terminal.answer("Primary mail domain [example.org]", "")
    terminal.answer("Login name", "ad/min")
    terminal.answer("none of /", "")
    for refused, words in (("a", "at least 8"), ("example.org", "must not be the name")):
        terminal.answer("Password", refused)
        terminal.answer("Repeat", refused)
        terminal.wait_for(words)
    terminal.answer("Password", "eine gute geheime")
    terminal.answer("Repeat", "eine gute geheime")
    terminal.answer("Directory of mail", "")
    terminal.answer("Certificate [self-signed]", "")
    terminal.answer("Outgoing mail [direct]", "hold")
    terminal.answer("A few names", "anna, Bob Brown <bob>")
    return terminal


def test_answers_given_at_the_terminal_become_an_installation(program: str, folder: Path) -> None:
    terminal = begin(program, folder / "server")
    terminal.answer("Table of users", "")
    terminal.wait_for("Set it up?")
    assert not (folder / "server").exists()
    terminal.write("y")
    assert terminal.end() == 0, terminal.seen
    assert "eine gute geheime" not in terminal.seen
    assert "The password is good." in terminal.seen
    assert "bob@example.org  password: " in terminal.seen
    installation = Installation(folder / "server")
    assert installation.load_config().section(SmtpSettings).hostname == "mail.example.org"
    assert installation.load_config().section(ReportSettings).language == "de"
    users = installation.users_file.read_text()
    assert all(f'<user name="{name}">' in users for name in ("admin", "anna", "bob"))


def test_a_table_makes_administrators_only_for_who_types_the_words(program: str, folder: Path) -> None:
    table = folder / "users.csv"
    table.write_text("address,rights\ncarol,server-write\n")
    for typed, status in (("yes", 1), ("make 1 administrator", 0)):
        terminal = begin(program, folder / "server")
        terminal.answer("Table of users", str(table))
        terminal.answer("if that is meant", typed)
        if not status:
            terminal.answer("Set it up?", "y")
        assert terminal.end() == status, terminal.seen
        assert "line 2: carol becomes server-write" in terminal.seen
        assert (folder / "server").exists() == (not status)


def test_who_says_no_at_the_end_has_changed_nothing(program: str, folder: Path) -> None:
    terminal = begin(program, folder / "server")
    terminal.answer("Table of users", "")
    terminal.wait_for("Set it up?")
    terminal.write("n")
    assert terminal.end() == 1
    assert "nothing was done" in terminal.seen
    assert not (folder / "server").exists()


QUESTIONS = (
    "Language [en]", "User that the server runs as", "Mail server to call", "Internet hostname", "Primary mail domain",
    "Login name", "Password", "Repeat", "Directory of mail", "Certificate [", "Outgoing mail [", "A few names",
    "Table of users", "Set it up?",
)  # fmt: skip
"""Each asks for something; the first word of its prompt."""
MOST_QUESTIONS = 40
"""With those for other ports, where programs hold the usual ones."""


@pytest.mark.parametrize("last", QUESTIONS)
def test_who_breaks_off_at_a_question_has_changed_nothing(program: str, folder: Path, last: str) -> None:
    answers = {
        "User that the server runs as": other_user.OTHER, "Internet hostname": "mail.example.org",
        "Primary mail domain": "example.org", "Password": "moorhuhn-4711", "Repeat": "moorhuhn-4711",
    }  # fmt: skip
    if last.startswith("User") and os.geteuid() != 0:
        pytest.skip("only root is asked")
    terminal = Terminal(program, "--dir", str(folder / "server"), "setup", kind="dumb")
    # An answer that is refused would be asked for for ever.
    for _ in range(MOST_QUESTIONS):
        if (asked := terminal.wait_for("Another address:port", *QUESTIONS)) == last:
            break
        terminal.write("off" if asked.startswith("Another") else answers.get(asked, ""))
    else:
        os.kill(terminal.pid, signal.SIGKILL)
        pytest.fail(f"asked again and again: {terminal.seen}")
    assert terminal.break_off() == 1, terminal.seen
    assert "\x1b" not in terminal.seen, "a dumb terminal knows no colours"
    assert "Traceback" not in terminal.seen
    assert "othing was" in terminal.seen
    assert list(folder.iterdir()) == []
