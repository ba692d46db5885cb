"""What a person, a backup or a virus scanner does to the files while clients are connected."""

import asyncio
import contextlib
import shutil
import unicodedata
from pathlib import Path

import pytest

from tests.unit.backends.store.house import ANN, Store, run
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELETED, FLAGGED, SEEN, FlagChange, FlagOp
from whimbrel.core.uids import ALL, UidSet

FLAG = FlagChange(FlagOp.ADD, FLAGGED)


async def names(store: Store) -> list[str]:
    return [each.name for each in await store.ports.list(ANN)]


def test_a_message_taken_away_disappears_with_one_warning_and_the_others_stay(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 3)
        since = (await store.ports.snapshot(ref)).status.highest_modseq
        (store.account / "INBOX" / "#msgs" / "00000002.eml").unlink()
        assert await store.ports.contents(ref, [1, 2, 3]) != [None] * 3
        delta = await store.ports.changes(ref, since)
        assert list(delta.expunged) == [2] and delta.complete
        assert list((await store.ports.snapshot(ref)).uids) == [1, 3]
        assert len(store.log.named("store.message-gone")) == 1
        assert not (await store.undelete.messages(ANN)).messages  # There is nothing to restore.

    run(tmp_path, test)


def test_a_folder_removed_by_hand_is_gone_for_clients_and_the_others_serve_on(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref, work = await store.folder(), await store.folder("Work")
        await store.fill(ref, 3)
        await store.fill(work, 5)
        shutil.rmtree(store.account / "Work")
        with pytest.raises(MailboxError) as caught:
            await store.ports.flags(work, ALL)
        assert caught.value.condition is Condition.NONEXISTENT
        assert await names(store) == ["INBOX"]
        assert (await store.ports.usage(ANN)).messages == 3
        assert await store.fill(ref, 1) == [4]
        assert not (store.account / "Work").exists()
        again = await store.folder("Work")
        assert again != work and await store.fill(again, 1) == [1]

    run(tmp_path, test)


@pytest.mark.parametrize("new", ["Play", "Archive/Play"])
def test_a_folder_renamed_or_moved_by_hand_keeps_its_messages_under_its_new_name(tmp_path: Path, new: str) -> None:
    async def test(store: Store) -> None:
        await store.folder("Archive")
        work = await store.folder("Work")
        child = await store.folder("Work/Deep")
        await store.fill(work, 3, flags=SEEN)
        await store.fill(child, 2)
        (store.account / "Work").rename(store.account / new)
        rows = await store.ports.flags(work, ALL)  # Whoever has it selected goes on.
        assert [row[:2] for row in rows] == [(1, SEEN), (2, SEEN), (3, SEEN)]
        assert await names(store) == ["INBOX", "Archive", *sorted((new, new + "/Deep"))]
        found = await store.ports.find(ANN, new + "/Deep")
        assert found is not None and found.ref == child
        assert await store.fill(child, 1) == [3]
        assert (await store.ports.usage(ANN)).messages == 6

    run(tmp_path, test)


def test_a_copied_folder_becomes_one_of_its_own(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        work = await store.folder("Work")
        await store.fill(work, 3, flags=FLAGGED)
        store.stop()
        shutil.copytree(store.account / "Work", store.account / "Work copy")
        (store.account / "account.fld").unlink()
        store.start()
        copy = await store.ports.find(ANN, "Work copy")
        assert copy is not None and copy.ref != work
        assert len(await store.ports.flags(copy.ref, ALL)) == 3
        assert [row[1] for row in await store.ports.flags(work, ALL)] == [FLAGGED] * 3

    run(tmp_path, test)


@pytest.mark.parametrize(
    "lost", [["account.seq"], ["account.fld"], ["account.fld-wal", "account.fld-shm"], ["account.seq", "account.fld"]]
)
def test_files_of_an_account_lost_under_load_cost_nothing(tmp_path: Path, lost: list[str]) -> None:
    async def test(store: Store) -> None:
        ref, work = await store.folder(), await store.folder("Work")
        await store.ports.subscribe(ANN, "Work", subscribed=True)
        done: list[int] = []

        async def load(count: int) -> None:
            for _ in range(count):
                done.extend(await store.fill(ref, 2))
                await store.ports.set_flags(ref, ALL, FLAG)

        async def lose() -> None:
            for _ in range(3):
                for name in lost:
                    (store.account / name).unlink(missing_ok=True)
                await store.ports.status(work)

        await asyncio.gather(load(10), load(10), lose())
        rows = await store.ports.flags(ref, ALL)
        assert len(done) == len(set(done)) == 40 and sorted(done) == [row[0] for row in rows]
        assert len({row[3] for row in rows}) >= 1 and (await store.ports.usage(ANN)).messages == 40
        assert (await store.ports.snapshot(ref)).status.highest_modseq >= max(row[3] for row in rows)
        assert {each.name: each.ref for each in await store.ports.list(ANN)} == {"INBOX": ref, "Work": work}
        assert await store.ports.subscriptions(ANN) == ["Work"]

    run(tmp_path, test)


def test_a_lost_index_and_a_lost_backup_cost_flags_and_nothing_else(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 4)
        await store.ports.set_flags(ref, UidSet.of([2]), FlagChange(FlagOp.ADD, DELETED))
        await store.ports.expunge(ref, ALL)
        for name in ("index.fld", "index.fld-wal", "index.fld-shm", "flags.bak"):
            (store.account / "INBOX" / name).unlink(missing_ok=True)
        assert [row[0] for row in await store.ports.flags(ref, ALL)] == [1, 3, 4]
        (found,) = (await store.undelete.messages(ANN)).messages  # Its file was found in #deleted.
        assert found.subject == "1"

    run(tmp_path, test)


def test_an_index_of_an_older_format_is_made_anew_with_flags_and_uids(tmp_path: Path) -> None:
    import apsw

    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 3)
        await store.ports.set_flags(ref, UidSet.of([2]), FlagChange(FlagOp.ADD, SEEN, frozenset({"word"})))
        await store.ports.expunge(ref, UidSet.of([1]), marked=False)
        before = await store.ports.status(ref)
        store.stop()
        connection = apsw.Connection(str(store.account / "INBOX" / "index.fld"))
        connection.execute("DROP INDEX tagged; DROP TABLE block; DROP INDEX kept; DROP INDEX gone")
        connection.execute("ALTER TABLE expunged DROP COLUMN kept; ALTER TABLE msg DROP COLUMN octets")
        connection.execute("ALTER TABLE expunged DROP COLUMN sender; ALTER TABLE expunged DROP COLUMN subject")
        connection.execute("PRAGMA user_version=1000")
        connection.close()
        store.start()
        assert [row[:3] for row in await store.ports.flags(ref, ALL)] == [(2, SEEN, "word"), (3, 0, "")]
        after = await store.ports.status(ref)
        assert (after.uid_validity, after.uid_next) == (before.uid_validity, before.uid_next)
        assert len((await store.undelete.messages(ANN)).messages) == 1
        assert len(await store.ports.octets(ref)) == 2

    run(tmp_path, test)


ALIKE = [
    ("Work", "WORK", "work"),
    (unicodedata.normalize("NFC", "Entwürfe"), "ENTWÜRFE"),
    ("straße", "STRASSE", "strasse"),
    ("ﬁle", "file"),
]
ODD = [
    "CON",
    "aux.txt",
    "..",
    ".",
    "#msgs",
    "a\\b",
    "😀🎉",
    "日本語/フォルダ",
    "ملف",
    "x" * 255,
    "é" * 255,
    "a:b",
    "-rf",
    "~",
]


@pytest.mark.parametrize("alike", ALIKE)
def test_names_that_some_file_systems_take_for_one_are_directories_of_their_own(
    tmp_path: Path, alike: tuple[str, ...]
) -> None:
    async def test(store: Store) -> None:
        refs = [await store.folder(name) for name in alike]
        for number, ref in enumerate(refs, 1):
            await store.fill(ref, number)
        paths = [path.name for path in store.account.iterdir() if path.is_dir() and path.name != "INBOX"]
        folded = {unicodedata.normalize("NFD", path.casefold()) for path in paths}
        assert len(paths) == len(folded) == len(alike)
        store.stop()
        (store.account / "account.fld").unlink()
        store.start()
        for number, (name, ref) in enumerate(zip(alike, refs, strict=True), 1):
            found = await store.ports.find(ANN, name)
            assert found is not None and found.ref == ref
            assert (await store.ports.status(ref)).messages == number

    run(tmp_path, test)


def test_odd_names_and_deep_ones_are_kept_and_found_again(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        deep = "/".join(f"level {n}" for n in range(32))
        made = {}
        for name in [*ODD, deep]:
            with contextlib.suppress(MailboxError):
                made[name] = await store.folder(name)
        assert len(made) == len(ODD) + 1
        store.stop()
        (store.account / "account.fld").unlink()
        store.start()
        for name, ref in made.items():
            found = await store.ports.find(ANN, name)
            assert found is not None and found.ref == ref, name
            assert await store.fill(ref, 1) == [1]
        for name in (deep + "/more", "x" * 256):
            with pytest.raises(MailboxError):
                await store.ports.create(ANN, name)

    run(tmp_path, test)
