"""Searching gives what a plain reading of all files would give: with and without index, page by page, either way."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.backends.logs import mails
from whimbrel.backends.logs import pattern, scan, search
from whimbrel.backends.logs.files import index_of, rotate
from whimbrel.backends.logs.index import ENTRY, Indexer
from whimbrel.backends.logs.search import BadQuery, lines_from
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.core.log import LogPage, LogQuery


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of the mail log; the oldest two indexed, the youngest in part."""
    folder = tmp_path_factory.mktemp("logs")
    for number in range(3):
        mails.write(folder / "mail.log", number * 1500, 1500)
        while Indexer(folder / "mail.log").advance(1, final=number < 2):
            pass
        if number < 2:
            rotate(folder, LogSettings(), always=True)
    with (folder / "mail.log").open("a") as file:
        file.write("[24/Nov/2026 17:57:14] half a li")
    os.utime(folder / "mail.log", (mails.BEGIN + 450, mails.BEGIN + 450))
    mails.write(folder / "spam.log", 1000, 20)
    return folder


ALL = list(mails.lines(0, 4500))


def pages(folder: Path, query: LogQuery, limit: int) -> Iterator[LogPage]:
    cursor = ""
    while True:
        page = search.search(folder, query, limit, cursor)
        yield page
        cursor = page.cursor
        if not cursor:
            return


def texts(folder: Path, query: LogQuery, limit: int = 10_000) -> list[str]:
    return [line.text for page in pages(folder, query, limit) for line in page.lines]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [10_000, 1234])
def test_everything_is_found_once_and_in_order(folder: Path, limit: int, newest_first: bool) -> None:
    found = texts(folder, LogQuery(("mail",), newest_first=newest_first), limit)
    assert found == (ALL[::-1] if newest_first else ALL)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    "query",
    [
        LogQuery(("mail",), words=(mails.queue_id(7),)),
        LogQuery(("mail",), words=(mails.queue_id(4499),)),
        LogQuery(("mail",), words=("SENDER2000@a.test",)),
        LogQuery(("mail",), words=("192.0.2.17", "user17@b.test")),
        LogQuery(("mail",), text="SENDER44"),
        LogQuery(("mail",), regex=r"sender1\d\d9@.*192\.0\.2\.\d9,"),
        LogQuery(("mail",), since=mails.BEGIN + 200, until=mails.BEGIN + 201),
        LogQuery(("mail",), since=mails.BEGIN + 449, text="delivered"),
        LogQuery(("mail",), until=mails.BEGIN, words=("b.test",)),
        LogQuery(("mail",), since=mails.BEGIN + 10_000),
        LogQuery(("mail",), words=("nobody@nowhere.test",)),
        LogQuery(("mail",), words=("",)),
    ],
    ids=str,
)
def test_a_search_is_a_plain_reading_made_fast(folder: Path, query: LogQuery, newest_first: bool) -> None:
    import re
    from dataclasses import replace

    def fits(line: str) -> bool:
        at = mails.BEGIN + int(line.split("Queue-ID: ")[1][9:17], 16) // 10
        low = line.lower()
        return (
            (not query.since or at >= query.since)
            and (not query.until or at <= query.until)
            and query.text.lower() in low
            and (not query.regex or re.search(query.regex, line, re.IGNORECASE) is not None)
            and all(word and re.search(rf"(?<![\w.-]){re.escape(word.lower())}(?![\w.-])", low) for word in query.words)
        )

    expected = [line for line in ALL if fits(line)]
    assert texts(folder, replace(query, newest_first=newest_first), 7) == (expected[::-1] if newest_first else expected)


def test_several_logs_are_one_stream_by_time(folder: Path) -> None:
    query = LogQuery(("mail", "spam"), since=mails.BEGIN + 100, until=mails.BEGIN + 101)
    found = [line for page in pages(folder, query, 9) for line in page.lines]
    assert len(found) == 80 and {line.log for line in found} == {"mail", "spam"}
    assert [line.at for line in found] == sorted(line.at for line in found)


