"""`index.fld`: a folder's index. Opening, noticing replacement, and every query that only reads.

The index is disposable: `rebuild.py` makes it anew from the `.eml` files. Its identity (device and inode of the
database, -wal and -shm) is compared before each use, so a file that was renamed or deleted under us is noticed.
"""

import threading
from array import array
from collections.abc import Iterator
from pathlib import Path

import apsw

from whimbrel.backends.store.disk.database import Identity, Row, identity, open_database, reading, row, rows
from whimbrel.core.mailbox import (
    DELETED,
    SEEN,
    Delta,
    FlagRow,
    FolderStatus,
    MetaRow,
    PartsRow,
    SearchRow,
    Snapshot,
)
from whimbrel.core.uids import UidSet

VERSION = 1000
"""Format 1.000: major * 1000 + minor."""

SCHEMA = """
CREATE TABLE folder(
  id INTEGER PRIMARY KEY CHECK(id = 1), mailbox_id TEXT NOT NULL, uid_validity INTEGER NOT NULL,
  uid_next INTEGER NOT NULL, first_recent INTEGER NOT NULL, highest_modseq INTEGER NOT NULL,
  resync_floor INTEGER NOT NULL, messages INTEGER NOT NULL, unseen INTEGER NOT NULL, deleted INTEGER NOT NULL,
  bytes INTEGER NOT NULL, generation INTEGER NOT NULL);
CREATE TABLE msg(
  uid INTEGER PRIMARY KEY, modseq INTEGER NOT NULL, flags INTEGER NOT NULL, keywords TEXT NOT NULL,
  internal_date INTEGER NOT NULL, save_date INTEGER NOT NULL, size INTEGER NOT NULL, email_id TEXT NOT NULL,
  thread_id TEXT NOT NULL, recipient TEXT NOT NULL);
CREATE TABLE meta(
  uid INTEGER PRIMARY KEY, envelope BLOB NOT NULL, bodystructure BLOB NOT NULL, parts BLOB NOT NULL,
  preview TEXT NOT NULL, sent INTEGER NOT NULL, sender TEXT NOT NULL, addressee TEXT NOT NULL, cc TEXT NOT NULL,
  bcc TEXT NOT NULL, subject TEXT NOT NULL, message_id TEXT NOT NULL, in_reply_to TEXT NOT NULL, refs TEXT NOT NULL);
CREATE TABLE expunged(
  uid INTEGER PRIMARY KEY, modseq INTEGER NOT NULL, at INTEGER NOT NULL, flags INTEGER NOT NULL,
  keywords TEXT NOT NULL, internal_date INTEGER NOT NULL, size INTEGER NOT NULL, email_id TEXT NOT NULL);
CREATE TABLE delivered(
  queue_id TEXT NOT NULL, recipient TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY(queue_id, recipient)) WITHOUT ROWID;
"""

_FLAGS = "SELECT uid, flags, keywords, modseq FROM msg WHERE "
_META = (
    "SELECT msg.uid, flags, keywords, modseq, internal_date, size, email_id, thread_id, envelope, bodystructure "
    "FROM msg JOIN meta ON meta.uid = msg.uid WHERE "
)
_SEARCH = (
    "SELECT msg.uid, flags, keywords, modseq, internal_date, size, sent, sender, addressee, cc, bcc, subject, "
    "message_id FROM msg JOIN meta ON meta.uid = msg.uid WHERE "
)
_PARTS = "SELECT msg.uid, size, parts FROM msg JOIN meta ON meta.uid = msg.uid WHERE "
_STATUS = (
    "SELECT uid_validity, uid_next, highest_modseq, messages, unseen, deleted, bytes, first_recent, resync_floor "
    "FROM folder"
)
_RANGES = 40
"""Ranges of a UID set in one statement."""


