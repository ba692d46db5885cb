"""Has the health checks made as soon as free space crosses a limit, so that the alert `disk-low` does not wait for the
next round of them."""

from typing import Final

from whimbrel.services.jobs.job import NOTHING, Job, JobContext, Outcome, Run, every

LOOK: Final = 5.0
"""Seconds between two looks at what the watchdog found."""


def watch_space(ctx: JobContext) -> Run:
    """What is so at the start is no change: the first round of the checks sees it."""
    before = ""

    async def look() -> Outcome:
        nonlocal before
        changed, before = before not in ("", ctx.room().word), ctx.room().word
        if not changed:
            return NOTHING
        await ctx.health.look()
        return Outcome(f"Free space is {before}: the health checks were made at once")

    return look


LOW_SPACE: Final = Job(
    "low-space", "Makes the health checks as soon as free space crosses a limit.", watch_space, every(LOOK)
)
