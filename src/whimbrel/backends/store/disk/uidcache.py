"""The UIDs of an open folder, kept between two snapshots: only what changed since the last one is read.

A session's start in a folder of 200,000 messages then costs a copy of an array, not a walk over its rows.
"""

from array import array
from bisect import bisect_left

import apsw

from whimbrel.backends.store.disk.columns import BLOCK_BITS
from whimbrel.backends.store.disk.database import Row, row, rows
from whimbrel.core.mailbox import SEEN, FolderStatus
from whimbrel.core.uids import UidSet

_RUN = (1 << BLOCK_BITS) - 1
_MANY = 64
"""So many runs changed that one walk over all rows is cheaper."""


class UidCache:
    """Of one open index, used under its lock, inside a read transaction."""

    __slots__ = ("_keywords", "_modseq", "_uids", "_unseen")

    def __init__(self) -> None:
        self._modseq = -1
        self._uids: array[int] = array("I")
        self._keywords: tuple[str, ...] = ()
        self._unseen = 0

    def at(self, connection: apsw.Connection, status: FolderStatus) -> "tuple[array[int], tuple[str, ...], int]":
        """All UIDs (a copy), the keywords in use, the first UID without \\Seen or 0, as `status` has them."""
        if status.highest_modseq != self._modseq:
            self._follow(connection, status)
        return self._uids[:], self._keywords, self._unseen

    def forget(self) -> None:
        self._modseq = -1

    def _follow(self, connection: apsw.Connection, status: FolderStatus) -> None:
        before, count, last = self._modseq, len(self._uids), self._uids[-1] if self._uids else 0
        if before < status.resync_floor or not self._extend(connection, status):
            self._uids = array("I", [uid for (uid,) in rows(connection, "SELECT uid FROM msg ORDER BY uid")])
            before = -1
        shrunk = count and (len(self._uids) < count or self._uids[count - 1] != last)
        changed: list[Row] = changed_rows(connection, "uid, flags, keywords", before) if before >= 0 else []
        self._unseen = self._first_unseen(connection, status, changed if before >= 0 else None)
        if before < 0 or (self._keywords and (shrunk or any(uid <= last for uid, _, _ in changed))):
            self._keywords = keywords(connection)
        else:  # Messages were only added: no keyword can have lost its last one, and no other row need be looked at.
            new = {word for _, _, words in changed for word in words.split()}
            if not new <= set(self._keywords):
                self._keywords = tuple(sorted(new.union(self._keywords)))
        self._modseq = status.highest_modseq

    def _extend(self, connection: apsw.Connection, status: FolderStatus) -> bool:
        """True if what went and what came since explains the folder as it is."""
        gone = UidSet.of(
            uid
            for (uid,) in rows(connection, "SELECT uid FROM expunged WHERE modseq > ? ORDER BY uid", (self._modseq,))
        )
        uids = self._uids
        last = uids[-1] if uids else 0
        if gone:
            uids = array("I", [uid for uid in uids if uid not in gone]) if len(gone) > 8 else _without(uids, gone)
        else:
            uids = uids[:]
        uids.extend([uid for (uid,) in rows(connection, "SELECT uid FROM msg WHERE uid > ? ORDER BY uid", (last,))])
        self._uids = uids
        return len(uids) == status.messages

    def _first_unseen(self, connection: apsw.Connection, status: FolderStatus, changed: "list[Row] | None") -> int:
        if not status.unseen:
            return 0
        start = 0
        if changed is not None:
            # Below the one known only messages that changed since can have lost their \Seen.
            below = self._unseen or (1 << 32)
            start = below
            for uid, flags, _ in changed:
                if uid < below and not flags & SEEN:
                    start = min(start, uid)
        query = f"SELECT uid FROM msg WHERE uid >= ? AND flags & {SEEN} = 0 ORDER BY uid LIMIT 1"
        unseen = row(connection, query, (start,))
        return unseen[0] if unseen else 0


def _without(uids: "array[int]", gone: UidSet) -> "array[int]":
    uids = uids[:]
    for uid in gone:
        at = bisect_left(uids, uid)
        if at < len(uids) and uids[at] == uid:
            del uids[at]
    return uids


def changed_rows(connection: apsw.Connection, columns: str, since: int) -> list[Row]:
    """`columns` of the rows of msg whose modseq is above `since`, by UID."""
    blocks = rows(connection, "SELECT id FROM block WHERE modseq > ? ORDER BY id", (since,))
    if len(blocks) > _MANY:
        return rows(connection, f"SELECT {columns} FROM msg WHERE modseq > ? ORDER BY uid", (since,))
    changed: list[Row] = []
    query = f"SELECT {columns} FROM msg WHERE uid BETWEEN ? AND ? AND modseq > ? ORDER BY uid"
    for (block,) in blocks:
        changed += rows(connection, query, (block << BLOCK_BITS, (block << BLOCK_BITS) + _RUN, since))
    return changed


def keywords(connection: apsw.Connection) -> tuple[str, ...]:
    """In use, sorted."""
    used: set[str] = set()
    for (words,) in rows(connection, "SELECT DISTINCT keywords FROM msg WHERE keywords <> ''"):
        used.update(words.split(" "))
    return tuple(sorted(used))
