"""Group commit: one barrier for all that waits, nothing acknowledged before it, nothing after it failed."""

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.fakes import MemoryLog
from whimbrel.backends.disk import committer as committer_module
from whimbrel.backends.disk.barrier import Barrier, BarrierError, Touched
from whimbrel.backends.disk.committer import Committer, Job
from whimbrel.core.errors import MailError


class Recorder:
    """A shard that notes its jobs."""

    def __init__(self, key: str, events: list[str], failing: Exception | None = None) -> None:
        self.key, self._events, self._failing = key, events, failing

    def apply(self, jobs: Sequence[Job], touched: Touched) -> None:
        self._events.append(f"apply {self.key} {len(jobs)}")
        if self._failing is not None:
            raise self._failing
        for job in jobs:
            job.result = self.key

    def restore(self, refused: Sequence[Job]) -> None:
        self._events.append(f"restore {self.key}")


class FakeBarrier(Barrier):
    def __init__(self, events: list[str]) -> None:
        self._events = events
        self.failing = 0
        self.gate = threading.Event()
        self.gate.set()
        self.begun = False

    def complete(self, touched: Touched) -> None:
        self.begun = True
        self.gate.wait(5)
        self._events.append("barrier")
        if self.failing:
            self.failing -= 1
            raise BarrierError("EIO")


def test_work_is_applied_while_a_barrier_runs_and_shares_the_next_one() -> None:
    async def scenario() -> None:
        events: list[str] = []
        barrier = FakeBarrier(events)
        barrier.gate.clear()
        committer = Committer(barrier, MemoryLog())
        first = asyncio.create_task(committer.commit([(Recorder("m", events), Job())]))
        while not barrier.begun:
            await asyncio.sleep(0)
        more = [asyncio.create_task(committer.commit([(Recorder(key, events), Job())])) for key in "zab"]
        while len(events) < 4:
            await asyncio.sleep(0)
        assert not any(task.done() for task in (first, *more))
        barrier.gate.set()
        await asyncio.gather(first, *more)
        assert events[0] == "apply m 1" and set(events[1:4]) == {"apply a 1", "apply b 1", "apply z 1"}
        assert events[4:] == ["barrier", "barrier"]
        committer.close()

    asyncio.run(scenario())


def test_a_batch_walks_its_shards_in_the_order_of_their_keys() -> None:
    async def scenario() -> None:
        events: list[str] = []
        committer = Committer(FakeBarrier(events), MemoryLog())
        shards = {key: Recorder(key, events) for key in "zab"}
        await committer.commit([(shards[key], Job()) for key in "zabz"])
        assert events == ["apply a 1", "apply b 1", "apply z 2", "barrier"]
        committer.close()

    asyncio.run(scenario())


def test_nothing_is_resolved_before_the_barrier() -> None:
    async def scenario() -> None:
        events: list[str] = []
        barrier = FakeBarrier(events)
        barrier.gate.clear()
        committer = Committer(barrier, MemoryLog())
        task = asyncio.create_task(committer.commit([(Recorder("a", events), Job())]))
        while not events:
            await asyncio.sleep(0)
        assert not task.done()
        barrier.gate.set()
        await task
        committer.close()

    asyncio.run(scenario())


def test_a_shard_that_fails_does_not_harm_the_others() -> None:
    async def scenario() -> None:
        events: list[str] = []
        committer = Committer(FakeBarrier(events), MemoryLog())
        good, bad = Job(), Job()
        trouble = MailError(452, "4.3.1", "full")
        await committer.commit([(Recorder("a", events, trouble), bad), (Recorder("b", events), good)])
        assert (bad.result, good.result) == (trouble, "b")
        committer.close()

    asyncio.run(scenario())


class Prepared(Job):
    """A job that notes when it is prepared, or fails at it."""

    def __init__(self, events: list[str], failing: Exception | None = None) -> None:
        super().__init__()
        self._events, self._failing = events, failing

    def prepare(self) -> None:
        self._events.append("prepare")
        if self._failing is not None:
            raise self._failing


