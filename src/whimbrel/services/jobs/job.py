"""What a job is, what it is given, and the loop that runs it when its time has come."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from whimbrel.core.clock import Clock, Ids
from whimbrel.core.commit import Spool
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Directory, DirectoryEditor
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Intake
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId, Folders, Messages
from whimbrel.core.state import State

LOOK = 60.0
"""Seconds at most between two looks at the schedule, which may have been changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """The ports, as control has them."""

    accounts: Callable[[], Awaitable[Sequence[AccountId]]]
    """All accounts that have folders."""
    folders: Folders
    messages: Messages
    directory: Directory
    editor: DirectoryEditor
    state: State
    intake: Intake
    spool: Spool
    config: ConfigStore
    clock: Clock
    ids: Ids
    log: Log
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Job:
    """`next_time`: when it is due (seconds since 1970), asked after each run with the time of that run; None: never."""

    name: str
    run: Callable[[JobContext], Awaitable[None]]
    next_time: Callable[[ConfigStore, float], float | None]


async def keep_running(job: Job, ctx: JobContext) -> None:
    """For as long as the process lives. A run that fails is logged, and tried again when it is due again."""
    last = ctx.clock.now()
    while True:
        due = job.next_time(ctx.config, last)
        left = LOOK if due is None else due - ctx.clock.now()
        if due is None or left > 0:
            await ctx.pause(min(max(left, 1.0), LOOK))
            continue
        last = ctx.clock.now()
        await attempt(job, ctx)


async def attempt(job: Job, ctx: JobContext) -> None:
    """One run; it never raises."""
    try:
        await job.run(ctx)
    except (MailError, OSError) as error:
        ctx.log.error("job.failed", job=job.name, status=str(error))
    except Exception as error:  # A bug in one job must not stop the others.
        ctx.log.exception("job.crashed", error, job=job.name)


def after(text: str, last: float) -> float | None:
    """The first moment after `last` at which the clock on the wall shows `text` (03:30). None: never."""
    if not text:
        return None
    hour, _, minute = text.partition(":")
    day = time.localtime(last)
    for days in (0, 1, 2):
        at = time.mktime((day.tm_year, day.tm_mon, day.tm_mday + days, int(hour), int(minute), 0, 0, 0, -1))
        if at > last:
            return at
    return last + 86_400
