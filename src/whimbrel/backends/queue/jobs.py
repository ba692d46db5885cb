"""What the queue has to do with the committer: jobs that share its barrier with those of the store."""

from collections.abc import Callable
from pathlib import Path

import apsw

from whimbrel.backends.disk.committer import Job
from whimbrel.backends.queue.content import prepare
from whimbrel.core.commit import Enqueue, PassOn
from whimbrel.core.queue import QueueItem, QueueRecipient


class EnqueueJob(Job):
    """Adds one entry; `result` is None, or the MailError why it was not added."""

    __slots__ = ("_spool_folder", "checksum", "enqueue")

    def __init__(self, enqueue: Enqueue, spool_folder: Path) -> None:
        super().__init__()
        self.enqueue, self._spool_folder = enqueue, spool_folder
        self.checksum = 0

    def prepare(self) -> None:
        self.checksum = prepare(self.enqueue.rendition, self._spool_folder)


class PassOnJob(Job):
    """An entry goes on as others: they are added and its recipients stored, or nothing is done."""

    __slots__ = ("_spool_folder", "before", "checksums", "work")

    def __init__(self, work: PassOn, spool_folder: Path) -> None:
        super().__init__()
        self.work, self._spool_folder = work, spool_folder
        self.checksums: list[int] = []
        self.before: dict[int, QueueRecipient] = {}
        """The recipients as they were."""

    def prepare(self) -> None:
        self.checksums = [prepare(each.rendition, self._spool_folder) for each in self.work.entries]


class ChangeJob(Job):
    """A change to rows; `result` is what it returns."""

    __slots__ = ("change",)

    def __init__(self, change: Callable[[apsw.Connection], object]) -> None:
        super().__init__()
        self.change = change


class UpdateJob(Job):
    """How an attempt went; `result` is whether the entry was still there. Thousands may come at once, when a server
    that all wait for falls silent: so they are written together."""

    __slots__ = ("item",)

    def __init__(self, item: QueueItem) -> None:
        super().__init__()
        self.item = item


def added(job: Job) -> list[QueueItem]:
    """The entries that it adds."""
    if isinstance(job, EnqueueJob):
        return [job.enqueue.item]
    return [each.item for each in job.work.entries] if isinstance(job, PassOnJob) else []
