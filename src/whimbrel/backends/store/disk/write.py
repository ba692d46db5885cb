"""Changes to one folder inside one transaction: append, flags, expunge.

A `Change` is used in the committer's thread, under the account's lock. It keeps the folder's counters in memory and
writes them once. After COMMIT the expunged files are moved; a rollback takes back the links that were made.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import apsw

from whimbrel.backends.disk.barrier import Touched
from whimbrel.backends.disk.spool import UnnamedFile
from whimbrel.backends.store.disk.columns import BLOCK_BITS, EXPUNGE, INSERT_META, INSERT_MSG, KEPT, MOVED, Described
from whimbrel.backends.store.disk.copying import attach, copy_rows, detach
from whimbrel.backends.store.disk.counts import Counts
from whimbrel.backends.store.disk.database import row
from whimbrel.backends.store.disk.database import rows as fetch
from whimbrel.backends.store.disk.directory import Directory, link_or_copy
from whimbrel.backends.store.disk.expunged_files import move_or_list
from whimbrel.backends.store.disk.flagging import set_flags
from whimbrel.backends.store.disk.index import FolderIndex, where
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import (
    DELETED,
    MAX_KEYWORDS,
    SYSTEM_FLAGS,
    FlagChange,
    FlagOp,
    FlagsStored,
    FolderStatus,
    Snapshot,
)
from whimbrel.core.rows import FlagRow
from whimbrel.core.uids import MAX_UID, UidSet


class Copy(NamedTuple):
    """One message that is linked into another folder: the number in its file's name, and what the rows will hold."""

    uid: int
    flags: int
    keywords: str
    internal_date: int
    size: int
    ids: tuple[object, ...]
    """octets, email_id, thread_id."""
    meta: tuple[object, ...]


