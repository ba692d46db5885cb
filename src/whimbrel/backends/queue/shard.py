"""The queue as the committer writes it: a batch of jobs applied in one transaction, or, after a barrier that failed,
what was refused taken out again.

All files are in one folder: directories are hashed trees nowadays, so one of 100,000 names is found as fast as one of
ten, while every further folder would be one more thing to make durable in a batch.
"""

import contextlib
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import apsw

from whimbrel.backends.disk.barrier import Touched
from whimbrel.backends.disk.committer import Job
from whimbrel.backends.disk.presence import ANY, Presence
from whimbrel.backends.queue import lanes, rows
from whimbrel.backends.queue.connections import QueueDatabase
from whimbrel.backends.queue.content import write
from whimbrel.backends.queue.database import failure
from whimbrel.backends.queue.jobs import ChangeJob, EnqueueJob, PassOnJob, UpdateJob, added
from whimbrel.backends.queue.recovery import lose, rescue
from whimbrel.core.commit import Enqueue, PassOn
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.queue import QueueItem

Added = tuple[QueueItem, int]
"""An entry whose file has its name, and the checksum of what the file holds."""
NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,63}\Z")


class QueueShard:
    """One for each process."""

    key = "~queue"  # After all accounts, so that a batch that fills the disk fails in the queue last.

    def __init__(self, folder: Path, spool_folder: Path, log: Log, presence: Presence = ANY) -> None:
        """Opens or makes the queue in `folder`; `spool_folder` is where files without a name are made. RuntimeError if
        a newer release wrote it, StoreGone if the store is not there."""
        presence.require()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder, self._spool_folder, self._log = folder, spool_folder, log
        self.database = QueueDatabase(folder / "queue.db", log, presence)
        self._finished: list[str] = []
        self._finished_lock = threading.Lock()

    def close(self) -> None:
        """After the committer was closed."""
        with contextlib.suppress(apsw.Error, OSError, MailError):
            self.database.write(self._sweep_all)
        self.database.close()

    def job(self, work: Enqueue | PassOn) -> EnqueueJob | PassOnJob:
        if isinstance(work, PassOn):
            return PassOnJob(work, self._spool_folder)
        return EnqueueJob(work, self._spool_folder)

    def apply(self, jobs: Sequence[Job], touched: Touched) -> None:
        linked: list[str] = []
        finished: list[str] = []

        def work(connection: apsw.Connection) -> None:
            self._apply_all(connection, jobs, linked)
            finished.extend(self._sweep(connection))

        try:
            self.database.write(work)
        except BaseException as error:
            self._gone(finished)
            for path in linked:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            if isinstance(error, apsw.FullError):
                raise failure(error) from None
            raise
        touched.databases.add(str(self.database.path))
        touched.files.update(linked)
        touched.directories.add(str(self.folder))

    def restore(self, refused: Sequence[Job]) -> None:
        """What was added by `refused` was not acknowledged: it goes. All pages are written anew."""
        done = [job for job in refused if job.result is None]
        before = {job.work.queue_id: job.before for job in done if isinstance(job, PassOnJob)}
        names = [item.id for job in done for item in added(job)]
        self.database.restore(lambda connection: rescue(connection, self.folder, names, before))

    def _apply_all(self, connection: apsw.Connection, jobs: Sequence[Job], linked: list[str]) -> None:
        new: list[Added] = []
        updates: dict[str, UpdateJob] = {}
        for job in jobs:
            try:
                if isinstance(job, EnqueueJob):
                    new.append((self._link(connection, job.enqueue, linked, new), job.checksum))
                elif isinstance(job, UpdateJob):
                    if job.item.id in updates:
                        _update(connection, updates)
                    updates[job.item.id] = job
                elif isinstance(job, PassOnJob):
                    _update(connection, updates)
                    self._pass_on(connection, job, linked, new)
                else:
                    assert isinstance(job, ChangeJob)
                    self._add(connection, new)
                    _update(connection, updates)
                    job.result = job.change(connection)
            except MailError as error:
                job.result = error
        self._add(connection, new)
        _update(connection, updates)

    def _pass_on(self, connection: apsw.Connection, job: PassOnJob, linked: list[str], new: list[Added]) -> None:
        before, entries = len(linked), list[Added]()
        try:
            for enqueue, checksum in zip(job.work.entries, job.checksums, strict=True):
                entries.append((self._link(connection, enqueue, linked, new), checksum))
        except MailError:
            for path in linked[before:]:
                os.unlink(path)
            del linked[before:]
            raise
        new += entries
        job.before = rows.record_instead(connection, job.work.queue_id, job.work.recipients)

    def _link(self, connection: apsw.Connection, enqueue: Enqueue, linked: list[str], new: list[Added]) -> QueueItem:
        """Gives the content its name; the entry that `new` gets."""
        item, rendition = enqueue.item, enqueue.rendition
        path = self.path_of(item.id)
        try:
            write(rendition, path, self._spool_folder)
        except FileExistsError:
            self._add(connection, new)
            if connection.execute("SELECT 1 FROM entry WHERE id = ?", (item.id,)).fetchone():
                raise MailError(451, "4.3.0", "Queue failure, try again later", detail="id used twice") from None
            lose(self.folder, f"{item.id}.eml")  # Left by a crash; nothing is ever overwritten.
            self._log.warning("queue.lost", queue_id=item.id)
            write(rendition, path, self._spool_folder)
        linked.append(path)
        return _sized(item, rendition.size)

    def _add(self, connection: apsw.Connection, new: list[Added]) -> None:
        """The rows of all that was linked, and `new` is empty."""
        if new:
            items = [item for item, _ in new]
            rows.insert(connection, items, [checksum for _, checksum in new])
            lanes.arrived(connection, items)
            new.clear()

    def _sweep(self, connection: apsw.Connection) -> list[str]:
        """Takes out rows whose file has gone already."""
        with self._finished_lock:
            finished, self._finished = self._finished, []
        if finished:
            rows.remove(connection, finished)
        return finished

    def _sweep_all(self, connection: apsw.Connection) -> None:
        self._sweep(connection)

    def _gone(self, ids: Sequence[str]) -> None:
        """Their files were removed; their rows go with the next transaction."""
        with self._finished_lock:
            self._finished += ids

    def unlink(self, ids: Sequence[str]) -> None:
        """Of entries whose end is durable."""
        for name in ids:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path_of(name))
        self._gone(ids)

    def path_of(self, queue_id: str) -> str:
        if not NAME.match(queue_id):
            raise ValueError("not a queue id")
        return f"{self.folder}/{queue_id}.eml"


def _update(connection: apsw.Connection, updates: dict[str, UpdateJob]) -> None:
    """All of them, and `updates` is empty."""
    if updates:
        lane_of = rows.update(connection, [job.item for job in updates.values()])
        touched = set(lane_of.values())
        for queue_id, job in updates.items():
            job.result = queue_id in lane_of
            if job.result and job.item.waiting:
                touched.add(job.item.lane)
        if touched:
            lanes.refresh(connection, touched)
        updates.clear()


def _sized(item: QueueItem, size: int) -> QueueItem:
    return item if item.size == size else replace(item, size=size)
