"""The port Undelete over the store on a disk: rows of `expunged` whose files are kept, and deleted folders.

Every step is bounded: a page, a batch of restored messages, some hundred files removed; between two steps the account
is free for its clients.
"""

import contextlib
import heapq
import os
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from whimbrel.backends.disk.barrier import Touched
from whimbrel.backends.store.disk.account import Account
from whimbrel.backends.store.disk.batch import AccountJob, Batch
from whimbrel.backends.store.disk.columns import Described
from whimbrel.backends.store.disk.contents import read_file
from whimbrel.backends.store.disk.database import rows
from whimbrel.backends.store.disk.deleted_folders import (
    DeletedDirectory,
    content,
    deleted_directories,
    move_back,
    remove_some,
)
from whimbrel.backends.store.disk.expunged_files import PLACES, move_expunged, still_listed
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.names import account_path
from whimbrel.backends.store.disk.shard import AccountShard
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.backends.store.disk.tree import Entry
from whimbrel.backends.store.disk.write import Copy
from whimbrel.backends.store.names import canonical, parent
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELETED, AccountId, MailboxId
from whimbrel.core.pool import Pool
from whimbrel.core.undelete import MAX_PAGE, Chosen, DeletedFolder, DeletedMessage, Page, Tally
from whimbrel.mail.decoding.encoded import words
from whimbrel.mail.structure.mime import FROM, SUBJECT, parse

STEP = 200
"""Messages restored or removed under one lock."""
_HEAD = 64 * 1024
_ID = re.compile(r"(F[0-9a-f]{32})\.([0-9a-f]{1,8})\Z")
_CURSOR = re.compile(r"([0-9a-f]{1,12})\.(F[0-9a-f]{32})\.([0-9a-f]{1,8})\Z")
_Row = tuple[int, str, int, int, int, int, str, str]
"""deleted at, mailbox id, uid, internal date, size, flags, keywords, EMAILID: in this order, the last first."""


