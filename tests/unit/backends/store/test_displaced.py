"""Something else stands in the place of a file or directory of the store: a link, a directory, a pipe. Files are made
anew, and what stood there is kept; a folder whose directory is a link serves nobody, and loses nothing."""

import os
import shutil
from pathlib import Path

import pytest

from tests.unit.backends.store.house import ANN, Store, run
from whimbrel.backends.store.disk.mailboxes import DiskMailboxes
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import FLAGGED, AccountId, FlagChange, FlagOp
from whimbrel.core.uids import ALL, UidSet

FLAG = FlagChange(FlagOp.ADD, FLAGGED)


def link(path: Path) -> None:
    """It is moved elsewhere, and a link put in its place, as for want of room."""
    elsewhere = path.parents[4] / f"elsewhere-{path.name}"
    if path.exists():
        path.rename(elsewhere)
    path.symlink_to(elsewhere)


def directory(path: Path) -> None:
    path.unlink(missing_ok=True)
    (path / "something").mkdir(parents=True)


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


IN_PLACE = {"link": link, "directory": directory, "pipe": pipe}


def said(store: Store) -> list[object]:
    return [record.get("path") for record in store.log.named("store.cleared") + store.log.named("store.displaced")]


@pytest.mark.parametrize("way", IN_PLACE)
@pytest.mark.parametrize(
    "name",
    ["account.seq", "account.fld", "INBOX/index.fld", "INBOX/index.fld-wal", "INBOX/flags.bak", "INBOX/flags.log"],
)
@pytest.mark.parametrize("when", ["running", "stopped"])
def test_what_stands_in_the_place_of_a_file_is_put_aside_and_told_and_nothing_is_lost(
    tmp_path: Path, name: str, way: str, when: str
) -> None:
    async def test(store: Store) -> None:
        ref, work = await store.folder(), await store.folder("Work")
        await store.fill(ref, 3)
        await store.fill(work, 1)
        await store.ports.set_flags(ref, UidSet.of([2]), FLAG)
        await store.ports._refresher.refresh()
        path = store.account / name
        if when == "stopped":
            store.stop()
        IN_PLACE[way](path)
        if when == "stopped":
            store.start()
        (uid,) = await store.fill(ref, 1)
        await store.ports._refresher.refresh()
        if name.startswith("INBOX/flags"):
            await store.fill(ref, 1)  # The backup is looked at again when the folder is opened.
            await store.ports._refresher.refresh()
        rows = {row[0]: row[1] for row in await store.ports.flags(ref, ALL)}
        assert uid >= 4 and {1, 2, 3, uid} <= set(rows) and rows[2] == FLAGGED
        assert {each.name: each.ref for each in await store.ports.list(ANN)} == {"INBOX": ref, "Work": work}
        assert (await store.ports.usage(ANN)).messages == len(rows) + 1
        assert path.is_file() and not path.is_symlink()
        assert said(store) == [str(path)]
        assert [each.name.rpartition("-")[0] for each in (path.parent / "#lost").iterdir()] == [path.name]

    run(tmp_path, test)


@pytest.mark.parametrize("name", ["#msgs", "#deleted", "#lost"])
@pytest.mark.parametrize("when", ["running", "stopped"])
def test_a_folder_with_a_link_in_the_place_of_a_directory_serves_nobody_and_the_others_go_on(
    tmp_path: Path, name: str, when: str
) -> None:
    async def test(store: Store) -> None:
        ref, work = await store.folder(), await store.folder("Work")
        await store.fill(ref, 1)
        await store.fill(work, 3)
        await store.ports.set_flags(work, UidSet.of([2]), FLAG)
        path = store.account / "Work" / name
        path.mkdir(exist_ok=True)
        store.stop()
        if when == "running":
            store.start()
            await store.ports.flags(work, ALL)
            if name != "#msgs":
                store.ports.shard(ANN).forget(work.mailbox)  # Looked at when a folder is opened.
        elsewhere = tmp_path / "elsewhere"
        path.rename(elsewhere)
        path.symlink_to(elsewhere)
        if when == "stopped":
            store.start()
        files = sorted(elsewhere.iterdir())
        for _ in range(2):
            with pytest.raises(MailboxError) as caught:
                await store.ports.flags(work, ALL)
            assert caught.value.condition is Condition.UNAVAILABLE
            refused = await store.fill(work, 1)
            assert refused == []
        assert await store.fill(ref, 1) == [2]
        assert ref.mailbox in await store.ports.statuses(ANN)
        assert sorted(elsewhere.iterdir()) == files and said(store) == [str(path)]
        path.unlink()
        elsewhere.rename(path)
        assert {row[0]: row[1] for row in await store.ports.flags(work, ALL)} == {1: 0, 2: FLAGGED, 3: 0}
        assert (await store.fill(work, 1))[0] >= 4

    run(tmp_path, test)


