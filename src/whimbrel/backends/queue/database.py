"""The queue's database file: opening it with the right pragmas and format, and which file it is.

Each has an `id` in its table `meta`, and `follows ID` for each file that was lost and went on in this one
(`succession.py`).
"""

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from whimbrel.backends.disk.irregular import directory_locked, move_to, not_a_file
from whimbrel.backends.queue.lanes import rebuild
from whimbrel.backends.queue.rows import CHECKSUM, FORMAT, LANES, OPTIONS, RETURNS, SCHEMA, TURNS
from whimbrel.core.errors import MailError

LOST: Final = "lost"
"""The directory beside the database for what is not to be worked on, and not to be deleted by us."""
SUFFIXES: Final = ("", "-wal", "-shm")
Identity = tuple[tuple[int, int], ...]
NOTHING: Final = (0, 0)
RECOVERED: Final = "recovered"
"""In `meta`: a queue process has begun with this file, so whoever had leased entries of another one is dead."""
_BUSY = 10_000


def open_database(path: Path) -> apsw.Connection:
    """Opens it, or makes it. RuntimeError if a newer major release wrote it, or a link leads to another file."""
    with directory_locked(path.parent):
        if path.is_symlink():
            raise RuntimeError(f"{path} is a symbolic link: put the file itself there, with its -wal")
        if not_a_file(path):
            move_to(path, path.with_name(LOST))
        return opened(path)


def opened(path: Path) -> apsw.Connection:
    """The same, for whoever has the directory locked."""
    if identity(path)[0] == NOTHING:
        # The log of a file that is gone is in use by those who have that open: it is no part of the new one.
        unlink_files(path)
    # One is kept beside the database from its first day on. Where it was taken away, processes that have it open still
    # write to it: this file and theirs are two from now on.
    bare = not Path(f"{path}-wal").exists()
    connection = _open(path)
    if bare:
        with immediate(connection):
            connection.execute("INSERT OR REPLACE INTO meta VALUES('id', ?)", (os.urandom(16).hex(),))
    return connection


def identity(path: Path) -> Identity:
    """Device and inode of the database, its -wal and -shm; zeros for what is missing or no file, and for a database
    that is empty."""
    return tuple(_inode(f"{path}{suffix}", empty=bool(suffix)) for suffix in SUFFIXES)


def _inode(path: str, *, empty: bool) -> tuple[int, int]:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return NOTHING
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) and (empty or status.st_size) else NOTHING


def unlink_files(path: Path) -> None:
    for suffix in SUFFIXES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), statementcachesize=64)
    try:
        connection.set_busy_timeout(_BUSY)
        # Else the last connection to close deletes -wal, which a barrier may be about to sync.
        on = ctypes.c_int(1)
        connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(on))
        # To the end: a cursor stops at the first row, and with it all statements behind it.
        connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL").fetchall()
        connection.execute("PRAGMA journal_size_limit=4194304").fetchall()
        with immediate(connection):
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone():
                connection.execute(SCHEMA)
                connection.execute("INSERT INTO meta VALUES('format', '1.0')")
            _migrate(connection)
            if not connection.execute("SELECT 1 FROM meta WHERE name = 'id'").fetchone():
                connection.execute("INSERT INTO meta VALUES('id', ?)", (os.urandom(16).hex(),))
        row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        version = str(row[0]) if row else "unknown"
        if version.partition(".")[0] != str(FORMAT[0]):
            raise RuntimeError(f"{path} has format {version}; this release reads {FORMAT[0]}.x")
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: apsw.Connection) -> None:
    """From each minor format to the next, up to ours; a higher one is left alone. In a transaction."""
    old = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    minors = [f"{FORMAT[0]}.{minor}" for minor in range(FORMAT[1] + 1)]
    if old is None or old[0] not in minors:
        return
    for step in (LANES, RETURNS, CHECKSUM, TURNS, OPTIONS)[minors.index(str(old[0])) :]:
        connection.execute(step).fetchall()
    connection.execute("UPDATE meta SET value = ? WHERE name = 'format'", (minors[-1],)).fetchall()
    if old[0] == minors[0]:
        rebuild(connection)


@contextlib.contextmanager
def immediate(connection: apsw.Connection) -> Iterator[None]:
    """A transaction that has the write lock from its start, so that it cannot fail half-way for want of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def failure(error: apsw.Error | OSError) -> MailError:
    """What a sender is told of it."""
    if isinstance(error, apsw.FullError) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return MailError(452, "4.3.1", "Insufficient system storage", detail=str(error))
    return MailError(451, "4.3.0", "Queue failure, try again later", detail=f"{type(error).__name__}: {error}")
