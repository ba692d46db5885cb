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
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.backends.store.memory.spool import MemorySpool
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.commit import Commit, Spool
from whimbrel.core.mailbox import Changes, Folders, Messages


@dataclass(frozen=True, slots=True)
class Backend:
    """One open store behind its ports."""

    folders: Folders
    messages: Messages
    changes: Changes
    commit: Commit
    spool: Spool
    reopen: "Callable[[], Awaitable[Backend]] | None" = None
    """Closes it and opens the same store anew, as after a restart; None: it forgets."""


Opener = Callable[[Path], AbstractAsyncContextManager[Backend]]


@asynccontextmanager
async def memory(_root: Path) -> AsyncIterator[Backend]:
    store = MemoryStore(FakeClock(time.time()))
    yield Backend(folders=store, messages=store, changes=store, commit=store, spool=MemorySpool())


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
        return Backend(folders=store, messages=store, changes=store, commit=store, spool=spool, reopen=reopen)

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