def test_the_counters_of_an_account_are_made_anew_though_one_of_its_folders_is_displaced(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref, work = await store.folder(), await store.folder("Work")
        await store.fill(ref, 2)
        await store.fill(work, 3)
        messages = store.account / "Work" / "#msgs"
        messages.rename(tmp_path / "elsewhere")
        messages.symlink_to(tmp_path / "elsewhere")
        (store.account / "account.seq").unlink()
        assert await store.fill(ref, 1) == [3]
        assert (await store.ports.usage(ANN)).messages == 3
        messages.unlink()
        (tmp_path / "elsewhere").rename(messages)
        assert len(await store.ports.flags(work, ALL)) == 3
        assert len(await store.fill(work, 1)) == 1
        assert (await store.ports.usage(ANN)).messages == 7

    run(tmp_path, test)


@pytest.mark.parametrize("name", ["Work", "Work/Deep"])
def test_a_folder_whose_own_directory_is_a_link_is_not_shown_until_it_is_a_directory(tmp_path: Path, name: str) -> None:
    async def test(store: Store) -> None:
        ref, work, deep = await store.folder(), await store.folder("Work"), await store.folder("Work/Deep")
        await store.fill(ref, 1)
        for each in (work, deep):
            await store.fill(each, 2)
            await store.ports.flags(each, ALL)
        path = store.account / name
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        before = {each: each.stat().st_mtime_ns for each in (tmp_path / "elsewhere").iterdir()}
        with pytest.raises(MailboxError) as caught:
            await store.ports.flags(deep if name == "Work/Deep" else work, ALL)
        assert caught.value.condition is Condition.NONEXISTENT
        with pytest.raises(MailboxError):
            await store.ports.flags(deep, ALL)
        assert said(store) == [str(path)]
        assert {each: each.stat().st_mtime_ns for each in (tmp_path / "elsewhere").iterdir()} == before
        path.unlink()
        (tmp_path / "elsewhere").rename(path)
        store.stop()
        (store.account / "account.fld").unlink()
        store.start()
        assert [each.ref for each in await store.ports.list(ANN)] == [ref, work, deep]
        assert len(await store.ports.flags(deep, ALL)) == 2

    run(tmp_path, test)


def test_a_folder_xml_that_is_a_link_is_written_anew_and_the_folder_stays_the_same(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        work = await store.folder("Work")
        await store.fill(work, 2)
        store.stop()
        link(store.account / "Work" / "#folder.xml")
        store.start()
        assert len(await store.ports.flags(work, ALL)) == 2
        assert said(store) == [str(store.account / "Work" / "#folder.xml")]
        store.stop()
        (store.account / "account.fld").unlink()
        store.start()
        found = await store.ports.find(ANN, "Work")
        assert found is not None and found.ref == work

    run(tmp_path, test)


def test_a_folder_is_not_deleted_into_a_directory_elsewhere(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        work = await store.folder("Work")
        await store.fill(work, 2)
        (tmp_path / "elsewhere").mkdir()
        shutil.rmtree(store.account / "#deleted", ignore_errors=True)
        (store.account / "#deleted").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(MailboxError) as caught:
            await store.ports.delete(ANN, "Work")
        assert caught.value.condition is Condition.UNAVAILABLE
        assert len(await store.ports.flags(work, ALL)) == 2 and not list((tmp_path / "elsewhere").iterdir())

    run(tmp_path, test)


def test_the_link_that_a_renamed_mailbox_leaves_is_followed(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref, work = await store.folder(), await store.folder("Work")
        await store.fill(ref, 2)
        await store.fill(work, 1)
        await DiskMailboxes(store.ports, store.pool).rename(ANN, AccountId("eve@example.test"))
        assert store.account.is_symlink()
        assert await store.fill(ref, 1) == [3]
        assert len(await store.ports.flags(work, ALL)) == 1
        for name in ("account.seq", "INBOX/index.fld"):
            (store.account / name).unlink()
            (store.account / name).mkdir()
            assert len(await store.fill(ref, 1)) == 1
        assert len(await store.ports.flags(ref, ALL)) == 5 and store.account.is_symlink()
        assert not store.log.named("store.displaced") and len(store.log.named("store.cleared")) == 2

    run(tmp_path, test)
