"""users.idx is deleted, emptied or replaced under the server: nobody is ever called unknown for that."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.unit.backends.directory.files import House, put, same_as_rebuilt
from whimbrel.backends.directory import index
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.core.address import Address
from whimbrel.core.config import ConfigError
from whimbrel.core.directory import Kind
from whimbrel.core.errors import MailError
from whimbrel.services.admin.people.records import RECORDS

ALICE = Address("alice", "example.org")


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def cut(path: Path) -> None:
    os.truncate(path, 8192)


def deleted(path: Path) -> None:
    path.unlink()


def all_deleted(path: Path) -> None:
    for each in path.parent.glob("users.idx*"):
        each.unlink()


def garbage(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


def foreign(path: Path) -> None:
    """Another SQLite database takes its name."""
    other = path.with_name("other.db")
    db = apsw.Connection(str(other))
    db.execute("CREATE TABLE node(id)")
    db.close()
    os.replace(other, path)


def of_another(path: Path) -> Path:
    """A whole index of another server, closed."""
    folder = path.with_name("another")
    folder.mkdir()
    file = folder / "users.cfg"
    file.write_text('<users version="1.0"><domain name="other.example"><primary>yes</primary></domain></users>')
    editor = DirectoryFile(file, folder / "users.idx", records=RECORDS)
    editor.open()
    editor.close()
    return folder / "users.idx"


def copied_over(path: Path) -> None:
    shutil.copyfile(of_another(path), path)


def moved_over(path: Path) -> None:
    os.replace(of_another(path), path)


WAYS = [emptied, cut, deleted, all_deleted, garbage, foreign, copied_over, moved_over]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def known(reader: IndexDirectory) -> str:
    """`right`, or `not now`: there is no third."""
    reader.refresh()
    answers = set()
    for asked in (
        reader.resolve(ALICE),
        reader.resolve(Address("info", "example.net")),
        reader.sign_in("alice@example.org"),
        reader.domain("example.org"),
    ):
        try:
            asked.send(None)  # It waits for nothing, so this works within a running loop too.
        except StopIteration as done:
            assert done.value is not None
            answers.add("right")
        except MailError as error:
            assert error.code == 451
            answers.add("not now")
    return "right" if answers == {"right"} else "not now"


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_unknown_at_any_moment_and_the_index_comes_back(
    house: House, tmp_path: Path, way: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    early = IndexDirectory(house.index, monotonic=lambda: 0.0)
    assert known(house.reader) == known(early) == "right"
    seen = set[str]()
    way(house.index)
    seen |= {known(house.reader), known(early)}
    assert known(IndexDirectory(house.index)) == "not now"
    # At every step by which it is made anew, a reader that was there and one that comes just then.
    monkeypatch.setattr(apsw, "Connection", _watched(apsw.Connection, house, seen))
    asyncio.run(house.editor.heal())
    monkeypatch.undo()
    assert house.told
    assert known(house.reader) == known(early) == known(IndexDirectory(house.index)) == "right"
    assert len(house.log.named("config.index-made-anew")) == 1
    assert not asyncio.run(house.editor.heal())
    same_as_rebuilt(house, tmp_path)
    house.edit(put(Kind.USER, "example.org", "bob", full_name="Robert"))
    assert not asyncio.run(house.editor.heal())
    same_as_rebuilt(house, tmp_path)
    early.close()


def _watched(connection: type[apsw.Connection], house: House, seen: set[str]) -> Callable[..., apsw.Connection]:
    """Connections of the writer that are looked at from outside after each statement."""
    asking = False

    def opened(path: str, **options: Any) -> apsw.Connection:
        db = connection(path, **options)
        if not options:

            def step(*_: object) -> bool:
                nonlocal asking
                if not asking:
                    asking = True
                    newcomer = IndexDirectory(house.index)
                    seen.update((known(house.reader), known(newcomer)))
                    newcomer.close()
                    asking = False
                return True

            db.exec_trace = step
        return db

    return opened


@pytest.mark.parametrize("way", [deleted, all_deleted, foreign, moved_over])
def test_who_has_the_whole_former_index_open_goes_on_with_it(house: House, way: Callable[[Path], None]) -> None:
    assert known(house.reader) == "right"
    way(house.index)
    assert known(house.reader) == "right"
    house.path.write_text("<users")
    with pytest.raises(ConfigError):
        asyncio.run(house.editor.heal())
    assert known(house.reader) == "right"


@pytest.mark.parametrize("way", WAYS)
def test_a_call_finds_the_index_made_anew(house: House, way: Callable[[Path], None]) -> None:
    way(house.index)
    assert [entry.name for entry in asyncio.run(house.editor.entries(Kind.USER))] == ["alice", "Bob", "alice"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("journal", [False, True])
def test_a_change_finds_the_index_made_anew_and_nothing_acknowledged_is_lost(
    tmp_path: Path, way: Callable[[Path], None], journal: bool
) -> None:
    house = House(tmp_path, journal=journal)
    house.edit(put(Kind.USER, "example.org", "bob", full_name="Robert"))
    way(house.index)
    house.edit(put(Kind.USER, "example.org", "alice", full_name="Alice C."))
    way_again = asyncio.run(house.editor.entry(Kind.USER, "example.org", "bob"))
    assert way_again is not None and way_again.values["full-name"] == "Robert"
    assert house.editor.difference() == ""
    house.fold()
    assert "Robert" in house.text and "Alice C." in house.text
    same_as_rebuilt(house, tmp_path)
    house.close()


def test_a_file_that_cannot_be_read_makes_nobody_unknown(house: House) -> None:
    good = house.text
    house.path.write_text("<users")
    emptied(house.index)
    for _ in range(2):
        with pytest.raises(ConfigError):
            asyncio.run(house.editor.heal())
        assert known(house.reader) == known(IndexDirectory(house.index)) == "not now"
    house.path.write_text(good)
    assert asyncio.run(house.editor.heal())
    assert known(house.reader) == "right"


def test_what_was_read_while_the_file_was_overwritten_is_read_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known(house.reader) == "right"
    rows, done = house.reader._rows, list[str]()

    def overwritten(sql: str, *values: str | int) -> list[tuple[object, ...]]:
        if not done:
            done.append(sql)
            copied_over(house.index)
            house.reader._reads += 1
            return []
        return rows(sql, *values)

    house.reader.refresh()
    house.reader._forget()
    monkeypatch.setattr(house.reader, "_rows", overwritten)
    with pytest.raises(MailError) as refused:
        asyncio.run(house.reader.resolve(ALICE))
    assert refused.value.code == 451


def test_an_index_of_the_former_release_is_made_anew_at_the_start(house: House) -> None:
    house.close()
    db = apsw.Connection(str(house.index))
    db.execute("DELETE FROM meta WHERE key = 'made-in'")
    db.close()
    assert house.editor.open()
    assert known(house.reader) == "right"


def test_a_start_makes_no_index_within_an_emptied_file(house: House) -> None:
    house.close()
    emptied(house.index)
    former = house.index.stat().st_ino
    with house.index.open():  # So that its inode is not used again.
        db = index.create(house.index)
        db.close()
        assert house.index.stat().st_ino != former


def test_a_start_shares_no_memory_with_those_who_read_the_deleted_file(house: House) -> None:
    assert known(house.reader) == "right"
    former = {suffix: os.stat(f"{house.index}{suffix}").st_ino for suffix in ("-wal", "-shm")}
    deleted(house.index)
    other = index.create(house.index)
    assert all(os.stat(f"{house.index}{suffix}").st_ino != inode for suffix, inode in former.items())
    other.close()
    assert known(house.reader) == "right"
