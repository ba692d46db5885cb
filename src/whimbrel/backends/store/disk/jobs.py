"""The jobs on the messages of one folder: append, flags, expunge, and who takes \\Recent."""

import time
from pathlib import Path

from whimbrel.backends.disk.spool import UnnamedFile, content_bytes, materialise, only_crlf
from whimbrel.backends.store.disk.batch import AccountJob, Batch
from whimbrel.backends.store.disk.columns import Described
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.mailbox import Expunged, FlagChange, FlagsStored, MailboxId, Snapshot
from whimbrel.core.uids import UidSet


class Writing:
    """A rendition that several jobs of one commit share: written and described once, in the committer's thread."""

    __slots__ = ("_done", "_folder", "_rendition")

    def __init__(self, rendition: Rendition, folder: Path) -> None:
        self._rendition, self._folder = rendition, folder
        self._done: tuple[UnnamedFile, Described] | None = None

    def done(self, modified: int | None) -> tuple[UnnamedFile, Described]:
        """`modified`: the file's time in seconds, of whoever asks first; None: now. MailError if the disk is full."""
        if self._done is None:
            described = Described(content_bytes(self._rendition), crlf=only_crlf(self._rendition))
            self._done = materialise(self._rendition, self._folder, modified), described
        return self._done


class AppendJob(AccountJob):
    __slots__ = ("append", "writing")

    def __init__(self, append: Append, writing: Writing) -> None:
        super().__init__()
        self.append, self.writing = append, writing

    def prepare(self) -> None:
        self.writing.done(self.append.internal_date)

    def run(self, batch: Batch) -> Appended:
        append = self.append
        change = batch.change(append.folder.mailbox)
        if append.queue_id and change.was_delivered(append.queue_id, append.recipient):
            return Appended(change.uid_validity, 0)
        date = int(time.time()) if append.internal_date is None else append.internal_date
        file, described = self.writing.done(append.internal_date)
        if append.limit is not None:
            batch.check_room(append.limit, described.size)
        uid = change.add(
            file,
            described,
            batch.modseq(),
            flags=append.flags,
            keywords=append.keywords,
            internal_date=date,
            recipient=append.recipient,
        )
        if append.queue_id:
            change.mark_delivered(append.queue_id, append.recipient)
        return Appended(change.uid_validity, uid)


class FlagsJob(AccountJob):
    __slots__ = ("change", "mailbox", "uids", "unchanged_since")

    def __init__(self, mailbox: MailboxId, uids: UidSet, change: FlagChange, unchanged_since: int | None) -> None:
        super().__init__()
        self.mailbox, self.uids, self.change, self.unchanged_since = mailbox, uids, change, unchanged_since

    def run(self, batch: Batch) -> FlagsStored:
        change = batch.change(self.mailbox)
        return change.set_flags(self.uids, self.change, self.unchanged_since, batch.modseq())


class ExpungeJob(AccountJob):
    __slots__ = ("mailbox", "marked_only", "moved", "uids")

    def __init__(self, mailbox: MailboxId, uids: UidSet, *, marked_only: bool = True, moved: bool = False) -> None:
        super().__init__()
        self.mailbox, self.uids, self.marked_only, self.moved = mailbox, uids, marked_only, moved

    def run(self, batch: Batch) -> Expunged:
        change = batch.change(self.mailbox)
        uids = change.expunge(self.uids, batch.modseq(), marked_only=self.marked_only, moved=self.moved)
        return Expunged(uids, change.status.highest_modseq)


class RecentJob(AccountJob):
    """A snapshot whose \\Recent messages are this session's alone. RFC 3501 2.3.2"""

    __slots__ = ("mailbox",)

    def __init__(self, mailbox: MailboxId) -> None:
        super().__init__()
        self.mailbox = mailbox

    def run(self, batch: Batch) -> Snapshot:
        change = batch.change(self.mailbox)
        snapshot = change.snapshot()
        change.take_recent()
        return snapshot
