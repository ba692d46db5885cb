"""The one owner of all jobs: runs each when it is due, or when an administrator asks, and knows how that went.

Each job has one task; two runs of a job never overlap. How the last run went outlives a restart in State: so a job that
was due while the server was down runs soon after its start, and one that ran a moment ago does not run again.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.services.admin.ports import JobState
from whimbrel.services.jobs.job import Job, JobContext, Run

KIND: Final = "job"
LOOK: Final = 60.0
"""Seconds at most between two looks at a schedule, which may have been changed; and after a start, before a job runs
that was due while the server was down."""
WRITTEN: Final = 60.0
"""A result that is like the one before is written down so rarely."""
LONGEST: Final = 500
"""Characters of a result that are kept."""


@dataclass(slots=True)
class _Owned:
    """A job, and what is known of its runs. Times are seconds since 1970."""

    job: Job
    run: Run
    last: float = 0.0
    took: float = 0.0
    text: str = ""
    failed: bool = False
    due: float | None = None
    written: float = 0.0
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class JobOwner:
    """Control has one."""

    def __init__(self, jobs: Sequence[Job], ctx: JobContext) -> None:
        self._ctx = ctx
        self._started = ctx.clock.now()
        self._jobs = {job.name: _Owned(job, job.begin(ctx)) for job in jobs}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Jobs run while the block does."""
        await self.restore()
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._keep(owned), name=f"job {name}") for name, owned in self._jobs.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def restore(self) -> None:
        """What the runs before this start came to."""
        for name, text in await self._ctx.state.list(KIND):
            owned = self._jobs.get(name)
            with contextlib.suppress(ValueError, TypeError, KeyError):
                kept = json.loads(text)
                if owned is not None:
                    owned.last, owned.took = float(kept["last"]), float(kept["took"])
                    owned.text, owned.failed = str(kept["text"]), bool(kept["failed"])

    def list(self) -> Sequence[JobState]:
        return [self._state(owned) for owned in self._jobs.values()]

    async def run(self, name: str) -> JobState:
        """Runs it now, or waits for the run that is under way. LookupError."""
        owned = self._jobs[name]
        if owned.busy.locked():
            async with owned.busy:
                return self._state(owned)
        await self._once(owned)
        owned.wake.set()  # Its next time is counted from this run.
        return self._state(owned)

    def _state(self, owned: _Owned) -> JobState:
        job, due = owned.job, self._due(owned)
        return JobState(
            job.name, job.help, job.schedule.words(self._ctx), owned.busy.locked(), owned.last, owned.took, owned.text,
            owned.failed, due or 0.0,
        )  # fmt: skip

    def _due(self, owned: _Owned) -> float | None:
        if owned.due is not None:
            return owned.due
        if not owned.last:
            return owned.job.schedule.next_time(self._ctx, self._started)
        due = owned.job.schedule.next_time(self._ctx, owned.last)
        # What is long due does not crowd the start.
        return due if due is None or due > self._started or owned.last > self._started else self._started + LOOK

    async def _keep(self, owned: _Owned) -> None:
        while True:
            due = self._due(owned)
            left = LOOK if due is None else due - self._ctx.clock.now()
            if due is None or left > 0:
                await self._wait(owned, min(max(left, 0.01), LOOK))
            elif owned.busy.locked():
                await self.run(owned.job.name)
            else:
                await self._once(owned)

    async def _wait(self, owned: _Owned, seconds: float) -> None:
        """Until then, or until somebody had it run."""
        owned.wake.clear()
        waiting = asyncio.ensure_future(owned.wake.wait())
        pause = asyncio.ensure_future(self._ctx.pause(seconds))
        try:
            await asyncio.wait((waiting, pause), return_when=asyncio.FIRST_COMPLETED)
            if pause.done():
                pause.result()
        finally:
            waiting.cancel()
            pause.cancel()

    async def _once(self, owned: _Owned) -> None:
        """One run. It never raises but for what ends the process."""
        clock, log, name = self._ctx.clock, self._ctx.log, owned.job.name
        before = (owned.text, owned.failed)
        async with owned.busy:
            began = clock.monotonic()
            owned.last, owned.due = clock.now(), None
            try:
                outcome = await owned.run()
            except (MailError, OSError) as error:
                log.error("job.failed", job=name, status=str(error))
                owned.text, owned.failed = str(error)[:LONGEST], True
            except Exception as error:  # A bug in one job must not stop the others.
                log.exception("job.crashed", error, job=name)
                owned.text, owned.failed = "failed by a fault of Whimbrel's; the error log has the details", True
            else:
                # What a job that runs every few seconds did once is not wiped by its next idle run.
                owned.text = outcome.text[:LONGEST] or ("" if owned.failed else owned.text)
                owned.failed = False
                if outcome.again is not None:
                    owned.due = clock.now() + outcome.again
            owned.took = clock.monotonic() - began
        if (owned.text, owned.failed) != before or clock.now() - owned.written >= WRITTEN:
            owned.written = clock.now()
            kept = {"last": owned.last, "took": round(owned.took, 3), "text": owned.text, "failed": owned.failed}
            await self._ctx.state.set(KIND, name, json.dumps(kept))
