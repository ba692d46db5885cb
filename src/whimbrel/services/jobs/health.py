"""All health checks, every few minutes: the dashboard and the alerts have the results without waiting for them."""

from typing import Final

from whimbrel.services.health.settings import HealthSettings
from whimbrel.services.jobs.job import Job, JobContext, Outcome, each_time, every


async def look(ctx: JobContext) -> Outcome:
    """What is red or wants attention is said again at each look; nothing else is news."""
    results = await ctx.health.look()
    red = [result.name for result in results if result.red]
    return Outcome(f"Red: {', '.join(red)}" if red else f"{len(results)} checks were made, none is red")


HEALTH: Final = Job(
    "health",
    "Makes all health checks.",
    each_time(look),
    every(lambda ctx: float(ctx.config.section(HealthSettings).check_interval)),
)