class DiskUndelete:
    def __init__(self, store: DiskStore, pool: Pool) -> None:
        self._store, self._pool = store, pool

    # Messages

    async def messages(
        self, account: AccountId, chosen: Chosen = Chosen(), *, after: str = "", limit: int = 100
    ) -> Page:
        shard, limit = await self._shard(account), max(1, min(limit, MAX_PAGE))
        before = _cursor(after)
        best: list[_Row] = []
        for entry in _folders(shard, chosen):
            rows = await self._pool.run(_select, shard, entry, chosen, before, limit + 1)
            best = heapq.nlargest(limit + 1, [*best, *rows])
        names = {entry.mailbox: entry.name for entry in shard.tree.entries()}
        shown = await self._pool.run(_shown, shard, best[:limit], names)
        last = best[limit - 1] if len(best) > limit else None
        return Page(tuple(shown), f"{last[0]:x}.{last[1]}.{last[2]:x}" if last else "")

    async def count(self, account: AccountId, chosen: Chosen) -> Tally:
        shard = await self._shard(account)
        messages = size = 0
        for entry in _folders(shard, chosen):
            tally = await self._pool.run(_sum, shard, entry, chosen)
            messages, size = messages + tally.messages, size + tally.bytes
        return Tally(messages, size)

    async def restore(self, account: AccountId, chosen: Chosen, target: str = "") -> Tally:
        shard = await self._shard(account)
        into = await self._target(account, target) if target else None
        messages = size = 0
        async for entry, page in self._steps(shard, chosen):
            uids = [row[2] for row in page]
            restored = await self._store.run(account, RestoreJob(entry.mailbox, uids, into or entry.mailbox))
            assert isinstance(restored, Tally)
            # Only now that they are durable in their new place: never lost, at worst twice after a crash.
            await self._store.run(account, DropJob(entry.mailbox, uids))
            messages, size = messages + restored.messages, size + restored.bytes
        return Tally(messages, size)

    async def _target(self, account: AccountId, name: str) -> MailboxId:
        folder = await self._store.find(account, name)
        if folder is None or not folder.selectable:
            folder = await self._store.create(account, name)
        return folder.ref.mailbox

    async def purge(self, account: AccountId, chosen: Chosen) -> Tally:
        shard = await self._shard(account)
        messages = size = 0
        async for entry, page in self._steps(shard, chosen):
            await self._store.run(account, DropJob(entry.mailbox, [row[2] for row in page]))
            messages, size = messages + len(page), size + sum(row[4] for row in page)
        return Tally(messages, size)

    async def _steps(self, shard: AccountShard, chosen: Chosen) -> AsyncIterator[tuple[Entry, list[_Row]]]:
        """What is chosen, in bounded steps; what a step does not take away is not offered again."""
        for entry in _folders(shard, chosen):
            before: tuple[int, str, int] | None = None
            while True:
                page = await self._pool.run(_select, shard, entry, chosen, before, STEP)
                if not page:
                    break
                before = page[-1][:3]
                yield entry, page

    # Folders

    async def folders(self, account: AccountId) -> Sequence[DeletedFolder]:
        shard = await self._shard(account)
        return await self._pool.run(_folders_shown, shard)

    async def restore_folder(self, account: AccountId, id: str, name: str = "") -> Sequence[str]:
        await self._shard(account)
        restored = await self._store.run(account, ReviveJob(id, canonical(name) if name else ""))
        assert isinstance(restored, list)
        return restored

    async def purge_folder(self, account: AccountId, id: str) -> Tally:
        shard = await self._shard(account)
        directory = await self._pool.run(_deleted_directory, shard, id)
        messages, size = await self._pool.run(content, directory.path)
        while await self._pool.run(remove_some, directory.path, STEP) >= STEP:
            pass
        return Tally(messages, size)

    async def _shard(self, account: AccountId) -> AccountShard:
        if not await self._pool.run((account_path(self._store.mail, account) / "account.seq").exists):
            raise MailboxError(Condition.NONEXISTENT, f"{account} has no mail store yet")
        shard = self._store.shard(account)
        await self._pool.run(shard.prepare)
        return shard


class RestoreJob(AccountJob):
    """Links expunged messages into a folder; all or none of a step."""

    __slots__ = ("mailbox", "target", "uids")

    def __init__(self, mailbox: MailboxId, uids: Sequence[int], target: MailboxId) -> None:
        super().__init__()
        self.mailbox, self.uids, self.target = mailbox, uids, target

    def run(self, batch: Batch) -> Tally:
        batch.commit()
        with batch.account.using(batch.account.entry(self.mailbox)) as index:
            copies = _kept(index, self.uids)
        if not copies:
            return Tally(0, 0)
        move_expunged(index.folder, [copy.uid for copy in copies])
        change = batch.change(self.target)
        try:
            change.add_all(f"{index.folder}/#deleted/", copies, batch.modseq())
        except MailboxError as error:
            batch.abandon(error)
            raise
        return Tally(len(copies), sum(copy.size for copy in copies))


class DropJob(AccountJob):
    """Expunged messages go for good: first their files, then the mark that they can be restored. What a crash leaves
    between is a mark without a file, which nobody is shown."""

    __slots__ = ("mailbox", "uids")

    def __init__(self, mailbox: MailboxId, uids: Sequence[int]) -> None:
        super().__init__()
        self.mailbox, self.uids = mailbox, uids

    def run(self, batch: Batch) -> None:
        change = batch.change(self.mailbox)
        leaving = still_listed(change.index)
        for uid in self.uids:
            with contextlib.suppress(FileNotFoundError):
                if uid in leaving:  # It may be moved at this moment: first where it comes from.
                    os.unlink(change.index.file(uid))
            with contextlib.suppress(FileNotFoundError):
                os.unlink(change.index.deleted_file(uid))
        change.drop_kept(self.uids)


