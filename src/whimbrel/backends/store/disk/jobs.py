"""The jobs on an account: append, flags, expunge, copy, and changes of the folder tree."""

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from whimbrel.backends.disk.spool import UnnamedFile, content_bytes, materialise, only_crlf
from whimbrel.backends.store.disk.account import AccountJob, AccountShard, Batch
from whimbrel.backends.store.disk.columns import Described
from whimbrel.backends.store.disk.database import DAMAGE
from whimbrel.backends.store.disk.graves import bury
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.tree import Entry
from whimbrel.backends.store.names import MAX_SUBSCRIPTIONS, canonical, check_annotations, parent
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import (
    INBOX,
    Copied,
    Expunged,
    FlagChange,
    FlagOp,
    FlagRow,
    FlagsStored,
    MailboxId,
    Snapshot,
    SpecialUse,
    Usage,
)
from whimbrel.core.quota import Limit
from whimbrel.core.uids import UidSet

MAX_FOLDERS = 10_000


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
            _check_room(batch, append.folder.mailbox, append.limit, described.size)
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


def _check_room(batch: Batch, mailbox: MailboxId, limit: Limit, size: int) -> None:
    """OVERQUOTA if one message of `size` does not fit. Exact: under the account's lock, with what this batch has added
    to the folder and account.seq does not know yet."""
    sequence, now = batch.account.sequence, batch.change(mailbox).status
    known, sums = sequence.status(batch.account.entry(mailbox).key), sequence.own
    bytes_, messages = (known.size, known.messages) if known is not None else (0, 0)
    if limit.exceeded(Usage(sums.bytes + now.size - bytes_, sums.messages + now.messages - messages), size, 1):
        raise MailboxError(Condition.OVERQUOTA, "Mailbox is full")


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
        found = change.snapshot()
        change.take_recent()
        return found


class CopyJob(AccountJob):
    """All or none: whatever fails rolls back the transaction."""

    __slots__ = ("begun", "source", "target", "uids")

    def __init__(self, source: tuple[AccountShard, MailboxId], uids: UidSet, target: MailboxId) -> None:
        super().__init__()
        self.source, self.uids, self.target = source, uids, target
        self.begun: list[FlagRow] = []
        """The originals' flags as the copies have them."""

    def run(self, batch: Batch) -> Copied:
        account, mailbox = self.source
        batch.settle()  # A copy that fails in the middle rolls back alone.
        index = account.read(mailbox, self._begin)
        change = batch.change(self.target)
        if not self.begun:
            return Copied(change.uid_validity, (), ())
        try:
            given = change.copy_all(index, self.begun, batch.modseq())
        except MailboxError as error:
            batch.abandon(error)
            raise
        except DAMAGE as error:
            batch.abandon(error)
            account.heal(mailbox)
            raise MailboxError(Condition.INUSE, "The folder is being rebuilt, try again", detail=repr(error)) from None
        return Copied(change.uid_validity, tuple(row[0] for row in self.begun), tuple(given))

    def _begin(self, index: FolderIndex) -> FolderIndex:
        self.begun = index.flags(self.uids)
        return index


class LeaveJob(AccountJob):
    """The second half of a MOVE, when the copies are durable: their originals go. What others did to the flags of an
    original in between is done to its copy, under the same lock."""

    __slots__ = ("begun", "copies", "mailbox", "target")

    def __init__(self, mailbox: MailboxId, begun: Sequence[FlagRow], target: MailboxId, copies: Sequence[int]) -> None:
        """`begun`: the originals as they were copied."""
        super().__init__()
        self.mailbox, self.begun, self.target, self.copies = mailbox, begun, target, copies

    def run(self, batch: Batch) -> Expunged:
        batch.settle()
        batch.account.entry(self.target)  # Deleted meanwhile: then the originals stay.
        changes = self._changes(batch)
        if changes:
            change = batch.change(self.target)
            try:
                for uids, wanted in changes:
                    change.set_flags(uids, wanted, None, batch.modseq())
            except MailboxError as error:
                batch.abandon(error)
                raise
        uids = UidSet.of(row[0] for row in self.begun)
        return ExpungeJob(self.mailbox, uids, marked_only=False, moved=True).run(batch)

    def _changes(self, batch: Batch) -> list[tuple[UidSet, FlagChange]]:
        """To the copies. Mostly none: the originals are as they were."""
        uids = UidSet.of(row[0] for row in self.begun)
        now = {row[0]: row for row in batch.account.read(self.mailbox, lambda index: index.flags(uids))}
        found: dict[FlagChange, list[int]] = {}
        for (uid, flags, words, modseq), copy in zip(self.begun, self.copies, strict=True):
            row = now.get(uid)
            if row is None or row[3] == modseq:
                continue
            new, old = frozenset(row[2].split()), frozenset(words.split())
            for change in (
                FlagChange(FlagOp.ADD, row[1] & ~flags, new - old),
                FlagChange(FlagOp.REMOVE, flags & ~row[1], old - new),
            ):
                if change.flags or change.keywords:
                    found.setdefault(change, []).append(copy)
        return [(UidSet.of(copies), change) for change, copies in found.items()]


