"""Removes users who have left when their day has come, and a day later their mail; see `user leave`."""

from typing import Final

from whimbrel.core.counting import counted
from whimbrel.services.jobs.job import Job, JobContext, Outcome, each_time, every

CHECK: Final = 3600.0


async def run(ctx: JobContext) -> Outcome:
    removed, purged = await ctx.departures.remove_due(), await ctx.departures.purge_due()
    if not removed and not purged:
        return Outcome("nobody's day has come")
    mail = f"; mail of {counted(len(purged), 'user')} was deleted for good" if purged else ""
    return Outcome(f"{counted(len(removed), 'user')} {'was' if len(removed) == 1 else 'were'} removed{mail}")


DEPARTURES: Final = Job(
    "departures", "Removes users who have left on the day that was said, and a day later their mail.", each_time(run),
    every(CHECK),
)  # fmt: skip
