"""The queue on disk: one SQLite database and one `.eml` file for each entry, `store/queue/<id>.eml`.

What must be durable (adding, outcomes, what an administrator does) is a job for the committer and shares its barrier;
leases and reading go through the pool. Any number of processes may have the same queue open: a transaction of SQLite
is the only lock. Whoever commits an `Enqueue` calls `announce` once the barrier is complete.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import apsw

from whimbrel.backends.disk.committer import Committer, Job
from whimbrel.backends.disk.presence import ANY, Presence
from whimbrel.backends.queue import lanes, pages, rows
from whimbrel.backends.queue.cached import read_cached
from whimbrel.backends.queue.database import failure
from whimbrel.backends.queue.jobs import ChangeJob, UpdateJob
from whimbrel.backends.queue.recovery import recover
from whimbrel.backends.queue.shard import NAME, QueueShard
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.notices import QUEUE, Notices
from whimbrel.core.pool import Pool
from whimbrel.core.queue import Deferral, LaneCounts, QueueCounts, QueueFilter, QueueItem, QueuePage, QueueRecipient

T = TypeVar("T")


class QueueStore(QueueShard):
    """The port Queue, and a shard of the committer."""

    def __init__(
        self,
        folder: Path,
        spool_folder: Path,
        committer: Committer,
        pool: Pool,
        notices: Notices,
        log: Log,
        presence: Presence = ANY,
    ) -> None:
        """As a shard; RuntimeError if a newer release wrote the queue."""
        super().__init__(folder, spool_folder, log, presence)
        self._committer, self._pool, self._notices = committer, pool, notices
        self._waiters: set[asyncio.Future[None]] = set()
        self._renewal: asyncio.Future[None] | None = None
        self._unsubscribe = notices.subscribe(QUEUE, self._heard)

    def close(self) -> None:
        self._unsubscribe()
        super().close()

    def recover(self) -> int:
        """At the start of the queue process: finishes what a crash interrupted and compares rows with files. Returns
        how many entries or files were repaired."""
        return self.database.read(lambda connection: recover(connection, self.folder, self._log))

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
                with self.database.writing(connection):
                    lanes.unpark(connection, now)
            # Without taking the write lock, if there is nothing.
            asked = [
                share for share in wanted if share[0] > 0 and lanes.due(connection, now, 1, full, verified=share[2])
            ]
            leased: list[rows.Row] = []
            if asked:
                with self.database.writing(connection):
                    for most, of_each, verified in asked:
                        leased += lanes.lease(
                            connection, now, most, now + seconds, each=of_each, room=left, verified=verified
                        )
            return rows.items(connection, leased)

        return await self._read(work)

    async def verify(self, names: Mapping[str, bool]) -> None:
        def work(connection: apsw.Connection) -> None:
            with self.database.writing(connection):
                lanes.verify(connection, names)

        await self._read(work)

    async def defer(self, deferrals: Sequence[Deferral]) -> int:
        def work(connection: apsw.Connection) -> int:
            with self.database.writing(connection):
                return lanes.defer(connection, deferrals)

        return await self._read(work)

    async def restrain(self, now: float, longest: float) -> None:
        def work(connection: apsw.Connection) -> None:
            with self.database.writing(connection):
                lanes.restrain(connection, now, longest)

        await self._read(work)

    async def back(self, ids: Sequence[str]) -> None:
        def work(connection: apsw.Connection) -> None:
            with self.database.writing(connection):
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
            with self.database.writing(connection):
                connection.execute(
                    f"UPDATE entry SET lease_until = ? WHERE id IN {rows.NAMED} AND done = 0", (until, rows.names(ids))
                )

        await self._read(work)

    async def update(self, item: QueueItem) -> None:
        if await self._done(UpdateJob(item)) and not item.waiting:
            await self._pool.run(self.unlink, [item.id])

    async def finish(self, ids: Sequence[str]) -> None:
        def change(connection: apsw.Connection) -> list[str]:
            finished = rows.finish(connection, ids)
            lanes.refresh(connection, set(finished.values()))
            return list(finished)

        if gone := await self._change(change):
            await self._pool.run(self.unlink, gone)

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

    async def page(
        self, which: QueueFilter, limit: int, order: str = "created", after: str = "", skip: int = 0
    ) -> QueuePage:
        return await self._read(lambda connection: pages.page(connection, which, limit, order, after, skip))

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
        if not NAME.match(queue_id):
            return None
        path = self.path_of(queue_id)
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
        await self._pool.run(self.unlink, gone)
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
        if self._renewal is None and not self.database.current:
            # A process may have begun without what this one holds.
            self._renewal = asyncio.ensure_future(self._pool.run(self.database.renew))
            self._renewal.add_done_callback(self._renewed)

    def _renewed(self, renewal: "asyncio.Future[None]") -> None:
        self._renewal = None
        if not renewal.cancelled() and renewal.exception() is None:
            self.announce()

    # Inside

    async def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        try:
            return await self._pool.run(self.database.read, work)
        except (apsw.Error, OSError) as error:
            raise failure(error) from None

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


def _read_file(path: str, start: int, length: int | None) -> bytes | None:
    try:
        with open(path, "rb", opener=_unfollowed) as file:
            if start:
                file.seek(start)
            return file.read() if length is None else file.read(length)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            return None  # A link or directory in its place: the message is not there.
        raise failure(error) from None


def _unfollowed(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))


if TYPE_CHECKING:
    from whimbrel.backends.disk.committer import Shard
    from whimbrel.core.queue import Queue

    def _ports(store: QueueStore) -> None:
        _1: Queue = store
        _2: Shard = store
