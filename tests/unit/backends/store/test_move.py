"""MOVE is a copy, a barrier, and an expunge: what others do in between is not lost."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw
import pytest

from tests.unit.backends.store.house import ANN, Store, run
from whimbrel.backends.store.disk import write
from whimbrel.backends.store.disk.batch import AccountJob
from whimbrel.backends.store.disk.moving import CopyJob
from whimbrel.backends.store.disk.self_check import maintain
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import ANSWERED, DELETED, FLAGGED, SEEN, AccountId, Copied, FlagChange, FlagOp, FolderRef
from whimbrel.core.uids import ALL, UidSet


def between(store: Store, monkeypatch: pytest.MonkeyPatch, work: Callable[[Copied], Awaitable[object]]) -> None:
    """Does `work` once, when the copies are durable and the originals still there."""
    run_job = store.ports.run

    async def and_then(account: AccountId, job: AccountJob) -> object:
        done = await run_job(account, job)
        if isinstance(job, CopyJob):
            assert isinstance(done, Copied)
            monkeypatch.setattr(store.ports, "run", run_job)
            await work(done)
        return done

    monkeypatch.setattr(store.ports, "run", and_then)


async def flags(store: Store, ref: FolderRef) -> dict[int, tuple[int, str]]:
    return {row[0]: (row[1], row[2]) for row in await store.ports.flags(ref, ALL)}


def test_flags_that_another_session_sets_meanwhile_go_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(store: Store) -> None:
        ref, target = await store.folder(), await store.folder("Target")
        await store.fill(ref, 6, SEEN)
        await store.ports.set_flags(ref, UidSet.of([4, 5]), FlagChange(FlagOp.ADD, FLAGGED, frozenset({"a", "b"})))

        async def others(_copied: Copied) -> None:
            set_flags = store.ports.set_flags
            await set_flags(ref, UidSet.of([1, 2]), FlagChange(FlagOp.ADD, ANSWERED, frozenset({"work"})))
            await set_flags(ref, UidSet.of([2]), FlagChange(FlagOp.REMOVE, SEEN))
            await set_flags(ref, UidSet.of([4]), FlagChange(FlagOp.REPLACE, DELETED, frozenset({"b", "c"})))

        between(store, monkeypatch, others)
        moved = await store.ports.move(ref, UidSet([(1, 5)]), target)
        assert moved.source == (1, 2, 3, 4, 5)
        assert await flags(store, target) == {
            1: (SEEN | ANSWERED, "work"),
            2: (ANSWERED, "work"),
            3: (SEEN, ""),
            4: (DELETED, "b c"),
            5: (SEEN | FLAGGED, "a b"),
        }
        assert await flags(store, ref) == {6: (SEEN, "")}
        status = await store.ports.status(target)
        assert (status.messages, status.unseen, status.deleted) == (5, 2, 1)

    run(tmp_path, test)


def test_what_was_done_to_the_copies_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(store: Store) -> None:
        ref, target = await store.folder(), await store.folder("Target")
        await store.fill(ref, 3)

        async def others(copied: Copied) -> None:
            await store.ports.set_flags(target, UidSet.of(copied.target), FlagChange(FlagOp.ADD, FLAGGED))
            await store.ports.set_flags(ref, UidSet.of([2]), FlagChange(FlagOp.ADD, SEEN))
            await store.ports.expunge(target, UidSet.of([3]), marked=False)
            await store.ports.set_flags(ref, UidSet.of([3]), FlagChange(FlagOp.ADD, SEEN))

        between(store, monkeypatch, others)
        await store.ports.move(ref, ALL, target)
        assert await flags(store, target) == {1: (FLAGGED, ""), 2: (FLAGGED | SEEN, "")}
        assert not await flags(store, ref)

    run(tmp_path, test)


def test_the_change_is_told_to_those_who_saw_the_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(store: Store) -> None:
        ref, target = await store.folder(), await store.folder("Target")
        await store.fill(ref, 2)
        seen: list[int] = []

        async def others(_copied: Copied) -> None:
            seen.append((await store.ports.snapshot(target)).status.highest_modseq)
            await store.ports.set_flags(ref, UidSet.of([2]), FlagChange(FlagOp.ADD, SEEN))

        between(store, monkeypatch, others)
        await store.ports.move(ref, ALL, target)
        delta = await store.ports.changes(target, seen[0])
        assert [(row[0], row[1]) for row in delta.rows] == [(2, SEEN)]

    run(tmp_path, test)


def test_the_originals_stay_when_the_target_is_deleted_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(store: Store) -> None:
        ref, target = await store.folder(), await store.folder("Target")
        await store.fill(ref, 3)

        async def others(_copied: Copied) -> None:
            await store.ports.delete(ANN, "Target")

        between(store, monkeypatch, others)
        with pytest.raises(MailboxError) as told:
            await store.ports.move(ref, ALL, target)
        assert told.value.condition is Condition.NONEXISTENT
        assert len(await flags(store, ref)) == 3

    run(tmp_path, test)


def test_a_copy_is_one_change_or_none(tmp_path: Path) -> None:

    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 30)
        before = (await store.ports.status(ref)).highest_modseq
        copied = await store.ports.copy(ref, ALL, ref)
        assert copied.source == tuple(range(1, 31)) and copied.target == tuple(range(31, 61))
        delta = await store.ports.changes(ref, before)
        assert len(delta.rows) == 30 and len({row[3] for row in delta.rows}) == 1
        assert await store.ports.content(ref, 31) == await store.ports.content(ref, 1)
        # One that cannot be copied takes all back, also those of the pieces before it.
        (store.account / "INBOX" / "#msgs" / "00000014.eml").unlink()
        with pytest.raises(MailboxError):
            await store.ports.copy(ref, UidSet([(1, 30)]), await store.folder("Target"))
        assert not list((store.account / "Target" / "#msgs").iterdir())
        assert not await flags(store, await store.folder("Target"))

    run(tmp_path, test)


def test_copies_have_all_that_the_originals_have(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref, target = await store.folder(), await store.folder("Target")
        await store.fill(ref, 9)
        await store.fill(target, 3, SEEN)
        await store.ports.set_flags(ref, UidSet.of([2, 6]), FlagChange(FlagOp.ADD, SEEN | DELETED, frozenset({"k"})))
        for place in (target, ref):
            some = UidSet.of([2, 3, 6, 9])
            copied = await store.ports.copy(ref, some, place)
            assert [row[1:3] for row in await store.ports.flags(place, UidSet.of(copied.target))] == [
                (SEEN | DELETED, "k"), (0, ""), (SEEN | DELETED, "k"), (0, "")
            ]  # fmt: skip
            for old, new in zip(
                await store.ports.meta(ref, some),
                await store.ports.meta(place, UidSet.of(copied.target)),
                strict=True,
            ):
                assert old[4:] == new[4:]
        status = await store.ports.status(target)
        assert (status.messages, status.unseen, status.deleted) == (7, 2, 2)
        status = await store.ports.status(ref)
        assert (status.messages, status.unseen, status.deleted) == (13, 9, 4)
        for folder in (ref, target):
            await store.pool.run(maintain, store.ports.shard(ANN), folder.mailbox)
        assert not store.log.named("store.counters-wrong")

    run(tmp_path, test)


def test_a_copy_from_another_account_does_not_keep_hold_of_it(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        target = await store.folder("Target")
        found = await store.ports.find(AccountId("bob@example.test"), "INBOX")
        assert found is not None
        for count in range(12):  # SQLite attaches ten at most.
            await store.fill(found.ref, 2)
            copied = await store.ports.copy(found.ref, UidSet([(2 * count + 1, 2 * count + 2)]), target)
            assert len(copied.target) == 2
        assert len(await flags(store, target)) == 24

    run(tmp_path, test)


def test_an_index_that_is_found_damaged_by_a_copy_is_healed_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object, **__: object) -> tuple[int, int, int, int]:
        raise apsw.CorruptError("database disk image is malformed")

    async def test(store: Store) -> None:
        ref, target = await store.folder(), await store.folder("Target")
        await store.fill(ref, 3)
        healed: list[object] = []
        shard = store.ports.shard(ANN)
        heal = shard.heal
        monkeypatch.setattr(shard, "heal", lambda mailbox: (healed.append(mailbox), heal(mailbox)))
        with monkeypatch.context() as now:
            now.setattr(write, "copy_rows", damaged)
            with pytest.raises(MailboxError) as told:
                await store.ports.copy(ref, ALL, target)
        assert told.value.condition is Condition.INUSE and healed == [ref.mailbox]
        assert not list((store.account / "Target" / "#msgs").iterdir())
        assert len((await store.ports.copy(ref, ALL, target)).target) == 3

    run(tmp_path, test)
