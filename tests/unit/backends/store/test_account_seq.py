"""account.seq: modseq never goes back, sums follow the folders, two processes see one truth."""

import multiprocessing
import os
from pathlib import Path

import pytest

from whimbrel.backends.store.disk.account_seq import AccountSeq
from whimbrel.core.errors import MailboxError
from whimbrel.core.mailbox import FolderStatus


def status(messages: int, size: int) -> FolderStatus:
    return FolderStatus(1, messages + 1, 5, messages, messages, 0, size, 1, 0)


def test_modseqs_ascend_and_are_committed_when_settled(tmp_path: Path) -> None:
    sequence = AccountSeq(tmp_path / "account.seq")
    with sequence.locked():
        first, second = sequence.allocate(), sequence.allocate()
        assert second > first > 1_600_000_000_000_000
        assert sequence.committed == 0
        sequence.commit()
    assert sequence.committed == second


def test_sums_follow_folders_through_growth_and_removal(tmp_path: Path) -> None:
    sequence = AccountSeq(tmp_path / "account.seq")
    keys = [bytes([n]) * 16 for n in range(1, 100)]
    with sequence.locked():
        for key in keys:
            sequence.store(key, status(2, 10))
        sequence.store(keys[0], status(5, 100))
        sequence.remove(keys[1])
    header = sequence.header()
    assert (header.messages, header.bytes) == (98 * 2 + 3, 98 * 10 + 90)
    assert sequence.status(keys[0]) == status(5, 100)
    assert sequence.status(keys[1]) is None
    with sequence.locked():
        sequence.store(b"\xff" * 16, status(1, 1))
    assert AccountSeq(tmp_path / "account.seq").status(b"\xff" * 16) == status(1, 1)


def _work(path: str) -> None:
    sequence = AccountSeq(Path(path))
    for _ in range(300):
        with sequence.locked():
            header = sequence.header()
            sequence.store(b"k" * 16, status(header.messages + 1, 0))
            sequence.allocate()
            sequence.commit()


def test_two_processes_lose_no_update(tmp_path: Path) -> None:
    path = str(tmp_path / "account.seq")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert AccountSeq(Path(path)).header().messages == 600


def test_a_lock_that_is_not_given_in_time_is_inuse(tmp_path: Path) -> None:
    path = tmp_path / "account.seq"
    holder, waiter = AccountSeq(path), AccountSeq(path)
    with holder.locked(), pytest.raises(MailboxError), waiter.locked(0.01):
        pass


def test_a_file_that_was_replaced_is_noticed_under_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "account.seq"
    sequence = AccountSeq(path)
    with sequence.locked():
        sequence.allocate()
        sequence.commit()
    path.unlink()
    sequence.recreated = False
    with sequence.locked():
        assert sequence.recreated


def test_one_that_nobody_uses_any_more_gives_its_descriptor_back(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        AccountSeq(tmp_path / f"{number}.seq")
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_a_modseq_that_was_taken_and_not_settled_is_seen_by_whoever_comes_next(tmp_path: Path) -> None:
    sequence, other = AccountSeq(tmp_path / "account.seq"), AccountSeq(tmp_path / "account.seq")
    with sequence.locked():
        first = sequence.allocate()
        assert other.header().last == first > other.header().committed  # At once: we may die now.
        last = [sequence.allocate() for _ in range(5)][-1]
        sequence.store(b"k" * 16, status(3, 30))
    found = other.header()
    assert (found.last, found.committed, found.messages, found.bytes) == (last, 0, 3, 30)
    with other.locked():
        assert other.allocate() > last


def test_a_restart_never_gives_a_modseq_again(tmp_path: Path) -> None:
    sequence = AccountSeq(tmp_path / "account.seq")
    with sequence.locked():
        given = [sequence.allocate() for _ in range(1000)][-1]
        sequence.restart(7, 0)
        assert sequence.allocate() > given
        sequence.commit()
    assert sequence.header().generation == 7


def test_a_thousand_folders_are_found_by_another_process(tmp_path: Path) -> None:
    sequence, other = AccountSeq(tmp_path / "account.seq"), AccountSeq(tmp_path / "account.seq")
    keys = [n.to_bytes(16, "big") for n in range(1, 1001)]
    with sequence.locked():
        for number, key in enumerate(keys):
            sequence.store(key, status(number, 0))
    assert [other.status(key) for key in keys] == [status(number, 0) for number in range(1000)]
