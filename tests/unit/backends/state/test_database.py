"""state.db: format, damage, expiry, batches."""

import asyncio
from pathlib import Path

import apsw
import pytest

from tests.support.fakes import FakeClock, MemoryLog
from whimbrel.backends.state import state as state_module
from whimbrel.backends.state.database import NewerFormat, StateDatabase
from whimbrel.backends.state.state import SqliteState


def test_the_file_is_for_its_owner_alone_and_tells_its_format(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.db"
    database = StateDatabase(path)
    assert path.stat().st_mode & 0o777 == 0o600
    database.close()
    meta = dict(apsw.Connection(str(path)).execute("SELECT key, value FROM meta"))
    assert meta["format"] == "1.0" and meta["written-by"]


def test_a_newer_major_format_is_refused_and_told_by_whom_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    StateDatabase(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE meta SET value='2.0' WHERE key='format'")
    connection.execute("UPDATE meta SET value='9.1' WHERE key='written-by'")
    connection.close()
    with pytest.raises(NewerFormat, match=r"Whimbrel 9\.1"):
        StateDatabase(path)
    connection = apsw.Connection(str(path))
    assert dict(connection.execute("SELECT key, value FROM meta"))["written-by"] == "9.1"
    connection.execute("UPDATE meta SET value='1.7' WHERE key='format'")
    connection.close()
    StateDatabase(path).close()  # A newer minor one is read and written.


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\x10\0\1\1\0@  " * 999])
def test_a_damaged_file_is_put_aside_and_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    database = StateDatabase(path)
    assert database.damage and (tmp_path / "state.db.bad").read_bytes() == content
    database.write([("k", "a", "1", None)])
    assert database.get("k", "a", 0) == "1"
    database.close()


def test_what_ended_is_removed_in_bounded_pieces(tmp_path: Path) -> None:
    database = StateDatabase(tmp_path / "state.db")
    database.write([("k", str(n), "v", float(n)) for n in range(2500)] + [("k", "for ever", "v", None)])
    assert [database.expire(2400, 1000) for _ in range(4)] == [1000, 1000, 401, 0]
    assert len(database.list("k", 0, 9999)) == 100
    database.close()


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    database = StateDatabase(tmp_path / "state.db")
    with pytest.raises(apsw.Error):
        database.write([("k", "a", "1", None), ("k", None, "2", None)])  # type: ignore[list-item]
    assert database.list("k", 0, 9) == []
    database.close()


def test_changes_are_written_together_without_anyone_asking(tmp_path: Path) -> None:
    async def main() -> None:
        state = SqliteState(tmp_path / "state.db", FakeClock(), MemoryLog(), interval=0.01)
        for number in range(100):
            await state.set("k", f"{number:03}", "v")
        other = StateDatabase(tmp_path / "state.db")
        async with asyncio.timeout(10):
            while len(other.list("k", 0, 1000)) < 100:
                await asyncio.sleep(0.005)
        other.close()
        await state.close()

    asyncio.run(main())


def test_a_disk_that_refuses_is_told_once_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = MemoryLog()

    async def main() -> None:
        state = SqliteState(tmp_path / "state.db", FakeClock(), log, interval=0.001)
        write = StateDatabase.write
        failures = []

        def full(database: StateDatabase, writes: object) -> None:
            failures.append(1)
            raise apsw.FullError("database or disk is full")

        monkeypatch.setattr(StateDatabase, "write", full)
        await state.set("k", "a", "1")
        async with asyncio.timeout(10):
            while len(failures) < 3:
                await asyncio.sleep(0.001)
        assert await state.get("k", "a") == "1"
        await state.set("k", "a", "2")
        monkeypatch.setattr(StateDatabase, "write", write)
        await state.close()

    asyncio.run(main())
    assert len(log.named("state.failed")) == 1
    database = StateDatabase(tmp_path / "state.db")
    assert database.get("k", "a", 0) == "2"
    database.close()


def test_a_disk_that_cannot_be_read_hides_values_and_crashes_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MemoryLog()

    def broken(*_: object) -> None:
        raise apsw.IOError("disk I/O error")

    async def main() -> None:
        state = SqliteState(tmp_path / "state.db", FakeClock(), log)
        await state.set("k", "a", "1")
        await state.flush()
        monkeypatch.setattr(StateDatabase, "get", broken)
        monkeypatch.setattr(StateDatabase, "list", broken)
        assert await state.get("k", "a") is None
        assert await state.list("k") == []
        await state.close()

    asyncio.run(main())
    assert len(log.named("state.failed")) == 1


def test_opening_refuses_what_a_later_release_wrote(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    StateDatabase(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE meta SET value='2.0' WHERE key='format'")
    connection.close()

    async def main() -> None:
        state = SqliteState(path, FakeClock(), MemoryLog())
        with pytest.raises(NewerFormat):
            await state.open()
        await state.close()

    asyncio.run(main())


def test_what_is_held_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "HELD", 10)

    async def main() -> list[tuple[str, str]]:
        state = SqliteState(tmp_path / "state.db", FakeClock(), MemoryLog(), interval=60)
        for number in range(25):
            await state.set("k", f"{number:02}", "v")
        found = await state.list("k")
        await state.close()
        return found

    assert [key for key, _ in asyncio.run(main())] == [f"{number:02}" for number in range(15, 25)]


def test_many_changes_do_not_wait_for_the_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "BATCH", 10)

    async def main() -> None:
        state = SqliteState(tmp_path / "state.db", FakeClock(), MemoryLog(), interval=3600)
        for number in range(10):
            await state.set("k", str(number), "v")
        async with asyncio.timeout(10):
            while state._pending or state._writing:
                await asyncio.sleep(0.001)
        await state.close()

    asyncio.run(main())


def test_two_processes_states_see_each_others_batches(tmp_path: Path) -> None:
    async def main() -> None:
        one, two = (SqliteState(tmp_path / "state.db", FakeClock(), MemoryLog()) for _ in range(2))
        await one.set("k", "a", "1")
        assert await two.get("k", "a") is None
        await one.flush()
        assert await two.get("k", "a") == "1"
        await two.set("k", "a", "2")
        await two.flush()
        assert await one.get("k", "a") == "2"
        await one.close()
        await two.close()

    asyncio.run(main())
