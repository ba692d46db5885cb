"""Counts once a day what all mailboxes hold, so that it is known without asking, and how fast it grows."""

from typing import Final

from whimbrel.services.admin.mail.usage import count_mailboxes
from whimbrel.services.jobs.job import NOTHING, Job, JobContext, Outcome, daily, each_time
from whimbrel.services.jobs.settings import JobSettings

PAUSE: Final = 0.02
"""Seconds of rest after each mailbox: mail goes first."""


async def run(ctx: JobContext) -> Outcome:
    if ctx.store is None:
        return NOTHING
    mailboxes = 0
    async for line in count_mailboxes(ctx.store, ctx.mailboxes, ctx.state, ctx.clock, rest=lambda: ctx.pause(PAUSE)):
        mailboxes = line.mailboxes
    return Outcome(f"{mailboxes} {'mailbox was' if mailboxes == 1 else 'mailboxes were'} counted")


COUNT: Final = Job(
    "count", "Counts what all mailboxes hold.", each_time(run),
    daily(lambda ctx: ctx.config.section(JobSettings).count_at),
)  # fmt: skip