def test_all_jobs_of_a_batch_are_prepared_before_a_shard_is_locked() -> None:
    async def scenario() -> None:
        events: list[str] = []
        committer = Committer(FakeBarrier(events), MemoryLog())
        await committer.commit([(Recorder(key, events), Prepared(events)) for key in "ab"])
        assert events == ["prepare", "prepare", "apply a 1", "apply b 1", "barrier"]
        committer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("trouble", [MailError(452, "4.3.1", "full"), ZeroDivisionError()])
def test_a_job_that_cannot_be_prepared_fails_alone(trouble: Exception) -> None:
    async def scenario() -> None:
        events: list[str] = []
        log = MemoryLog()
        committer = Committer(FakeBarrier(events), log)
        good, bad = Prepared(events), Prepared(events, trouble)
        shard = Recorder("a", events)
        await committer.commit([(shard, bad), (shard, good)])
        assert (bad.result, good.result) == (trouble, "a")
        assert "apply a 1" in events
        assert bool(log.named("store.failed")) == (not isinstance(trouble, MailError))
        await committer.commit([(shard, Prepared(events))])  # The thread lives.
        committer.close()

    asyncio.run(scenario())


def test_what_waits_at_the_end_is_still_done() -> None:
    async def scenario() -> None:
        events: list[str] = []
        barrier = FakeBarrier(events)
        barrier.gate.clear()
        committer = Committer(barrier, MemoryLog())
        jobs = [Job() for _ in range(5)]
        waits = [committer.submit([(Recorder("a", events), job)]) for job in jobs]
        barrier.gate.set()
        await asyncio.to_thread(committer.close)
        await asyncio.gather(*waits)
        assert [job.result for job in jobs] == ["a"] * 5
        with pytest.raises(MailError):
            committer.submit([(Recorder("a", events), Job())])
        committer.close()

    asyncio.run(scenario())


def test_a_failed_barrier_poisons_until_what_it_covered_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer_module, "_RECOVERY_PAUSE", 0.0)

    async def scenario() -> None:
        events: list[str] = []
        barrier = FakeBarrier(events)
        barrier.failing = 2
        log = MemoryLog()
        committer = Committer(barrier, log)
        shard = Recorder("a", events)
        with pytest.raises(MailError) as refused:
            await committer.commit([(shard, Job())])
        assert (refused.value.code, committer.poisoned) == (451, True)
        with pytest.raises(MailError):
            await committer.commit([(shard, Job())])  # Restored, but the barrier still fails: not acknowledged.
        job = Job()
        await committer.commit([(shard, job)])
        assert (job.result, committer.poisoned) == ("a", False)
        assert events == [
            "apply a 1",
            "barrier",
            "restore a",
            "barrier",
            "restore a",
            "barrier",
            "apply a 1",
            "barrier",
        ]
        assert log.named("store.restored")
        committer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("way", ["syncfs", "one by one"])
def test_both_ways_of_the_barrier_sync_files_directories_and_wals(tmp_path: Path, way: str) -> None:
    barrier = Barrier(tmp_path)
    if way == "one by one":
        barrier._syncfs = None
    (tmp_path / "file").write_text("x")
    touched = Touched()
    touched.files.add(str(tmp_path / "file"))
    touched.files.add(str(tmp_path / "gone meanwhile"))
    touched.directories.add(str(tmp_path))
    touched.databases.add(str(tmp_path / "no.db"))
    barrier.complete(touched)
    assert barrier.completed == 1
    barrier.close()


def test_a_syncfs_that_stays_slow_is_left_while_the_other_way_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    barrier = Barrier(tmp_path)
    calls = []

    def slow(descriptor: int) -> int:
        calls.append(descriptor)
        time.sleep(0.01)
        return 0

    barrier._syncfs = slow
    monkeypatch.setattr("whimbrel.backends.disk.barrier.SLOW", 0.005)
    for _ in range(5):
        barrier.complete(Touched())
    assert len(calls) == 3
    barrier._last = 0.0  # As if the other way were no better.
    barrier.complete(Touched())
    barrier.complete(Touched())
    assert len(calls) == 4
    barrier.close()


def test_an_error_of_syncfs_is_a_barrier_error(tmp_path: Path) -> None:
    barrier = Barrier(tmp_path)
    barrier._syncfs = lambda descriptor: 5
    with pytest.raises(BarrierError):
        barrier.complete(Touched())
    barrier.close()
