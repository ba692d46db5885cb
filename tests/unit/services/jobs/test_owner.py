"""One owner runs all jobs: when they are due, when somebody asks, never twice at once, and knows how it went."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.services.jobs.house import House
from whimbrel.core.errors import MailError
from whimbrel.services.jobs.job import NOTHING, Job, JobContext, Outcome, each_time, every
from whimbrel.services.jobs.owner import KIND, LOOK, JobOwner

Work = Callable[[JobContext], Awaitable[Outcome]]


class Enough(BaseException):
    """Ends a loop that would go on for ever."""


def job(work: Work, period: float = 3 * LOOK) -> Job:
    return Job("some", "Does something.", each_time(work), every(period))


def test_a_job_runs_when_due_and_a_failing_one_goes_on(tmp_path: Path) -> None:
    house = House(tmp_path)
    start = house.clock.now()
    ran: list[float] = []

    async def work(ctx: JobContext) -> Outcome:
        ran.append(ctx.clock.now() - start)
        if len(ran) == 1:
            raise MailError(451, "4.3.0", "Busy")
        if len(ran) == 2:
            raise ZeroDivisionError
        if len(ran) == 3:
            raise Enough
        return NOTHING

    owner = JobOwner([job(work)], house.ctx)
    with pytest.raises(Enough):
        asyncio.run(owner._keep(owner._jobs["some"]))
    assert ran == [3 * LOOK, 6 * LOOK, 9 * LOOK]
    assert max(house.pauses) <= LOOK  # So that a changed schedule is noticed.
    assert [len(house.log.named(name)) for name in ("job.failed", "job.crashed")] == [1, 1]
    (state,) = owner.list()
    assert state.failed and "fault of Whimbrel's" in state.result
    house.close()


def test_a_run_is_known_after_a_restart_and_a_missed_one_is_made_up_for(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def work(_ctx: JobContext) -> Outcome:
        return Outcome("7 things were done")

    async def test() -> None:
        owner = JobOwner([job(work, 3600)], house.ctx)
        await owner.restore()
        assert (owner.list()[0].last, owner.list()[0].next) == (0.0, house.clock.now() + 3600)
        await owner.run("some")
        ran = house.clock.now()
        house.clock.forward(600)
        later = JobOwner([job(work, 3600)], house.ctx)
        await later.restore()
        (state,) = later.list()
        assert (state.last, state.result, state.next) == (ran, "7 things were done", ran + 3600)
        house.clock.forward(50_000)
        after = JobOwner([job(work, 3600)], house.ctx)
        await after.restore()
        assert after.list()[0].next == house.clock.now() + LOOK
        # What a former release or nobody wrote harms nothing.
        await house.state.set(KIND, "some", "garbage")
        await house.state.set(KIND, "gone", json.dumps({"last": 1}))
        await JobOwner([job(work)], house.ctx).restore()

    asyncio.run(test())
    house.close()


def test_two_runs_of_a_job_never_overlap_and_who_asks_gets_the_one_under_way(tmp_path: Path) -> None:
    house = House(tmp_path)
    running = most = runs = 0

    async def work(_ctx: JobContext) -> Outcome:
        nonlocal running, most, runs
        running, runs = running + 1, runs + 1
        most = max(most, running)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running -= 1
        return Outcome(f"run {runs}")

    async def test() -> None:
        owner = JobOwner([job(work)], house.ctx)
        states = await asyncio.gather(*(owner.run("some") for _ in range(5)))
        assert (runs, most) == (1, 1) and {state.result for state in states} == {"run 1"}
        with pytest.raises(LookupError):
            await owner.run("other")

    asyncio.run(test())
    house.close()


def test_a_job_that_is_quick_and_idle_is_not_written_down_each_time(tmp_path: Path) -> None:
    house = House(tmp_path)
    written: list[str] = []
    keep = house.state.set

    async def watched(kind: str, key: str, value: str, *, expires: float | None = None) -> None:
        written.append(value)
        await keep(kind, key, value, expires=expires)

    house.state.set = watched  # type: ignore[method-assign]

    async def work(_ctx: JobContext) -> Outcome:
        return NOTHING

    async def test() -> None:
        owner = JobOwner([job(work, 1.0)], house.ctx)
        for _ in range(180):
            await owner._once(owner._jobs["some"])
            house.clock.forward(1.0)

    asyncio.run(test())
    assert len(written) <= 4
    house.close()
