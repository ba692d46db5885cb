"""The mail store on a disk: the ports Folders, Messages, Changes and Commit over accounts, committer and pool."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from weakref import WeakValueDictionary

import apsw

from whimbrel.backends.disk.committer import Committer, Job, Shard
from whimbrel.backends.disk.spool import FileContent, HeldContent
from whimbrel.backends.store.disk.account import AccountJob, AccountShard
from whimbrel.backends.store.disk.contents import read_file, read_files
from whimbrel.backends.store.disk.database import check_version
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.jobs import (
    AnnotateJob,
    AppendJob,
    CopyJob,
    CreateJob,
    DeleteJob,
    ExpungeJob,
    FlagsJob,
    LeaveJob,
    RecentJob,
    RenameJob,
    SubscribeJob,
    Writing,
)
from whimbrel.backends.store.disk.names import account_path
from whimbrel.backends.store.disk.retirer import Retirer
from whimbrel.backends.store.disk.shelf import Shelf
from whimbrel.backends.store.disk.tree import Entry
from whimbrel.backends.store.names import canonical
from whimbrel.core.commit import Append, Appended, Enqueue
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import (
    INBOX,
    AccountId,
    CellRow,
    Copied,
    Delta,
    Expunged,
    FlagChange,
    FlagRow,
    FlagsStored,
    Folder,
    FolderRef,
    FolderStatus,
    Holding,
    MailboxId,
    MetaRow,
    PartsRow,
    SearchRow,
    Snapshot,
    SortRow,
    SpecialUse,
    Usage,
)
from whimbrel.core.notices import FOLDER, Notices
from whimbrel.core.pool import Pool
from whimbrel.core.uids import UidSet

T = TypeVar("T")
FlagRows = list[FlagRow]
MetaRows = list[MetaRow]
CellRows = list[CellRow]
SearchRows = list[SearchRow]
SortRows = list[SortRow]
PartsRows = list[PartsRow]
Texts = list[tuple[int, str]]
Numbers = list[tuple[int, int]]
Contents = list[bytes | None]
POLL = 1.0
"""Seconds between two looks at the counters of watched accounts; a hint is far faster, but may be lost."""
MAX_ACCOUNTS = 4096
"""Accounts a process keeps in hand; each costs a descriptor and about a kilobyte."""


class QueueShard(Shard, Protocol):
    """What a commit asks of the queue that shares its barrier."""

    def job(self, entry: Enqueue) -> Job: ...

    def announce(self) -> None:
        """What was added is durable now: whoever waits for it is told."""
        ...


class DiskStore:
    """One for each process."""

    def __init__(
        self,
        folder: Path,
        *,
        committer: Committer,
        pool: Pool,
        notices: Notices,
        log: Log,
        generation: int,
        queue: QueueShard | None = None,
    ) -> None:
        check_version()
        self.mail = folder / "mail"
        self.spool = folder / "spool"
        for path in (self.mail, self.spool):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.generation = generation
        self._committer, self._pool, self._notices, self._log = committer, pool, notices, log
        self._queue = queue
        self._retirer = Retirer(pool)
        self._shelf = Shelf()
        self._accounts: dict[AccountId, AccountShard] = {}
        self._changed: list[tuple[AccountId, set[MailboxId], bool]] = []
        self._changed_lock = threading.Lock()
        self._watchers: dict[AccountId, set[Callable[[MailboxId | None], None]]] = {}
        self._unsubscribe = notices.subscribe(FOLDER, self._heard)
        self._moving: WeakValueDictionary[AccountId, asyncio.Lock] = WeakValueDictionary()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen: dict[AccountId, tuple[int, int] | None] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._poll: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """After the committer was closed."""
        self._unsubscribe()
        self._retirer.close()
        if self._poll is not None:
            self._poll.cancel()
        self._shelf.close()
        for account in self._accounts.values():
            account.close()
        self._accounts.clear()

    def shard(self, account: AccountId) -> AccountShard:
        """In the loop, or before it runs."""
        found = self._accounts.get(account)
        if found is None:
            if len(self._accounts) >= MAX_ACCOUNTS:
                self._accounts.pop(next(iter(self._accounts)))  # Its descriptors go with it, once nobody uses it.
            found = AccountShard(
                account, account_path(self.mail, account), self._shelf, lambda: self.generation, self._log
            )
            found.published = lambda changed, folders: self._published(account, changed, folders)
            found.healed = lambda changed, folders: self._healed(account, changed, folders)
            self._accounts[account] = found
        return found

    # Commit

    async def commit(self, work: Sequence[Append | Enqueue]) -> Sequence[Appended | Exception | None]:
        writings: dict[tuple[int, bytes], Writing] = {}
        jobs: list[tuple[Shard, Job]] = []
        for item in work:
            if isinstance(item, Append):
                key = (id(item.rendition.content), item.rendition.prefix)
                writing = writings.get(key)
                if writing is None:
                    writing = writings[key] = Writing(item.rendition, self.spool)
                jobs.append((self.shard(item.folder.account), AppendJob(item, writing)))
            else:
                if self._queue is None:
                    raise RuntimeError("this store was made without a queue")
                jobs.append((self._queue, self._queue.job(item)))
        try:
            await self._finish(jobs)
        finally:
            for item in work:
                _release(item.rendition.content)
        if self._queue is not None and any(isinstance(item, Enqueue) for item in work):
            self._queue.announce()
        return [job.result if isinstance(job.result, Appended | Exception) else None for _, job in jobs]

    async def _finish(self, jobs: Sequence[tuple[Shard, Job]]) -> None:
        """Waits for the barrier even when cancelled: what was begun must not be told wrongly, nor freed too early."""
        commit = self._committer.submit(jobs)
        self._loop = commit.get_loop()
        try:
            await asyncio.shield(commit)
        except asyncio.CancelledError:
            await asyncio.wait([commit])
            raise
        finally:
            self._tell()

    async def run(self, account: AccountId, job: AccountJob) -> object:
        """A job of the store's own on one account; its result, once that is durable."""
        shard = self.shard(account)
        await self._finish([(shard, job)])
        self._retirer.soon(shard)
        if isinstance(job.result, Exception):
            raise job.result
        return job.result

    # Folders

    async def list(self, account: AccountId) -> Sequence[Folder]:
        shard = await self._ready(account)
        subscribed = shard.tree.subscribed
        return [_folder(account, entry, subscribed) for entry in shard.tree.entries()]

    async def find(self, account: AccountId, name: str) -> Folder | None:
        try:
            wanted = canonical(name)
        except MailboxError:
            return None
        shard = await self._ready(account)
        entry = shard.tree.named(wanted)
        return None if entry is None else _folder(account, entry, shard.tree.subscribed)

    async def _ready(self, account: AccountId) -> AccountShard:
        shard = self.shard(account)
        await self._pool.run(shard.prepare)
        return shard

    async def create(self, account: AccountId, name: str, special_use: SpecialUse | None = None) -> Folder:
        entry = await self.run(account, CreateJob(name, special_use))
        assert isinstance(entry, Entry)
        return _folder(account, entry, self.shard(account).tree.subscribed)

    async def delete(self, account: AccountId, name: str) -> None:
        await self.run(account, DeleteJob(name))

    async def rename(self, account: AccountId, old: str, new: str) -> None:
        if canonical(old) != INBOX:
            await self.run(account, RenameJob(old, new))
            return
        # RFC 9051 6.3.6: INBOX stays, its messages move.
        inbox = await self.find(account, INBOX)
        assert inbox is not None
        if await self.find(account, new) is not None:
            raise MailboxError(Condition.ALREADYEXISTS, "A folder of this name exists")
        target = await self.create(account, new)
        snapshot = await self.snapshot(inbox.ref)
        await self.move(inbox.ref, UidSet.of(snapshot.uids), target.ref)

    async def subscribe(self, account: AccountId, name: str, *, subscribed: bool) -> None:
        await self.run(account, SubscribeJob(name, subscribed=subscribed))

    async def subscriptions(self, account: AccountId) -> Sequence[str]:
        return sorted((await self._ready(account)).tree.subscribed)

    async def status(self, ref: FolderRef) -> FolderStatus:
        shard = await self._ready(ref.account)
        status = shard.sequence.status(shard.entry(ref.mailbox).key)
        if status is not None:
            return status
        return await self._pool.run(shard.read, ref.mailbox, FolderIndex.status)

    async def statuses(self, account: AccountId) -> Mapping[MailboxId, FolderStatus]:
        shard = await self._ready(account)
        return await self._pool.run(shard.statuses)

    async def annotations(self, account: AccountId, mailbox: MailboxId | None) -> Mapping[str, bytes]:
        shard = await self._ready(account)
        entry = None if mailbox is None else shard.entry(mailbox)
        return await self._pool.run(shard.tree.annotations, entry)

    async def annotate(
        self, account: AccountId, mailbox: MailboxId | None, changes: Mapping[str, bytes | None]
    ) -> None:
        await self.run(account, AnnotateJob(mailbox, changes))

    async def usage(self, account: AccountId) -> Usage:
        header = (await self._ready(account)).sequence.header()
        return Usage(header.bytes, header.messages)

    async def remove_account(self, account: AccountId) -> None:
        shard = await self._ready(account)
        self._accounts.pop(account, None)
        await self._pool.run(shard.remove)
        self._notices.publish(FOLDER, f"{account}\t")

    # Messages

    async def _read(self, ref: FolderRef, work: Callable[[FolderIndex], T]) -> T:
        return await self._pool.run(self.shard(ref.account).read, ref.mailbox, work)

    async def snapshot(self, ref: FolderRef, *, take_recent: bool = False) -> Snapshot:
        shard = self.shard(ref.account)
        found = await self._pool.run(_checked_snapshot, shard, ref.mailbox)
        self._retirer.soon(shard)  # The comparison may have come upon what a crash left.
        if take_recent and found.status.first_recent != found.status.uid_next:
            taken = await self.run(ref.account, RecentJob(ref.mailbox))
            assert isinstance(taken, Snapshot)
            return taken
        return found

    async def changes(self, ref: FolderRef, since: int) -> Delta:
        return await self._read(ref, lambda index: index.changes(since))

    async def flags(self, ref: FolderRef, uids: UidSet) -> FlagRows:
        return await self._read(ref, lambda index: index.flags(uids))

    async def signs(self, ref: FolderRef, first: int, last: int) -> str | None:
        return await self._read(ref, lambda index: index.signs(first, last))

    async def meta(self, ref: FolderRef, uids: UidSet, *, structure: bool = True) -> MetaRows:
        return await self._read(ref, lambda index: index.meta(uids, structure=structure))

    async def cells(self, ref: FolderRef, uids: UidSet, names: Sequence[str]) -> CellRows:
        return await self._read(ref, lambda index: index.cells(uids, names))

    async def search_rows(self, ref: FolderRef, uids: UidSet, holding: Sequence[Holding] = ()) -> SearchRows:
        return await self._read(ref, lambda index: index.search_rows(uids, holding))

    async def sort_rows(self, ref: FolderRef, uids: UidSet) -> SortRows:
        return await self._read(ref, lambda index: index.sort_rows(uids))

    async def previews(self, ref: FolderRef, uids: UidSet) -> Texts:
        return await self._read(ref, lambda index: index.previews(uids))

    async def save_dates(self, ref: FolderRef, uids: UidSet) -> Numbers:
        return await self._read(ref, lambda index: index.save_dates(uids))

    async def octets(self, ref: FolderRef) -> Numbers:
        return await self._read(ref, FolderIndex.octets)

    async def parts(self, ref: FolderRef, uids: UidSet) -> PartsRows:
        return await self._read(ref, lambda index: index.parts(uids))

    async def content(self, ref: FolderRef, uid: int, start: int = 0, length: int | None = None) -> bytes | None:
        found = await self._read(ref, lambda index: read_file(index, uid, start, length))
        if found is None:
            await self._missing(ref, [uid])
        return found

    async def contents(self, ref: FolderRef, uids: Sequence[int]) -> Contents:
        found = await self._read(ref, lambda index: read_files(index, uids))
        gone = [uid for uid, content in zip(uids, found, strict=True) if content is None]
        if gone:
            await self._missing(ref, gone)
        return found

    async def _missing(self, ref: FolderRef, uids: Sequence[int]) -> None:
        """A file is not there: if its row is, a person or a virus scanner took it, and the folder heals itself."""
        rows = await self._read(ref, lambda index: index.flags(UidSet.of(sorted(uids))))
        if rows:
            await self._pool.run(self.shard(ref.account).self_check, ref.mailbox, now=True)

    async def set_flags(
        self, ref: FolderRef, uids: UidSet, change: FlagChange, unchanged_since: int | None = None
    ) -> FlagsStored:
        found = await self.run(ref.account, FlagsJob(ref.mailbox, uids, change, unchanged_since))
        assert isinstance(found, FlagsStored)
        return found

    async def expunge(self, ref: FolderRef, uids: UidSet, *, marked: bool = True) -> Expunged:
        found = await self.run(ref.account, ExpungeJob(ref.mailbox, uids, marked_only=marked))
        assert isinstance(found, Expunged)
        return found

    async def copy(self, source: FolderRef, uids: UidSet, target: FolderRef) -> Copied:
        job = CopyJob((self.shard(source.account), source.mailbox), uids, target.mailbox)
        found = await self.run(target.account, job)
        assert isinstance(found, Copied)
        return found

    async def move(self, source: FolderRef, uids: UidSet, target: FolderRef) -> Copied:
        lock = self._moving.get(source.account)
        if lock is None:
            lock = self._moving[source.account] = asyncio.Lock()
        async with lock:
            job = CopyJob((self.shard(source.account), source.mailbox), uids, target.mailbox)
            copied = await self.run(target.account, job)
            assert isinstance(copied, Copied)
            if not copied.source:
                return copied
            # Only now that the copies are durable: never lost, at worst twice after a crash.
            leave: AccountJob = LeaveJob(source.mailbox, job.begun, target.mailbox, copied.target)
            if source.account != target.account:
                leave = ExpungeJob(source.mailbox, UidSet.of(copied.source), marked_only=False, moved=True)
            gone = await self.run(source.account, leave)
            assert isinstance(gone, Expunged)
        kept = [(old, new) for old, new in zip(copied.source, copied.target, strict=True) if old in gone.uids]
        if len(kept) < len(copied.source):
            # Another process moved some of them at the same moment and was first: these copies are too many.
            wanted = {new for _, new in kept}
            surplus = UidSet.of(new for new in copied.target if new not in wanted)
            await self.run(target.account, ExpungeJob(target.mailbox, surplus, marked_only=False, moved=True))
        return Copied(copied.uid_validity, tuple(old for old, _ in kept), tuple(new for _, new in kept))

    # Changes

    def watch(self, account: AccountId, wake: Callable[[MailboxId | None], None]) -> Callable[[], None]:
        watchers = self._watchers.get(account)
        if watchers is None:
            watchers = self._watchers[account] = set()
            self._seen[account] = self._counters(account)
        watchers.add(wake)
        if self._poll is None:
            self._poll = asyncio.get_running_loop().call_later(POLL, self._look)

        def end() -> None:
            watchers.discard(wake)
            if not watchers and self._watchers.get(account) is watchers:
                del self._watchers[account]
                self._seen.pop(account, None)

        return end

    def _counters(self, account: AccountId) -> tuple[int, int] | None:
        """None while nobody has opened the account in this process: it is opened for the next look."""
        shard = self.shard(account)
        if not shard.ready:
            task = asyncio.get_running_loop().create_task(self._open(shard))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
            return None
        header = shard.sequence.header()
        return header.committed, header.folders

    async def _open(self, shard: AccountShard) -> None:
        try:
            await self._pool.run(shard.prepare)
        except (MailError, OSError, apsw.Error) as error:
            self._log.exception("store.failed", error, account=shard.account)

    def _look(self) -> None:
        """A hint may be lost while a process starts anew: the accounts' counters tell what nobody told."""
        self._poll = None
        for account, watchers in list(self._watchers.items()):
            now, before = self._counters(account), self._seen.get(account)
            if now is not None and now != before:
                self._seen[account] = now
                for mailbox in self.shard(account).changed_since(before[0] if before else 0):
                    for wake in tuple(watchers):
                        wake(mailbox)
                if before is None or before[1] != now[1]:
                    for wake in tuple(watchers):
                        wake(None)
        if self._watchers:
            self._poll = asyncio.get_running_loop().call_later(POLL, self._look)

    def _published(self, account: AccountId, changed: set[MailboxId], folders: bool) -> None:
        # From the committer's thread: `_finish` tells it once the barrier is through. No need to wake the loop before.
        with self._changed_lock:
            self._changed.append((account, changed, folders))

    def _healed(self, account: AccountId, changed: set[MailboxId], folders: bool) -> None:
        # From a pool thread.
        self._published(account, changed, folders)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell_healed)

    def _tell_healed(self) -> None:
        if self._loop is not None:
            self._loop.call_later(0.05, self._tell)

    def _tell(self) -> None:
        with self._changed_lock:
            changed, self._changed = self._changed, []
        for account, mailboxes, folders in changed:
            for mailbox in mailboxes:
                self._notices.publish(FOLDER, f"{account}\t{mailbox}")
            if folders:
                self._notices.publish(FOLDER, f"{account}\t")

    def _heard(self, key: str) -> None:
        account, _, mailbox = key.partition("\t")
        for wake in tuple(self._watchers.get(AccountId(account), ())):
            wake(MailboxId(mailbox) if mailbox else None)


def _folder(account: AccountId, entry: Entry, subscribed: frozenset[str]) -> Folder:
    ref = FolderRef(account, entry.mailbox)
    return Folder(ref, entry.name, entry.special_use, entry.name in subscribed, entry.selectable)


def _checked_snapshot(shard: AccountShard, mailbox: MailboxId) -> Snapshot:
    """One way to the thread for both."""
    shard.self_check(mailbox)
    return shard.read(mailbox, FolderIndex.snapshot)


def _release(content: object) -> None:
    """Closes written files: their names are durable, the descriptors have done their work."""
    if isinstance(content, HeldContent | FileContent):
        for file in content.materialised.values():
            file.close()
        content.materialised = {}


if TYPE_CHECKING:
    from whimbrel.core.commit import Commit
    from whimbrel.core.mailbox import Changes, Folders, Messages

    def _ports(store: DiskStore) -> None:
        _1: Folders = store
        _2: Messages = store
        _3: Changes = store
        _4: Commit = store
