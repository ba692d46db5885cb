"""What people see: tables without a terminal, words for numbers, nothing that could take over the terminal."""

from dataclasses import dataclass

import pytest

from whimbrel.app.cli.show import moment, octets, print_error, print_text, show
from whimbrel.services.admin.views import Moment, Octets


@dataclass
class Row:
    name: str
    size: Octets
    next_attempt: Moment
    held: bool
    nothing: str
    many: tuple[str, ...]


@dataclass
class Page:
    rows: tuple[Row, ...]
    more: str


ROW = {"name": "a", "size": 2048, "next_attempt": 0, "held": True, "nothing": "", "many": ["x", "y"]}


def test_a_table_aligns_and_leaves_out_what_nobody_has(capsys: pytest.CaptureFixture[str]) -> None:
    show([ROW, ROW | {"name": "longer", "size": 5, "held": False}], tuple[Row, ...])
    assert capsys.readouterr().out.splitlines() == [
        "Name       Size  Next attempt  Held  Many",
        "a       2.0 KiB  never         yes   x, y",
        "longer      5 B  never         no    x, y",
    ]


def test_a_page_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    show({"rows": [ROW], "more": "a@b"}, Page)
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
    assert moment(0) == "never"
    assert len(moment(1_790_000_000)) == 19
