"""Rows of copied messages: they go from one folder's index to another's inside SQLite, which takes half the time of
making Python values of them and back, and no memory.

The other index is attached for one transaction of the account's writer, and let go when that has ended.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path

import apsw

from whimbrel.backends.store.disk.columns import META
from whimbrel.backends.store.disk.database import keep_wal, row
from whimbrel.core.mailbox import DELETED, SEEN

_ORIGIN = "origin"
_PAIRS = "CREATE TEMP TABLE IF NOT EXISTS copied(new INTEGER PRIMARY KEY, old INTEGER NOT NULL)"
_MSG = (
    "INSERT INTO main.msg(uid, modseq, flags, keywords, internal_date, save_date, size, octets, email_id, thread_id, "
    "recipient) SELECT new, ?, flags, keywords, internal_date, ?, size, octets, email_id, thread_id, '' "
    "FROM temp.copied CROSS JOIN {origin}.msg ON uid = old ORDER BY new"
)
_META = (
    f"INSERT INTO main.meta(uid, {META}) SELECT new, {META} "
    "FROM temp.copied CROSS JOIN {origin}.meta ON uid = old ORDER BY new"
)
_SUMS = (
    f"SELECT count(*), coalesce(sum(flags & {SEEN} = 0), 0), coalesce(sum(flags & {DELETED} <> 0), 0), "
    "coalesce(sum(size), 0) FROM temp.copied CROSS JOIN main.msg ON uid = new"
)


def attach(connection: apsw.Connection, path: Path) -> None:
    with contextlib.suppress(apsw.SQLError):
        detach(connection)  # One that could not be let go after a failure.
    connection.execute(f"ATTACH ? AS {_ORIGIN}", (str(path),))
    keep_wal(connection, _ORIGIN)


def detach(connection: apsw.Connection) -> None:
    """After the transaction."""
    connection.execute(f"DETACH {_ORIGIN}")


def copy_rows(
    connection: apsw.Connection, pairs: Iterable[tuple[int, int]], modseq: int, saved: int, *, attached: bool
) -> tuple[int, int, int, int]:
    """`pairs`: new UID here, old UID in the attached index, or in this one. How many were found, how many of them are
    unseen and deleted, and their size."""
    origin = _ORIGIN if attached else "main"
    connection.execute(_PAIRS)
    connection.executemany("INSERT INTO temp.copied VALUES(?,?)", pairs)
    connection.execute(_MSG.format(origin=origin), (modseq, saved))
    connection.execute(_META.format(origin=origin))
    sums: tuple[int, int, int, int] = row(connection, _SUMS)
    connection.execute("DELETE FROM temp.copied")
    return sums
