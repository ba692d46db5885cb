"""What people see: tables without a terminal, words for numbers, nothing that could take over the terminal."""

import io
import time
import typing
from dataclasses import dataclass, is_dataclass
from typing import Any

import pytest

from whimbrel.app.cli.show import (
    StreamTable,
    has_table,
    hints,
    moment,
    octets,
    print_error,
    print_text,
    show,
    title,
)
from whimbrel.app.cli.tables import Column, Gives, blocks, fitted, lines, width
from whimbrel.services.admin.calls import Call
from whimbrel.services.admin.table import all_calls
from whimbrel.services.admin.views import Moment, Octets, Page, Words


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


@pytest.mark.parametrize(
    "evil", ["a\x1b[2Jb", "a\x9bb", "a\x07b", "a\rb", "a\x00b", "a\u2028b", "a\u202eb", "a\u2066b"]
)
def test_control_characters_never_reach_the_terminal(capsys: pytest.CaptureFixture[str], evil: str) -> None:
    print_text(evil)
    print_error(evil)
    show([ROW | {"name": evil + "\n"}], tuple[Row, ...])
    captured = capsys.readouterr()
    for text in (captured.out, captured.err):
        assert not set(text) & {"\u202e", "\u2066"}
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in text)
    assert len(captured.out.splitlines()) == 3  # A name cannot begin a row of its own.


def test_numbers_in_words() -> None:
    assert [octets(n) for n in (0, 1023, 1024, 5 << 20, 3 << 40)] == ["0 B", "1023 B", "1.0 KiB", "5.0 MiB", "3.0 TiB"]
    assert moment(None) == "never"
    assert moment(Moment(1_790_000_000).written) == time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_790_000_000))


def test_items_of_a_stream_are_words_under_headings_and_no_raw_values(capsys: pytest.CaptureFixture[str]) -> None:
    table = StreamTable(Row, live=True, checks=False, wide=False)
    table.put(ROW)
    assert capsys.readouterr().out.splitlines() == [
        "Name     Size  Next attempt  Held  Nothing  Many",
        "a     2.0 KiB  never         yes            x, y",
    ]
    table.put(ROW | {"name": "a longer"})
    assert capsys.readouterr().out.splitlines() == ["a longer  2.0 KiB  never         yes            x, y"]


@dataclass
class CheckedRow:
    name: str
    problems: tuple[str, ...]
    repaired: tuple[str, ...]
    percent: int


def test_a_check_says_where_all_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    table = StreamTable(CheckedRow, live=True, checks=True, wide=False)
    table.put({"name": "INBOX", "problems": [], "repaired": [], "percent": 1})
    table.put({"name": "Sent", "problems": ["torn"], "repaired": ["mended"], "percent": 2})
    assert capsys.readouterr().out.splitlines() == ["Name   Result", "INBOX  in order", "Sent   torn; mended"]


def test_a_stream_that_ends_soon_is_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    table = StreamTable(Row, live=False, checks=False, wide=False)
    table.put(ROW)
    table.put(ROW | {"name": "longer"})
    assert capsys.readouterr().out == ""
    table.end()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["Name", "a", "longer"]


EXAMPLES: dict[Any, Any] = {bool: True, int: 7, float: 7.5, Octets: 7, Moment: "2026-11-24T16:57:14Z"}


def example(hint: Any) -> Any:
    return ["word"] if any(typing.get_origin(arm) is tuple for arm in (hint, *typing.get_args(hint))) else (
        EXAMPLES.get(hint, "word")
    )  # fmt: skip


