"""When expunged files are moved that a client was not made to wait for: a moment later, a little at a time."""

import asyncio
import contextlib

import apsw

from whimbrel.backends.store.disk.expunged_files import ExpungedMove
from whimbrel.backends.store.disk.shard import AccountShard
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId, MailboxId
from whimbrel.core.pool import Pool

DELAY = 1.0
"""Seconds after the expunge: whoever gave it most often goes on at once, and a second expunge joins the first."""
PAUSE = 0.01
"""Seconds between two steps, of some 2 ms each."""


class ExpungedMover:
    """One for each store. What it does not come to, another finds when it compares the folder with its index."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._tasks: dict[AccountId, asyncio.Task[None]] = {}

    def soon(self, shard: AccountShard) -> None:
        """In the loop; cheap where there is nothing to do."""
        if shard.leaving and shard.account not in self._tasks:
            task = self._tasks[shard.account] = asyncio.get_running_loop().create_task(self._account(shard))
            task.add_done_callback(lambda _: self._tasks.pop(shard.account, None))

    def close(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()

    async def _account(self, shard: AccountShard) -> None:
        await asyncio.sleep(DELAY)
        while shard.leaving:
            await move_listed(self._pool, shard, next(iter(shard.leaving)))


def begin_move(shard: AccountShard, mailbox: MailboxId) -> ExpungedMove | None:
    """For a folder of `leaving`, which it leaves. None if there is nothing to do any more. In a pool thread."""
    shard.leaving.discard(mailbox)
    with shard.seq.locked():
        shard.prepare_locked()
        with shard.using(shard.entry(mailbox)) as index:
            shard.seq.commit()
            with contextlib.suppress(FileNotFoundError):
                return ExpungedMove(index)
    return None


async def move_listed(pool: Pool, shard: AccountShard, mailbox: MailboxId) -> None:
    """Moves what is still to be moved of one folder."""
    # Busy, deleted meanwhile, damaged, no room: the list stays, and so does what it says.
    with contextlib.suppress(MailError, OSError, apsw.Error):
        moving = await pool.run(begin_move, shard, mailbox)
        if moving is None:
            return
        try:
            more = True
            while more:
                more = await pool.run(moving.step)
                await asyncio.sleep(PAUSE)
            await pool.run(_end, shard, moving)
        finally:
            moving.close()


def _end(shard: AccountShard, moving: ExpungedMove) -> None:
    with shard.seq.locked():
        moving.end()
