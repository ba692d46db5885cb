"""Group commit: all work of a process that waits at one moment shares one barrier.

A job belongs to a shard (an account, the queue). One thread takes everything that waits and lets each shard apply its
jobs under its own lock; another completes ONE barrier for all that was applied, and only then resolves the waits. While
a barrier runs the next work is applied already, so neither waits for the other and the load sets the size of a batch.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Protocol

from whimbrel.backends.disk.barrier import Barrier, BarrierError, Touched
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log

MAX_BATCH = 512
_RECOVERY_PAUSE = 2.0


class Job:
    """One piece of work; `apply` of its shard sets `result`, an exception included."""

    __slots__ = ("result",)

    def __init__(self) -> None:
        self.result: object = None

    def prepare(self) -> None:
        """In the committer's thread, before a shard is locked: what takes long and needs no lock. What it raises is the
        result, and the shard never sees the job."""


class Shard(Protocol):
    """What is locked and written together."""

    @property
    def key(self) -> str:
        """Batches walk shards in the order of their keys."""
        ...

    def apply(self, jobs: Sequence[Job], touched: Touched) -> None:
        """In the committer's thread: does the jobs, in order, and says what it touched. No lock is kept after it."""
        ...

    def restore(self, refused: Sequence[Job]) -> None:
        """After a failed barrier: closes what is open, checks it against the files and rewrites it. `refused` is what
        was applied since the last good one, in order, and not acknowledged."""
        ...


class _Wait:
    __slots__ = ("future", "loop", "work")

    def __init__(self, work: Sequence[tuple[Shard, Job]], future: "asyncio.Future[None]") -> None:
        self.work, self.future = work, future
        self.loop = future.get_loop()


class _Applied:
    """A batch that waits for its barrier."""

    __slots__ = ("batch", "shards", "touched")

    def __init__(self, batch: list[_Wait], shards: dict[str, tuple[Shard, list[Job]]], touched: Touched) -> None:
        self.batch, self.shards, self.touched = batch, shards, touched


