"""queue.db was deleted, renamed, emptied or replaced while processes have it open: what they hold goes on in the file
that has the name (decision 0015).

SQLite goes on reading and writing a file that has no name any more. No process commits into one: each compares the
file with the name once it has the write lock. Whoever notices first carries the entries over; the others see by
`follows` that it was done. A process that started meanwhile has begun a queue of its own under that name: then the
entries are added to it.
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from whimbrel.backends.disk.barrier import sync_directory
from whimbrel.backends.disk.irregular import directory_locked, move_to
from whimbrel.backends.queue import lanes, rows
from whimbrel.backends.queue.database import (
    LOST,
    NOTHING,
    RECOVERED,
    SUFFIXES,
    Identity,
    identity,
    immediate,
    opened,
    unlink_files,
)

_FOLLOWS: Final = "follows "
_DAMAGED: Final = (apsw.CorruptError, apsw.NotADBError, apsw.IOError, apsw.SQLError, apsw.CantOpenError)


@dataclass(frozen=True, slots=True)
class Lineage:
    """Which file it is, and of which others it is the continuation."""

    id: str
    followed: frozenset[str]

    @classmethod
    def read(cls, connection: apsw.Connection) -> "Lineage":
        """Raises apsw.Error."""
        meta = {str(name): str(value) for name, value in connection.execute("SELECT name, value FROM meta")}
        followed = (name.removeprefix(_FOLLOWS) for name in meta if name.startswith(_FOLLOWS))
        return cls(meta.get("id", ""), frozenset(followed))


@dataclass(frozen=True, slots=True)
class Succession:
    entries: int
    """Carried over."""
    damage: str
    """Why not all of them could be read; empty: they could."""


def succeed(
    path: Path, writer: apsw.Connection, reader: apsw.Connection, lineage: Lineage, own: Identity
) -> Succession | None:
    """What `writer` and `reader` have open, which was `own` and is no longer what the name says, goes on in the file
    that has it; it is made if there is none. None: another process has done so. Raises OSError, apsw.Error,
    RuntimeError."""
    with directory_locked(path.parent), contextlib.ExitStack() as stack:
        damage = ""
        try:
            # Whoever had looked at the name before it was lost commits first.
            writer.execute("BEGIN IMMEDIATE")
            stack.callback(_roll_back, writer)
            lineage = Lineage.read(reader)
        except _DAMAGED as error:
            damage = str(error)
        _clear(path, lineage, own)
        target = opened(path)
        stack.callback(target.close)
        if lineage.id in Lineage.read(target).followed:
            return None
        target.execute("PRAGMA synchronous=FULL").fetchall()  # All of it was acknowledged once.
        with immediate(target):
            entries, trouble = _carry_over(reader, target)
            for former in {lineage.id, *lineage.followed}:
                target.execute("INSERT OR IGNORE INTO meta VALUES(?, '')", (_FOLLOWS + former,))
            _bring_back(path.parent, target)
        sync_directory(str(path.parent))
        return Succession(entries, damage or trouble)


def _clear(path: Path, lineage: Lineage, own: Identity) -> None:
    """Puts away what stands under the name and cannot go on: what is no queue, and an earlier one, whose entries may
    have been sent since."""
    there = identity(path)
    for suffix, now, then in zip(SUFFIXES[1:], there[1:], own[1:], strict=True):
        # Before anything is opened here: whoever joins the log of the lost file makes SQLite forget what is in it.
        if now == then:
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    if os.path.lexists(path):
        if there[0] != own[0] and not _unusable(path, lineage):
            return
        move_to(path, path.with_name(LOST))
    unlink_files(path)


def _unusable(path: Path, lineage: Lineage) -> bool:
    if identity(path)[0] == NOTHING:
        return True
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error:
        return True
    try:
        connection.set_busy_timeout(1_000)
        other = Lineage.read(connection)
    except apsw.BusyError:
        return False
    except apsw.Error:
        return True
    finally:
        connection.close()
    return not other.id or other.id == lineage.id or other.id in lineage.followed


def _carry_over(source: apsw.Connection, target: apsw.Connection) -> tuple[int, str]:
    """How many entries `target` has now that it had not, and why some of `source` could not be read."""
    dead = target.execute("SELECT 1 FROM meta WHERE name = ?", (RECOVERED,)).fetchone() is not None
    before = _count(target)
    damage = ""
    # In this order, so that an entry never has less than all of its recipients.
    for table in ("recipient", "entry", "lane"):
        trouble = _copy(source, target, table, {"lease_until": "0"} if dead else {})
        if trouble and table == "recipient":
            # That of which the last was read may have more.
            target.execute("DELETE FROM recipient WHERE entry = (SELECT max(entry) FROM recipient)")
        damage = damage or trouble
    if damage:
        target.execute("DELETE FROM entry WHERE id NOT IN (SELECT entry FROM recipient)")
        target.execute("DELETE FROM recipient WHERE entry NOT IN (SELECT id FROM entry)")
    lanes.rebuild(target)
    return _count(target) - before, damage


def _count(connection: apsw.Connection) -> int:
    return rows.integer(connection.execute("SELECT count(*) FROM entry WHERE done = 0").fetchall()[0][0])


def _copy(source: apsw.Connection, target: apsw.Connection, table: str, instead: dict[str, str]) -> str:
    """The rows that `target` has not; as far as they can be read, and why no further."""
    columns = [str(column[1]) for column in target.execute(f"PRAGMA table_info({table})").fetchall()]
    wanted = ", ".join(instead.get(column, column) for column in columns)
    values = ", ".join("?" * len(columns))
    into = f"INSERT INTO {table}({', '.join(columns)}) VALUES({values}) ON CONFLICT DO NOTHING"
    try:
        # One by one: a long queue must not fill the memory.
        for row in source.execute(f"SELECT {wanted} FROM {table}"):
            target.execute(into, row)
    except (*_DAMAGED, apsw.ConstraintError) as error:  # The last: a row that is all NULL, of a page full of NULs.
        return str(error)
    return ""


def _bring_back(folder: Path, target: apsw.Connection) -> None:
    """A queue process that began without the entries has put their files away."""
    lost = folder / LOST
    for name in _names(lost):
        queue_id = name.removesuffix(".eml")
        known = target.execute("SELECT 1 FROM entry WHERE id = ? AND done = 0", (queue_id,)).fetchone()
        if known and name != queue_id and not os.path.lexists(folder / name):
            os.rename(lost / name, folder / name)


def _names(directory: Path) -> Sequence[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return ()


def _roll_back(connection: apsw.Connection) -> None:
    with contextlib.suppress(apsw.Error):
        connection.execute("ROLLBACK")
