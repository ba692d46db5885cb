"""What a process counts is read by others, also when it is gone."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from whimbrel.backends.stats import board as board_module
from whimbrel.backends.stats.board import TOPS, Board
from whimbrel.backends.stats.boards import BoardCopy, read_boards

SERVICES = ("smtp", "imap")


def opened(folder: Path, name: str = "mail-1") -> Board:
    board = Board(SERVICES)
    board.open(folder / name)
    return board


def copied(board: Board, *, tops: bool = True) -> None:
    board.write(board.image(tops=tops))


def only(folder: Path) -> BoardCopy:
    (copy,) = read_boards(folder)
    return copy


def test_counts_are_read_by_their_names(tmp_path: Path) -> None:
    board = opened(tmp_path)
    board.add("messages-in", "smtp")
    board.add("messages-in", "smtp", 2)
    board.add("connections", "imap")
    board.took(0.02)
    cell = board.cell("octets-in", "smtp")
    cell[0] += 2**40
    copied(board)
    copy = only(tmp_path)
    assert copy.alive
    assert copy.values["messages-in.smtp"] == 3 and copy.values["connections.imap"] == 1
    assert copy.values["octets-in.smtp"] == 2**40
    assert sum(value for name, value in copy.values.items() if name.startswith("latency.")) == 1
    board.close()


def test_a_value_that_nobody_declared_makes_no_new_number(tmp_path: Path) -> None:
    board = opened(tmp_path)
    for number in range(50):
        board.add("messages-in", f"x{number}")
    copied(board)
    values = only(tmp_path).values
    assert values["messages-in.other"] == 50 and list(values) == list(board.columns)
    with pytest.raises(LookupError):
        board.add("never-declared")
    board.close()


def test_the_last_of_a_process_that_has_ended_is_there_and_known_to_be_the_last(tmp_path: Path) -> None:
    board = opened(tmp_path)
    board.add("messages-in", "smtp")
    board.close()
    board.close()
    copy = only(tmp_path)
    assert not copy.alive and copy.values["messages-in.smtp"] == 1


def _counting(folder: Path, ready: "multiprocessing.synchronize.Event") -> None:
    board = opened(folder)
    board.add("messages-in", "smtp", 41)
    copied(board)
    ready.set()
    while True:
        time.sleep(60)


def test_a_killed_process_leaves_what_it_had_told(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_counting, args=(tmp_path, ready))
    process.start()
    assert ready.wait(30)
    assert only(tmp_path).alive
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    copy = only(tmp_path)
    assert not copy.alive and copy.values["messages-in.smtp"] == 41


def test_what_is_no_board_is_passed_over(tmp_path: Path) -> None:
    board = opened(tmp_path)
    copied(board)
    whole = next(tmp_path.iterdir()).read_bytes()
    for name, content in {"empty": b"", "text": b"hello" * 1000, "head": whole[:40], "names": whole[:90],
                          "cut": whole[:4096], "huge": whole[:24] + b"\xff" * 20 + whole[44:]}.items():  # fmt: skip
        (tmp_path / f"zz-{name}").write_bytes(content)
    (tmp_path / "zz-link").symlink_to(next(tmp_path.iterdir()))
    (tmp_path / "zz-folder").mkdir()
    assert [copy.path.name[:6] for copy in read_boards(tmp_path)] == ["mail-1"]
    assert list(read_boards(tmp_path / "missing")) == []
    board.close()


def test_senders_and_recipients_are_those_of_the_day_and_of_the_day_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.mktime((2026, 3, 1, 23, 59, 0, 0, 0, -1))
    monkeypatch.setattr(board_module.time, "time", lambda: now)
    monkeypatch.setattr(board_module.time, "localtime", lambda: time.struct_time(time.gmtime(now - time.timezone)))
    board = opened(tmp_path)
    board.noted("a@example.test", 100)
    board.reached("b@example.test")
    now += 120
    board.noted("c@example.test", 7)
    copied(board)
    today, before = only(tmp_path).tops
    assert (today.day, dict(today.senders)) == ("2026-03-02", {"c@example.test": (1, 7)})
    assert (before.day, dict(before.senders)) == ("2026-03-01", {"a@example.test": (1, 100)})
    assert dict(before.recipients) == {"b@example.test": (1, 0)}
    board.close()


def test_names_of_any_length_leave_the_tables_within_their_bounds(tmp_path: Path) -> None:
    board = opened(tmp_path)
    for number in range(2000):
        board.noted(f"{number}" + "\U0001f4a9" * 300, 1)
        board.reached(f"{number}" + "\ud800\n" * 200)
    _, tops = board.image(tops=True)
    assert 0 < len(tops) <= TOPS
    copied(board)
    board.noted("x", 1)
    copied(board)
    assert only(tmp_path).tops and os.path.getsize(only(tmp_path).path) < 2 * TOPS
    board.close()


def test_a_full_disk_and_a_folder_taken_away_stop_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = opened(tmp_path)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(board_module.os, "pwrite", full)
    board.add("messages-in", "smtp")
    copied(board)
    monkeypatch.undo()
    copied(board)
    assert only(tmp_path).values["messages-in.smtp"] == 1
    only(tmp_path).path.unlink()
    board.add("messages-in", "smtp")
    copied(board)
    board.close()
