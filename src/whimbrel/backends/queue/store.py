"""The queue on disk: one SQLite database and one `.eml` file for each entry, `store/queue/<id>.eml`.

What must be durable (adding, outcomes, what an administrator does) is a job for the committer and shares its barrier;
leases and reading go through the pool. Any number of processes may have the same queue open: a transaction of SQLite
is the only lock. Whoever commits an `Enqueue` calls `announce` once the barrier is complete.

All files are in one folder: directories are hashed trees nowadays, so one of 100,000 names is found as fast as one of
ten, while every further folder would be one more thing to make durable in a batch.
"""

import asyncio
import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import apsw

from whimbrel.backends.disk.barrier import Touched
from whimbrel.backends.disk.committer import Committer, Job
from whimbrel.backends.queue import lanes, rows
from whimbrel.backends.queue.cached import read_cached
from whimbrel.backends.queue.content import write
from whimbrel.backends.queue.database import failure, identity, immediate, open_database
from whimbrel.backends.queue.jobs import ChangeJob, EnqueueJob, PassOnJob, UpdateJob, added
from whimbrel.backends.queue.recovery import lose, recover, rescue
from whimbrel.core.commit import Enqueue, PassOn
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.notices import QUEUE, Notices
from whimbrel.core.pool import Pool
from whimbrel.core.queue import Deferral, LaneCounts, QueueCounts, QueueFilter, QueueItem, QueueRecipient

T = TypeVar("T")
Added = tuple[QueueItem, int]
"""An entry whose file has its name, and the checksum of what the file holds."""
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,63}\Z")


