"""A queue on disk with its committer, opened and closed as a process would."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.fakes import MemoryLog
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.spool import DiskSpool
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.queue.store import QueueStore
from whimbrel.core.address import Address
from whimbrel.core.commit import Enqueue, Rendition
from whimbrel.core.envelope import Recipient
from whimbrel.core.queue import QueueItem, QueueRecipient

NOW = 1_790_000_000.0


@dataclass(slots=True)
class QueueHouse:
    queue: QueueStore
    spool: DiskSpool
    committer: Committer
    log: MemoryLog

    async def add(
        self, item: QueueItem, content: bytes = b"Subject: x\r\n\r\nhello\r\n", prefix: bytes = b""
    ) -> object:
        """None, or what went wrong."""
        held = self.spool.hold(content)
        job = self.queue.job(Enqueue(item, Rendition(prefix, held)))
        try:
            await self.committer.commit([(self.queue, job)])
        finally:
            held.close()
        self.queue.announce()
        return job.result


@contextlib.asynccontextmanager
async def open_queue(root: Path) -> AsyncIterator[QueueHouse]:
    log, pool = MemoryLog(), ThreadPool(2)
    barrier = Barrier(root)
    committer = Committer(barrier, log)
    spool = DiskSpool(root / "spool", pool)
    queue = QueueStore(root / "queue", root / "spool", committer, pool, LocalNotices(), log)
    try:
        yield QueueHouse(queue, spool, committer, log)
    finally:
        committer.close()
        queue.close()
        pool.close()
        barrier.close()


def entry(
    queue_id: str, *recipients: str, sender: str = "a@example.test", created: float = NOW, due: float = NOW
) -> QueueItem:
    return QueueItem(
        id=queue_id,
        sender=Address.parse(sender) if sender else None,
        recipients=tuple(QueueRecipient(Recipient(Address.parse(one))) for one in recipients or ("b@remote.test",)),
        created=created,
        next_attempt=due,
    )
