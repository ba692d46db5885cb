"""queue.db is deleted, emptied or replaced under the processes that have it open: all go on with one queue, in which is
what any of them has acknowledged."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from tests.support.queue_house import NOW, QueueHouse, entry, open_queue
from whimbrel.core.errors import MailError
from whimbrel.core.queue import QueueFilter

ALL = QueueFilter()


async def ids(house: QueueHouse) -> list[str]:
    return [item.id for item in await house.queue.select(ALL)]


def _delete(path: Path, *suffixes: str) -> None:
    for suffix in suffixes:
        Path(f"{path}{suffix}").unlink()


def _copy_over(path: Path) -> None:
    other = path.with_name("other.db")
    shutil.copyfile(path, other)
    os.replace(other, path)


def _garbage(path: Path) -> None:
    other = path.with_name("other.db")
    other.write_bytes(b"no database at all" * 1000)
    os.replace(other, path)


def _foreign(path: Path) -> None:
    other = path.with_name("other.db")
    connection = apsw.Connection(str(other))
    connection.execute("CREATE TABLE x(y)")
    connection.close()
    os.replace(other, path)


def _directory(path: Path) -> None:
    path.unlink()
    (path / "something").mkdir(parents=True)


def _link(path: Path) -> None:
    path.rename(path.with_name("moved.db"))
    path.symlink_to(path.with_name("moved.db"))


WAYS: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: _delete(path, ""),
    "deleted with its log": lambda path: _delete(path, "", "-wal", "-shm"),
    "log deleted": lambda path: _delete(path, "-wal"),
    "shm deleted": lambda path: _delete(path, "-shm"),
    "renamed": lambda path: path.rename(path.with_name("queue.old")),
    "emptied": lambda path: os.truncate(path, 0),
    "a copy of it": _copy_over,
    "garbage": _garbage,
    "of another program": _foreign,
    "a directory": _directory,
    "a link": _link,
}


@pytest.mark.parametrize("way", WAYS)
def test_all_processes_go_on_with_one_queue_and_all_of_its_entries(tmp_path: Path, way: str) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as here, open_queue(tmp_path) as there:
            await here.add(entry("a-1"))
            await there.add(entry("a-2"))
            path = tmp_path / "queue" / "queue.db"
            WAYS[way](path)
            assert await here.add(entry("a-3")) is None
            assert await there.add(entry("a-4")) is None
            everything = ["a-1", "a-2", "a-3", "a-4"]
            assert await ids(here) == await ids(there) == everything
            assert sorted(item.id for item in await there.queue.lease(NOW, 9, 60)) == everything
            assert not await here.queue.lease(NOW, 9, 60)
            assert len(here.log.named("queue.database-lost")) == 1
            assert not there.log.named("queue.database-lost") and not here.log.named("queue.rows-lost")
            async with open_queue(tmp_path) as late:
                assert await ids(late) == everything
                assert late.queue.recover() == 0

    asyncio.run(scene())


def test_what_is_known_of_each_entry_goes_on_leases_included(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as sender, open_queue(tmp_path) as other:
            for name in ("a-1", "a-2", "a-3"):
                await other.add(entry(name, f"{name}@remote.test"))
            await sender.queue.hold(QueueFilter(ids=frozenset({"a-3"})), held=True)
            leased = await sender.queue.lease(NOW, 9, 60)
            assert sorted(item.id for item in leased) == ["a-1", "a-2"]
            before = await other.queue.select(ALL)
            _delete(tmp_path / "queue" / "queue.db", "", "-wal", "-shm")
            await other.add(entry("a-4"))
            assert list(await other.queue.select(ALL))[:3] == list(before)
            assert [item.id for item in await sender.queue.lease(NOW, 9, 60)] == ["a-4"]
            await sender.queue.finish(["a-1", "a-4"])
            assert await ids(other) == ["a-2", "a-3"]
            assert sorted(file.name for file in (tmp_path / "queue").glob("*.eml")) == ["a-2.eml", "a-3.eml"]

    asyncio.run(scene())


@pytest.mark.parametrize("first", ["former", "late"])
def test_the_queue_that_a_process_has_begun_meanwhile_becomes_that_of_all(tmp_path: Path, first: str) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as former, open_queue(tmp_path) as asleep:
            await former.add(entry("a-1"))
            await former.add(entry("a-2"))
            assert len(await former.queue.lease(NOW, 1, 600)) == 1  # By a queue process that dies now.
            _delete(tmp_path / "queue" / "queue.db", "")
            async with open_queue(tmp_path) as late:
                assert late.queue.recover() == 2  # Nobody tells it whose these files are, so it puts them away.
                assert [log.named("queue.lost") != [] for log in (late.log, former.log)] == [True, False]
                if first == "late":
                    await late.add(entry("b-1"))
                assert await former.add(entry("a-3")) is None
                if first == "former":
                    await late.add(entry("b-1"))
                assert await ids(late) == await ids(former) == await ids(asleep) == ["a-1", "a-2", "a-3", "b-1"]
                assert len(await late.queue.lease(NOW, 9, 60)) == 4
                for name in ("a-1", "a-2", "a-3", "b-1"):
                    assert await late.queue.content(name) == b"Subject: x\r\n\r\nhello\r\n"

    asyncio.run(scene())


def test_who_only_listens_gives_what_it_holds_to_a_process_that_begins_anew(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as former:
            await former.add(entry("a-1"))
            _delete(tmp_path / "queue" / "queue.db", "")
            async with open_queue(tmp_path) as late:
                late.queue.recover()
                former.queue.announce()  # As it hears it from the process that began.
                while await ids(late) != ["a-1"]:
                    await asyncio.sleep(0.01)
                assert await late.queue.content("a-1")

    asyncio.run(scene())


def test_an_earlier_copy_brings_back_nothing_that_was_sent(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as house:
            path = tmp_path / "queue" / "queue.db"
            for name in ("a-1", "a-2"):
                await house.add(entry(name))
            backup = apsw.Connection(str(tmp_path / "backup.db"))
            with backup.backup("main", house.queue.database.reader, "main") as copying:
                copying.step()
            backup.close()
            await house.queue.finish(["a-1"])
            os.replace(tmp_path / "backup.db", path)
            await house.add(entry("a-3"))
            assert await ids(house) == ["a-2", "a-3"]
            # Nor when the first one comes back, from which the present one was made.
            (lost,) = (path.parent / "lost").glob("queue.db-*")
            await house.queue.finish(["a-2"])
            os.replace(lost, path)
            assert await ids(house) == ["a-3"]

    asyncio.run(scene())


def test_what_can_be_read_of_a_damaged_file_goes_on_and_no_entry_with_half_its_recipients(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as house:
            path = tmp_path / "queue" / "queue.db"
            for number in range(60):
                await house.add(entry(f"a-{number:02}", *(f"u{n}-{'x' * 50}@remote.test" for n in range(20))))
            house.queue.database.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            size = path.stat().st_size
            with path.open("r+b") as file:
                file.truncate(size * 9 // 10)
                file.truncate(size)
            _delete(path, "")
            assert await house.add(entry("b-1")) is None
            kept = await house.queue.select(ALL)
            assert "b-1" in [item.id for item in kept] and 1 < len(kept) < 61
            assert {len(item.recipients) for item in kept if item.id != "b-1"} <= {20}
            assert len(house.log.named("queue.rows-lost")) == 1

    asyncio.run(scene())


def test_where_it_cannot_be_made_anew_nothing_is_acknowledged_and_the_log_says_so_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as house:
            await house.add(entry("a-1"))
            folder = tmp_path / "queue"
            folder.rename(tmp_path / "elsewhere")
            for name in ("a-2", "a-3"):
                refused = await house.add(entry(name))
                assert isinstance(refused, MailError) and refused.code == 451
            with pytest.raises(MailError):
                await house.queue.lease(NOW, 9, 60)
            assert len(house.log.named("queue.database-missing")) == 1
            (tmp_path / "elsewhere").rename(folder)
            assert await house.add(entry("a-4")) is None
            assert await ids(house) == ["a-1", "a-4"]

    asyncio.run(scene())


def test_a_link_in_the_place_of_a_message_is_no_message(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as house:
            await house.add(entry("a-1"))
            file = tmp_path / "queue" / "a-1.eml"
            file.rename(tmp_path / "a-1.eml")
            file.symlink_to(tmp_path / "a-1.eml")
            assert await house.queue.content("a-1") is None
            assert await house.queue.content("a-1", 0, 100) is None
            assert house.queue.recover() == 1
            assert len(house.log.named("queue.content-missing")) == 1

    asyncio.run(scene())


def test_a_link_in_the_place_of_the_database_is_refused_at_a_start_with_what_to_do(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as house:
            await house.add(entry("a-1"))
        _link(tmp_path / "queue" / "queue.db")
        with pytest.raises(RuntimeError, match="symbolic link: put the file itself there"):
            async with open_queue(tmp_path):
                pass

    asyncio.run(scene())


@pytest.mark.parametrize("way", ["replaced", "written over"])
def test_an_older_copy_is_not_mixed_with_the_log_of_the_one_before(tmp_path: Path, way: str) -> None:
    """Put there while no server ran, from a backup, with -wal left beside it."""
    path = tmp_path / "queue" / "queue.db"

    async def scene() -> None:
        async with open_queue(tmp_path) as house:
            await house.add(entry("a-1"))
        shutil.copyfile(path, path.with_name("backup"))
        async with open_queue(tmp_path) as house:
            for number in range(2, 40):
                await house.add(entry(f"a-{number}"))
        assert Path(f"{path}-wal").stat().st_size == 0
        if way == "replaced":
            os.replace(path.with_name("backup"), path)
        else:
            shutil.copyfile(path.with_name("backup"), path)
        async with open_queue(tmp_path) as house:
            house.queue.recover()
            assert await ids(house) == ["a-1"]
        connection = apsw.Connection(str(path))
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        connection.close()

    asyncio.run(scene())


def test_a_process_that_ends_leaves_the_log_to_the_others(tmp_path: Path) -> None:
    async def scene() -> None:
        async with open_queue(tmp_path) as here:
            await here.add(entry("a-1"))
            async with open_queue(tmp_path) as there:
                await there.add(entry("a-2"))
            await here.add(entry("a-3"))
            assert await ids(here) == ["a-1", "a-2", "a-3"]
        async with open_queue(tmp_path) as later:
            assert await ids(later) == ["a-1", "a-2", "a-3"]

    asyncio.run(scene())
