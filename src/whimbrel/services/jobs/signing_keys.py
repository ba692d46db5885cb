"""Signs with prepared DKIM keys as soon as their records are published, and removes keys that were retired long ago.

The old keys sign until then, and are kept for two weeks after: nobody notices the change.
"""

from typing import Final

from whimbrel.core.config import ConfigError
from whimbrel.services.admin.people.domain_keys import advance
from whimbrel.services.jobs.job import Job, JobContext, Outcome, each_time, every

EVERY: Final = 600.0


async def run(ctx: JobContext) -> Outcome:
    changed = 0
    for domain in await ctx.keys.domains():
        try:
            step = await advance(ctx.keys, ctx.resolver, domain, ctx.clock.now())
        except ConfigError as error:
            ctx.log.warning("dkim.unreadable", domain=domain, reason=str(error))
            continue
        if step is not None:
            changed += 1
            ctx.log.info("dkim.keys", domain=domain, keys=step[0], state=step[1], user="")
    return Outcome(f"{changed} domains have other keys" if changed else "")


SIGNING_KEYS: Final = Job(
    "dkim-keys",
    "Signs with new DKIM keys once they are published, and removes retired ones.",
    each_time(run),
    every(EVERY),
)
