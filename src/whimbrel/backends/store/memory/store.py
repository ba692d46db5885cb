"""The mail store in memory: the second backend behind the ports, for tests and single-process trials.

It answers exactly as the store on disk does (one contract suite runs on both) and forgets everything when it goes.
"""

import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from whimbrel.backends.store.memory.account import MemoryAccount
from whimbrel.backends.store.memory.folder import (
    MemoryFolder,
    Stored,
    meta_row,
    octets,
    parts_row,
    search_row,
    sort_row,
)
from whimbrel.backends.store.names import check_annotations
from whimbrel.core.clock import Clock
from whimbrel.core.commit import Append, Appended, PassOn, Work
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.mailbox import (
    SIGN,
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
from whimbrel.core.queue import QueueItem
from whimbrel.core.rows import (
    CELLS,
    FLAGS,
    HELD,
    KEYWORDS,
    UID,
    CellRow,
    FlagRow,
    Holding,
    MetaRow,
    PartsRow,
    SearchRow,
    SortRow,
)
from whimbrel.core.uids import UidSet

Wake = Callable[[MailboxId | None], None]


class MemoryStore:
    """Folders, Messages, Changes and Commit in one.

    Queue entries of a commit go to `enqueue`, which may raise MailError; without one they gather in `queued`.
    """

    def __init__(self, clock: Clock, enqueue: Callable[[QueueItem, bytes], None] | None = None) -> None:
        self._clock = clock
        self.queued: list[tuple[QueueItem, bytes]] = []
        self._enqueue = enqueue or (lambda item, content: self.queued.append((item, content)))
        self._accounts: dict[AccountId, MemoryAccount] = {}
        self.links: dict[AccountId, AccountId] = {}
        """Former names of mailboxes."""
        self._watchers: dict[AccountId, dict[object, Wake]] = {}
        self._last_validity = 0

    # Folders

    async def list(self, account: AccountId) -> Sequence[Folder]:
        return self.account(account).folders()

    async def find(self, account: AccountId, name: str) -> Folder | None:
        return self.account(account).find(name)

    async def create(self, account: AccountId, name: str, special_use: SpecialUse | None = None) -> Folder:
        folder = self.account(account).create(name, special_use)
        self.hint(account, None)
        return folder

    async def delete(self, account: AccountId, name: str) -> None:
        self.account(account).delete(name)
        self.hint(account, None)

    async def rename(self, account: AccountId, old: str, new: str) -> None:
        changed = self.account(account).rename(old, new)
        self.hint(account, None, *changed)

    async def subscribe(self, account: AccountId, name: str, *, subscribed: bool) -> None:
        if self.account(account).subscribe(name, subscribed=subscribed):
            self.hint(account, None)

    async def subscriptions(self, account: AccountId) -> Sequence[str]:
        return self.account(account).subscriptions()

    async def status(self, ref: FolderRef) -> FolderStatus:
        return self._open(ref).status()

    async def statuses(self, account: AccountId) -> Mapping[MailboxId, FolderStatus]:
        return {each.mailbox: each.status() for each in self.account(account).all() if each.selectable}

    async def annotations(self, account: AccountId, mailbox: MailboxId | None) -> Mapping[str, bytes]:
        return dict(self._annotated(account, mailbox))

    async def annotate(
        self, account: AccountId, mailbox: MailboxId | None, changes: Mapping[str, bytes | None]
    ) -> None:
        held = self._annotated(account, mailbox)
        changed = check_annotations(held, changes)
        if changed != held:
            held.clear()
            held.update(changed)
            self.hint(account, mailbox)

    def _annotated(self, account: AccountId, mailbox: MailboxId | None) -> dict[str, bytes]:
        held = self.account(account)
        return held.annotations if mailbox is None else held.open(mailbox).annotations

    async def usage(self, account: AccountId) -> Usage:
        return self._usage(account)

    def _usage(self, account: AccountId) -> Usage:
        folders = self.account(account).all()
        return Usage(sum(each.size for each in folders), sum(len(each.messages) for each in folders))

    # Whole mailboxes, for MemoryMailboxes

    def take_account(self, account: AccountId) -> MemoryAccount | None:
        """It is here no more."""
        taken = self._accounts.pop(account, None)
        self.hint(account, None)
        return taken

    def put_account(self, account: AccountId, mailbox: MemoryAccount) -> None:
        mailbox.renamed(account)
        self._accounts[account] = mailbox
        self.hint(account, None)

    def has_account(self, account: AccountId) -> bool:
        return account in self._accounts

    # Messages

    async def snapshot(self, ref: FolderRef, *, take_recent: bool = False) -> Snapshot:
        return self._open(ref).snapshot(take_recent=take_recent)

    async def changes(self, ref: FolderRef, since: int) -> Delta:
        return self._open(ref).changes(since)

    async def flags(self, ref: FolderRef, uids: UidSet) -> builtins.list[FlagRow]:
        return [message.row for message in self._open(ref).pick(uids)]

    async def meta(self, ref: FolderRef, uids: UidSet, *, structure: bool = True) -> builtins.list[MetaRow]:
        return [meta_row(message, structure=structure) for message in self._open(ref).pick(uids)]

    async def signs(self, ref: FolderRef, first: int, last: int) -> str | None:
        rows = await self.flags(ref, UidSet([(first, last)]))
        return None if any(row[KEYWORDS] for row in rows) else "".join([chr(SIGN + row[FLAGS]) for row in rows])

    async def cells(self, ref: FolderRef, uids: UidSet, names: Sequence[str]) -> builtins.list[CellRow]:
        places = [CELLS[name] for name in names]
        rows = await self.meta(ref, uids)
        return [(row[UID], *(cast(int | bytes, row[place]) for place in places)) for row in rows]

    async def search_rows(
        self, ref: FolderRef, uids: UidSet, holding: Sequence[Holding] = ()
    ) -> builtins.list[SearchRow]:
        rows = [search_row(message) for message in self._open(ref).pick(uids)]
        cells = [(HELD[name], text) for name, text in holding]
        return [row for row in rows if all(text in cast(str, row[cell]) for cell, text in cells)]

    async def parts(self, ref: FolderRef, uids: UidSet) -> builtins.list[PartsRow]:
        return [parts_row(message) for message in self._open(ref).pick(uids)]

    async def sort_rows(self, ref: FolderRef, uids: UidSet) -> builtins.list[SortRow]:
        return [sort_row(message) for message in self._open(ref).pick(uids)]

    async def previews(self, ref: FolderRef, uids: UidSet) -> builtins.list[tuple[int, str]]:
        return [(message.uid, message.stored.scanned.preview) for message in self._open(ref).pick(uids)]

    async def save_dates(self, ref: FolderRef, uids: UidSet) -> builtins.list[tuple[int, int]]:
        return [(message.uid, message.saved) for message in self._open(ref).pick(uids)]

    async def octets(self, ref: FolderRef) -> builtins.list[tuple[int, int]]:
        return [(message.uid, octets(message)) for message in self._open(ref).messages.values()]

    async def shown_size(self, ref: FolderRef, status: FolderStatus) -> int:
        return sum(size for _, size in await self.octets(ref))

    async def content(self, ref: FolderRef, uid: int, start: int = 0, length: int | None = None) -> bytes | None:
        whole = self._open(ref).content(uid)
        if whole is None:
            return None
        return whole[start:] if length is None else whole[start : start + length]

    async def contents(self, ref: FolderRef, uids: Sequence[int]) -> builtins.list[bytes | MailboxError | None]:
        folder = self._open(ref)
        return [folder.content(uid) for uid in uids]

    async def expunged(self, ref: FolderRef, uids: UidSet, *, structure: bool = True) -> builtins.list[ExpungedMessage]:
        return self._open(ref).expunged(uids, structure=structure)

    async def set_flags(
        self, ref: FolderRef, uids: UidSet, change: FlagChange, unchanged_since: int | None = None
    ) -> FlagsStored:
        stored = self._open(ref).set_flags(uids, change, unchanged_since, self.account(ref.account).modseq())
        if stored.changed:
            self.hint(ref.account, ref.mailbox)
        return stored

    async def expunge(self, ref: FolderRef, uids: UidSet, *, marked: bool = True) -> Expunged:
        folder = self._open(ref)
        gone = folder.expunge(uids, self.account(ref.account).modseq(), self.now(), marked_only=marked)
        if gone:
            self.hint(ref.account, ref.mailbox)
        return Expunged(gone, folder.highest_modseq)

    async def copy(self, source: FolderRef, uids: UidSet, target: FolderRef, limit: Limit | None = None) -> Copied:
        return self._copy(source, uids, target, limit, move=False)

    async def move(self, source: FolderRef, uids: UidSet, target: FolderRef) -> Copied:
        return self._copy(source, uids, target, None, move=True)

    def _copy(self, source: FolderRef, uids: UidSet, target: FolderRef, limit: Limit | None, *, move: bool) -> Copied:
        origin, into = self._open(source), self._open(target)
        messages = origin.pick(uids)
        self._check_room(target.account, limit, sum(message.stored.held for message in messages), len(messages))
        taken = tuple(message.uid for message in messages)
        given = into.add_copies(messages, self.account(target.account).modseq(), self.now())
        if taken:
            self.hint(target.account, target.mailbox)
        if taken and move:
            modseq = self.account(source.account).modseq()
            origin.expunge(UidSet.of(taken), modseq, self.now(), marked_only=False, moved=True)
            self.hint(source.account, source.mailbox)
        return Copied(into.uid_validity, taken, tuple(given))

    # Changes

    def watch(self, account: AccountId, wake: Wake) -> Callable[[], None]:
        watchers, key = self._watchers.setdefault(account, {}), object()
        watchers[key] = wake

        def end() -> None:
            watchers.pop(key, None)

        return end

    # Commit

    async def commit(self, work: Sequence[Work]) -> Sequence[Appended | Exception | None]:
        contents: dict[tuple[bytes, int], bytes] = {}
        for item in work:
            for rendition in (each.rendition for each in (item.entries if isinstance(item, PassOn) else (item,))):
                key = rendition.prefix, id(rendition.content)
                if key not in contents:
                    contents[key] = rendition.prefix + await rendition.content.read()
        shared: dict[bytes, Stored] = {}
        done: list[Appended | Exception | None] = []
        changed: dict[FolderRef, None] = {}
        for item in work:
            try:
                if not isinstance(item, Append):
                    for each in item.entries if isinstance(item, PassOn) else (item,):
                        self._enqueue(each.item, contents[each.rendition.prefix, id(each.rendition.content)])
                    done.append(None)
                    continue
                appended = self._append(item, contents[item.rendition.prefix, id(item.rendition.content)], shared)
            except MailError as error:
                done.append(error)
                continue
            done.append(appended)
            if appended.uid:
                changed[item.folder] = None
        for ref in changed:
            self.hint(ref.account, ref.mailbox)
        return done

    def _append(self, item: Append, content: bytes, shared: dict[bytes, Stored]) -> Appended:
        folder = self._open(item.folder)
        if folder.was_delivered(item.queue_id, item.recipient):
            return Appended(folder.uid_validity, 0)
        words = folder.joined(item.keywords)
        stored = shared.get(content)
        if stored is None:
            stored = shared[content] = Stored(content)
        self._check_room(item.folder.account, item.limit, stored.held, 1)
        uid = folder.add(
            stored,
            self.account(item.folder.account).modseq(),
            flags=item.flags,
            keywords=words,
            date=self.now() if item.internal_date is None else item.internal_date,
            saved=self.now(),
            recipient=item.recipient,
        )
        folder.mark_delivered(item.queue_id, item.recipient)
        return Appended(folder.uid_validity, uid)

    # Inside

    def _check_room(self, account: AccountId, limit: Limit | None, size: int, messages: int) -> None:
        if limit is not None and messages and limit.exceeded(self._usage(account), size, messages):
            raise MailboxError(Condition.OVERQUOTA, "Mailbox is full")

    def now(self) -> int:
        return int(self._clock.now())

    def account(self, account: AccountId) -> MemoryAccount:
        account = self.links.get(account, account)
        known = self._accounts.get(account)
        if known is None:
            known = self._accounts[account] = MemoryAccount(account, self._clock, self._validity)
        return known

    def _validity(self) -> int:
        self._last_validity = max(self._last_validity + 1, int(self._clock.now()))
        return self._last_validity

    def _open(self, ref: FolderRef) -> MemoryFolder:
        return self.account(ref.account).open(ref.mailbox)

    def hint(self, account: AccountId, *folders: MailboxId | None) -> None:
        for wake in list(self._watchers.get(account, {}).values()):
            for folder in folders:
                wake(folder)


if TYPE_CHECKING:
    from whimbrel.core.commit import Commit
    from whimbrel.core.mailbox import Changes, Folders, Messages

    def _ports(store: MemoryStore) -> None:
        _1: Folders = store
        _2: Messages = store
        _3: Changes = store
        _4: Commit = store
