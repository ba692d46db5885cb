"""Appending: what is written, what is read again, and in which thread."""

import asyncio
from pathlib import Path

import pytest

from tests.support.fakes import MemoryLog
from tests.unit.backends.store.house import ANN, Store, run
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.store.disk import jobs, notifier
from whimbrel.backends.store.disk.columns import AHEAD
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import SEEN, AccountId, FlagChange, FlagOp, FolderRef, MailboxId
from whimbrel.core.uids import UidSet


def blocks(store: Store, ref: FolderRef) -> list[tuple[int, int]]:
    query = "SELECT id, modseq FROM block ORDER BY id"
    return store.ports.shard(ANN).read(ref.mailbox, lambda index: index.connection.execute(query).fetchall())


def another(store: Store) -> tuple[DiskStore, Committer]:
    """The same store as another process has it."""
    log = MemoryLog()
    committer = Committer(Barrier(store.root), log)
    return (
        DiskStore(
            store.root,
            committer=committer,
            pool=store.pool,
            notices=LocalNotices(),
            log=log,
            generation=store.generation,
        ),
        committer,
    )


def test_a_run_of_uids_is_raised_ahead_and_not_with_each_message(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 1)
        first = blocks(store, ref)
        highest = (await store.ports.status(ref)).highest_modseq
        assert first == [(0, highest + AHEAD)]
        await store.fill(ref, 1)
        assert blocks(store, ref) == first
        found = await store.ports.changes(ref, highest)
        assert [row[0] for row in found.rows] == [2]

    run(tmp_path, test)


def test_only_the_newest_run_says_more_than_is_true(tmp_path: Path) -> None:
    """Else a folder just filled would be looked through as a whole by whoever asks what is new."""

    async def test(store: Store) -> None:
        ref = await store.folder()
        for size in (250, 10, 600):
            await store.fill(ref, size)
        highest, found = (await store.ports.status(ref)).highest_modseq, dict(blocks(store, ref))
        assert sorted(found) == [0, 1, 2, 3] and found.pop(3) > highest
        assert all(modseq <= highest for modseq in found.values())
        rows = await store.ports.flags(ref, UidSet([(1, 1000)]))
        assert all(found.get(uid >> 8, highest) >= modseq for uid, _, _, modseq in rows)

    run(tmp_path, test)


def test_changes_are_found_when_the_modseq_has_passed_what_was_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whimbrel.backends.store.disk.counts.AHEAD", 0)

    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 300)
        for number in (1, 300, 256, 2):
            before = (await store.ports.status(ref)).highest_modseq
            await store.ports.set_flags(ref, UidSet.of([number]), FlagChange(FlagOp.ADD, SEEN))
            (row,) = (await store.ports.changes(ref, before)).rows
            assert row[0] == number
            assert dict(blocks(store, ref))[number >> 8] >= row[3]

    run(tmp_path, test)


def test_what_another_process_appended_is_counted_before_the_next_message(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        other, committer = another(store)
        given: list[int] = []
        for number in range(1, 7):
            work = [Append(ref, Rendition(b"", store.spool.hold(b"Subject: x\r\n\r\n" + b"x" * number)))]
            (one,) = await (other if number % 3 == 0 else store.ports).commit(work)
            assert isinstance(one, Appended)
            given.append(one.uid)
        assert given == [1, 2, 3, 4, 5, 6]
        status = await store.ports.status(ref)
        assert (status.messages, status.unseen, status.uid_next) == (6, 6, 7)
        assert status.size == sum(14 + number for number in range(1, 7))
        committer.close()
        other.close()

    run(tmp_path, test)


def test_a_message_that_cannot_be_written_harms_no_other_of_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = jobs.materialise

    def full(rendition: Rendition, folder: Path, modified: int | None) -> object:
        if rendition.prefix == b"X: large\r\n":
            raise MailError(452, "4.3.1", "Insufficient system storage")
        return write(rendition, folder, modified)

    monkeypatch.setattr(jobs, "materialise", full)

    async def test(store: Store) -> None:
        ref = await store.folder()
        prefixes = (b"X: 1\r\n", b"X: large\r\n", b"X: 2\r\n")
        work = [Append(ref, Rendition(prefix, store.spool.hold(b"\r\n"))) for prefix in prefixes]
        first, large, second = await store.ports.commit(work)
        assert isinstance(large, MailError) and large.code == 452
        assert isinstance(first, Appended) and isinstance(second, Appended)
        assert (first.uid, second.uid) == (1, 2)

    run(tmp_path, test)


def test_an_account_is_made_by_its_first_use_and_not_in_the_loop(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        eve = AccountId("eve@other.test")
        shard = store.ports.shard(eve)
        store.ports.watch(eve, lambda mailbox: None)()
        assert not shard.root.parent.exists()
        assert (await store.ports.find(eve, "INBOX")) is not None
        assert (shard.root / "account.seq").exists()

    run(tmp_path, test)


def test_who_watches_an_account_that_is_not_open_here_hears_of_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "POLL", 0.01)

    async def test(store: Store) -> None:
        ref = await store.folder()
        store.ports._accounts.clear()  # As when many others were used meanwhile.
        woken: asyncio.Queue[MailboxId | None] = asyncio.Queue()
        end = store.ports.watch(ANN, woken.put_nowait)
        while not store.ports.shard(ANN).ready or not store.ports._notifier._seen[ANN]:
            await asyncio.sleep(0.01)
        while not woken.empty():
            woken.get_nowait()
        other, committer = another(store)
        await other.commit([Append(ref, Rendition(b"", store.spool.hold(b"Subject: x\r\n\r\nx")))])
        assert await asyncio.wait_for(woken.get(), 30) == ref.mailbox
        end()
        committer.close()
        other.close()

    run(tmp_path, test)