@pytest.mark.parametrize("call", all_calls(), ids=lambda call: call.name)
def test_every_table_of_rows_has_headings(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    kind = call.result
    if not has_table(kind, streams=call.streams):
        return
    if call.streams:
        table = StreamTable(kind, live=False, checks=False, wide=False)
        table.put({name: example(hint) for name, hint in hints(kind).items()})
        table.end()
        rows = [kind]
    else:
        rows = [typing.get_args(hint)[0] for hint in hints(kind).values() if hasattr(hint, "__args__")]
        rows = [row for row in rows if is_dataclass(row)]
        value: dict[str, Any] = dict.fromkeys(hints(kind), "")
        for name, hint in hints(kind).items():
            row = (typing.get_args(hint) or (None,))[0]
            value[name] = [{n: example(h) for n, h in hints(row).items()}] if is_dataclass(row) else None
        if "note" in value:  # Lines of logs.
            return
        show(value, kind)
    shown = capsys.readouterr().out
    for row in rows:
        for name in hints(row):
            if name not in ("problems", "repaired", "percent"):
                assert title(name) in shown, (call.name, name)


COLUMNS = [
    Column("Id"), Column("Sender"), Column("Recipients", Gives.LISTS), Column("Status", Gives.WORDS),
    Column("Next attempt"), Column("Size", number=True), Column("Client"),
]  # fmt: skip
ENTRY = [
    "6a5b1c2d-00000001", "alice@example.org", "bob@remote.test, carol@remote.test", "4.4.1 Cannot connect to "
    "mx.remote.test: connection refused", "2026-11-24 17:57:14", "12.0 KiB", "2001:db8::1234",
]  # fmt: skip
LONG = ["6a5b1c2d-00000002", f"{'s' * 40}@example.org", f"{'r' * 40}@remote.test", "4.4.1 No", "never", "9 B", ""]


@pytest.mark.parametrize("room", [200, 120, 100, 80, 76])
def test_a_table_fits_the_terminal_with_addresses_and_ids_whole(room: int) -> None:
    fit = fitted(COLUMNS, [ENTRY], room)
    assert fit is not None
    shown = lines(COLUMNS, [ENTRY], fit.widths)
    assert all(width(line) <= room for line in shown)
    text = "\n".join(shown)
    for whole in ("6a5b1c2d-00000001", "alice@example.org", "bob@remote.test", "carol@remote.test"):
        assert whole in text
    for word in ENTRY[3].split():  # Wrapped, never cut.
        assert word in text
    assert set(fit.left_out) == {column.title for i, column in enumerate(COLUMNS) if i not in fit.widths}
    assert fit.left_out == (() if room == 200 else fit.left_out)
    assert {0, 1, 2, 3} <= set(fit.widths)


def test_the_last_columns_are_left_out_first() -> None:
    fit = fitted(COLUMNS, [ENTRY], 80)
    assert fit is not None
    assert fit.left_out == ("Next attempt", "Size", "Client")


def test_rows_that_have_no_room_at_all_become_blocks_that_can_be_copied() -> None:
    assert fitted(COLUMNS, [ENTRY, LONG], 80) is None
    text = blocks(COLUMNS, [ENTRY, LONG])
    assert f"Sender        {LONG[1]}" in text
    assert text.count("") == 1
    assert not any(line.startswith("Client") for line in text[text.index("") :])


def test_wide_characters_take_two_cells_and_accents_none() -> None:
    assert [width(text) for text in ("ab", "日本", "e\u0301")] == [2, 4, 1]
    shown = lines([Column("A"), Column("B")], [["日本", "x"], ["abcd", "y"]], {0: 4, 1: 1})
    assert shown == ["A     B", "日本  x", "abcd  y"]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_what_is_left_out_is_named_and_wide_shows_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": "i" * 18, "sender": "s" * 18, "to": ["r" * 18], "status": "words " * 9, "client": "c" * 30}]
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    for wide in (False, True):
        monkeypatch.setattr("sys.stdout", screen := Terminal())
        show(rows, tuple[Queued, ...], wide=wide)
        assert ("c" * 30 in screen.getvalue()) == wide
        assert all(len(line) <= 80 for line in screen.getvalue().splitlines()) != wide
        assert ("no room for Client: --wide shows all" in capsys.readouterr().err) != wide


@dataclass
class Queued:
    id: str
    sender: str
    to: tuple[str, ...]
    status: Words
    client: str
