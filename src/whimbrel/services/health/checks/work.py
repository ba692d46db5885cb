"""Do services, filters and jobs do their work?"""

from typing import Final

from whimbrel.core.counting import counted, lasting
from whimbrel.flow.judging.health import filter_health
from whimbrel.services.admin.ports import Running
from whimbrel.services.health.check import NO_SERVER, Check, HealthContext, Level, Verdict, ok
from whimbrel.services.session.services import ServicesSettings


async def _services(ctx: HealthContext) -> Verdict:
    if ctx.status is None:
        return await _ports(ctx)
    running = await ctx.status.running()
    settings = ctx.config.section(ServicesSettings)
    enabled = {name for name in type(settings).model_fields if settings.named(name).enabled}
    refused = [f"{each.service} cannot listen at {place}" for each in running.listening for place in each.refused]
    if refused:
        return Verdict(
            Level.ERROR,
            f"{'; '.join(refused)}.",
            "Stop the program that holds the port, or choose another port; it is tried again every few seconds.",
        )
    stopped = sorted(each.service for each in running.listening if each.override is False and each.service in enabled)
    if stopped:
        return Verdict(
            Level.WARNING,
            f"Stopped by an administrator: {', '.join(stopped)}.",
            "Start what is stopped.",
            f"whimbrel service start {stopped[0]}",
        )
    return ok(_listening(running))


async def _ports(ctx: HealthContext) -> Verdict:
    """While no server runs: could it have its ports?"""
    settings = ctx.config.section(ServicesSettings)
    wrong, count = [], 0
    for name in type(settings).model_fields:
        service = settings.named(name)
        for place in service.listen if service.enabled else ():
            count += 1
            holder = await ctx.pool.run(ctx.machine.holder, place.host, place.port)
            if holder:
                wrong.append(f"{name} cannot listen at {place}: the port is held by {holder}")
    if wrong:
        return Verdict(
            Level.ERROR,
            f"{'; '.join(wrong)}.",
            "Stop the program that holds the port, or choose another port.",
        )
    return ok(f"No server runs here; {counted(count, 'port')} that it is to have {'is' if count == 1 else 'are'} free.")


def _listening(running: Running) -> str:
    names = sorted(each.service for each in running.listening if each.addresses)
    return f"{counted(len(names), 'service')} can be reached: {', '.join(names)}."


async def _filters(ctx: HealthContext) -> Verdict:
    if ctx.state is None:
        return NO_SERVER
    now = ctx.clock.now()
    down = [each for each in await filter_health(ctx.state) if not each.until]
    if not down:
        return ok("All filters give answers.")
    said = [
        f"{each.name} has given no answer for {lasting(now - each.since)} ({counted(each.failures, 'message')}): "
        f"{each.error or 'no reason is known'}"
        for each in down
    ]
    return Verdict(
        Level.ERROR, f"{'; '.join(said)}.", "Mend what the filter asks, or switch it off; mail passes it meanwhile."
    )


async def _jobs(ctx: HealthContext) -> Verdict:
    if ctx.jobs is None:
        return NO_SERVER
    jobs = ctx.jobs()
    failed = [f"{job.name}: {job.result}" for job in jobs if job.failed]
    if failed:
        return Verdict(Level.WARNING, f"{'; '.join(failed)}.", "See the error log; it is run again at its time.")
    return ok(f"The last run of {counted(len(jobs), 'job')} went well.")


SERVICES: Final = Check("services", "Services and ports", _services, "/services", "whimbrel service list")
FILTERS: Final = Check("filters", "Filters", _filters, "/settings/spam?tab=filters", "whimbrel config list filters")
JOBS: Final = Check("jobs", "Jobs", _jobs, "/", "whimbrel job list")