class Committer:
    """One for each process that writes."""

    def __init__(self, barrier: Barrier, log: Log) -> None:
        self._barrier, self._log = barrier, log
        self._waiting: SimpleQueue[_Wait | None] = SimpleQueue()
        self._applied: SimpleQueue[_Applied | threading.Event | None] = SimpleQueue()
        """None, in either, is the last that comes; an event is set once all before it was resolved."""
        self._lock = threading.Lock()
        self._closing = False
        self._poisoned = False
        self._doubtful: dict[str, tuple[Shard, list[Job]]] = {}
        self.batches = self.jobs = 0
        self._threads = [
            threading.Thread(target=self._apply, name="committer", daemon=True),
            threading.Thread(target=self._sync, name="barrier", daemon=True),
        ]
        self._started = False

    @property
    def poisoned(self) -> bool:
        """A barrier failed and what it covered is not restored yet: nothing is acknowledged."""
        return self._poisoned

    def submit(self, work: Sequence[tuple[Shard, Job]]) -> "asyncio.Future[None]":
        """Done once every job was applied and the barrier completed; each job's `result` says how it went.

        MailError 451 4.3.0 if durability failed. Cancelling it does not undo the work. From the loop's thread.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._closing:
                raise MailError(451, "4.3.2", "Shutting down")
            if not self._started:
                self._started = True
                for thread in self._threads:
                    thread.start()
            self._waiting.put(_Wait(work, future))
        return future

    async def commit(self, work: Sequence[tuple[Shard, Job]]) -> None:
        """Waits for `submit`."""
        await self.submit(work)

    def close(self) -> None:
        """Finishes what waits, then ends the threads."""
        with self._lock:
            if not self._closing:
                self._closing = True
                self._waiting.put(None)
        if self._started:
            for thread in self._threads:
                thread.join()

    # The thread that applies

    def _apply(self) -> None:
        waiting = True
        while waiting:
            batch: list[_Wait] = []
            while not batch or (len(batch) < MAX_BATCH and not self._waiting.empty()):
                wait = self._waiting.get()
                if wait is None:
                    waiting = False
                    break
                batch.append(wait)
            if not batch:
                break
            if self._poisoned and not self._try_restore():
                self._resolve(batch, _refused("a barrier failed before"))
            else:
                self._applied.put(self._work(batch))
        self._applied.put(None)

    def _work(self, batch: list[_Wait]) -> _Applied:
        shards: dict[str, tuple[Shard, list[Job]]] = {}
        for wait in batch:
            for shard, job in wait.work:
                # All messages of a batch one after the other: that costs a quarter less than each by itself.
                try:
                    job.prepare()
                except Exception as error:  # noqa: BLE001 - it befalls this job alone.
                    self._failed(shard, [job], error)
                    continue
                entry = shards.get(shard.key)
                if entry is None:
                    entry = shards[shard.key] = (shard, [])
                entry[1].append(job)
        touched = Touched()
        for key in sorted(shards):
            shard, jobs = shards[key]
            self.jobs += len(jobs)
            try:
                shard.apply(jobs, touched)
            except Exception as error:  # noqa: BLE001 - the other shards of the batch must not suffer.
                self._failed(shard, jobs, error)
        return _Applied(batch, shards, touched)

    def _failed(self, shard: Shard, jobs: Sequence[Job], error: Exception) -> None:
        for job in jobs:
            job.result = error
        if not isinstance(error, MailError):
            self._log.exception("store.failed", error, shard=shard.key)

    def _try_restore(self) -> bool:
        """What was written since the last good barrier is checked and rewritten; then one barrier must succeed."""
        refused_all = threading.Event()  # The other thread first refuses all that was applied meanwhile.
        self._applied.put(refused_all)
        refused_all.wait()
        for shard, refused in self._doubtful.values():
            try:
                shard.restore(refused)
            except Exception as error:  # noqa: BLE001
                self._log.exception("store.restore-failed", error, shard=shard.key)
                return self._pause()
        try:
            self._barrier.complete(Touched())
        except BarrierError as error:
            self._log.error("store.poisoned", error=str(error))
            return self._pause()
        self._doubtful.clear()
        self._poisoned = False
        self._log.warning("store.restored")
        return True

    @staticmethod
    def _pause() -> bool:
        time.sleep(_RECOVERY_PAUSE)
        return False

    # The thread that syncs

    def _sync(self) -> None:
        while True:
            applied: list[_Applied] = []
            group = self._applied.get()
            while isinstance(group, _Applied):
                applied.append(group)
                if self._applied.empty():
                    break
                group = self._applied.get()
            if applied:
                error = self._complete(applied)
                self._resolve([wait for group in applied for wait in group.batch], error)
            if group is None:
                return
            if isinstance(group, threading.Event):
                group.set()

    def _complete(self, applied: list[_Applied]) -> MailError | None:
        """One barrier for all of them; the error if there is none to be had."""
        self.batches += 1
        error = "a barrier failed before"
        if not self._poisoned:
            try:
                self._barrier.complete(_together(applied))
                return None
            except BarrierError as failure:
                error = str(failure)
                self._log.error("store.poisoned", error=error)
        for group in applied:
            for shard, jobs in group.shards.values():
                _, before = self._doubtful.get(shard.key, (shard, []))
                self._doubtful[shard.key] = shard, before + jobs
        self._poisoned = True
        return _refused(error)

    def _resolve(self, batch: list[_Wait], error: MailError | None) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Wait]] = {}
        for wait in batch:
            by_loop.setdefault(wait.loop, []).append(wait)
        for loop, waits in by_loop.items():
            try:
                loop.call_soon_threadsafe(_finish, waits, error)
            except RuntimeError:
                pass  # That loop has ended; nobody waits any more.


def _together(applied: list[_Applied]) -> Touched:
    if len(applied) == 1:
        return applied[0].touched
    touched = Touched()
    for group in applied:
        touched.files |= group.touched.files
        touched.directories |= group.touched.directories
        touched.databases |= group.touched.databases
    return touched


def _refused(detail: str) -> MailError:
    return MailError(451, "4.3.0", "Storage failure, try again later", detail=detail)


def _finish(waits: list[_Wait], error: MailError | None) -> None:
    for wait in waits:
        if not wait.future.done():
            if error is None:
                wait.future.set_result(None)
            else:
                wait.future.set_exception(error)
