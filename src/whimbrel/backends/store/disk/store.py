"""The mail store on a disk: the ports Folders, Messages, Changes and Commit over accounts, committer and pool."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from whimbrel.backends.disk.committer import Committer, Job, Shard
from whimbrel.backends.disk.presence import ANY, Presence
from whimbrel.backends.disk.spool import FileContent, HeldContent
from whimbrel.backends.store.disk.batch import AccountJob
from whimbrel.backends.store.disk.contents import Content, describe, read_file, read_files
from whimbrel.backends.store.disk.database import check_version
from whimbrel.backends.store.disk.expunged_mover import ExpungedMover
from whimbrel.backends.store.disk.index import FolderIndex, ShownSize
from whimbrel.backends.store.disk.jobs import AppendJob, ExpungeJob, FlagsJob, RecentJob, Writing
from whimbrel.backends.store.disk.moving import CopyJob, Moving
from whimbrel.backends.store.disk.names import account_path
from whimbrel.backends.store.disk.notifier import ChangeNotifier, Wake
from whimbrel.backends.store.disk.open_indexes import OpenIndexes
from whimbrel.backends.store.disk.refresher import Refresher
from whimbrel.backends.store.disk.self_check import self_check
from whimbrel.backends.store.disk.shard import AccountShard
from whimbrel.backends.store.disk.tree import Entry
from whimbrel.backends.store.disk.tree_jobs import AnnotateJob, CreateJob, DeleteJob, RenameJob, SubscribeJob
from whimbrel.backends.store.names import canonical
from whimbrel.core.commit import Append, Appended, Enqueue, PassOn, Rendition, Work
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import (
    INBOX,
    AccountId,
    Copied,
    Delta,
    Expunged,
    ExpungedMessage,
    FlagChange,
    FlagsStored,
    Folder,
    FolderRef,
    FolderStatus,
    Limit,
    MailboxId,
    Snapshot,
    SpecialUse,
    Usage,
)
from whimbrel.core.notices import Notices
from whimbrel.core.pool import Pool
from whimbrel.core.rows import CellRow, FlagRow, Holding, MetaRow, PartsRow, SearchRow, SortRow
from whimbrel.core.uids import UidSet

T = TypeVar("T")
FlagRows = list[FlagRow]
MetaRows = list[MetaRow]
CellRows = list[CellRow]
SearchRows = list[SearchRow]
SortRows = list[SortRow]
PartsRows = list[PartsRow]
Texts = list[tuple[int, str]]
ExpungedMessages = list[ExpungedMessage]
Numbers = list[tuple[int, int]]
Contents = list[Content]
MAX_SIZES = 20_000
"""Folders of which it is remembered what their messages have together, so that STATUS opens none that is unchanged."""
MAX_ACCOUNTS = 4096
"""Accounts a process keeps in hand; each costs a descriptor and about a kilobyte."""


class QueueShard(Shard, Protocol):
    """What a commit asks of the queue that shares its barrier."""

    def job(self, work: Enqueue | PassOn) -> Job: ...

    def announce(self) -> None:
        """What was added is durable now: whoever waits for it is notified."""
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
        presence: Presence = ANY,
    ) -> None:
        check_version()
        self.mail = folder / "mail"
        self.spool = folder / "spool"
        presence.make((self.mail, self.spool))
        self.presence = presence
        self.generation = generation
        self._committer, self._pool, self._log = committer, pool, log
        self._queue = queue
        self._mover = ExpungedMover(pool)
        self._refresher = Refresher(self.shard, pool)
        self._indexes = OpenIndexes()
        self._accounts: dict[AccountId, AccountShard] = {}
        self._notifier = ChangeNotifier(self.shard, pool, notices, log)
        self._moving = Moving()
        self._shown_sizes: dict[MailboxId, ShownSize] = {}

    def close(self) -> None:
        """After the committer was closed."""
        self._notifier.close()
        self._mover.close()
        self._refresher.close()
        self._indexes.close()
        for account in self._accounts.values():
            account.close()
        self._accounts.clear()

    def shard(self, account: AccountId) -> AccountShard:
        """In the loop, or before it runs."""
        shard = self._accounts.get(account)
        if shard is None:
            if len(self._accounts) >= MAX_ACCOUNTS:
                self._accounts.pop(next(iter(self._accounts)))  # Its descriptors go with it, once nobody uses it.
            shard = AccountShard(
                account,
                account_path(self.mail, account),
                self._indexes,
                lambda: self.generation,
                self._log,
                self.presence,
            )
            shard.published = partial(self._notifier.collect, account)
            shard.healed = partial(self._notifier.healed, account)
            shard.changed = partial(self._refresher.changed, account)
            self._accounts[account] = shard
        return shard

    # Commit

    async def commit(self, work: Sequence[Work]) -> Sequence[Appended | Exception | None]:
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
                for rendition in _renditions(item):
                    _release(rendition.content)
        if self._queue is not None and not all(isinstance(item, Append) for item in work):
            self._queue.announce()
        return [job.result if isinstance(job.result, Appended | Exception) else None for _, job in jobs]

    async def _finish(self, jobs: Sequence[tuple[Shard, Job]]) -> None:
        """Waits for the barrier even when cancelled: what was begun is not answered wrongly, nor freed too early."""
        commit = self._committer.submit(jobs)
        self._notifier.loop = commit.get_loop()
        try:
            await asyncio.shield(commit)
        except asyncio.CancelledError:
            await asyncio.wait([commit])
            raise
        finally:
            self._notifier.tell()
            self._refresher.soon()

    async def run(self, account: AccountId, job: AccountJob) -> object:
        """A job of the store's own on one account; its result, once that is durable."""
        shard = self.shard(account)
        await self._finish([(shard, job)])
        self._mover.soon(shard)
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
        status = shard.seq.status(shard.entry(ref.mailbox).key)
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
        header = (await self._ready(account)).seq.header()
        return Usage(header.bytes, header.messages)

    def forget(self, account: AccountId) -> None:
        """Its mailbox was moved as a whole: who has it open looks anew. In the loop."""
        shard = self._accounts.pop(account, None)
        if shard is not None:
            for entry in shard.tree.entries():
                shard.forget(entry.mailbox)
        self._notifier.tell_folders(account)

    # Messages

    async def _read(self, ref: FolderRef, work: Callable[[FolderIndex], T]) -> T:
        return await self._pool.run(self.shard(ref.account).read, ref.mailbox, work)

    async def snapshot(self, ref: FolderRef, *, take_recent: bool = False) -> Snapshot:
        shard = self.shard(ref.account)
        snapshot = await self._pool.run(_checked_snapshot, shard, ref.mailbox)
        self._mover.soon(shard)  # The comparison may have come upon what a crash left.
        self._refresher.soon()
        if take_recent and snapshot.status.first_recent != snapshot.status.uid_next:
            taken = await self.run(ref.account, RecentJob(ref.mailbox))
            assert isinstance(taken, Snapshot)
            return taken
        return snapshot

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

    async def shown_size(self, ref: FolderRef, status: FolderStatus) -> int:
        known = self._shown_sizes.get(ref.mailbox)
        if known is None or not known.of(status):
            known = await self._read(ref, lambda index: index.shown_size(known))
            if len(self._shown_sizes) >= MAX_SIZES:
                self._shown_sizes.clear()
            self._shown_sizes[ref.mailbox] = known
        return known.octets

    async def parts(self, ref: FolderRef, uids: UidSet) -> PartsRows:
        return await self._read(ref, lambda index: index.parts(uids))

    async def content(self, ref: FolderRef, uid: int, start: int = 0, length: int | None = None) -> bytes | None:
        content = await self._read(ref, lambda index: read_file(index, uid, start, length))
        if content is None:
            await self._missing(ref, [uid])
        return content

    async def contents(self, ref: FolderRef, uids: Sequence[int]) -> Contents:
        contents = await self._read(ref, lambda index: read_files(index, uids))
        gone = [uid for uid, content in zip(uids, contents, strict=True) if content is None]
        if gone:
            await self._missing(ref, gone)
        return contents

    async def expunged(self, ref: FolderRef, uids: UidSet, *, structure: bool = True) -> ExpungedMessages:
        rows = await self._read(ref, lambda index: index.expunged(uids))
        messages = ExpungedMessages()
        for row in rows:
            content = await self._kept(ref, row[0]) if structure else None
            messages.append(await self._pool.run(describe, row, content) if content else describe(row, None))
        return messages

    async def _kept(self, ref: FolderRef, uid: int) -> bytes | None:
        try:
            return await self._read(ref, lambda index: read_file(index, uid, 0, None))
        except MailboxError:
            return None

    async def _missing(self, ref: FolderRef, uids: Sequence[int]) -> None:
        """A file is not there: if its row is, a person or a virus scanner took it, and the folder heals itself."""
        rows = await self._read(ref, lambda index: index.flags(UidSet.of(sorted(uids))))
        if rows:
            await self._pool.run(self_check, self.shard(ref.account), ref.mailbox, now=True)

    async def set_flags(
        self, ref: FolderRef, uids: UidSet, change: FlagChange, unchanged_since: int | None = None
    ) -> FlagsStored:
        stored = await self.run(ref.account, FlagsJob(ref.mailbox, uids, change, unchanged_since))
        assert isinstance(stored, FlagsStored)
        return stored

    async def expunge(self, ref: FolderRef, uids: UidSet, *, marked: bool = True) -> Expunged:
        expunged = await self.run(ref.account, ExpungeJob(ref.mailbox, uids, marked_only=marked))
        assert isinstance(expunged, Expunged)
        return expunged

    async def copy(self, source: FolderRef, uids: UidSet, target: FolderRef, limit: Limit | None = None) -> Copied:
        job = CopyJob((self.shard(source.account), source.mailbox), uids, target.mailbox, limit)
        copied = await self.run(target.account, job)
        assert isinstance(copied, Copied)
        return copied

    async def move(self, source: FolderRef, uids: UidSet, target: FolderRef) -> Copied:
        return await self._moving.move(self.run, (self.shard(source.account), source.mailbox), uids, target)

    # Changes

    def watch(self, account: AccountId, wake: Wake) -> Callable[[], None]:
        return self._notifier.watch(account, wake)


def _folder(account: AccountId, entry: Entry, subscribed: frozenset[str]) -> Folder:
    ref = FolderRef(account, entry.mailbox)
    return Folder(ref, entry.name, entry.special_use, entry.name in subscribed, entry.selectable)


def _checked_snapshot(shard: AccountShard, mailbox: MailboxId) -> Snapshot:
    """One way to the thread for both."""
    self_check(shard, mailbox)
    return shard.read(mailbox, FolderIndex.snapshot)


def _renditions(work: Work) -> Sequence[Rendition]:
    return [each.rendition for each in work.entries] if isinstance(work, PassOn) else (work.rendition,)


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