def test_a_page_goes_on_where_the_last_one_ended_though_files_were_put_aside_meanwhile(tmp_path: Path) -> None:
    for number in range(2):
        mails.write(tmp_path / "mail.log", number * 100, 100)
        if not number:
            rotate(tmp_path, LogSettings(), always=True)
    for newest_first in (False, True):
        query, found, cursor = LogQuery(("mail",), newest_first=newest_first), [], ""
        while True:
            page = search.search(tmp_path, query, 70, cursor)
            found += [line.text for line in page.lines]
            cursor = page.cursor
            if not cursor:
                break
            rotate(tmp_path, LogSettings(), always=True)
        expected = list(mails.lines(0, 200))
        assert found == (expected[::-1] if newest_first else expected)


def test_a_file_deleted_meanwhile_is_told(tmp_path: Path) -> None:
    for number in range(3):
        mails.write(tmp_path / "mail.log", number * 100, 100)
        rotate(tmp_path, LogSettings(), always=True)
    page = search.search(tmp_path, LogQuery(("mail",)), 10)
    (tmp_path / "mail.log.3").unlink()
    page = search.search(tmp_path, LogQuery(("mail",)), 10_000, page.cursor)
    assert page.note == search.GONE and len(page.lines) == 400 and not page.cursor


def test_a_line_says_what_it_is(folder: Path) -> None:
    line = search.search(folder, LogQuery(("mail",)), 1).lines[0]
    assert (line.title, line.at, dict(line.fields)["To"]) == ("Recv", mails.BEGIN, "<User0@b.test>")
    assert dict(line.fields)["Queue-ID"] == mails.queue_id(0)


