"""Directories and folders must stay one, whatever a crash or a person did between two steps."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.backends.store.house import ANN, Store, run
from whimbrel.backends.disk.barrier import Touched
from whimbrel.backends.store.disk import contents, deleted_folders, tree_jobs
from whimbrel.backends.store.disk.deleted_folders import move_to_deleted
from whimbrel.backends.store.disk.purge import Purger
from whimbrel.backends.store.disk.self_check import check_tree, maintain
from whimbrel.backends.store.names import by_hand, canonical
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId, MailboxId
from whimbrel.core.uids import ALL, UidSet
from whimbrel.core.undelete import Chosen


class PowerCut(Exception):
    pass


async def names(store: Store) -> list[str]:
    return [each.name for each in await store.ports.list(ANN)]


def lose_tree(store: Store) -> None:
    for suffix in ("", "-wal", "-shm"):
        (store.account / f"account.fld{suffix}").unlink(missing_ok=True)


def test_whatever_directories_are_called_the_account_can_be_read(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await store.fill(await store.folder("Work"), 2)
        for name in (b"a\xef\xbf\xbe", b"tab\there", b"star*", b"%2F%2A", b"bad\xffbytes", b"inbox", b"x" * 255):
            os.makedirs(os.fsencode(store.account) + b"/" + name + b"/#msgs")
        lose_tree(store)
        found = await names(store)
        assert found[0] == "INBOX" and "Work" in found
        assert {"a\ufffd", "tab\ufffdhere", "star\ufffd", "\ufffd\ufffd", "INBOX (2)", "x" * 255} <= set(found)
        for name in found:
            ref = await store.folder(name)
            assert await store.fill(ref, 1)
        assert all(canonical(name) == name for name in found)

    run(tmp_path, test)


@pytest.mark.parametrize("name", ["", "\ufffe", "\x00", "a/b", "50%", "e\u0301" * 200])
def test_a_directory_is_one_level_of_a_name(name: str) -> None:
    found = by_hand(name or "x")
    assert canonical(found) == found and "/" not in found


def test_a_folder_put_in_by_hand_is_found_by_the_next_round(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await store.fill(await store.folder("Work"), 2)
        shard = store.ports.shard(ANN)
        assert not await store.pool.run(check_tree, shard)
        new = store.account / "Work" / "New" / "#msgs"
        new.mkdir(parents=True)
        (new / "00000001.eml").write_bytes(b"Subject: by hand\r\n\r\nx\r\n")
        assert await store.pool.run(check_tree, shard)
        assert await names(store) == ["INBOX", "Work", "Work/New"]
        assert len(await store.ports.flags(await store.folder("Work/New"), ALL)) == 1
        assert len(await store.ports.flags(await store.folder("Work"), ALL)) == 2
        assert not await store.pool.run(check_tree, shard)

    run(tmp_path, test)


def test_a_folder_whose_directory_was_brought_back_before_the_power_went_is_there_again(tmp_path: Path) -> None:
    async def first(store: Store) -> None:
        work = await store.folder("Work")
        await store.fill(work, 3)
        await store.ports.delete(ANN, "Work")
        (deleted,) = await store.undelete.folders(ANN)
        deleted_folders.move_back(
            store.account / "#deleted" / deleted.id, store.account / "Work"
        )  # And here the power goes.

    run_and_crash(tmp_path, first)

    async def after(store: Store) -> None:
        assert await names(store) == ["INBOX", "Work"]
        assert len(await store.ports.flags(await store.folder("Work"), ALL)) == 3
        assert not await store.undelete.folders(ANN)

    run(tmp_path, after)


class Shaky:
    """os, until the power goes before its `steps`-th change of a name."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def _step(self) -> None:
        if self._left == 0:
            raise PowerCut
        self._left -= 1

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        os.rename(source, target)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        os.replace(source, target)


