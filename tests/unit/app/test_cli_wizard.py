"""`whimbrel setup` on a terminal: questions, mistakes asked again, and nothing written before the last answer."""

import os
import pty
import select
import sys
from pathlib import Path

from whimbrel.app.installation import Installation
from whimbrel.flow.report.reports import ReportSettings
from whimbrel.flow.settings import SmtpSettings

DEADLINE = 60.0


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, *words: str) -> None:
        self.pid, self._descriptor = pty.fork()
        if not self.pid:
            os.execve(
                sys.executable, [sys.executable, "-m", "whimbrel.app.cli", *words], os.environ | {"PYTHONPATH": "src"}
            )
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

    def end(self) -> int:
        while True:
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


def begin(directory: Path) -> Terminal:
    """To the last question."""
    terminal = Terminal("--dir", str(directory), "setup")
    terminal.answer("Language [en]", "xx")
    terminal.answer("is none of en", "de")
    # Where another program holds a port here, the wizard asks for another one.
    if os.geteuid() == 0:
        terminal.answer("User that the server runs as", "no such user")
        terminal.answer("there is no user", "root")
    terminal.answer("Mail server to call", "")
    while terminal.wait_for("Another address:port", "Internet hostname") == "Another address:port":
        terminal.write("off")
    terminal.write("not a name!")
    terminal.answer("is not a domain name", "mail.example.org")
    terminal.answer("Primary mail domain [example.org]", "")
    terminal.answer("Login name", "ad/min")
    terminal.answer("none of /", "")
    terminal.answer("Password", "geheim")
    terminal.answer("Repeat", "geheim")
    terminal.answer("Directory of mail", "")
    terminal.answer("Certificate [self-signed]", "")
    terminal.answer("Outgoing mail [direct]", "hold")
    terminal.answer("A few names", "anna, Bob Brown <bob>")
    return terminal


def test_answers_given_at_the_terminal_become_an_installation(tmp_path: Path) -> None:
    terminal = begin(tmp_path / "server")
    terminal.answer("Table of users", "")
    terminal.wait_for("Set it up?")
    assert not (tmp_path / "server").exists()
    terminal.write("y")
    assert terminal.end() == 0, terminal.seen
    assert "geheim" not in terminal.seen
    assert "It is a word that is tried first" in terminal.seen
    assert "bob@example.org  password: " in terminal.seen
    installation = Installation(tmp_path / "server")
    assert installation.load_config().section(SmtpSettings).hostname == "mail.example.org"
    assert installation.load_config().section(ReportSettings).language == "de"
    users = installation.users_file.read_text()
    assert all(f'<user name="{name}">' in users for name in ("admin", "anna", "bob"))


def test_a_table_makes_administrators_only_for_who_types_the_words(tmp_path: Path) -> None:
    table = tmp_path / "users.csv"
    table.write_text("address,rights\ncarol,server-write\n")
    for typed, status in (("yes", 1), ("make 1 administrator", 0)):
        terminal = begin(tmp_path / "server")
        terminal.answer("Table of users", str(table))
        terminal.answer("if that is meant", typed)
        if not status:
            terminal.answer("Set it up?", "y")
        assert terminal.end() == status, terminal.seen
        assert "line 2: carol becomes server-write" in terminal.seen
        assert (tmp_path / "server").exists() == (not status)


def test_who_says_no_at_the_end_has_changed_nothing(tmp_path: Path) -> None:
    terminal = begin(tmp_path / "server")
    terminal.answer("Table of users", "")
    terminal.wait_for("Set it up?")
    terminal.write("n")
    assert terminal.end() == 1
    assert "nothing was done" in terminal.seen
    assert not (tmp_path / "server").exists()
