"""`whimbrel setup` on a terminal: questions, mistakes asked again, and nothing written before the last answer."""

import os
import pty
import select
import sys
from pathlib import Path

from whimbrel.app.installation import Installation
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
        self.seen = ""

    def wait_for(self, text: str) -> None:
        start = len(self.seen)
        while text not in self.seen[start:]:
            ready, _, _ = select.select([self._descriptor], [], [], DEADLINE)
            assert ready, f"no '{text}' after: {self.seen}"
            try:
                data = os.read(self._descriptor, 4096)
            except OSError:
                data = b""
            assert data, f"ended without '{text}': {self.seen}"
            self.seen += data.decode()

    def answer(self, question: str, text: str) -> None:
        self.wait_for(question)
        os.write(self._descriptor, f"{text}\n".encode())

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
    terminal = Terminal("--dir", str(directory), "setup")
    terminal.answer("Internet hostname", "not a name!")
    terminal.answer("is not a domain name", "mail.example.org")
    terminal.answer("Primary mail domain [example.org]", "")
    terminal.answer("Login name", "ad/min")
    terminal.answer("none of /", "")
    terminal.answer("Password", "geheim")
    terminal.answer("Repeat", "geheim")
    terminal.answer("Directory of mail", "")
    # Where another program holds a port here, the wizard asks for another one.
    while True:
        ready_for = ("Another address:port", "Set it up?", "User that the server runs as")
        while not any(text in terminal.seen for text in ready_for):
            terminal.wait_for(":")
        if "Another address:port" in terminal.seen:
            terminal.seen = terminal.seen.replace("Another address:port", "")
            os.write(terminal._descriptor, b"off\n")
            continue
        break
    if "User that the server runs as" in terminal.seen:
        os.write(terminal._descriptor, b"no such user\n")
        terminal.answer("there is no user", "root")
    return terminal


def test_answers_given_at_the_terminal_become_an_installation(tmp_path: Path) -> None:
    terminal = begin(tmp_path / "server")
    if "Set it up?" not in terminal.seen:
        terminal.wait_for("Set it up?")
    assert not (tmp_path / "server").exists()
    os.write(terminal._descriptor, b"y\n")
    assert terminal.end() == 0, terminal.seen
    assert "geheim" not in terminal.seen
    installation = Installation(tmp_path / "server")
    assert installation.load_config().section(SmtpSettings).hostname == "mail.example.org"
    assert '<user name="admin">' in installation.users_file.read_text()


def test_who_says_no_at_the_end_has_changed_nothing(tmp_path: Path) -> None:
    terminal = begin(tmp_path / "server")
    if "Set it up?" not in terminal.seen:
        terminal.wait_for("Set it up?")
    os.write(terminal._descriptor, b"n\n")
    assert terminal.end() == 1
    assert "nothing was done" in terminal.seen
    assert not (tmp_path / "server").exists()
