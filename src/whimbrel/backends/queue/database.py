"""The queue's database: opening it with the right pragmas and format."""

import contextlib
import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import apsw

from whimbrel.backends.queue.lanes import rebuild
from whimbrel.backends.queue.rows import CHECKSUM, FORMAT, LANES, OPTIONS, RETURNS, SCHEMA, TURNS
from whimbrel.core.errors import MailError

_BUSY = 10_000


def open_database(path: Path) -> apsw.Connection:
    """Opens it, or makes it. RuntimeError if a newer major release wrote it."""
    with _alone(path.parent):
        if identity(path) == (0, 0):
            # The log of a file that is gone is in use by those who have that open: it is no part of the new one.
            for suffix in ("", "-wal", "-shm"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
        return _open(path)


def identity(path: Path) -> tuple[int, int]:
    """Device and inode; zeros for a file that is missing or empty."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return 0, 0
    return (status.st_dev, status.st_ino) if status.st_size else (0, 0)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Of all processes that open the queue, one after the other."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


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
