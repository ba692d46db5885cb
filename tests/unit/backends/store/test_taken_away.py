"""An index that is deleted, emptied or replaced while it is in use, or long after: UIDs are never given twice, flags
that were set a minute ago are there, and nobody waits for a lock that another process holds."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.backends.store.house import ANN, Store, run
from whimbrel.backends.store.disk import database
from whimbrel.backends.store.disk.backup import LOG, NAME, read_backup
from whimbrel.core.mailbox import ANSWERED, FLAGGED, SEEN, FlagChange, FlagOp, FolderRef
from whimbrel.core.uids import ALL, UidSet

MARK = FlagChange(FlagOp.ADD, FLAGGED, frozenset({"$Work"}))
MARKED = (FLAGGED, "$Work")


async def flags(store: Store, ref: FolderRef) -> dict[int, tuple[int, str]]:
    return {uid: (flags, words) for uid, flags, words, _ in await store.ports.flags(ref, ALL)}


def both(tmp_path: Path, test: Callable[[Store, Store], Awaitable[None]]) -> None:
    """As two processes that share no notices."""

    async def one(here: Store) -> None:
        there = Store(tmp_path)
        there.generation = here.generation
        there.ports.generation = here.generation
        try:
            await test(here, there)
        finally:
            there.stop()

    run(tmp_path, one)


def test_an_old_index_bad_gives_no_uid_twice_and_takes_no_flag_back(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        inbox = store.account / "INBOX"
        await store.fill(ref, 5)
        (inbox / "index.fld").rename(inbox / "index.bad")
        assert len(await flags(store, ref)) == 5  # Healed; index.bad stays where a person put it.
        await store.ports.set_flags(ref, UidSet.of([1]), MARK)
        await store.fill(ref, 10)
        await store.ports.expunge(ref, UidSet.of(range(6, 16)), marked=False)
        for purged in (inbox / "#deleted").iterdir():
            purged.unlink()
        store.stop()
        store.start()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{inbox / 'index.fld'}{suffix}").unlink(missing_ok=True)
        assert (await flags(store, ref))[1] == MARKED
        assert (await store.ports.status(ref)).uid_next >= 16

    run(tmp_path, test)


@pytest.mark.parametrize("gone", [("index.fld",), ("index.fld", "index.fld-wal", "index.fld-shm"), ("index.fld-wal",)])
def test_what_a_process_still_has_open_outlives_the_file(tmp_path: Path, gone: tuple[str, ...]) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 3)
        await store.ports.set_flags(ref, UidSet.of([2]), MARK)
        for name in gone:
            (store.account / "INBOX" / name).unlink()
        assert (await flags(store, ref)) == {1: (0, ""), 2: MARKED, 3: (0, "")}
        assert not list((store.account / "INBOX").glob("index.save*"))

    run(tmp_path, test)


def test_whoever_has_the_file_open_carries_its_flags_into_what_another_process_has_made(tmp_path: Path) -> None:
    async def test(here: Store, there: Store) -> None:
        ref = await here.folder()
        await here.fill(ref, 4)
        await here.ports.set_flags(ref, UidSet.of([2, 3]), MARK)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{here.account / 'INBOX' / 'index.fld'}{suffix}").unlink()
        assert set((await flags(there, ref)).values()) == {(0, "")}  # It never had it open, and there is no backup yet.
        await there.ports.set_flags(ref, UidSet.of([3]), FlagChange(FlagOp.REPLACE, ANSWERED))
        expected = {1: (0, ""), 2: MARKED, 3: (ANSWERED, ""), 4: (0, "")}  # The newer change of 3 stands.
        assert await flags(here, ref) == expected
        assert await flags(there, ref) == expected

    both(tmp_path, test)


def test_an_older_copy_in_place_of_the_index_takes_no_flag_back_and_gives_no_uid_twice(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        index = store.account / "INBOX" / "index.fld"
        await store.fill(ref, 2)
        store.stop()
        copy = tmp_path / "copy"
        shutil.copy(index, copy)
        store.start()
        await store.fill(ref, 2)
        await store.ports.set_flags(ref, UidSet.of([1]), MARK)
        os.replace(copy, index)
        for suffix in ("-wal", "-shm"):
            Path(f"{index}{suffix}").unlink(missing_ok=True)
        assert await flags(store, ref) == {1: MARKED, 2: (0, ""), 3: (0, ""), 4: (0, "")}
        assert (await store.fill(ref, 1))[0] >= 5

    run(tmp_path, test)


def test_old_copies_of_the_index_and_of_account_seq_together_give_no_uid_twice(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        names = [Path("INBOX/index.fld"), Path("account.seq")]
        await store.fill(ref, 8)
        store.stop()
        for name in names:
            shutil.copy(store.account / name, tmp_path / name.name)
        store.start()
        await store.fill(ref, 8)
        await store.ports.expunge(ref, UidSet.of(range(4, 17)), marked=False)
        await store.ports.set_flags(ref, UidSet.of([1]), MARK)
        store.stop()
        for name in names:
            os.replace(tmp_path / name.name, store.account / name)
        for suffix in ("-wal", "-shm"):
            Path(f"{store.account / names[0]}{suffix}").unlink(missing_ok=True)
        store.start()
        assert set(await flags(store, ref)) == {1, 2, 3} and (await flags(store, ref))[1] == MARKED
        assert (await store.fill(ref, 1))[0] >= 17

    run(tmp_path, test)


def test_a_folder_whose_messages_were_taken_away_with_their_directory_goes_on(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 3)
        shutil.rmtree(store.account / "INBOX" / "#msgs")
        await store.fill(ref, 1)  # Perhaps not now: the index is not at fault.
        await store.ports.snapshot(ref)
        (uid,) = await store.fill(ref, 1)
        assert uid in await flags(store, ref) and not {1, 2, 3} & set(await flags(store, ref))

    run(tmp_path, test)


HOLDER = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("SELECT count(*) FROM msg").fetchall()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100, "a database of another program"])
def test_a_foreign_file_in_place_of_an_index_that_others_hold_is_damage_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | str
) -> None:
    """Written over it, so that it is the same file for whoever has it open: its locks stay."""
    monkeypatch.setattr(database, "_CONVERSION", 0)

    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 3)
        await store.ports.set_flags(ref, UidSet.of([2]), MARK)
        await store.ports._refresher.refresh()
        index = store.account / "INBOX" / "index.fld"
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(index)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert holder.stdout is not None and holder.stdout.readline() == "open\n"
            if isinstance(content, str):
                other = tmp_path / "other"
                subprocess.run(
                    [
                        sys.executable,
                        "-c",
                        f"import apsw; apsw.Connection({str(other)!r}).execute('CREATE TABLE x(y)')",
                    ],
                    check=True,
                )
                data = other.read_bytes()
            else:
                data = content
            with index.open("r+b") as file:
                file.truncate()
                file.write(data)
            store.ports.shard(ANN).forget(ref.mailbox)
            assert (await store.fill(ref, 1))[0] >= 4
            rows = await flags(store, ref)
            assert len(rows) == 4 and rows[2] == MARKED
            assert "database is locked" not in repr(store.log.records)
        finally:
            holder.communicate(timeout=20)

    run(tmp_path, test)


def test_flags_are_in_the_backup_soon_after_their_change_without_writing_all_of_them_again(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        folder = store.account / "INBOX"
        await store.fill(ref, 50, SEEN)
        await store.ports._refresher.refresh()
        base = (folder / NAME).stat()
        await store.ports.set_flags(ref, UidSet.of([7]), MARK)
        await store.fill(ref, 2)
        await store.ports._refresher.refresh()
        await store.ports.set_flags(ref, UidSet.of([7]), FlagChange(FlagOp.REMOVE, SEEN))
        await store.ports._refresher.refresh()
        assert (folder / NAME).stat().st_ino == base.st_ino and (folder / LOG).stat().st_size < 500
        backup = read_backup(folder)
        status = await store.ports.status(ref)
        assert backup.messages[7][::2] == (FLAGGED, "$Work") and backup.messages[8][0] == SEEN
        assert (backup.uid_next, backup.modseq) == (status.uid_next, status.highest_modseq)
        store.ports.shard(ANN).forget(ref.mailbox)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{folder / 'index.fld'}{suffix}").unlink()
        assert (await flags(store, ref))[7] == MARKED and (await flags(store, ref))[8] == (SEEN, "")

    run(tmp_path, test)


def test_a_torn_log_is_read_to_its_last_whole_batch_and_then_begun_anew(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        folder = store.account / "INBOX"
        await store.fill(ref, 3)
        await store.ports._refresher.refresh()
        for uid in (1, 2):
            await store.ports.set_flags(ref, UidSet.of([uid]), MARK)
            await store.ports._refresher.refresh()
        whole = (folder / LOG).read_bytes()
        first = whole.index(b"WFLOG", 5)
        for end in range(first + 1, len(whole) - 1):
            (folder / LOG).write_bytes(whole[:end])
            backup = read_backup(folder)
            assert backup.messages[1][::2] == MARKED and backup.messages[2][::2] == (0, "")
        for garbage in (b"\xff" * 40, b"WFLOG 1 1 1 1 1 99999999999\n", b"WFLOG 1 x\n. 3\n"):
            (folder / LOG).write_bytes(whole[:first] + garbage)
            assert read_backup(folder).messages[1][::2] == MARKED
        await store.ports.set_flags(ref, UidSet.of([3]), MARK)
        await store.ports._refresher.refresh()
        assert [read_backup(folder).messages[uid][::2] for uid in (1, 2, 3)] == [MARKED] * 3
        assert (folder / LOG).stat().st_size == 0

    run(tmp_path, test)


@pytest.mark.parametrize("way", ["deleted", "replaced", "cut", "emptied", "garbage"])
def test_readers_notice_that_account_seq_was_taken_away(tmp_path: Path, way: str) -> None:
    """No process dies of it (a mapped file that is cut short is a SIGBUS), and none goes on with what it had."""

    async def test(here: Store, there: Store) -> None:
        ref = await here.folder()
        await here.fill(ref, 3)
        path = here.account / "account.seq"
        assert (await there.ports.status(ref)).messages == 3
        if way == "deleted":
            path.unlink()
        elif way == "replaced":
            content = path.read_bytes()
            path.rename(tmp_path / "aside")
            path.write_bytes(content)
        elif way == "garbage":
            path.unlink()
            path.write_bytes(b"x" * 4096)
        else:
            os.truncate(path, 100 if way == "cut" else 0)
        uids = await here.fill(ref, 2)
        assert uids == [4, 5]
        assert (await there.ports.status(ref)).messages == 5
        assert (await there.ports.usage(ANN)).messages == 5
        assert (await there.ports.snapshot(ref)).status.uid_next == 6

    both(tmp_path, test)


def test_who_only_waits_hears_of_changes_after_account_seq_was_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whimbrel.backends.store.disk.notifier.POLL", 0.01)

    async def test(here: Store, there: Store) -> None:
        ref = await here.folder()
        heard = asyncio.Event()
        end = there.ports.watch(ANN, lambda mailbox: heard.set() if mailbox == ref.mailbox else None)
        await there.ports.status(ref)
        (here.account / "account.seq").unlink()
        await here.fill(ref, 1)
        async with asyncio.timeout(20):
            await heard.wait()
        end()

    both(tmp_path, test)