class ReviveJob(AccountJob):
    """A deleted folder, and those that were below it, come back as they were: with their ids, UIDs and flags."""

    __slots__ = ("id", "name")

    def __init__(self, id: str, name: str) -> None:
        super().__init__()
        self.id, self.name = id, name

    def run(self, batch: Batch) -> list[str]:
        batch.commit()
        account = batch.account
        first = _deleted_directory(account, self.id)
        chosen = {first.name: first}
        for directory in deleted_directories(account.root):  # Those deleted last come first, so they win.
            if directory.name.startswith(first.name + "/"):
                chosen.setdefault(directory.name, directory)
        base = self.name or first.name
        restored = [(base + name[len(first.name) :], chosen[name]) for name in sorted(chosen)]
        for name, _ in restored:
            present = account.tree.named(canonical(name))
            if present is not None and present.selectable:
                raise MailboxError(Condition.ALREADYEXISTS, f"A folder {name} is in use; give another name")
            account.tree.check_length(name)
        batch.folders_changed = True
        for name, directory in restored:
            _revive(account, directory, name, batch.touched)
        return [name for name, _ in restored]


def _revive(account: Account, directory: DeletedDirectory, name: str, touched: Touched) -> None:
    """Under the account's lock. Levels above that are missing are made."""
    tree, level = account.tree, ""
    for part in parent(name).split("/") if parent(name) else ():
        level = f"{level}/{part}" if level else part
        if tree.named(level) is None:
            tree.add(level, None)
    present = tree.named(name)
    path = present.path if present is not None else tree.place(name)
    taken = {entry.special_use for entry in tree.entries()}
    use = directory.special_use if directory.special_use not in taken else None
    validity = directory.uid_validity or tree.validity()
    entry = Entry(directory.mailbox, name, path, use, True, validity)
    move_back(directory.path, account.root / path)
    tree.revive(entry)
    with account.using(entry) as index:
        account.seq.store(entry.key, index.status())
    touched.directories.update((str(account.root / path), str(account.root / "#deleted")))


# In pool threads


def _folders(shard: AccountShard, chosen: Chosen) -> list[Entry]:
    """Those whose index has to be opened for what is chosen."""
    if len(chosen.ids) > MAX_PAGE:
        raise MailboxError(Condition.LIMIT, f"At most {MAX_PAGE} messages are named at once")
    ids = {match[1] for each in chosen.ids if (match := _ID.match(each))}
    return [
        entry
        for entry in shard.tree.entries()
        if entry.selectable
        and (not chosen.ids or entry.mailbox in ids)
        and (not chosen.folder or entry.name == canonical(chosen.folder))
        and (shard.root / entry.path / "#deleted").is_dir()
    ]


def _where(entry: Entry, chosen: Chosen, before: tuple[int, str, int] | None) -> tuple[str, list[object]]:
    clause, values = "kept = 1", list[object]()
    if chosen.since is not None:
        clause += " AND at >= ?"
        values.append(chosen.since)
    if chosen.until is not None:
        clause += " AND at < ?"
        values.append(chosen.until)
    if before is not None:
        at, mailbox, uid = before
        # After (at, mailbox, uid) in descending order.
        clause += " AND (at < ? OR (at = ? AND (? < ? OR (? = ? AND uid < ?))))"
        values += [at, at, entry.mailbox, mailbox, entry.mailbox, mailbox, uid]
    if chosen.ids:
        uids = [int(match[2], 16) for each in chosen.ids if (match := _ID.match(each)) and match[1] == entry.mailbox]
        clause += f" AND uid IN ({','.join(map(str, uids))})"  # Numbers, as they were read.
    if chosen.text:
        clause += " AND (instr(sender, ?) OR instr(subject, ?))"
        values += [chosen.text.casefold()] * 2
    return clause, values


def _select(
    shard: AccountShard, entry: Entry, chosen: Chosen, before: tuple[int, str, int] | None, limit: int
) -> list[_Row]:
    clause, values = _where(entry, chosen, before)
    query = (
        "SELECT at, ?, uid, internal_date, size, flags, keywords, email_id FROM expunged "
        f"WHERE {clause} ORDER BY at DESC, uid DESC LIMIT ?"
    )

    def read(index: FolderIndex) -> list[_Row]:
        return rows(index.connection, query, [str(entry.mailbox), *values, limit])

    return shard.read(entry.mailbox, read)


