"""Asks the other servers how they are, so that whoever looks has an answer at once."""

from typing import Final

from whimbrel.core.counting import counted
from whimbrel.services.jobs.job import NOTHING, Job, JobContext, Outcome, each_time, every
from whimbrel.services.peers.settings import PeersSettings


async def look(ctx: JobContext) -> Outcome:
    if not ctx.config.section(PeersSettings).servers:
        return NOTHING
    states = await ctx.peers.look()
    away = [each.name for each in states if not each.reached]
    return Outcome(f"Not reached: {', '.join(away)}" if away else f"{counted(len(states), 'server')} answered")


SERVERS: Final = Job(
    "servers",
    "Asks the other servers how they are.",
    each_time(look),
    every(lambda ctx: float(ctx.config.section(PeersSettings).interval)),
)
