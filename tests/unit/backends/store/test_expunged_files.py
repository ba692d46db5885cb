"""Many expunged files are moved behind the client's back: until then, and whatever happens, they are no messages."""

import os
import shutil
from pathlib import Path

import pytest

from tests.unit.backends.store.house import ANN, Store, run
from whimbrel.backends.store.disk import expunged_files, expunged_mover
from whimbrel.backends.store.disk.expunged_mover import begin_move, move_listed
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.purge import Purger
from whimbrel.backends.store.disk.reconcile import compare
from whimbrel.backends.store.disk.self_check import maintain, self_check
from whimbrel.core.mailbox import AccountId, FolderRef
from whimbrel.core.uids import ALL, UidSet
from whimbrel.core.undelete import Chosen

MANY = expunged_files.AT_ONCE + 14
LIVE = list(range(MANY + 1, MANY + 11))
INDEX = ("index.fld", "index.fld-wal", "index.fld-shm")


@pytest.fixture(autouse=True)
def nobody_moves_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expunged_mover, "DELAY", 3600.0)


async def pending(store: Store, name: str = "INBOX") -> FolderRef:
    """A folder with ten messages, and more that were expunged and not moved yet."""
    ref = await store.folder(name)
    await store.fill(ref, MANY + 10)
    gone = await store.ports.expunge(ref, UidSet([(1, MANY)]), marked=False)
    assert len(gone.uids) == MANY and len(names(store, name)) == MANY + 10
    return ref


def names(store: Store, folder: str = "INBOX", place: str = "#msgs") -> set[str]:
    return set(os.listdir(store.account / folder / place))


def lists(store: Store, folder: str = "INBOX") -> bool:
    return (store.account / folder / "#expunged").exists()


async def settled(store: Store, ref: FolderRef, folder: str = "INBOX") -> None:
    """All is where it belongs, and nothing came back."""
    assert [row[0] for row in await store.ports.flags(ref, ALL)] == LIVE
    assert names(store, folder) == {f"{uid:08x}.eml" for uid in LIVE}
    assert names(store, folder, "#deleted") == {f"{uid:08x}.eml" for uid in range(1, MANY + 1)}
    assert not lists(store, folder)


async def move_all(store: Store, ref: FolderRef) -> None:
    await move_listed(store.pool, store.ports.shard(ANN), ref.mailbox)


def test_a_few_are_moved_with_the_expunge(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 20)
        await store.ports.expunge(ref, UidSet([(1, expunged_files.AT_ONCE)]), marked=False)
        assert len(names(store)) == 20 - expunged_files.AT_ONCE and not lists(store)

    run(tmp_path, test)


def test_many_are_gone_at_once_and_moved_later(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await pending(store)
        assert [row[0] for row in await store.ports.flags(ref, ALL)] == LIVE
        assert lists(store)
        await move_all(store, ref)
        await settled(store, ref)
        assert not store.ports.shard(ANN).leaving

    run(tmp_path, test)


def test_the_store_moves_them_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expunged_mover, "DELAY", 0.0)
    monkeypatch.setattr(expunged_files, "STEP", 7)

    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, MANY + 10)
        await store.ports.expunge(ref, UidSet([(1, MANY)]), marked=False)
        tasks = list(store.ports._mover._tasks.values())
        assert len(tasks) == 1
        await tasks[0]
        await settled(store, ref)

    run(tmp_path, test)


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("lost", ["index", "index and backup", "changes", "index.bad"])
def test_a_lost_index_does_not_bring_them_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str, step: int
) -> None:
    monkeypatch.setattr(expunged_files, "STEP", 7)

    async def test(store: Store) -> None:
        ref = await store.folder()
        folder = store.account / "INBOX"
        await store.fill(ref, MANY + 10)
        await store.pool.run(maintain, store.ports.shard(ANN), ref.mailbox)  # flags.bak has all of them.
        old = tmp_path / "old"
        old.mkdir()
        for name in INDEX[:2]:
            shutil.copyfile(folder / name, old / name)
        await store.ports.expunge(ref, UidSet([(1, MANY)]), marked=False)
        if step:  # Some were moved already.
            moving = begin_move(store.ports.shard(ANN), ref.mailbox)
            assert moving is not None and moving.step()
            moving.close()
        if lost == "index.bad":
            os.rename(folder / "index.fld", folder / "index.bad")
        else:
            for name in INDEX:
                (folder / name).unlink()
        if lost == "index and backup":
            (folder / "flags.bak").unlink()
        if lost == "changes":  # What the old index says is whole, but of before.
            for name in INDEX[:2]:
                shutil.copyfile(old / name, folder / name.replace("index.fld", "index.bad"))
        assert [row[0] for row in await store.ports.flags(ref, ALL)] == LIVE
        await settled(store, ref)
        kept = (await store.undelete.messages(ANN, limit=200)).messages
        assert len(kept) == MANY and {each.subject for each in kept} == {str(n) for n in range(MANY)}
        assert (await store.fill(ref, 1))[0] > LIVE[-1]

    run(tmp_path, test)


