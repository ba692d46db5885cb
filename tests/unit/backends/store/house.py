"""A store on disk for tests that look behind the ports: it can be stopped, cleanly or not, and started again."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.support.fakes import MemoryLog
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.spool import DiskSpool
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.store.disk import generation
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.backends.store.disk.undelete import DiskUndelete
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.mailbox import AccountId, FolderRef

ANN = AccountId("ann@example.test")


class Store:
    def __init__(self, root: Path) -> None:
        self.root, self.log = root, MemoryLog()
        self.account = root / "mail" / "example.test" / "ann"
        self.start()

    def start(self) -> None:
        self.generation = generation.begin(self.root)
        self.pool, self.barrier = ThreadPool(2), Barrier(self.root)
        self.committer = Committer(self.barrier, self.log)
        self.ports = DiskStore(
            self.root,
            committer=self.committer,
            pool=self.pool,
            notices=LocalNotices(),
            log=self.log,
            generation=self.generation,
        )
        self.spool = DiskSpool(self.ports.spool, self.pool)
        self.undelete = DiskUndelete(self.ports, self.pool)

    def stop(self, *, clean: bool = True) -> None:
        self.committer.close()
        self.ports.close()
        self.pool.close()
        self.barrier.close()
        if clean:
            generation.end(self.root, self.generation)

    async def folder(self, name: str = "INBOX") -> FolderRef:
        found = await self.ports.find(ANN, name)
        return (found or await self.ports.create(ANN, name)).ref

    async def fill(self, ref: FolderRef, count: int, flags: int = 0) -> list[int]:
        """Different messages in one commit; their UIDs."""
        contents = [self.spool.hold(b"Subject: %d\r\n\r\nx\r\n" % n) for n in range(count)]
        work = [Append(ref, Rendition(b"", content), flags=flags) for content in contents]
        return [one.uid for one in await self.ports.commit(work) if isinstance(one, Appended)]


def run(root: Path, test: Callable[[Store], Awaitable[None]]) -> None:
    async def main() -> None:
        store = Store(root)
        try:
            await asyncio.wait_for(test(store), 120)
        finally:
            store.stop()

    asyncio.run(main())
