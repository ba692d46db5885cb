"""The line of a demonstration that tells the numbers of today."""

import io
from pathlib import Path

from whimbrel.app.demo_numbers import Numbers, line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_has_the_numbers_that_the_server_tells() -> None:
    text = line({"received": 3, "delivered": 2, "sign_ins": 4, "unknown": 9}, 1)
    assert text == "Today: 3 received, 2 delivered, 4 sign-ins; 1 waiting"


def test_a_server_that_does_not_answer_leaves_the_screen_as_it_is(tmp_path: Path) -> None:
    terminal = Terminal()
    Numbers(tmp_path / "admin.sock", lambda: 10.0, terminal).show()
    assert terminal.getvalue() == ""


def test_what_is_no_terminal_gets_no_line_that_is_written_over(tmp_path: Path) -> None:
    file = io.StringIO()
    Numbers(tmp_path / "admin.sock", lambda: 10.0, file).show()
    assert file.getvalue() == ""