def test_no_uid_is_given_twice_when_an_emptied_folder_loses_its_index(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 5)
        await store.ports.expunge(ref, ALL, marked=False)
        kept = store.account / "INBOX" / "#deleted"
        os.rename(kept / "00000005.eml", kept / "0000ffff.eml")
        for name in (*INDEX, "flags.bak"):
            (store.account / "INBOX" / name).unlink(missing_ok=True)
        assert (await store.fill(ref, 1))[0] > 0xFFFF

    run(tmp_path, test)


def test_an_expunge_that_a_crash_interrupts_before_the_list_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path, uids: object) -> str:
        raise OSError("killed")

    async def test(store: Store) -> None:
        with monkeypatch.context() as now:
            now.setattr(expunged_files, "_note", killed)
            now.setattr(expunged_files, "move_expunged", killed)
            ref = await pending(store)
        assert not lists(store)
        await store.pool.run(self_check, store.ports.shard(ANN), ref.mailbox, now=True)
        await settled(store, ref)

    run(tmp_path, test)


def test_on_a_disk_without_room_for_the_list_they_are_moved_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, uids: object) -> str:
        raise OSError(28, "No space left on device")

    async def test(store: Store) -> None:
        monkeypatch.setattr(expunged_files, "_note", full)
        ref = await store.folder()
        await store.fill(ref, MANY + 10)
        await store.ports.expunge(ref, UidSet([(1, MANY)]), marked=False)
        await settled(store, ref)

    run(tmp_path, test)


@pytest.mark.parametrize("clean", [True, False])
def test_after_a_stop_the_next_session_finishes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: bool
) -> None:
    async def test(store: Store) -> None:
        ref = await pending(store)
        store.stop(clean=clean)
        store.start()
        monkeypatch.setattr(expunged_mover, "DELAY", 0.0)
        assert list((await store.ports.snapshot(ref)).uids) == LIVE
        for task in list(store.ports._mover._tasks.values()):
            await task
        await settled(store, ref)

    run(tmp_path, test)


def test_of_an_expunge_that_did_not_survive_the_list_alone_takes_nothing(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, MANY + 10)
        store.stop(clean=False)
        expunged_files._note(store.account / "INBOX", range(1, MANY + 1))
        store.start()
        await store.ports.snapshot(ref)
        await move_all(store, ref)
        assert len(await store.ports.flags(ref, ALL)) == MANY + 10 == len(names(store))
        assert not lists(store)

    run(tmp_path, test)


def test_sessions_that_still_show_them_can_read_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expunged_files, "STEP", 7)

    async def test(store: Store) -> None:
        ref = await pending(store)
        moving = begin_move(store.ports.shard(ANN), ref.mailbox)
        assert moving is not None
        more = True
        while more:
            contents = await store.ports.contents(ref, range(1, MANY + 1))
            assert [content and content.splitlines()[0] for content in contents] == [
                b"Subject: %d" % n for n in range(MANY)
            ]
            assert await store.ports.content(ref, MANY, 9, 2) == str(MANY - 1).encode()
            more = moving.step()
        moving.close()

    run(tmp_path, test)


@pytest.mark.parametrize("steps", [0, 2])
def test_they_can_be_restored_before_they_are_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr(expunged_files, "STEP", 7)

    async def test(store: Store) -> None:
        ref = await pending(store)
        moving = begin_move(store.ports.shard(ANN), ref.mailbox)
        assert moving is not None
        for _ in range(steps):
            moving.step()
        shown = (await store.undelete.messages(ANN, limit=200)).messages
        assert len(shown) == MANY and shown[-1].subject == "0"
        assert (await store.undelete.restore(ANN, Chosen())).messages == MANY
        while moving.step():
            pass
        moving.close()
        await move_all(store, ref)
        assert len(await store.ports.flags(ref, ALL)) == MANY + 10 == len(names(store))
        assert not names(store, place="#deleted") and not lists(store)

    run(tmp_path, test)


@pytest.mark.parametrize("steps", [0, 2])
def test_a_purge_takes_them_wherever_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    monkeypatch.setattr(expunged_files, "STEP", 7)

    async def test(store: Store) -> None:
        ref = await pending(store)
        moving = begin_move(store.ports.shard(ANN), ref.mailbox)
        assert moving is not None
        for _ in range(steps):
            moving.step()

        async def keep(_: AccountId) -> float:
            return -10.0

        purger = Purger(store.ports, store.pool, keep, pause=0)
        assert (await purger.round([ANN])).messages == MANY
        while moving.step():
            pass
        moving.close()
        assert names(store) == {f"{uid:08x}.eml" for uid in LIVE} and not names(store, place="#deleted")
        await move_all(store, ref)
        assert not lists(store)

    run(tmp_path, test)


