"""An index finds what is in its log, fits no other, and whatever happens to it is noticed."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import MemoryLog
from tests.unit.backends.logs import mails
from whimbrel.backends.logs import index as module
from whimbrel.backends.logs.files import index_of, rotate
from whimbrel.backends.logs.index import BLOCK, ENTRY, BrokenIndex, Indexer, LogIndex, read_index
from whimbrel.backends.logs.keeper import LogKeeper
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.backends.logs.words import bits, block_words, make_filter, wanted


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """About 1.2 MB: four whole blocks and a rest."""
    path = tmp_path / "mail.log"
    mails.write(path, 0, 4000)
    assert path.stat().st_size > 4 * BLOCK
    return path


def opened(path: Path) -> LogIndex | None:
    log = os.open(path, os.O_RDONLY)
    found = read_index(path, log)
    os.close(log)
    return found[0] if found else None


def build(path: Path, *, final: bool = False) -> LogIndex:
    while Indexer(path).advance(2, final=final):
        pass
    found = opened(path)
    assert found is not None
    return found


def test_blocks_are_whole_lines_without_a_gap(log: Path) -> None:
    index, content = build(log), log.read_bytes()
    entries = list(index.blocks(0, index.count))
    assert [entry.start for entry in entries] == [0, *[entry.end for entry in entries[:-1]]]
    assert all(content[entry.end - 1 : entry.end] == b"\n" for entry in entries)
    assert [entry.before for entry in entries] == [content[: entry.start].count(b"\n") for entry in entries]
    assert index.covered > len(content) - 2 * BLOCK
    final = build(log, final=True)
    assert final.covered == len(content)


def test_it_is_a_few_percent_of_the_log(log: Path) -> None:
    build(log)
    assert index_of(log).stat().st_size < 0.02 * log.stat().st_size
    assert index_of(log).stat().st_mode & 0o777 == 0o600


def test_it_grows_with_the_log_and_does_not_begin_anew(log: Path) -> None:
    before = build(log).count
    head = index_of(log).read_bytes()
    mails.write(log, 4000, 2000)
    assert build(log).count > before
    assert index_of(log).read_bytes()[: len(head)] == head


def test_a_small_log_has_none_until_it_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    mails.write(path, 0, 10)
    assert not Indexer(path).advance(9, final=False) and not index_of(path).exists()
    assert build(path, final=True).covered == path.stat().st_size


def test_a_word_is_looked_for_in_few_blocks(log: Path) -> None:
    index = build(log)
    places = {}
    for number in range(0, 3000, 37):
        blocks = list(index.blocks(0, index.count, [mails.queue_id(number).encode()]))
        text = b"".join(log.read_bytes()[entry.start : entry.end] for entry in blocks)
        places[number] = len(blocks)
        assert mails.queue_id(number).encode() in text
    assert sum(places.values()) < 1.3 * len(places)
    assert list(index.blocks(0, index.count, [b"nobody@nowhere.test"])) == []


def test_a_time_or_a_line_is_found_by_halving(log: Path) -> None:
    index = build(log)
    for number in (0, 1500, 2999):
        at = mails.BEGIN + number // 10
        entry = index.entry(index.at_time(at))
        assert entry.greatest >= at and (entry.start == 0 or index.entry(index.at_time(at) - 1).greatest < at)
        entry = index.entry(index.at_line(2 * number))
        assert entry.before <= 2 * number < entry.before + entry.lines
    assert index.at_time(mails.BEGIN + 10**6) == index.count == index.at_line(10**9)


@pytest.mark.parametrize(
    "harm", ["header", "entry", "filter", "short", "other log", "cut log", "rewritten log", "empty"]
)
def test_what_does_not_fit_is_noticed_and_made_anew(log: Path, harm: str) -> None:
    good = build(log).count
    path, data = index_of(log), bytearray(index_of(log).read_bytes())
    if harm == "header":
        data[3] ^= 1
    elif harm == "entry":
        data[32 + ENTRY + 3] ^= 1
    elif harm == "filter":
        data[32 + 2 * ENTRY + 3000] ^= 0x10
    elif harm == "short":
        del data[32 + ENTRY * 2 + 100 :]
    elif harm == "empty":
        data.clear()
    elif harm == "other log":
        log.write_bytes(b"[24/Nov/2026 17:57:14] Other: x\n" + log.read_bytes())
    elif harm == "cut log":
        os.truncate(log, 2 * BLOCK)
    else:
        content = log.read_bytes()
        log.write_bytes(content[:1000] + content[1000:].replace(b"Sent", b"Gone"))
    path.write_bytes(data)
    Indexer(log).verify()
    index = build(log)
    assert (index.count == good) == (harm != "cut log")
    assert all(entry.end <= log.stat().st_size for entry in index.blocks(0, index.count))
    needle = mails.queue_id(5).encode()
    assert [entry.start for entry in index.blocks(0, index.count, [needle])][:1] == [0]


def test_a_reader_never_believes_a_filter_that_lost_a_bit(log: Path) -> None:
    build(log)
    data = bytearray(index_of(log).read_bytes())
    data[32 + ENTRY - 100] ^= 0xFF
    index_of(log).write_bytes(data)
    index = opened(log)
    assert index is not None
    with pytest.raises(BrokenIndex):
        list(index.blocks(0, index.count))


def test_an_entry_cut_off_by_a_crash_is_written_over(log: Path) -> None:
    whole = build(log).count
    os.truncate(index_of(log), 32 + ENTRY * (whole - 1) + 77)
    assert Indexer(log).verify()
    assert build(log).count == whole


def test_a_clock_set_back_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    mails.write(path, 30_000, 1500)
    mails.write(path, 0, 1500)
    index = build(path, final=True)
    assert index.at_time(mails.BEGIN + 100) == 0
    assert index.at_time(mails.BEGIN + 3010) == 0


def test_the_keeper_indexes_all_files_and_says_what_it_mended(log: Path, tmp_path: Path) -> None:
    told = MemoryLog()
    keeper = LogKeeper(tmp_path, told)
    while keeper.index():
        pass
    rotate(tmp_path, LogSettings(), always=True)
    mails.write(log, 0, 10)
    while keeper.index():
        pass
    aside = tmp_path / "mail.log.1"
    index = opened(aside)
    assert index is not None and index.covered == aside.stat().st_size
    # A batch that came late, from a writer that still held the file.
    mails.write(aside, 4000, 3)
    while keeper.index():
        pass
    index = opened(aside)
    assert index is not None and index.covered == aside.stat().st_size
    index_of(aside).unlink()
    while keeper.index():
        pass
    assert opened(aside) is not None
    data = bytearray(index_of(aside).read_bytes())
    data[ENTRY] ^= 1
    index_of(aside).write_bytes(data)
    fresh = LogKeeper(tmp_path, told)
    while fresh.index():
        pass
    assert [record[1] for record in told.records] == ["log.index-damaged"]


def test_the_keeper_wakes_at_the_boundary_of_a_period(tmp_path: Path) -> None:
    keeper = LogKeeper(tmp_path, MemoryLog())
    assert keeper.pause(1_800_000_000 - 2) == pytest.approx(2.05)
    assert keeper.pause(1_800_000_000 + 2) == 5.0


@given(st.lists(st.binary(min_size=3, max_size=40), max_size=300), st.binary(min_size=3, max_size=40))
def test_a_filter_knows_each_of_its_words(words: list[bytes], other: bytes) -> None:
    made = make_filter(words)

    def has(word: bytes) -> bool:
        return all(made[bit >> 3] & 1 << (bit & 7) for bit in bits(word))

    assert all(map(has, words))
    assert len(words) > 100 or other in words or not has(other) or len(set(words)) > 20


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("438dd9ea-00000000", True), ("A@X.TEST", True), ("<a@x.test>", True), ("x.test", True), ("192.0.2.2", True),
        ("2001:db8::7", True), ("mx.y.test", True), ("<m.1+x@y.test>", True), ("bücher@x.test", True),
        ("@x.test", False), ("y.tes", False), ("192.0.2", False), ("two words", False), ("", False), ("<>", False),
    ],
)  # fmt: skip
def test_ids_addresses_hosts_and_message_ids_are_words(word: str, found: bool) -> None:
    line = (
        "[24/Nov/2026 17:57:14] Sent: Queue-ID: 438dd9ea-00000000, From: <a@x.test>, Remote: mx.y.test[192.0.2.2]:25, "
        "Other: 2001:db8::7, To: <bücher@x.test>, Message-ID: <M.1+x@y.test>."
    )
    text = wanted(word)
    assert (bool(text) and text in block_words(line.encode())) == found


def test_times_of_a_block_are_the_least_and_greatest() -> None:
    lines = list(mails.lines(0, 700))
    block = "\n".join([lines[-1], *lines, "no time here", ""]).encode()
    assert module._times(block, 0) == (mails.BEGIN, mails.BEGIN + 69, mails.BEGIN + 69)
    assert module._times(b"junk\n", 7) == (7, 7, 7)
