"""SQLite as the store uses it: WAL, through apsw only, and an identity that notices when a file was replaced."""

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from whimbrel.backends.store.disk.identity import FileIdentity
from whimbrel.core.errors import Condition, MailboxError

MINIMUM = (3, 51, 3)
"""Older ones can lose commits when a writer and a checkpointer of different connections race (3.7.0 to 3.51.2)."""

_CONVERSION = 1_000
"""Milliseconds to wait for the lock that the conversion to WAL mode takes; others hold it for a moment only."""
_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT})
_DAMAGED_IO = frozenset(
    {apsw.SQLITE_IOERR_READ, apsw.SQLITE_IOERR_SHORT_READ, apsw.SQLITE_IOERR_CORRUPTFS, apsw.SQLITE_IOERR_DATA}
)


class Damaged(Exception):
    """The database cannot be used: it is rebuilt from the files."""


def check_version() -> None:
    """Raises RuntimeError where the SQLite inside apsw is too old to be trusted."""
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < MINIMUM:
        raise RuntimeError(
            f"SQLite {apsw.sqlite_lib_version()} can lose commits; "
            f"Whimbrel needs {'.'.join(map(str, MINIMUM))} or newer: reinstall the package apsw"
        )


def identity_of(path: Path, *also: str) -> FileIdentity:
    """The database, its -wal and -shm as they are now, and `also` what else is in its directory."""
    return FileIdentity(str(path.parent), (path.name, path.name + "-wal", path.name + "-shm", *also))


def passing(error: Exception, path: Path) -> bool:
    """The machine has too little of something now (descriptors, memory, disk), or somebody holds the file: that says
    nothing about the file, and to make it anew would cost the flags in it."""
    if isinstance(error, OSError):
        return error.errno in _PASSING
    if isinstance(error, apsw.CantOpenError):
        try:
            status = os.stat(path)
        except OSError as missing:
            return missing.errno in _PASSING
        # An empty file is one that could not be made a database: it has nothing to lose.
        return stat.S_ISREG(status.st_mode) and status.st_size > 0 and os.access(path, os.R_OK | os.W_OK)
    if isinstance(error, apsw.IOError):
        # A file that was taken away while it was being opened is to be made anew.
        return getattr(error, "extendedresult", 0) not in _DAMAGED_IO and os.path.exists(path)
    return isinstance(error, apsw.FullError | apsw.NoMemError | apsw.BusyError | apsw.LockedError)


def unavailable(error: Exception) -> MailboxError:
    return MailboxError(Condition.UNAVAILABLE, "Mailbox trouble, try again later", detail=repr(error))


def open_database(path: Path, schema: str, version: int, *, create: bool, oldest: int = 0) -> apsw.Connection:
    """Opens or creates. Damaged if it is no database, is damaged, has another major version than `version`, or is
    older than `oldest`. MailboxError UNAVAILABLE if only the moment is bad."""
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    try:
        if not create and os.stat(path).st_size == 0:
            # SQLite would take it for a new database, and wait for a lock that whoever has the old one open holds.
            raise Damaged(f"{path}: empty")
        connection = apsw.Connection(str(path), flags=flags, statementcachesize=32)
    except OSError as error:
        if passing(error, path):
            raise unavailable(error) from None
        raise Damaged(f"{path}: {error}") from None
    except apsw.Error as error:
        if passing(error, path) or (create and isinstance(error, apsw.CantOpenError)):
            raise unavailable(error) from None
        raise Damaged(f"{path}: {error}") from None
    try:
        keep_wal(connection)
        _use_wal(connection, path)
        # To the end: a cursor stops at the first row, and with it all statements behind it. NORMAL, since the barrier
        # makes the WAL durable.
        connection.execute("PRAGMA synchronous=NORMAL; PRAGMA cache_size=-200").fetchall()
        connection.execute("PRAGMA journal_size_limit=4194304; PRAGMA temp_store=MEMORY").fetchall()
        stored = next(connection.execute("PRAGMA user_version"))[0]
        if stored == 0 and create:
            with connection:
                connection.execute(schema)
                connection.execute(f"PRAGMA user_version={version}")
        elif stored // 1000 != version // 1000 or stored < oldest:
            raise Damaged(f"{path}: format {stored} is not {version}")
    except apsw.Error as error:
        connection.close()
        if passing(error, path) or (create and isinstance(error, apsw.CantOpenError)):
            raise unavailable(error) from None
        raise Damaged(f"{path}: {error}") from None
    except Damaged:
        connection.close()
        raise
    return connection


def unusable(path: Path) -> str:
    """Why the database would be made anew if it were opened for use; empty: it would not. Nothing is changed."""
    try:
        if os.stat(path).st_size == 0:
            return "is empty"
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except FileNotFoundError:
        return "is not there"
    except (OSError, apsw.Error) as error:
        return f"cannot be opened: {error}"
    try:
        connection.set_busy_timeout(10_000)
        verdicts = [verdict for (verdict,) in rows(connection, "PRAGMA integrity_check(5)") if verdict != "ok"]
        return f"is damaged: {'; '.join(verdicts)}" if verdicts else ""
    except apsw.Error as error:
        return "" if passing(error, path) else f"is damaged: {error}"
    finally:
        connection.close()


def _use_wal(connection: apsw.Connection, path: Path) -> None:
    """Ours are in WAL mode from the start. One that is not is new, of a former release, or another file in the place of
    ours; to convert it takes a lock that cannot be had while a process has the one before open."""
    connection.set_busy_timeout(10_000)
    if row(connection, "PRAGMA journal_mode")[0] == "wal":
        return
    connection.set_busy_timeout(_CONVERSION)
    try:
        mode = row(connection, "PRAGMA journal_mode=WAL")[0]
    except apsw.BusyError:
        mode = "in use"
    if mode != "wal":
        raise Damaged(f"{path}: not in WAL mode, and {mode}")
    connection.set_busy_timeout(10_000)


Row = Any
"""As SQLite gives it; the aliases in core/mailbox.py name the columns of those that leave the store."""


def rows(connection: apsw.Connection, query: str, values: Sequence[object] = ()) -> list[Row]:
    """All rows of a query."""
    return connection.execute(query, values).fetchall()


def row(connection: apsw.Connection, query: str, values: Sequence[object] = ()) -> Row:
    """The first row, or None."""
    return connection.execute(query, values).fetchone()


@contextlib.contextmanager
def reading(connection: apsw.Connection) -> Iterator[None]:
    """One read transaction: all queries inside see the same moment. Inside a transaction it adds nothing."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def keep_wal(connection: apsw.Connection, name: str = "main") -> None:
    # Else the last connection to close deletes -wal and -shm by name: also those of a new database that meanwhile took
    # the place of the renamed one it had open.
    on = ctypes.c_int(1)
    connection.file_control(name, apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(on))


DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.IOError, apsw.CantOpenError, apsw.SQLError)
"""What SQLite raises when a file is damaged or was taken away."""