# The folder tree


class CreateJob(AccountJob):
    __slots__ = ("name", "special_use")

    def __init__(self, name: str, special_use: SpecialUse | None) -> None:
        super().__init__()
        self.name, self.special_use = canonical(name), special_use

    def run(self, batch: Batch) -> Entry:
        batch.settle()
        tree = batch.account.tree
        found = tree.named(self.name)
        if found is not None and found.selectable:
            raise MailboxError(Condition.ALREADYEXISTS, "A folder of this name exists")
        if len(tree.entries()) >= MAX_FOLDERS:
            raise MailboxError(Condition.LIMIT, f"An account has {MAX_FOLDERS} folders at most")
        if self.special_use and any(entry.special_use is self.special_use for entry in tree.entries()):
            raise MailboxError(Condition.ALREADYEXISTS, f"There is a folder for {self.special_use.value} already")
        tree.check_length(self.name)
        batch.folders_changed = True
        if found is not None:
            (batch.account.root / found.path / "#msgs").mkdir(mode=0o700, exist_ok=True)
            return tree.change(found, selectable=True, special_use=self.special_use)
        levels, name = self.name.split("/"), ""
        for level in levels[:-1]:
            name = f"{name}/{level}" if name else level
            if tree.named(name) is None:
                tree.add(name, None)
        batch.touched.directories.add(str(batch.account.root))
        return tree.add(self.name, self.special_use)


class DeleteJob(AccountJob):
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = canonical(name)

    def run(self, batch: Batch) -> Entry:
        batch.settle()
        account, tree = batch.account, batch.account.tree
        entry = tree.named(self.name)
        if self.name == INBOX:
            raise MailboxError(Condition.CANNOT, "INBOX cannot be deleted")
        if entry is None:
            raise MailboxError(Condition.NONEXISTENT, "No such folder")
        children = tree.below(self.name)
        if not entry.selectable and children:
            raise MailboxError(Condition.CANNOT, "There are folders below it")
        batch.folders_changed = True
        account.forget(entry.mailbox)
        folder = account.root / entry.path
        bury(account.root, folder, entry.mailbox)
        batch.touched.directories.update((str(folder.parent), str(account.root / "#deleted")))
        account.sequence.remove(entry.key)
        tree.remove(entry)
        if children:
            tree.keep_level(entry)
        else:
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # Directories that are no folders of ours may have been in it.
            batch.touched.directories.discard(str(folder))
        if folder.is_dir():
            batch.touched.directories.add(str(folder))
        return entry


class RenameJob(AccountJob):
    __slots__ = ("new", "old")

    def __init__(self, old: str, new: str) -> None:
        super().__init__()
        self.old, self.new = canonical(old), canonical(new)

    def run(self, batch: Batch) -> Entry:
        batch.settle()
        tree = batch.account.tree
        entry = tree.named(self.old)
        if entry is None:
            raise MailboxError(Condition.NONEXISTENT, "No such folder")
        if tree.named(self.new) is not None:
            raise MailboxError(Condition.ALREADYEXISTS, "A folder of this name exists")
        if self.new == INBOX or self.new.startswith(self.old + "/"):
            raise MailboxError(Condition.CANNOT, "A folder cannot be moved there")
        for child in (entry, *tree.below(self.old)):
            tree.check_length(canonical(self.new + child.name[len(self.old) :]))
        batch.folders_changed = True
        name = ""
        for level in parent(self.new).split("/") if parent(self.new) else ():
            name = f"{name}/{level}" if name else level
            if tree.named(name) is None:
                tree.add(name, None)
        for child in (entry, *tree.below(self.old)):
            batch.account.forget(child.mailbox)
        return tree.change(entry, name=self.new)


class SubscribeJob(AccountJob):
    __slots__ = ("name", "subscribed")

    def __init__(self, name: str, *, subscribed: bool) -> None:
        super().__init__()
        self.name, self.subscribed = canonical(name), subscribed

    def run(self, batch: Batch) -> None:
        batch.settle()
        tree = batch.account.tree
        if self.subscribed and len(tree.subscribed) >= MAX_SUBSCRIPTIONS and self.name not in tree.subscribed:
            # They are names alone, of folders or not, so nothing else bounds them.
            raise MailboxError(Condition.LIMIT, f"An account has {MAX_SUBSCRIPTIONS} subscriptions at most")
        if tree.subscribe(self.name, subscribed=self.subscribed):
            batch.folders_changed = True


class AnnotateJob(AccountJob):
    """RFC 5464: annotations of a folder, or of the account."""

    __slots__ = ("changes", "mailbox")

    def __init__(self, mailbox: MailboxId | None, changes: Mapping[str, bytes | None]) -> None:
        super().__init__()
        self.mailbox, self.changes = mailbox, changes

    def run(self, batch: Batch) -> None:
        batch.settle()
        account = batch.account
        entry = None if self.mailbox is None else account.entry(self.mailbox)
        held = account.tree.annotations(entry)
        changed = check_annotations(held, self.changes)
        if changed != held:
            account.tree.annotate(entry, changed)
            batch.annotated.add(self.mailbox)
