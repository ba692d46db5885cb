"""The queue's database: opening it with the right pragmas and format."""

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

import apsw

from whimbrel.backends.queue.lanes import rebuild
from whimbrel.backends.queue.rows import FORMAT, LANES, SCHEMA

_BUSY = 10_000


def open_database(path: Path) -> apsw.Connection:
    """Opens it, or makes it. RuntimeError if a newer major release wrote it."""
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
                version = f"{FORMAT[0]}.{FORMAT[1]}"
                connection.execute("INSERT INTO meta VALUES('format', ?)", (version,))
                connection.execute(LANES)
            elif connection.execute("SELECT 1 FROM meta WHERE name = 'format' AND value = '1.0'").fetchone():
                connection.execute(LANES)
                connection.execute("UPDATE meta SET value = '1.1' WHERE name = 'format'")
                rebuild(connection)
        row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        found = str(row[0]) if row else "unknown"
        if found.partition(".")[0] != str(FORMAT[0]):
            raise RuntimeError(f"{path} has format {found}; this release reads {FORMAT[0]}.x")
    except BaseException:
        connection.close()
        raise
    return connection


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