class QueueStore:
    """The port Queue, and a shard of the committer."""

    key = "~queue"  # After all accounts, so that a batch that fills the disk fails in the queue last.

    def __init__(
        self, folder: Path, spool_folder: Path, committer: Committer, pool: Pool, notices: Notices, log: Log
    ) -> None:
        """Opens or makes the queue in `folder`; `spool_folder` is where files without a name are made. RuntimeError if
        a newer release wrote it."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder, self._spool_folder = folder, spool_folder
        self._database = folder / "queue.db"
        self._committer, self._pool, self._notices, self._log = committer, pool, notices, log
        self._writer = open_database(self._database)
        self._reader = open_database(self._database)
        self._identity, self._lost = identity(self._database), False
        self._lock = threading.Lock()  # Guards the reader, which pool threads share.
        self._writing = threading.Lock()
        self._finished: list[str] = []
        self._finished_lock = threading.Lock()
        self._waiters: set[asyncio.Future[None]] = set()
        self._unsubscribe = notices.subscribe(QUEUE, self._heard)

    def close(self) -> None:
        """After the committer was closed."""
        self._unsubscribe()
        with contextlib.suppress(apsw.Error):
            self._sweep(self._writer)
        self._writer.close()
        self._reader.close()

    def recover(self) -> int:
        """At the start of the queue process: finishes what a crash interrupted and compares rows with files. Returns
        how many entries or files were repaired."""
        with self._lock:
            return recover(self._reader, self.folder, self._log)

    # The shard, in the committer's thread

    def job(self, work: Enqueue | PassOn) -> EnqueueJob | PassOnJob:
        if isinstance(work, PassOn):
            return PassOnJob(work, self._spool_folder)
        return EnqueueJob(work, self._spool_folder)

    def apply(self, jobs: Sequence[Job], touched: Touched) -> None:
        with self._writing:
            self._apply(jobs, touched)

    def _apply(self, jobs: Sequence[Job], touched: Touched) -> None:
        linked: list[str] = []
        finished: list[str] = []
        connection = self._writer
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._apply_all(connection, jobs, linked)
            finished = self._sweep(connection)
            connection.execute("COMMIT")
        except BaseException as error:
            with self._finished_lock:
                self._finished += finished
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for path in linked:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            if isinstance(error, apsw.FullError):
                raise failure(error) from None
            raise
        touched.databases.add(str(self._database))
        touched.files.update(linked)
        touched.directories.add(str(self.folder))

    def restore(self, refused: Sequence[Job]) -> None:
        """What was added by `refused` was not acknowledged: it goes. All pages are written anew."""
        done = [job for job in refused if job.result is None]
        before = {job.work.queue_id: job.before for job in done if isinstance(job, PassOnJob)}
        rescue(self._writer, self.folder, [item.id for job in done for item in added(job)], before)

    def _apply_all(self, connection: apsw.Connection, jobs: Sequence[Job], linked: list[str]) -> None:
        new: list[Added] = []
        updates: dict[str, UpdateJob] = {}
        nameless = self._nameless() if any(isinstance(job, EnqueueJob | PassOnJob) for job in jobs) else None
        for job in jobs:
            try:
                if nameless and isinstance(job, EnqueueJob | PassOnJob):
                    raise nameless
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

    def _nameless(self) -> MailError | None:
        """Nothing is taken over into a file that was deleted, emptied or replaced: nobody would find it after the next
        start. What is in it goes on being delivered."""
        if identity(self._database) == self._identity:
            return None
        if not self._lost:
            self._lost = True
            self._log.error("queue.database-lost", file=str(self._database))
        return MailError(451, "4.3.0", "Queue failure, try again later", detail=f"{self._database} was taken away")

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
        path = self._path(item.id)
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

    # The port

    async def lease(
        self,
        now: float,
        limit: int,
        seconds: float,
        *,
        each: int | None = None,
        room: Mapping[str, int] | None = None,
        unverified: int | None = None,
    ) -> Sequence[QueueItem]:
        left = room or {}
        full = {name for name, some in left.items() if some <= 0}
        of_lane = limit if each is None else each
        wanted = [(limit, of_lane, None)] if unverified is None else [(limit, of_lane, True), (unverified, 1, False)]

        def work(connection: apsw.Connection) -> list[QueueItem]:
            if lanes.parked_due(connection, now):
                with self._alone(connection):
                    lanes.unpark(connection, now)
            # Without taking the write lock, if there is nothing.
            asked = [
                share for share in wanted if share[0] > 0 and lanes.due(connection, now, 1, full, verified=share[2])
            ]
            leased: list[rows.Row] = []
            if asked:
                with self._alone(connection):
                    for most, of_each, verified in asked:
                        leased += lanes.lease(
                            connection, now, most, now + seconds, each=of_each, room=left, verified=verified
                        )
            return rows.items(connection, leased)

        return await self._read(work)

    async def verify(self, names: Mapping[str, bool]) -> None:
        def work(connection: apsw.Connection) -> None:
            with self._alone(connection):
                lanes.verify(connection, names)

        await self._read(work)

    async def defer(self, deferrals: Sequence[Deferral]) -> int:
        def work(connection: apsw.Connection) -> int:
            with self._alone(connection):
                return lanes.defer(connection, deferrals)

        return await self._read(work)

    async def restrain(self, now: float, longest: float) -> None:
        def work(connection: apsw.Connection) -> None:
            with self._alone(connection):
                lanes.restrain(connection, now, longest)

        await self._read(work)

    async def back(self, ids: Sequence[str]) -> None:
        def work(connection: apsw.Connection) -> None:
            with self._alone(connection):
                given_back = connection.execute(
                    f"UPDATE entry SET lease_until = 0 WHERE id IN {rows.NAMED} AND done = 0 RETURNING lane",
                    (rows.names(ids),),
                ).fetchall()
                lanes.refresh(connection, {str(row[0]) for row in given_back})

        await self._read(work)

    async def record(self, queue_id: str, recipients: Mapping[int, QueueRecipient]) -> None:
        await self._change(lambda connection: rows.record(connection, {queue_id: recipients}))

    async def renew(self, ids: Sequence[str], until: float) -> None:
        def work(connection: apsw.Connection) -> None:
            with self._alone(connection):
                connection.execute(
                    f"UPDATE entry SET lease_until = ? WHERE id IN {rows.NAMED} AND done = 0", (until, rows.names(ids))
                )

        await self._read(work)

    async def update(self, item: QueueItem) -> None:
        if await self._done(UpdateJob(item)) and not item.waiting:
            await self._pool.run(self._unlink, [item.id])

    async def finish(self, ids: Sequence[str]) -> None:
        def change(connection: apsw.Connection) -> list[str]:
            finished = rows.finish(connection, ids)
            lanes.refresh(connection, set(finished.values()))
            return list(finished)

        if gone := await self._change(change):
            await self._pool.run(self._unlink, gone)

    async def next_due(self) -> float | None:
        def work(connection: apsw.Connection) -> float | None:
            return lanes.next_due(connection)

        return await self._read(work)

    async def get(self, queue_id: str) -> QueueItem | None:
        items = await self._read(lambda connection: rows.read(connection, "id = ?", (queue_id,)))
        return items[0] if items else None

    async def select(self, which: QueueFilter, limit: int = 1000, offset: int = 0) -> Sequence[QueueItem]:
        condition, values = rows.where(which)
        query = f"{condition} ORDER BY created, id LIMIT ? OFFSET ?"
        return await self._read(lambda connection: rows.read(connection, query, (*values, limit, offset)))

    async def counts(self, now: float) -> QueueCounts:
        def work(connection: apsw.Connection) -> QueueCounts:
            query = (
                "SELECT count(*) FILTER (WHERE held = 0), count(*) FILTER (WHERE held = 1), "
                "count(*) FILTER (WHERE held = 0 AND next_attempt <= ?), total(size), min(created) "
                "FROM entry WHERE done = 0"
            )
            waiting, held, due, size, oldest = connection.execute(query, (now,)).fetchall()[0]
            return QueueCounts(
                rows.integer(waiting),
                rows.integer(held),
                rows.integer(due),
                int(rows.real(size)),
                None if oldest is None else rows.real(oldest),
            )

        return await self._read(work)

    async def content(self, queue_id: str, start: int = 0, length: int | None = None) -> bytes | None:
        if not _NAME.match(queue_id):
            return None
        path = self._path(queue_id)
        if not start and length is not None and (data := read_cached(path, length)) is not None:
            return data
        return await self._pool.run(_read_file, path, start, length)

    async def count(self, which: QueueFilter) -> int:
        condition, values = rows.where(which)
        query = f"SELECT count(*) FROM entry WHERE {condition}"
        return await self._read(lambda connection: rows.integer(connection.execute(query, values).fetchall()[0][0]))

    async def lanes(self, limit: int) -> Sequence[LaneCounts]:
        return await self._read(lambda connection: lanes.counts(connection, limit))

    async def hold(self, which: QueueFilter, *, held: bool) -> int:
        what = "held = 1, parked = '', parked_until = NULL" if held else lanes.RELEASED
        return await self._touch(which, what, (), "held <> ?", (int(held),))

    async def try_now(self, which: QueueFilter, now: float) -> int:
        return await self._touch(which, "urgent = 1, next_attempt = min(next_attempt, ?)", (now,), "held = 0", ())

    async def give_up(self, which: QueueFilter, status: str, now: float) -> int:
        what = f"{lanes.RELEASED}, give_up = ?, next_attempt = min(next_attempt, ?)"
        return await self._touch(which, what, (status, now), "give_up = ''", ())

    async def delete(self, which: QueueFilter) -> int:
        condition, values = rows.where(which)

        def change(connection: apsw.Connection) -> list[str]:
            query = f"UPDATE entry SET done = 1 WHERE {condition} RETURNING id, lane"
            deleted = connection.execute(query, values).fetchall()
            lanes.refresh(connection, {str(row[1]) for row in deleted})
            return [str(row[0]) for row in deleted]

        gone = await self._change(change)
        await self._pool.run(self._unlink, gone)
        self.announce()
        return len(gone)

    async def _touch(self, which: QueueFilter, what: str, new: rows.Values, also: str, values: rows.Values) -> int:
        """What a person does to entries: `what` is set where the filter and `also` hold; how many."""
        condition, chosen = rows.where(which)
        query = f"UPDATE entry SET {what} WHERE {condition} AND {also} RETURNING lane"

        def change(connection: apsw.Connection) -> int:
            changed = connection.execute(query, (*new, *chosen, *values)).fetchall()
            lanes.refresh(connection, {str(row[0]) for row in changed})
            return len(changed)

        count = await self._change(change)
        self.announce()
        return count

    async def wait(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(future)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            pass
        finally:
            self._waiters.discard(future)

    def announce(self) -> None:
        """Tells all processes that something was added or changed. From the loop's thread, after the barrier."""
        self._notices.publish(QUEUE)

    def _heard(self, _key: str) -> None:
        for future in self._waiters:
            if not future.done():
                future.set_result(None)
        self._waiters.clear()

    # Inside

    def _path(self, queue_id: str) -> str:
        if not _NAME.match(queue_id):
            raise ValueError("not a queue id")
        return f"{self.folder}/{queue_id}.eml"

    @contextlib.contextmanager
    def _alone(self, connection: apsw.Connection) -> Iterator[None]:
        """A transaction that writes. In this process they wait for each other here: SQLite would let them sleep."""
        with self._writing, immediate(connection):
            yield

    async def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        try:
            return await self._pool.run(self._locked, work)
        except apsw.Error as error:
            raise failure(error) from None

    def _locked(self, work: Callable[[apsw.Connection], T]) -> T:
        with self._lock:
            return work(self._reader)

    async def _change(self, change: Callable[[apsw.Connection], T]) -> T:
        return await self._done(ChangeJob(change))  # type: ignore[return-value]  # What `change` returned.

    async def _done(self, job: Job) -> object:
        """Its result, durably."""
        await self._committer.commit([(self, job)])
        if isinstance(job.result, MailError):
            raise job.result
        if isinstance(job.result, apsw.Error | OSError):  # The committer has logged it; it may pass.
            raise failure(job.result)
        if isinstance(job.result, Exception):
            raise job.result
        return job.result

    def _unlink(self, ids: Sequence[str]) -> None:
        for name in ids:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path(name))
        with self._finished_lock:
            self._finished += ids


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


def _read_file(path: str, start: int, length: int | None) -> bytes | None:
    try:
        with open(path, "rb") as file:
            if start:
                file.seek(start)
            return file.read() if length is None else file.read(length)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure(error) from None


if TYPE_CHECKING:
    from whimbrel.backends.disk.committer import Shard
    from whimbrel.core.queue import Queue

    def _ports(store: QueueStore) -> None:
        _1: Queue = store
        _2: Shard = store
