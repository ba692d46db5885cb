"""The table of mail stores that the contract suite runs on: one line for each backend."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.fakes import FakeClock, MemoryLog
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.spool import DiskSpool
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.store.disk import generation
from whimbrel.backends.store.disk.mailboxes import DiskMailboxes
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.backends.store.disk.undelete import DiskUndelete
from whimbrel.backends.store.memory.mailboxes import MemoryMailboxes
from whimbrel.backends.store.memory.spool import MemorySpool
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.backends.store.memory.undelete import MemoryUndelete
from whimbrel.core.commit import Commit
from whimbrel.core.mailbox import Changes, Folders, Messages
from whimbrel.core.mailboxes import Mailboxes
from whimbrel.core.spool import Spool
from whimbrel.core.undelete import Undelete


@dataclass(frozen=True, slots=True)
class Backend:
    """One open store behind its ports."""

    folders: Folders
    messages: Messages
    changes: Changes
    commit: Commit
    spool: Spool
    undelete: Undelete
    mailboxes: Mailboxes
    reopen: "Callable[[], Awaitable[Backend]] | None" = None
    """Closes it and opens the same store anew, as after a restart; None: it forgets."""


Opener = Callable[[Path], AbstractAsyncContextManager[Backend]]


@asynccontextmanager
async def memory(_root: Path) -> AsyncIterator[Backend]:
    store = MemoryStore(FakeClock(time.time()))
    yield Backend(store, store, store, store, MemorySpool(), MemoryUndelete(store), MemoryMailboxes(store))


@asynccontextmanager
async def disk(root: Path) -> AsyncIterator[Backend]:
    opened: list[Callable[[], None]] = []

    def close() -> None:
        while opened:
            opened.pop()()

    async def reopen() -> Backend:
        close()
        folder, log = root / "store", MemoryLog()
        number = generation.begin(folder)
        pool, barrier = ThreadPool(4), Barrier(folder)
        committer = Committer(barrier, log)
        store = DiskStore(folder, committer=committer, pool=pool, notices=LocalNotices(), log=log, generation=number)
        opened.extend([lambda: generation.end(folder, number), barrier.close, pool.close, store.close, committer.close])
        spool = DiskSpool(store.spool, pool)
        undelete = DiskUndelete(store, pool)
        return Backend(store, store, store, store, spool, undelete, DiskMailboxes(store, pool), reopen)

    try:
        yield await reopen()
    finally:
        close()


BACKENDS: dict[str, Opener] = {
    "disk": disk,
    "memory": memory,
}
FORGETFUL = frozenset({"memory"})
"""Those that cannot be reopened."""
