"""What was kept long enough goes: expunged messages, deleted folders, marks nobody asks for again.
Where the disk is nearly full, deleted mail goes earlier.

In small steps, each under the account's lock for some milliseconds, with a pause between: mail goes on meanwhile.
"""

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from whimbrel.backends.store.disk.batch import AccountJob, Batch
from whimbrel.backends.store.disk.database import row
from whimbrel.backends.store.disk.deleted_folders import content, deleted_before, remove_some
from whimbrel.backends.store.disk.expunged_files import listed
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.mailboxes import sweep
from whimbrel.backends.store.disk.shard import AccountShard
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.backends.store.disk.undelete import STEP, DropJob, kept_before
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId, MailboxId
from whimbrel.core.pool import Pool
from whimbrel.core.undelete import Tally

DELIVERED_KEPT = 14 * 86400
"""Seconds for which a delivery is remembered: far longer than any queue tries."""
TOMBSTONES = 50_000

Keep = Callable[[AccountId], Awaitable[float]]
"""Seconds for which deleted mail of an account can be restored."""


Short = Callable[[], Awaitable[bool]]
"""Whether there is too little room on the disk at this moment."""
_PARTS = 8
"""In so many steps the time for which deleted mail is kept goes to nothing while room is short."""


async def _always() -> bool:
    return True


class ForgetJob(AccountJob):
    """Marks against double delivery and tombstones that are old go."""

    __slots__ = ("mailbox",)

    def __init__(self, mailbox: MailboxId) -> None:
        super().__init__()
        self.mailbox = mailbox

    def run(self, batch: Batch) -> None:
        batch.change(self.mailbox).forget_old(int(time.time()) - DELIVERED_KEPT, TOMBSTONES)


class Purger:
    """One for each store, in the process that does its chores. `pause`: seconds between two steps."""

    def __init__(
        self, store: DiskStore, pool: Pool, keep: Keep, *, pause: float = 0.01, now: Callable[[], float] = time.time
    ) -> None:
        self._store, self._pool, self._keep, self._pause, self._now = store, pool, keep, pause, now

    async def round(self, accounts: Sequence[AccountId]) -> Tally:
        """Over all accounts once."""
        messages = size = 0
        for account in accounts:
            # Busy, or removed meanwhile: the next round comes.
            with contextlib.suppress(MailError):
                removed = await self._account(account)
                messages, size = messages + removed.messages, size + removed.bytes
        # Removed mailboxes stay until an administrator deletes them.
        await self._pool.run(sweep, self._store.mail, self._now())
        return Tally(messages, size)

    async def relieve(self, accounts: Sequence[AccountId], short: Short) -> Tally:
        """While room is `short`: deleted messages and folders go before their time, those that were kept longest
        first, in the end all. Removed accounts stay: nobody could ask for what is in them before it is gone."""
        messages = size = 0
        holding = []
        for account in accounts:
            with contextlib.suppress(MailError):
                if await self._pool.run(_holds_deleted, await self._prepared(account)):
                    holding.append(account)
        for part in reversed(range(_PARTS)):
            for account in holding:
                if not await short():
                    return Tally(messages, size)
                with contextlib.suppress(MailError):
                    removed = await self._account(account, part / _PARTS, short)
                    messages, size = messages + removed.messages, size + removed.bytes
        return Tally(messages, size)

    async def _prepared(self, account: AccountId) -> AccountShard:
        shard = self._store.shard(account)
        await self._pool.run(shard.prepare)
        return shard

    async def _account(self, account: AccountId, share: float = 1.0, wanted: Short = _always) -> Tally:
        """What was kept for this share of its time, as long as that is `wanted`."""
        shard = await self._prepared(account)
        before, messages, size = self._now() - await self._keep(account) * share, 0, 0
        for entry in shard.tree.entries():
            if entry.selectable and await self._pool.run((shard.root / entry.path / "#deleted").is_dir):
                while await wanted() and (expunged := await self._pool.run(kept_before, shard, entry, before)):
                    await self._store.run(account, DropJob(entry.mailbox, [uid for uid, _ in expunged]))
                    messages, size = messages + len(expunged), size + sum(each for _, each in expunged)
                    await asyncio.sleep(self._pause)
        for directory in await self._pool.run(deleted_before, shard.root, before):
            if await wanted():
                count, held = await self._pool.run(content, directory)
                await self._drain(directory)
                messages, size = messages + count, size + held
        return Tally(messages, size)

    async def _drain(self, directory: Path) -> None:
        while True:
            if await self._pool.run(remove_some, directory, STEP) < STEP:
                return
            await asyncio.sleep(self._pause)


def _holds_deleted(shard: AccountShard) -> bool:
    """A message or folder is kept that was deleted. Opens no index."""
    if deleted_before(shard.root, math.inf):
        return True
    for entry in shard.tree.entries():
        folder = shard.root / entry.path
        with contextlib.suppress(FileNotFoundError):
            if listed(folder) or next(os.scandir(folder / "#deleted"), None) is not None:
                return True
    return False


async def forget_marks(store: DiskStore, pool: Pool, shard: AccountShard, mailbox: MailboxId) -> None:
    """Where old marks are; opens the folder's index."""
    if await pool.run(_old_marks, shard, mailbox):
        await store.run(shard.account, ForgetJob(mailbox))


def _old_marks(shard: AccountShard, mailbox: MailboxId) -> bool:
    """Something is there that `ForgetJob` would remove."""

    def look(index: FolderIndex) -> bool:
        query = "SELECT 1 FROM delivered WHERE at < ? LIMIT 1"
        if row(index.connection, query, (int(time.time()) - DELIVERED_KEPT,)) is not None:
            return True
        tombstones: int = row(index.connection, "SELECT count(*) FROM expunged WHERE kept = 0")[0]
        return tombstones > TOMBSTONES + TOMBSTONES // 10

    return shard.read(mailbox, look)