def kept_before(shard: AccountShard, entry: Entry, before: float) -> list[tuple[int, int]]:
    """uid and size of the messages deleted, or moved away, before a moment, at most a step of them."""

    def read(index: FolderIndex) -> list[tuple[int, int]]:
        query = "SELECT uid, size FROM expunged WHERE kept > 0 AND at < ? LIMIT ?"
        return rows(index.connection, query, (int(before), STEP))

    return shard.read(entry.mailbox, read)


def _sum(shard: AccountShard, entry: Entry, chosen: Chosen) -> Tally:
    clause, values = _where(entry, chosen, None)

    def read(index: FolderIndex) -> Tally:
        query = f"SELECT count(*), coalesce(sum(size), 0) FROM expunged WHERE {clause}"
        return Tally(*rows(index.connection, query, values)[0])

    return shard.read(entry.mailbox, read)


def _shown(shard: AccountShard, rows: Sequence[_Row], names: dict[MailboxId, str]) -> list[DeletedMessage]:
    """With sender and subject as people read them, from the head of each file; one whose file has gone is left out."""
    shown = []
    for at, mailbox, uid, date, size, flags, keywords, email_id in rows:
        entry = shard.tree.identified(MailboxId(mailbox))
        if entry is None:
            continue
        head = _head(shard.root / entry.path, uid)
        if head is None:
            continue
        fields = parse(head).fields
        sender, subject = words(fields[FROM] or b"")[:1000], words(fields[SUBJECT] or b"")[:1000]
        name = names.get(entry.mailbox, entry.name)
        shown.append(
            DeletedMessage(f"{mailbox}.{uid:x}", name, at, date, size, flags, keywords, email_id, sender, subject)
        )
    return shown


def _head(folder: Path, uid: int) -> bytes | None:
    for place in PLACES:
        try:
            with open(folder / place / f"{uid:08x}.eml", "rb") as file:
                return file.read(_HEAD)
        except OSError:
            continue
    return None


def _kept(index: FolderIndex, uids: Sequence[int]) -> list[Copy]:
    """Under the account's lock: those of `uids` that can be restored, described anew from their files."""
    copies = []
    with index.lock:
        query = "SELECT uid, flags, keywords, internal_date FROM expunged WHERE kept = 1 AND uid = ?"
        for uid in uids:
            for number, flags, keywords, date in rows(index.connection, query, (uid,)):
                # Trouble ends the step, before the files of what was not restored are removed.
                content = read_file(index, number, 0, None)
                if content is None:
                    continue
                described = Described(content)
                ids = (described.octets, described.email_id, described.thread_id)
                copies.append(Copy(number, flags & ~DELETED, keywords, date, described.size, ids, described.meta))
    return copies


def _folders_shown(shard: AccountShard) -> list[DeletedFolder]:
    shown = []
    for directory in deleted_directories(shard.root):
        messages, size = content(directory.path)
        shown.append(DeletedFolder(directory.path.name, directory.name, directory.deleted, messages, size))
    return shown


def _deleted_directory(shard: Account, id: str) -> DeletedDirectory:
    for directory in deleted_directories(shard.root):
        if directory.path.name == id:
            return directory
    raise MailboxError(Condition.NONEXISTENT, f"{shard.account} has no deleted folder {id}")


def _cursor(after: str) -> tuple[int, str, int] | None:
    match = _CURSOR.match(after)
    if after and match is None:
        raise MailboxError(Condition.NONEXISTENT, f"{after} names no page")
    return (int(match[1], 16), match[2], int(match[3], 16)) if match else None


if TYPE_CHECKING:
    from whimbrel.core.undelete import Undelete

    def _port(undelete: DiskUndelete) -> None:
        _1: Undelete = undelete