def test_what_was_put_in_by_hand_meanwhile_is_taken_in_and_they_are_not(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await pending(store)
        (store.account / "INBOX" / "#msgs" / "mine.eml").write_bytes(b"Subject: mine\r\n\r\nx\r\n")
        await store.pool.run(self_check, store.ports.shard(ANN), ref.mailbox, now=True)
        found = [row[0] for row in await store.ports.flags(ref, ALL)]
        assert found[:-1] == LIVE and await store.ports.content(ref, found[-1]) == b"Subject: mine\r\n\r\nx\r\n"
        assert len(names(store)) == 11 and len(names(store, place="#deleted")) == MANY

    run(tmp_path, test)


def test_a_check_of_the_folder_has_nothing_to_say_of_them(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await pending(store)
        before = (await store.ports.status(ref)).highest_modseq
        found = store.ports.shard(ANN).read(ref.mailbox, compare)
        assert not found and len(found.leaving) == MANY
        assert not await store.pool.run(self_check, store.ports.shard(ANN), ref.mailbox, now=True)
        assert (await store.ports.status(ref)).highest_modseq == before
        assert not store.log.named("store.file-found")

    run(tmp_path, test)


def test_another_folder_that_takes_its_place_meanwhile_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expunged_files, "STEP", 7)

    async def test(store: Store) -> None:
        ref = await pending(store, "Work")
        moving = begin_move(store.ports.shard(ANN), ref.mailbox)
        assert moving is not None
        moving.step()
        await store.ports.rename(ANN, "Work", "Old")
        new = await store.folder("Work")
        await store.fill(new, MANY)
        while moving.step():
            pass
        assert moving.end()
        moving.close()
        assert len(names(store, "Work")) == MANY == len(await store.ports.flags(new, ALL))
        await settled(store, ref, "Old")

    run(tmp_path, test)


def test_a_folder_that_is_deleted_and_restored_meanwhile_has_its_messages_and_no_others(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await pending(store, "Work")
        await store.ports.delete(ANN, "Work")
        (deleted,) = await store.undelete.folders(ANN)
        assert deleted.messages == len(LIVE)
        await store.undelete.restore_folder(ANN, deleted.id)
        assert list((await store.ports.snapshot(ref)).uids) == LIVE
        await move_all(store, ref)
        await settled(store, ref, "Work")

    run(tmp_path, test)


def test_a_list_that_was_written_to_meanwhile_stays(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await pending(store)
        await store.fill(ref, MANY)
        moving = begin_move(store.ports.shard(ANN), ref.mailbox)
        assert moving is not None
        while moving.step():
            pass
        await store.ports.expunge(ref, UidSet([(LIVE[-1] + 1, LIVE[-1] + MANY)]), marked=False)
        assert not moving.end()
        moving.close()
        assert lists(store) and len(names(store)) == MANY + 10
        await move_all(store, ref)
        assert names(store) == {f"{uid:08x}.eml" for uid in LIVE} and not lists(store)

    run(tmp_path, test)


def test_a_move_that_was_closed_moves_nothing(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await pending(store)
        moving = begin_move(store.ports.shard(ANN), ref.mailbox)
        assert moving is not None
        moving.close()
        assert not moving.step() and not moving.end()
        assert len(names(store)) == MANY + 10 and lists(store)

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (b"\n1:3,7.\n", "1:3,7"),
        (b"\n1:3.\n\n5.\n", "1:3,5"),
        (b"\n1:100\n5.\n", "5"),  # Cut short by a crash, and written on.
        (b"\n1:10", ""),
        (b"\n5.\n" + bytes(4096), "5"),
        (bytes(300) + b"\n5.\n", "5"),
        (b"\n7:3.\n0.\n4294967295.\n:.\n1:2:3.\n-1.\n99999999999.\nx.\n.\n", ""),
        (b"", ""),
    ],
)
def test_only_whole_lines_of_the_list_count(tmp_path: Path, text: bytes, meant: str) -> None:
    (tmp_path / "#expunged").write_bytes(text)
    assert str(expunged_files.listed(tmp_path)) == meant


def test_a_line_that_was_cut_short_does_not_spoil_the_next(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await store.folder()
        (store.account / "INBOX" / "#expunged").write_bytes(b"\n900:90")
        await pending(store)
        assert expunged_files.listed(store.account / "INBOX") == UidSet([(1, MANY)])

    run(tmp_path, test)


def test_what_the_index_has_as_a_message_is_not_moved(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await pending(store)
        expunged_files._note(store.account / "INBOX", LIVE)
        await move_all(store, ref)
        await settled(store, ref)

    run(tmp_path, test)


def test_a_list_of_all_uids_costs_no_more_than_the_folder(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await pending(store)
        with (store.account / "INBOX" / "#expunged").open("ab") as file:
            file.write(b"\n1:4294967294.\n")
        found = store.ports.shard(ANN).read(ref.mailbox, expunged_files.still_listed)
        assert found == UidSet([(1, MANY)])
        for name in INDEX:
            (store.account / "INBOX" / name).unlink()
        index = store.ports.shard(ANN).read(ref.mailbox, lambda index: index)
        assert isinstance(index, FolderIndex) and not names(store)

    run(tmp_path, test)