@pytest.mark.parametrize("below", [False, True])
def test_power_lost_at_any_step_of_deleting_a_folder_costs_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: bool
) -> None:
    for steps in range(20):
        root, mailbox = tmp_path / str(steps), list[MailboxId]()

        async def filled(store: Store, mailbox: list[MailboxId] = mailbox) -> None:
            work = await store.folder("Work")
            mailbox.append(work.mailbox)
            if below:
                await store.folder("Work/Below")
            await store.fill(work, 3)

        run_and_crash(root, filled)
        account = root / "mail" / "example.test" / "ann"
        with monkeypatch.context() as shaky:
            shaky.setattr(deleted_folders, "os", Shaky(steps))
            try:
                move_to_deleted(account, account / "Work", mailbox[0])
                cut = False
            except PowerCut:
                cut = True

        async def after(store: Store) -> None:
            found = await store.ports.find(ANN, "Work")
            held = len(await store.ports.flags(found.ref, ALL)) if found is not None else 0
            if held != 3:
                (deleted,) = await store.undelete.folders(ANN)
                assert deleted.messages == 3 and held == 0
                await store.undelete.restore_folder(ANN, deleted.id, "Back")
                assert len(await store.ports.flags(await store.folder("Back"), ALL)) == 3

        run(root, after)
        if not cut:
            assert steps >= (4 if below else 1)
            return
    raise AssertionError("it never ends")


def run_and_crash(root: Path, test: Callable[[Store], Awaitable[None]]) -> None:
    async def main() -> None:
        store = Store(root)
        try:
            await test(store)
        finally:
            store.stop(clean=False)

    asyncio.run(main())


def test_a_deleted_folder_within_another_is_durable_whichever_barrier_is_used(tmp_path: Path) -> None:
    """Every directory that is to be synced must be there."""

    async def test(store: Store) -> None:
        await store.folder("A/B/C")
        for name in ("A/B/C", "A", "A/B"):
            job, touched = tree_jobs.DeleteJob(name), Touched()
            store.ports.shard(ANN).apply([job], touched)
            assert not isinstance(job.result, Exception)
            assert all(os.path.isdir(path) for path in touched.directories), (name, touched.directories)
            assert str(store.account / "#deleted") in touched.directories

    run(tmp_path, test)


def test_what_could_not_be_read_is_not_removed_by_restoring_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 3)
        await store.ports.expunge(ref, ALL, marked=False)
        broken = store.account / "INBOX" / "#deleted" / "00000002.eml"

        def shaky(path: str, mode: str, buffering: int = -1) -> object:
            if path == str(broken):
                raise OSError(24, "Too many open files")
            return open(path, mode, buffering)

        with monkeypatch.context() as few:
            few.setattr(contents, "open", shaky, raising=False)
            with pytest.raises(MailError):
                await store.undelete.restore(ANN, Chosen())
        assert broken.exists()
        assert (await store.undelete.restore(ANN, Chosen())).messages == 3
        assert len(await store.ports.flags(ref, ALL)) == 3

    run(tmp_path, test)


def test_what_is_kept_of_moved_messages_goes_after_its_time(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref, work = await store.folder(), await store.folder("Work")
        await store.fill(ref, 3)
        await store.ports.move(ref, UidSet.of([1, 3]), work)
        kept = store.account / "INBOX" / "#deleted"
        assert len(list(kept.iterdir())) == 2

        async def ten_days(_account: AccountId) -> float:
            return 10 * 86400.0

        await Purger(store.ports, store.pool, ten_days, pause=0, now=lambda: time.time() + 11 * 86400).round([ANN])
        assert not list(kept.iterdir())
        assert len(await store.ports.flags(work, ALL)) == 2

    run(tmp_path, test)


@pytest.mark.parametrize("lost", [("index.fld",), ("index.fld", "flags.bak")])
def test_old_mail_in_a_folder_made_anew_does_not_count_as_long_in_it(tmp_path: Path, lost: tuple[str, ...]) -> None:
    """RFC 8514 2: the save date is when it came into this folder; clean-out rules count from it."""

    async def test(store: Store) -> None:
        ref = await store.folder("Deleted Items")
        work = [Append(ref, Rendition(b"", store.spool.hold(b"a: b\r\n\r\n")), internal_date=1_000_000_000)]
        await store.ports.commit(work)
        shard = store.ports.shard(ANN)
        await store.pool.run(maintain, shard, ref.mailbox)
        folder = store.account / "Deleted Items"
        assert (folder / "flags.bak").exists()
        shard.forget(ref.mailbox)
        for name in lost:
            for suffix in ("", "-wal", "-shm"):
                (folder / f"{name}{suffix}").unlink(missing_ok=True)
        ((_, saved),) = await store.ports.save_dates(ref, ALL)
        assert saved > time.time() - 3600
        assert (await store.ports.meta(ref, ALL))[0][4] == 1_000_000_000

    run(tmp_path, test)
