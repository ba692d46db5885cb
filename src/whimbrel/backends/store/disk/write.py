"""Changes to one folder inside one transaction: append, flags, expunge.

A `Change` is used in the committer's thread, under the account's lock. It keeps the folder's counters in memory and
writes them once; after COMMIT `after` does what must follow (moving expunged files), after ROLLBACK `undo` takes back
links that were made.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import replace

import apsw

from whimbrel.backends.disk.barrier import Touched
from whimbrel.backends.disk.spool import UnnamedFile
from whimbrel.backends.store.disk.database import rows as fetch
from whimbrel.backends.store.disk.index import FolderIndex, where
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import (
    DELETED,
    MAX_KEYWORDS,
    SEEN,
    SYSTEM_FLAGS,
    FlagChange,
    FlagOp,
    FlagRow,
    FlagsStored,
    FolderStatus,
    Snapshot,
)
from whimbrel.core.uids import MAX_UID, UidSet
from whimbrel.mail.scan import Scan, scan

_INSERT_MSG = "INSERT INTO msg VALUES(?,?,?,?,?,?,?,?,?,?)"
_INSERT_META = "INSERT INTO meta VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_INSERT_EXPUNGED = "INSERT OR REPLACE INTO expunged VALUES(?,?,?,?,?,?,?,?)"
MAX_PREVIEW = 256
MAX_TEXT = 2000


class Described:
    """What the index keeps of one rendition; made once for all its recipients."""

    __slots__ = ("email_id", "meta", "size", "thread_id")

    def __init__(self, content: bytes) -> None:
        found = scan(content)
        self.size = len(content)
        self.email_id = email_id(content)
        self.thread_id = thread_id(found, self.email_id)
        self.meta = meta_values(found)


def email_id(content: bytes) -> str:
    """RFC 8474 5.1: a hash of the content, so equal for copies and the same after any rebuild."""
    return "M" + hashlib.blake2b(content, digest_size=16).hexdigest()


def thread_id(found: Scan, own: str) -> str:
    """RFC 8474 5.2: of the message that began the thread, as far as References tells (decision 0004)."""
    first = (found.references[0] if found.references else "") or found.in_reply_to or found.message_id or own
    return "T" + hashlib.blake2b(first.encode("utf-8", "replace"), digest_size=10).hexdigest()


def meta_values(found: Scan) -> tuple[object, ...]:
    """The columns of `meta` after uid. Text is bounded: it serves searching and sorting, the file has the rest."""
    return (
        found.envelope,
        found.bodystructure,
        found.parts,
        _text(found.preview)[:MAX_PREVIEW],
        found.sent,
        _text(found.from_),
        _text(found.to),
        _text(found.cc),
        _text(found.bcc),
        _text(found.subject),
        _text(found.message_id),
        _text(found.in_reply_to),
        _text(" ".join(found.references)),
    )


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode().replace("\0", " ")


class Change:
    """One transaction on one folder. Use as a context manager; an exception rolls everything back."""

    def __init__(self, index: FolderIndex, touched: Touched) -> None:
        self.index, self._touched = index, touched
        self._connection: apsw.Connection = index.connection
        self._linked: list[str] = []
        self._moves: list[tuple[str, str]] = []
        self._dirty = False
        self.strays = False
        """A file was in the way: the folder is to be compared with its index."""
        self._uid_next = self._modseq = self._messages = self._unseen = self._deleted = self._bytes = 0
        self._validity = self._recent = self._floor = 0

    def __enter__(self) -> "Change":
        self.index.lock.acquire()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            status = self.index.status()
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self.index.lock.release()
            raise
        self._validity, self._uid_next, self._modseq = status.uid_validity, status.uid_next, status.highest_modseq
        self._messages, self._unseen, self._deleted = status.messages, status.unseen, status.deleted
        self._bytes, self._recent, self._floor = status.size, status.first_recent, status.resync_floor
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._commit()
            else:
                self._rollback()
        finally:
            self.index.lock.release()

    def _commit(self) -> None:
        if not self._dirty:
            self._connection.execute("ROLLBACK")
            return
        try:
            self._connection.execute(
                "UPDATE folder SET uid_next=?, highest_modseq=?, first_recent=?, messages=?, unseen=?, deleted=?, "
                "bytes=?, resync_floor=?",
                (
                    self._uid_next,
                    self._modseq,
                    self._recent,
                    self._messages,
                    self._unseen,
                    self._deleted,
                    self._bytes,
                    self._floor,
                ),
            )
            self._connection.execute("COMMIT")
        except BaseException:
            self._rollback()
            raise
        for source, target in self._moves:
            _retire(source, target)
        self._touched.databases.add(str(self.index.path))
        self._touched.files.update(self._linked)
        self._touched.directories.add(self.index.messages)
        if self._moves:
            self._touched.directories.add(f"{self.index.folder}/#deleted")

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        for path in self._linked:
            with contextlib.suppress(OSError):
                os.unlink(path)

    @property
    def status(self) -> FolderStatus:
        """As it will be once committed."""
        return FolderStatus(
            self._validity,
            self._uid_next,
            self._modseq,
            self._messages,
            self._unseen,
            self._deleted,
            self._bytes,
            self._recent,
            self._floor,
        )

    @property
    def uid_validity(self) -> int:
        return self._validity

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
        while True:
            uid = self._uid_next
            if uid >= MAX_UID:
                raise MailboxError(Condition.LIMIT, "This folder has used all its UIDs")
            path = self.index.file(uid)
            self._uid_next = uid + 1
            self._dirty = True
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
        self._connection.execute(
            _INSERT_MSG,
            (
                uid,
                modseq,
                flags,
                words,
                internal_date,
                saved or int(time.time()),
                described.size,
                described.email_id,
                described.thread_id,
                recipient,
            ),
        )
        self._connection.execute(_INSERT_META, (uid, *described.meta))
        self._count(1, flags, described.size)
        self._modseq = max(self._modseq, modseq)
        return uid

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
        rows: list[FlagRow] = []
        modified: list[int] = []
        updates: list[tuple[int, str, int, int]] = []
        wanted, flags = change.keywords, change.flags & SYSTEM_FLAGS
        for row in self.index.flags(uids):
            uid, old, old_words, old_modseq = row
            if unchanged_since is not None and old_modseq > unchanged_since:
                modified.append(uid)
                continue
            if change.op is FlagOp.ADD:
                new = old | flags
                new_words = " ".join(sorted({*old_words.split(), *wanted})) if wanted else old_words
            elif change.op is FlagOp.REMOVE:
                new = old & ~flags
                new_words = " ".join(w for w in old_words.split() if w not in wanted) if wanted else old_words
            else:
                new, new_words = flags, words
            if new == old and new_words == old_words:
                rows.append(row)
                continue
            updates.append((new, new_words, modseq, uid))
            rows.append((uid, new, new_words, modseq))
            self._unseen += (old & SEEN and 1) - (new & SEEN and 1)
            self._deleted += (new & DELETED and 1) - (old & DELETED and 1)
        if updates:
            self._connection.executemany("UPDATE msg SET flags=?, keywords=?, modseq=? WHERE uid=?", updates)
            self._modseq = max(self._modseq, modseq)
            self._dirty = True
        return FlagsStored(rows, UidSet.of(u[3] for u in updates), UidSet.of(modified), self._modseq)

    def expunge(self, uids: UidSet, modseq: int, *, marked_only: bool = True) -> UidSet:
        """Removes rows; their files go to #deleted after COMMIT."""
        (self.index.folder / "#deleted").mkdir(mode=0o700, exist_ok=True)
        now = int(time.time())
        condition = f" AND flags & {DELETED} <> 0" if marked_only else ""
        gone: list[tuple[int, int, str, int, int, str]] = []
        for clause, values in where("uid", uids):
            query = f"SELECT uid, flags, keywords, internal_date, size, email_id FROM msg WHERE {clause}{condition}"
            gone += fetch(self._connection, query + " ORDER BY uid", values)
        if not gone:
            return UidSet()
        keys = [(row[0],) for row in gone]
        self._connection.executemany("DELETE FROM msg WHERE uid=?", keys)
        self._connection.executemany("DELETE FROM meta WHERE uid=?", keys)
        self._connection.executemany(
            _INSERT_EXPUNGED, [(uid, modseq, now, f, k, date, size, eid) for uid, f, k, date, size, eid in gone]
        )
        for uid, flags, _, _, size, _ in gone:
            self._count(-1, flags, -size)
            self._moves.append((self.index.file(uid), self.index.deleted_file(uid)))
        self._modseq = max(self._modseq, modseq)
        self._dirty = True
        return UidSet.of(row[0] for row in gone)

    def snapshot(self) -> Snapshot:
        """The folder as this transaction sees it."""
        return replace(self.index.snapshot(), status=self.status)

    def take_recent(self) -> None:
        if self._recent != self._uid_next:
            self._recent = self._uid_next
            self._dirty = True

    def _count(self, sign: int, flags: int, size: int) -> None:
        self._messages += sign
        self._bytes += size
        if not flags & SEEN:
            self._unseen += sign
        if flags & DELETED:
            self._deleted += sign


def _retire(source: str, target: str) -> None:
    # The file's time stays: other folders may hold links to it. `expunged.at` says since when it is kept.
    with contextlib.suppress(FileNotFoundError):
        os.replace(source, target)
