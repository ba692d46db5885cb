"""What people see: tables without a terminal, words for numbers, nothing that could take over the terminal."""

import time
from dataclasses import dataclass

import pytest

from whimbrel.app.cli.show import (
    SHORTEST,
    fitted,
    moment,
    octets,
    print_error,
    print_text,
    show,
    show_item,
)
from whimbrel.services.admin.views import Moment, Octets, Page


@dataclass
class Row:
    name: str
    size: Octets
    next_attempt: Moment
    held: bool
    nothing: str
    many: tuple[str, ...]


@dataclass
class Rows:
    items: tuple[Row, ...]
    more: str


ROW = {"name": "a", "size": 2048, "next_attempt": None, "held": True, "nothing": "", "many": ["x", "y"]}


def test_a_table_aligns_and_leaves_out_what_nobody_has(capsys: pytest.CaptureFixture[str]) -> None:
    show([ROW, ROW | {"name": "longer", "size": 5, "held": False}], tuple[Row, ...])
    assert capsys.readouterr().out.splitlines() == [
        "Name       Size  Next attempt  Held  Many",
        "a       2.0 KiB  never         yes   x, y",
        "longer      5 B  never         no    x, y",
    ]


def test_a_page_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    show({"items": [ROW], "more": "a@b"}, Rows)
    show({"items": [ROW], "more": "a@b"}, Page[Row])
    captured = capsys.readouterr()
    assert "a" in captured.out
    assert "--after 'a@b'" in captured.err


@pytest.mark.parametrize("evil", ["a\x1b[2Jb", "a\x9bb", "a\x07b", "a\rb", "a\x00b", "a\u2028b"])
def test_control_characters_never_reach_the_terminal(capsys: pytest.CaptureFixture[str], evil: str) -> None:
    print_text(evil)
    print_error(evil)
    show([ROW | {"name": evil + "\n"}], tuple[Row, ...])
    captured = capsys.readouterr()
    for text in (captured.out, captured.err):
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in text)
    assert len(captured.out.splitlines()) == 3  # A name cannot begin a row of its own.


def test_numbers_in_words() -> None:
    assert [octets(n) for n in (0, 1023, 1024, 5 << 20, 3 << 40)] == ["0 B", "1023 B", "1.0 KiB", "5.0 MiB", "3.0 TiB"]
    assert moment(None) == "never"
    assert moment(Moment(1_790_000_000).written) == time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_790_000_000))


ID = "6a5b1c2d-00000001"


def test_a_table_fits_the_terminal_and_never_breaks_an_id() -> None:
    titles = [("Id", False), ("Sender", False), ("Status", False), ("Size", True), ("Created", False)]
    lines = [[ID, "somebody@a.very.long.example.org", "4.4.1 " + "x" * 100, "12.0 KiB", "2026-11-24 17:57:14"]]
    for room in (200, 80, 60, 40, 20):
        widths = fitted(titles, lines, room)
        assert widths[0] == len(ID)
        assert sum(widths) + 2 * len(widths) <= room or len(widths) == 1
        assert all(width >= SHORTEST or width >= len(name) for width, (name, _) in zip(widths, titles, strict=False))
    assert len(fitted(titles, lines, 80)) == 5
    assert len(fitted(titles, lines, 40)) < 5


def test_items_of_a_stream_are_words_and_no_raw_values(capsys: pytest.CaptureFixture[str]) -> None:
    show_item(ROW, Row, checks=False)
    show_item(ROW | {"problems": ["torn"]}, Row, checks=True)
    show_item(ROW, Row, checks=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"a  2.0 KiB  never  yes  x, y{end}" for end in ("", "  torn", "  in order")]
