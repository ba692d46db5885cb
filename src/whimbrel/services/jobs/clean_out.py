"""Applies the clean-out rules of all domains and users, once a day, one account after the other."""

from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.flow.retention.cleanout import clean_out
from whimbrel.services.jobs.job import Job, JobContext, Outcome, daily, each_time
from whimbrel.services.jobs.settings import JobSettings

STEP: Final = 50
PAUSE: Final = 0.05
"""Seconds of rest after so many accounts: mail goes first."""


async def run(ctx: JobContext) -> Outcome:
    total = touched = 0
    for number, account in enumerate(await ctx.maintenance.accounts(), 1):
        if number % STEP == 0:
            await ctx.pause(PAUSE)
        try:
            owner = await ctx.directory.account(account)
            if owner is None or not owner.clean_out:
                continue
            done = await clean_out(ctx.folders, ctx.messages, account, owner.clean_out, ctx.clock.now())
        except MailError as error:
            # Busy, or being rebuilt: tomorrow is early enough.
            ctx.log.warning("cleanout.failed", account=account, status=str(error))
            continue
        for cleaned in done:
            ctx.log.info("cleanout.done", account=account, folder=cleaned.folder, messages=cleaned.messages)
            total += cleaned.messages
        touched += bool(done)
    ctx.log.info("cleanout.ended", accounts=touched, messages=total)
    return Outcome(f"{total} messages of {touched} accounts were deleted by a rule")


CLEAN_OUT: Final = Job(
    "clean-out", "Applies the clean-out rules of domains and users.", each_time(run),
    daily(lambda ctx: ctx.config.section(JobSettings).clean_out_at),
)  # fmt: skip
