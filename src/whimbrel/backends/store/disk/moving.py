"""COPY and MOVE: links to the files of one folder's messages in another, of this account or of one more.

A MOVE is a copy, its barrier, and only then the end of the originals: never lost, at worst twice after a crash.
Standards: RFC 9051 6.4.7 (all or none), RFC 6851 3.3, RFC 9208 4.3.1
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakValueDictionary

from whimbrel.backends.store.disk.batch import AccountJob, Batch
from whimbrel.backends.store.disk.database import DAMAGE
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.jobs import ExpungeJob
from whimbrel.backends.store.disk.shard import AccountShard
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import AccountId, Copied, Expunged, FlagChange, FlagOp, FolderRef, Limit, MailboxId
from whimbrel.core.rows import FlagRow
from whimbrel.core.uids import UidSet

Run = Callable[[AccountId, AccountJob], Awaitable[object]]
"""Does a job on an account; its result, once that is durable."""
Place = tuple[AccountShard, MailboxId]
"""Where messages come from."""


class CopyJob(AccountJob):
    """All or none: whatever fails rolls back the transaction."""

    __slots__ = ("begun", "limit", "size", "source", "target", "uids")

    def __init__(self, source: Place, uids: UidSet, target: MailboxId, limit: Limit | None = None) -> None:
        super().__init__()
        self.source, self.uids, self.target, self.limit = source, uids, target, limit
        self.size = 0
        """Of the originals together, where there is a limit."""
        self.begun: list[FlagRow] = []
        """The originals' flags as the copies have them."""

    def run(self, batch: Batch) -> Copied:
        account, mailbox = self.source
        batch.commit()  # A copy that fails in the middle rolls back alone.
        index = account.read(mailbox, self._begin)
        change = batch.change(self.target)
        if not self.begun:
            return Copied(change.uid_validity, (), ())
        if self.limit is not None:
            batch.check_room(self.limit, self.size, len(self.begun))
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
        if self.limit is not None:
            self.size = index.total_size(self.uids)
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
        batch.commit()
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
        copies_of: dict[FlagChange, list[int]] = {}
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
                    copies_of.setdefault(change, []).append(copy)
        return [(UidSet.of(copies), change) for change, copies in copies_of.items()]


class Moving:
    """One for each store: of an account's moves one goes on at a time."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[AccountId, asyncio.Lock] = WeakValueDictionary()

    async def move(self, run: Run, source: Place, uids: UidSet, target: FolderRef) -> Copied:
        account, mailbox = source[0].account, source[1]
        lock = self._locks.get(account)
        if lock is None:
            lock = self._locks[account] = asyncio.Lock()
        async with lock:
            job = CopyJob(source, uids, target.mailbox)
            copied = await run(target.account, job)
            assert isinstance(copied, Copied)
            if not copied.source:
                return copied
            leave: AccountJob = LeaveJob(mailbox, job.begun, target.mailbox, copied.target)
            if account != target.account:
                leave = ExpungeJob(mailbox, UidSet.of(copied.source), marked_only=False, moved=True)
            gone = await run(account, leave)
            assert isinstance(gone, Expunged)
        kept = [(old, new) for old, new in zip(copied.source, copied.target, strict=True) if old in gone.uids]
        if len(kept) < len(copied.source):
            # Another process moved some of them at the same moment and was first: these copies are too many.
            wanted = {new for _, new in kept}
            surplus = UidSet.of(new for new in copied.target if new not in wanted)
            await run(target.account, ExpungeJob(target.mailbox, surplus, marked_only=False, moved=True))
        return Copied(copied.uid_validity, tuple(old for old, _ in kept), tuple(new for _, new in kept))