class FolderIndex:
    """One open index. `lock` is held by whoever uses it: readers in the pool, the committer's thread."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        """Raises Damaged."""
        self.folder = folder
        self.path = folder / "index.fld"
        self.messages = str(folder / "#msgs") + "/"
        self.lock = threading.RLock()
        self.connection = open_database(self.path, SCHEMA, VERSION, create=create)
        # A read makes SQLite create the -wal and -shm, whose identity counts.
        self.connection.execute("SELECT count(*) FROM folder").fetchall()
        self._identity: Identity = identity(self.path)
        self.checked_generation = -1
        self.purged = 0.0

    @property
    def current(self) -> bool:
        """Still the files that are in the folder."""
        return identity(self.path) == self._identity

    def close(self) -> None:
        with self.lock:
            self.connection.close()

    # Reading: all under `lock`

    def status(self) -> FolderStatus:
        return FolderStatus(*row(self.connection, _STATUS))

    def generation(self) -> int:
        found = row(self.connection, "SELECT generation FROM folder")
        return found[0] if found else -1

    def snapshot(self) -> Snapshot:
        connection = self.connection
        with reading(connection):  # One read transaction: status and UIDs belong together.
            status = self.status()
            uids = array("I", [uid for (uid,) in rows(connection, "SELECT uid FROM msg ORDER BY uid")])
            unseen = 0
            if status.unseen:
                unseen = row(connection, f"SELECT min(uid) FROM msg WHERE flags & {SEEN} = 0")[0] or 0
            return Snapshot(status, uids, self.keywords(), unseen)

    def keywords(self) -> tuple[str, ...]:
        """In use, sorted."""
        found: set[str] = set()
        for (words,) in self.connection.execute("SELECT DISTINCT keywords FROM msg WHERE keywords <> ''"):
            found.update(words.split(" "))
        return tuple(sorted(found))

    def changes(self, since: int) -> Delta:
        connection = self.connection
        with reading(connection):
            status = self.status()
            if status.highest_modseq <= since and since >= status.resync_floor:
                return Delta(status.highest_modseq, [], UidSet(), complete=True)
            if since < status.resync_floor:
                every = rows(connection, _FLAGS + "1 ORDER BY uid")
                return Delta(status.highest_modseq, every, UidSet(), complete=False)
            changed = rows(connection, _FLAGS + "modseq > ? ORDER BY uid", (since,))
            gone = rows(connection, "SELECT uid FROM expunged WHERE modseq > ? ORDER BY uid", (since,))
            return Delta(status.highest_modseq, changed, UidSet.of(uid for (uid,) in gone), complete=True)

    def flags(self, uids: UidSet) -> list[FlagRow]:
        return self._rows(_FLAGS, "uid", uids)

    def meta(self, uids: UidSet) -> list[MetaRow]:
        return self._rows(_META, "msg.uid", uids)

    def search_rows(self, uids: UidSet) -> list[SearchRow]:
        return self._rows(_SEARCH, "msg.uid", uids)

    def parts(self, uids: UidSet) -> list[PartsRow]:
        return self._rows(_PARTS, "msg.uid", uids)

    def size(self, uid: int) -> int | None:
        found = row(self.connection, "SELECT size FROM msg WHERE uid = ?", (uid,))
        return found[0] if found else None

    def file(self, uid: int) -> str:
        return f"{self.messages}{uid:08x}.eml"

    def deleted_file(self, uid: int) -> str:
        return f"{self.folder}/#deleted/{uid:08x}.eml"

    def _rows(self, query: str, column: str, uids: UidSet) -> list[Row]:
        with reading(self.connection):
            found: list[Row] = []
            for clause, values in where(column, uids):
                found += rows(self.connection, f"{query}{clause} ORDER BY {column}", values)
            return found


def where(column: str, uids: UidSet) -> Iterator[tuple[str, list[int]]]:
    """Conditions that together mean `uids`, in ascending order."""
    ranges = uids.ranges
    for start in range(0, len(ranges), _RANGES):
        part = ranges[start : start + _RANGES]
        yield (
            "(" + " OR ".join([f"{column} BETWEEN ? AND ?"] * len(part)) + ")",
            [number for pair in part for number in pair],
        )


def recount(connection: apsw.Connection) -> tuple[int, int, int, int]:
    """messages, unseen, deleted, bytes, from the rows themselves."""
    found: tuple[int, int, int, int] = row(
        connection,
        f"SELECT count(*), coalesce(sum(flags & {SEEN} = 0), 0), coalesce(sum(flags & {DELETED} <> 0), 0), "
        "coalesce(sum(size), 0) FROM msg",
    )
    return found
