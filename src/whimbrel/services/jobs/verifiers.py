"""Writes passwords that sign-in rehashed (argon2id, keys of SCRAM) to users.cfg, once a minute in one write.

Each waits in State with a mark of the verifier it replaces. One whose password was changed meanwhile is dropped: the
directory compares in the same step in which it writes.
"""

import asyncio
from typing import Final

from whimbrel.core.config import ConfigConflict, ConfigError
from whimbrel.core.credentials.stored import mark
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.core.mailbox import AccountId
from whimbrel.services.jobs.job import NOTHING, Job, JobContext, Outcome, each_time, every
from whimbrel.services.session.record import UPGRADE, read_upgrade

EVERY: Final = 60.0
BATCH: Final = 1000


async def run(ctx: JobContext) -> Outcome:
    waiting = await ctx.state.list(UPGRADE, BATCH)
    if not waiting:
        return NOTHING
    steps: list[tuple[str, DirectoryChange | None]] = []
    for key, text in waiting:
        upgrade, account = read_upgrade(text), await ctx.directory.account(AccountId(key))
        if account is None or upgrade is None or upgrade[0] != mark(account.password):
            steps.append((key, None))
            continue
        change = DirectoryChange(
            Op.SET, Kind.USER, account.address.domain, account.address.local,
            upgrade[1].values(), {"password": account.password.reveal()},
        )  # fmt: skip
        steps.append((key, change))
    # Separate changes, so that one refusal fails no other; the directory writes them together.
    results = await asyncio.gather(
        *(ctx.editor.change([step]) for _, step in steps if step is not None), return_exceptions=True
    )
    answers = iter(results)
    count = 0
    for key, step in steps:
        answer = next(answers) if step is not None else None
        if isinstance(answer, ConfigConflict):
            continue  # The file was edited outside; until that is settled they wait.
        if isinstance(answer, BaseException) and not isinstance(answer, ConfigError):
            raise answer
        await ctx.state.delete(UPGRADE, key)
        count += step is not None and answer is None
    if count:
        ctx.log.info("signin.upgraded", users=count)
    return Outcome(f"{count} users have verifiers of today's parameters")


VERIFIERS: Final = Job(
    "verifiers", "Writes verifiers that sign-in made anew into users.cfg.", each_time(run), every(EVERY)
)  # fmt: skip