class Change:
    """One transaction on one folder. Use as a context manager; an exception rolls everything back.

    `index` is held (`Account.hold`); the end of the transaction lets it go.
    """

    def __init__(self, index: FolderIndex, touched: Touched) -> None:
        self.index, self._touched = index, touched
        self._connection: apsw.Connection = index.connection
        self._cursor = index.cursor
        self._linked: list[str] = []
        self._moves: list[int] = []
        self._blocks: set[int] = set()
        self._dirty = self._attached = False
        self.strays = False
        """A file was in the way: the folder is to be compared with its index."""
        self.leaving = False
        """Files of expunged messages are still to be moved."""
        self._now: Counts
        """Of this transaction; the index keeps its own until it is committed."""

    def __enter__(self) -> "Change":
        try:
            self._cursor.execute("BEGIN IMMEDIATE")
            self._now = self.index.counts().copy()
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self.index.lock.release()
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._commit()
            else:
                self._rollback()
        finally:
            if self._attached:
                with contextlib.suppress(apsw.Error):
                    detach(self._connection)
            self.index.lock.release()

    def _commit(self) -> None:
        if not self._dirty:
            self._connection.execute("ROLLBACK")
            return
        try:
            self._now.write(self._cursor)
            blocks = self._now.raised(self._blocks)
            if blocks:
                self._connection.executemany(
                    "INSERT INTO block VALUES(?,?) ON CONFLICT(id) DO UPDATE SET modseq=excluded.modseq", blocks
                )
            self._cursor.execute("COMMIT")
        except BaseException:
            self._rollback()
            raise
        self.index.keep(self._now)
        self._touched.databases.add(str(self.index.path))
        self._touched.files.update(self._linked)
        self._touched.directories.add(self.index.messages)
        if self._moves:
            self.leaving = move_or_list(self.index.folder, self._moves, self._touched)

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        for path in self._linked:
            with contextlib.suppress(OSError):
                os.unlink(path)

    @property
    def status(self) -> FolderStatus:
        """As it will be once committed."""
        return self._now.status

    @property
    def held(self) -> tuple[int, int]:
        """Octets and messages, as `status` has them."""
        return self._now.bytes, self._now.messages

    @property
    def uid_validity(self) -> int:
        return self._now.validity

    def add(
        self,
        file: UnnamedFile | str,
        described: Described,
        modseq: int,
        *,
        flags: int,
        keywords: Iterable[str],
        internal_date: int,
        recipient: str = "",
        saved: int = 0,
    ) -> int:
        """Links `file` (unnamed, or a path in the store) under the next UID and inserts its rows; the UID."""
        words = self.check_keywords(keywords)
        self._dirty = True
        while True:
            uid = self._next_uid()
            path = self.index.file(uid)
            try:
                if isinstance(file, UnnamedFile):
                    file.link(path)
                else:
                    os.link(file, path)
                break
            except FileExistsError:
                # Nothing is ever overwritten: the next UID is taken. What stands there may be an acknowledged message
                # that this index has lost the row of, so it stays and is taken in again (decision 0005).
                self.strays = True
            except FileNotFoundError:
                raise MailboxError(Condition.NONEXISTENT, "The message has gone") from None
        self._linked.append(path)
        flags &= SYSTEM_FLAGS
        saved = saved or int(time.time())
        self._cursor.execute(
            INSERT_MSG, _msg_values(uid, modseq, flags, words, internal_date, saved, described, recipient)
        )
        self._cursor.execute(INSERT_META, (uid, *described.meta))
        self._counted(uid, flags, described.size, modseq)
        return uid

    def add_all(self, folder: str, copies: Sequence[Copy], modseq: int) -> list[int]:
        """Links files of `folder` (its #msgs, or another of the store) under the next UIDs, all with one modseq.

        MailboxError NONEXISTENT if one of them has gone: the whole transaction is to be rolled back then.
        """
        self._dirty = True
        self.check_keywords({word for copy in copies if copy.keywords for word in copy.keywords.split()})
        given, now = self._link_all(folder, [copy.uid for copy in copies]), int(time.time())
        self._connection.executemany(
            INSERT_MSG,
            [
                (uid, modseq, flags & SYSTEM_FLAGS, words, date, now, size, *ids, "")
                for uid, (_, flags, words, date, size, ids, _) in zip(given, copies, strict=True)
            ],
        )
        self._connection.executemany(INSERT_META, [(uid, *copy.meta) for uid, copy in zip(given, copies, strict=True)])
        for uid, copy in zip(given, copies, strict=True):
            self._counted(uid, copy.flags, copy.size, modseq)
        return given

    def copy_all(self, source: FolderIndex, originals: Sequence[FlagRow], modseq: int) -> list[int]:
        """The same for messages of another folder, or of this one, whose index has their rows already."""
        self._dirty = True
        self.check_keywords({word for row in originals if row[2] for word in row[2].split()})
        uids = [row[0] for row in originals]
        given = self._link_all(source.messages, uids)
        if source.path != self.index.path:
            self._attached = True
            attach(self._connection, source.path)
        pairs = zip(given, uids, strict=True)
        count, unseen, deleted, size = copy_rows(
            self._connection, pairs, modseq, int(time.time()), attached=self._attached
        )
        if count != len(uids):
            raise MailboxError(Condition.NONEXISTENT, "One of the messages has gone")
        self._now.messages, self._now.bytes = self._now.messages + count, self._now.bytes + size
        self._now.unseen, self._now.deleted = self._now.unseen + unseen, self._now.deleted + deleted
        self._flagged(UidSet.of(given), modseq)
        return given

    def _link_all(self, folder: str, uids: Sequence[int]) -> list[int]:
        given = []
        with Directory(folder) as source, Directory(self.index.messages) as target:
            for old in uids:
                name, new = f"{old:08x}.eml", self._next_uid()
                while not _link(source, name, target, f"{new:08x}.eml"):
                    self.strays, new = True, self._next_uid()  # As in `add`.
                self._linked.append(f"{target.path}{new:08x}.eml")
                given.append(new)
        return given

    def _next_uid(self) -> int:
        uid = self._now.uid_next
        if uid >= MAX_UID:
            raise MailboxError(Condition.LIMIT, "This folder has used all its UIDs")
        self._now.uid_next = uid + 1
        return uid

    def _counted(self, uid: int, flags: int, size: int, modseq: int) -> None:
        self._now.count(1, flags, size)
        self._blocks.add(uid >> BLOCK_BITS)
        if modseq > self._now.modseq:
            self._now.modseq = modseq

    def check_keywords(self, keywords: Iterable[str]) -> str:
        """As stored. MailboxError LIMIT when the folder would have too many different ones."""
        words = sorted(set(keywords))
        if not words:
            return ""
        known = set(self.index.keywords())
        if len(known.union(words)) > MAX_KEYWORDS:
            raise MailboxError(Condition.LIMIT, f"A folder has {MAX_KEYWORDS} different keywords at most")
        return " ".join(words)

    def was_delivered(self, queue_id: str, recipient: str) -> bool:
        query = "SELECT 1 FROM delivered WHERE queue_id = ? AND recipient = ?"
        return self._connection.execute(query, (queue_id, recipient)).fetchone() is not None

    def mark_delivered(self, queue_id: str, recipient: str) -> None:
        values = (queue_id, recipient, int(time.time()))
        self._connection.execute("INSERT INTO delivered VALUES(?,?,?)", values)

    def set_flags(self, uids: UidSet, change: FlagChange, unchanged_since: int | None, modseq: int) -> FlagsStored:
        words = self.check_keywords(change.keywords) if change.op is not FlagOp.REMOVE else ""
        stored = set_flags(self.index, self._now, uids, change, words, unchanged_since, modseq)
        if stored.changed:
            self._flagged(stored.changed, modseq)
        return stored

    def _flagged(self, uids: UidSet, modseq: int) -> None:
        for first, last in uids.ranges:
            self._blocks.update(range(first >> BLOCK_BITS, (last >> BLOCK_BITS) + 1))
        self._now.modseq = max(self._now.modseq, modseq)
        self._dirty = True

    def expunge(self, uids: UidSet, modseq: int, *, marked_only: bool = True, moved: bool = False) -> UidSet:
        """Removes rows; their files go to #deleted after COMMIT, to be restored while they are there. `moved`: they are
        in another folder now, and kept here only for sessions that still show them."""
        now, connection = int(time.time()), self._connection
        condition = f" AND flags & {DELETED} <> 0" if marked_only else ""
        gone: list[tuple[int, int, int]] = []
        for clause, values in where("msg.uid", uids):
            rows = fetch(connection, f"SELECT uid, flags, size FROM msg WHERE {clause}{condition} ORDER BY uid", values)
            if not rows:
                continue
            gone += rows
            # Mostly a few of many, and near each other: only what lies between is looked through again.
            chosen, values = f"{clause} AND msg.uid BETWEEN ? AND ?{condition}", [*values, rows[0][0], rows[-1][0]]
            connection.execute(EXPUNGE + chosen, (modseq, now, MOVED if moved else KEPT, *values))
            connection.execute(f"DELETE FROM meta WHERE uid IN (SELECT uid FROM msg WHERE {chosen})", values)
            connection.execute(f"DELETE FROM msg WHERE {chosen}", values)
        if not gone:
            return UidSet()
        for uid, flags, size in gone:
            self._now.count(-1, flags, -size)
            self._moves.append(uid)
        self._now.modseq = max(self._now.modseq, modseq)
        self._dirty = True
        return UidSet.of(row[0] for row in gone)

    def drop_kept(self, uids: Sequence[int]) -> None:
        """Expunged messages that can be restored no more: their files are removed by the caller."""
        self._connection.executemany("UPDATE expunged SET kept = 0 WHERE uid = ?", [(uid,) for uid in uids])
        self._dirty = True

    def forget_old(self, delivered_before: int, tombstones: int) -> None:
        """Marks against double delivery, and rows of `expunged` beyond those kept for clients that come back late: who
        was away longer gets a full answer."""
        self._connection.execute("DELETE FROM delivered WHERE at < ?", (delivered_before,))
        self._dirty = True
        bound = row(
            self._connection,
            "SELECT modseq FROM expunged WHERE kept = 0 ORDER BY modseq DESC LIMIT 1 OFFSET ?",
            (tombstones,),
        )
        if bound is not None:
            self._connection.execute("DELETE FROM expunged WHERE kept = 0 AND modseq <= ?", bound)
            self._now.floor = max(self._now.floor, bound[0])

    def snapshot(self) -> Snapshot:
        """The folder as this transaction sees it."""
        return replace(self.index.snapshot(dirty=self._dirty), status=self.status)

    def take_recent(self) -> None:
        if self._now.recent != self._now.uid_next:
            self._now.recent = self._now.uid_next
            self._dirty = True


def _link(source: Directory, name: str, target: Directory, new: str) -> bool:
    """False where a file of that name is."""
    try:
        link_or_copy(source, name, target, new)
    except FileExistsError:
        return False
    except FileNotFoundError:
        raise MailboxError(Condition.NONEXISTENT, "One of the messages has gone") from None
    return True


def _msg_values(
    uid: int, modseq: int, flags: int, words: str, date: int, saved: int, described: Described, recipient: str
) -> tuple[object, ...]:
    return (
        uid, modseq, flags, words, date, saved, described.size, described.octets, described.email_id,
        described.thread_id, recipient,
    )  # fmt: skip
