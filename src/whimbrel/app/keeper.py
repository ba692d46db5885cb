"""`store check` and `store reindex`: the admin port StoreKeeper over the disk store."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from whimbrel.backends.store.disk.database import row, unusable
from whimbrel.backends.store.disk.expunged_mover import move_listed
from whimbrel.backends.store.disk.index import FolderIndex, recount
from whimbrel.backends.store.disk.names import account_name, account_path
from whimbrel.backends.store.disk.purge import forget_marks
from whimbrel.backends.store.disk.reconcile import compare
from whimbrel.backends.store.disk.self_check import check_tree, maintain, reindex, self_check
from whimbrel.backends.store.disk.shard import AccountShard
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.backends.store.disk.tree import Entry
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import AccountId, Usage
from whimbrel.core.pool import Pool
from whimbrel.services.admin.ports import Checked, FolderSize


class DiskKeeper:
    def __init__(self, store: DiskStore, pool: Pool) -> None:
        self._store, self._pool = store, pool

    async def accounts(self) -> Sequence[AccountId]:
        return await self._pool.run(self._accounts)

    def _accounts(self) -> list[AccountId]:
        result = []
        with contextlib.suppress(FileNotFoundError):
            for domain in sorted(self._store.mail.iterdir()):
                for user in sorted(domain.iterdir()) if domain.is_dir() else ():
                    account = AccountId(f"{account_name(user.name)}@{account_name(domain.name)}")
                    if user.is_symlink():
                        continue  # A former name: see `mailboxes.py`.
                    if (user / "account.seq").exists() and account_path(self._store.mail, account) == user:
                        result.append(account)
        return result

    async def check(self, account: AccountId, folder: str = "") -> AsyncIterator[Checked]:
        shard = await self._prepared(account)
        for entry in self._chosen(shard, folder):
            messages, problems = await self._pool.run(_examine, shard, entry)
            yield Checked(account, entry.name, messages, problems)

    async def reindex(self, account: AccountId, folder: str = "") -> AsyncIterator[Checked]:
        shard = await self._prepared(account)
        for entry in self._chosen(shard, folder):
            result = await asyncio.shield(self._pool.run(reindex, shard, entry.mailbox, lambda done, total: None))
            repaired = []
            if result.added:
                repaired.append(f"{result.added} messages were not in the index")
            if result.missing:
                repaired.append(f"{result.missing} messages had no file any more")
            yield Checked(account, entry.name, result.messages, (), tuple(repaired))

    async def repair(self, account: AccountId, folder: str = "") -> AsyncIterator[Checked]:
        shard = await self._prepared(account)
        await asyncio.shield(self._pool.run(check_tree, shard))
        for entry in self._chosen(shard, folder):
            messages, problems = await self._pool.run(_examine, shard, entry)
            left = problems
            if problems:
                await asyncio.shield(self._pool.run(self_check, shard, entry.mailbox, now=True))
                messages, left = await self._pool.run(_examine, shard, entry)
            if left:
                result = await asyncio.shield(self._pool.run(reindex, shard, entry.mailbox, lambda done, total: None))
                _, left = await self._pool.run(_examine, shard, entry)
                messages = result.messages
            yield Checked(account, entry.name, messages, left, tuple(each for each in problems if each not in left))

    async def sizes(self, account: AccountId) -> AsyncIterator[FolderSize]:
        shard = await self._prepared(account)
        for entry in self._chosen(shard, ""):

            def look(index: FolderIndex) -> tuple[int, int]:
                query = "SELECT count(*), coalesce(sum(size), 0) FROM expunged WHERE kept = 1"
                result: tuple[int, int] = row(index.connection, query)
                return result

            status = await self._pool.run(shard.read, entry.mailbox, FolderIndex.status)
            deleted, size = await self._pool.run(shard.read, entry.mailbox, look)
            yield FolderSize(account, entry.name, status.messages, status.size, deleted, size)

    async def usage(self, account: AccountId) -> Usage:
        header = (await self._prepared(account)).seq.header()
        return Usage(header.bytes, header.messages)

    async def maintain(self, pause: float) -> int:
        """One round over all folders, unhurried: heals what it finds, refreshes flags.bak. How many folders."""
        count = 0
        for account in await self.accounts():
            shard = await self._prepared(account)
            with contextlib.suppress(MailboxError):  # Busy.
                await self._pool.run(check_tree, shard)
            for entry in self._chosen(shard, ""):
                with contextlib.suppress(MailboxError):  # Deleted meanwhile, or busy: the next round comes.
                    await self._pool.run(maintain, shard, entry.mailbox)
                    if entry.mailbox in shard.leaving:
                        await move_listed(self._pool, shard, entry.mailbox)
                    await forget_marks(self._store, self._pool, shard, entry.mailbox)
                count += 1
                await asyncio.sleep(pause)
        return count

    async def _prepared(self, account: AccountId) -> AccountShard:
        if not await self._pool.run((account_path(self._store.mail, account) / "account.seq").exists):
            raise MailboxError(Condition.NONEXISTENT, f"{account} has no mail store yet")
        shard = self._store.shard(account)
        await self._pool.run(shard.prepare)
        return shard

    @staticmethod
    def _chosen(shard: AccountShard, folder: str) -> list[Entry]:
        entries = [entry for entry in shard.tree.entries() if entry.selectable and folder in ("", entry.name)]
        if folder and not entries:
            raise MailboxError(Condition.NONEXISTENT, f"{shard.account} has no folder {folder}")
        return entries


def _examine(shard: AccountShard, entry: Entry) -> tuple[int, tuple[str, ...]]:
    """Compares the index with the files and with itself. One that would be made anew by opening it is not opened: a
    check changes nothing, and says what is wrong."""
    folder = shard.root / entry.path
    if reason := unusable(folder / "index.fld"):
        if not os.path.lexists(folder / "index.fld") and _empty(folder / "#msgs"):
            return 0, ()  # Made at its first use.
        return 0, (f"index.fld {reason}; it is made anew from the messages when the folder is used next",)

    def look(index: FolderIndex) -> tuple[int, tuple[str, ...]]:
        problems = list[str]()
        status = index.status()
        if recount(index.connection) != (status.messages, status.unseen, status.deleted, status.size):
            problems.append("the counters of index.fld do not match its rows")
        result = compare(index)
        for uids, text in ((result.missing, "without a complete file"), (result.unknown, "unknown to the index")):
            if uids:
                shown = ", ".join(f"{uid:08x}" for uid in uids[:5])
                problems.append(f"{len(uids)} messages {text}: {shown}{' ...' if len(uids) > 5 else ''}")
        if result.foreign:
            problems.append(f"{len(result.foreign)} files put in by hand, not taken in yet")
        slot = shard.seq.status(entry.key)
        if slot is not None and (slot.messages, slot.size) != (status.messages, status.size):
            problems.append("account.seq does not match index.fld")
        return status.messages, tuple(problems)

    return shard.read(entry.mailbox, look)


def _empty(messages: Path) -> bool:
    try:
        with os.scandir(messages) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True


if TYPE_CHECKING:
    from whimbrel.services.admin.ports import StoreKeeper

    def _port(keeper: DiskKeeper) -> None:
        _1: StoreKeeper = keeper
