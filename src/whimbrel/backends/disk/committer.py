"""Group commit: all work of a process that waits at one moment shares one barrier.

A job belongs to a shard (an account, the queue). The committer's thread takes everything that waits, lets each shard
apply its jobs under its own lock, completes ONE barrier, and only then resolves the waits. While a barrier runs, the
next batch gathers, so the load sets the size of a batch.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from whimbrel.backends.disk.barrier import Barrier, BarrierError, Touched
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log

MAX_BATCH = 512
GATHER = 0.003
"""Seconds a batch waits for company while several sessions are at it: a barrier costs the same for one as for ten."""
_RECOVERY_PAUSE = 2.0


class Job:
    """One piece of work; `apply` of its shard sets `result`, an exception included."""

    __slots__ = ("result",)

    def __init__(self) -> None:
        self.result: object = None


class Shard(Protocol):
    """What is locked and written together."""

    @property
    def key(self) -> str:
        """Batches walk shards in the order of their keys."""
        ...

    def apply(self, jobs: Sequence[Job], touched: Touched) -> None:
        """In the committer's thread: does the jobs, in order, and says what it touched. No lock is kept after it."""
        ...

    def restore(self) -> None:
        """After a failed barrier: closes what is open, checks it against the files and rewrites it."""
        ...


class _Wait:
    __slots__ = ("future", "loop", "work")

    def __init__(self, work: Sequence[tuple[Shard, Job]], future: "asyncio.Future[None]") -> None:
        self.work, self.future = work, future
        self.loop = future.get_loop()


class Committer:
    """One for each process that writes."""

    def __init__(self, barrier: Barrier, log: Log, *, recovered: Callable[[], None] = lambda: None) -> None:
        self._barrier, self._log, self._recovered = barrier, log, recovered
        self._waiting: list[_Wait] = []
        self._condition = threading.Condition()
        self._closing = False
        self._poisoned = False
        self._doubtful: dict[str, Shard] = {}
        self.batches = self.jobs = 0
        self._company = 1.0
        """How many waits a batch has, on the average."""
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
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
        with self._condition:
            if self._closing:
                raise MailError(451, "4.3.2", "Shutting down")
            if not self._started:
                self._started = True
                self._thread.start()
            self._waiting.append(_Wait(work, future))
            self._condition.notify()
        return future

    async def commit(self, work: Sequence[tuple[Shard, Job]]) -> None:
        """Waits for `submit`."""
        await self.submit(work)

    def close(self) -> None:
        """Finishes what waits, then ends the thread."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._started:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._closing:
                    self._condition.wait()
                if not self._waiting:
                    return
                if self._company > 1.5 and len(self._waiting) < self._company and not self._closing:
                    self._condition.wait(GATHER)
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            self._company += (len(batch) - self._company) / 8
            error: MailError | None = None
            if self._poisoned and not self._try_restore():
                error = MailError(451, "4.3.0", "Storage failure, try again later", detail="a barrier failed before")
            else:
                error = self._work(batch)
            self._resolve(batch, error)

    def _work(self, batch: list[_Wait]) -> MailError | None:
        shards: dict[str, tuple[Shard, list[Job]]] = {}
        for wait in batch:
            for shard, job in wait.work:
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
                for job in jobs:
                    job.result = error
                if not isinstance(error, MailError):
                    self._log.exception("store.failed", error, shard=key)
        self.batches += 1
        try:
            self._barrier.complete(touched)
        except BarrierError as error:
            self._poisoned = True
            self._doubtful.update({key: shard for key, (shard, _) in shards.items()})
            self._log.error("store.poisoned", error=str(error))
            return MailError(451, "4.3.0", "Storage failure, try again later", detail=str(error))
        return None

    def _try_restore(self) -> bool:
        """What was written since the last good barrier is checked and rewritten; then one barrier must succeed."""
        for shard in self._doubtful.values():
            try:
                shard.restore()
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
        self._recovered()
        return True

    @staticmethod
    def _pause() -> bool:
        time.sleep(_RECOVERY_PAUSE)
        return False

    def _resolve(self, batch: list[_Wait], error: MailError | None) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Wait]] = {}
        for wait in batch:
            by_loop.setdefault(wait.loop, []).append(wait)
        for loop, waits in by_loop.items():
            try:
                loop.call_soon_threadsafe(_finish, waits, error)
            except RuntimeError:
                pass  # That loop has ended; nobody waits any more.


def _finish(waits: list[_Wait], error: MailError | None) -> None:
    for wait in waits:
        if not wait.future.done():
            if error is None:
                wait.future.set_result(None)
            else:
                wait.future.set_exception(error)