def test_a_search_whose_time_is_up_says_so_and_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def later() -> float:
        now[0] += 2.0
        return now[0]

    monkeypatch.setattr(scan, "time", SimpleNamespace(monotonic=later))
    monkeypatch.setattr(search, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for newest_first in (False, True):
        found, notes = [], 0
        for page in pages(folder, LogQuery(("mail",), text="sender4321@", newest_first=newest_first), 10):
            found += [line.text for line in page.lines]
            notes += page.note == search.LATE
        assert len(found) == 1 and notes


def test_a_damaged_index_costs_time_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    mails.write(log, 0, 4000)
    while Indexer(log).advance(9, final=True):
        pass
    data = bytearray(index_of(log).read_bytes())
    data[32 + 2 * ENTRY + 500] ^= 1
    for newest_first in (False, True):
        index_of(log).write_bytes(data)
        for number in (5, 1500, 3999):
            found = texts(tmp_path, LogQuery(("mail",), words=(mails.queue_id(number),), newest_first=newest_first))
            assert len(found) == 2
        found = texts(tmp_path, LogQuery(("mail",), newest_first=newest_first), 999)
        assert found[:: -1 if newest_first else 1] == list(mails.lines(0, 4000))
        assert not index_of(log).exists()  # So a new one is made.


def test_a_time_is_found_by_halving_while_there_is_no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mail.log"
    path.write_text("".join(f"{line}\n" for line in mails.lines(0, 24_000)).replace("24/Nov", "20/Nov"))
    mails.write(path, 0, 3000)
    read = [0]
    pread = os.pread

    def counting(file: int, size: int, at: int) -> bytes:
        data = pread(file, size, at)
        read[0] += len(data)
        return data

    monkeypatch.setattr(scan.os, "pread", counting)
    assert texts(tmp_path, LogQuery(("mail",), since=mails.BEGIN + 299)) == list(mails.lines(2990, 10))
    assert read[0] < path.stat().st_size / 2


def test_a_line_without_end_costs_no_memory(tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_bytes(b"x" * 1_000_000 + b"\ny\n")
    for newest_first in (False, True):
        found = texts(tmp_path, LogQuery(("mail",), newest_first=newest_first))
        assert max(map(len, found)) == scan.MAX_LINE and "y" in found


def test_a_page_has_a_bound_in_lines_and_octets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mail.log").write_text("x\n" * 20_000)
    assert len(search.search(tmp_path, LogQuery(("mail",)), 10**9).lines) == search.MOST
    monkeypatch.setattr(search, "MOST_OCTETS", 100)
    assert len(search.search(tmp_path, LogQuery(("mail",)), 1000).lines) == 100


def test_an_expression_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mail.log").write_text(f"[24/Nov/2026 17:57:14] {'a' * 200}!\n")
    begun = time.monotonic()
    with pytest.raises(BadQuery, match="too long"):
        search.search(tmp_path, LogQuery(("mail",), regex="(a+)+$"), 10, seconds=0.2)
    assert time.monotonic() - begun < 30


def test_a_file_that_cannot_be_read_is_named_and_hides_no_other(tmp_path: Path) -> None:
    mails.write(tmp_path / "mail.log", 0, 10)
    (tmp_path / "mail.log.1").mkdir()
    for query in (LogQuery(("mail",)), LogQuery(("mail",), newest_first=True)):
        page = search.search(tmp_path, query, 100)
        assert len(page.lines) == 20
        assert page.note == search.UNREAD.format(tmp_path / "mail.log.1", "it is no file")
    with pytest.raises(BadQuery, match=r"mail\.log\.1 is no file"):
        lines_from(tmp_path, "mail", 1, 1, 1)


@pytest.mark.parametrize(
    ("regex", "reason"),
    [
        ("(", "no regular expression"),
        ("x" * (pattern.LONGEST + 1), "longer than"),
        ("a{5,2}", "no regular expression"),
    ],
)
def test_what_is_no_expression_is_refused(tmp_path: Path, regex: str, reason: str) -> None:
    (tmp_path / "mail.log").write_text("[24/Nov/2026 17:57:14] x\n")
    with pytest.raises(BadQuery, match=reason):
        search.search(tmp_path, LogQuery(("mail",), regex=regex), 10, seconds=2)


@pytest.mark.parametrize("cursor", ["x", "mail:1", "spam:1:2", "mail:1:2,../x:1:2", "mail:zz:1"])
def test_a_cursor_of_another_search_is_refused(tmp_path: Path, cursor: str) -> None:
    with pytest.raises(BadQuery, match="cursor"):
        search.search(tmp_path, LogQuery(("mail",)), 10, cursor)


def test_there_are_only_the_logs_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadQuery):
        search.search(tmp_path, LogQuery(("../passwd",)), 10)
    with pytest.raises(BadQuery):
        lines_from(tmp_path, "../passwd", 0, 1, 1)
    with pytest.raises(BadQuery, match=r"mail\.log\.7 is not there"):
        lines_from(tmp_path, "mail", 7, 1, 1)
    assert search.search(tmp_path, LogQuery(("mail",)), 10) == LogPage(())
    assert lines_from(tmp_path, "mail", 0, 1, 1) == []


@pytest.mark.parametrize("first", [1, 2, 1000, 2300, 2999, 3000, 3001])
def test_lines_are_found_by_number(folder: Path, first: int) -> None:
    found = [line.text for line in lines_from(folder, "mail", 0, first, 10)]
    assert found == ALL[6000:][first - 1 : first + 9]
    assert [line.text for line in lines_from(folder, "mail", 2, first, 3)] == ALL[:3000][first - 1 : first + 2]


@settings(max_examples=40)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30), max_size=40),
    st.integers(1, 40),
    st.integers(1, 5),
)
def test_any_lines_come_out_forwards_and_backwards(lines: list[str], block: int, limit: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        Path(name, "mail.log").write_bytes("".join(f"{line}\n" for line in lines).encode() + b"half a li")
        before, scan.BLOCK = scan.BLOCK, max(block, 10, max((len(line.encode()) + 1 for line in lines), default=1))
        try:
            assert texts(Path(name), LogQuery(("mail",)), limit) == lines
            assert texts(Path(name), LogQuery(("mail",), newest_first=True), limit) == lines[::-1]
        finally:
            scan.BLOCK = before
