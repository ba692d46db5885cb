"""A long check shows how far it has come, to people alone, and ends with a report."""

import io

from whimbrel.app.cli.progress import Progress


class Screen(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def line(percent: int, messages: int = 1) -> dict[str, object]:
    return {"account": "a@b", "folder": "INBOX", "messages": messages, "percent": percent}


def test_a_terminal_shows_a_bar_that_is_gone_before_anything_else_is_written() -> None:
    screen = Screen(terminal=True)
    progress = Progress(screen)
    progress.saw(line(50, 7), problems=False)
    assert f"[{'#' * 15}{' ' * 15}]  50%" in screen.getvalue()
    progress.clear()
    assert screen.getvalue().endswith("\r\x1b[K")
    before = screen.getvalue()
    progress.clear()
    assert screen.getvalue() == before
    progress.saw(line(300), problems=True)
    assert screen.getvalue().endswith("100%")
    assert progress.report == "2 folders with 8 messages, 1 with problems"


def test_a_file_gets_no_bar_and_the_same_report() -> None:
    screen = Screen(terminal=False)
    progress = Progress(screen)
    for percent in range(3):
        progress.saw(line(percent), problems=False)
    progress.clear()
    assert screen.getvalue() == "" and progress.report == "3 folders with 3 messages, all in order"


def test_work_that_goes_through_no_folders_has_a_bar_and_no_report_of_them() -> None:
    screen = Screen(terminal=True)
    progress = Progress(screen)
    progress.saw({"mailboxes": 3, "messages": 30, "percent": 50}, problems=False)
    assert "50%" in screen.getvalue() and progress.report == ""


def test_other_streams_have_neither() -> None:
    screen = Screen(terminal=True)
    progress = Progress(screen)
    for item in ("text", {"text": "x"}, {"account": "a@b"}):
        progress.saw(item, problems=False)
    assert screen.getvalue() == "" and progress.report == ""
