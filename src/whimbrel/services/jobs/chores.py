"""Jobs of a few lines: certificates, log files, the store's self-check, purging, edits of the configuration files."""

from typing import Final

from whimbrel.core.config import ConfigError
from whimbrel.core.counting import counted
from whimbrel.services.jobs.job import NOTHING, Job, JobContext, Outcome, Run, each_time, every

CERTIFICATE_CHECK: Final = 86_400.0
PURGE_CHECK: Final = 3600.0
SPACE_CHECK: Final = 60.0
EDIT_CHECK: Final = 1.0
INDEX_CHECK: Final = 0.5
LOG_CHECK: Final = 1.0
PAUSE: Final = 0.05
"""Seconds between two folders of a round, and between two pieces of an index of logs: mail goes first."""


async def renew_certificate(ctx: JobContext) -> Outcome:
    return Outcome("a new certificate was made" if await ctx.pool.run(ctx.certificates.ensure_certificate) else "")


async def keep_logs(ctx: JobContext) -> Outcome:
    """Puts log files aside when they are due, and indexes them a little at a time."""
    await ctx.pool.run(ctx.rotation.rotate)
    more = await ctx.pool.run(ctx.rotation.index)
    return Outcome(again=PAUSE if more else ctx.rotation.pause())


async def maintain(ctx: JobContext) -> Outcome:
    """The store heals without being asked: a round over all folders, again and again."""
    folders = await ctx.maintenance.maintain(PAUSE)
    ctx.log.info("store.maintained", folders=folders)
    return Outcome(f"{counted(folders, 'folder')} {'was' if folders == 1 else 'were'} checked")


async def purge(ctx: JobContext) -> Outcome:
    """What was deleted goes when it was kept long enough."""
    purged = await ctx.purging.round(await ctx.maintenance.accounts())
    if not purged.messages:
        return Outcome("nothing was due")
    ctx.log.info("store.purged", messages=purged.messages, bytes=purged.bytes)
    return Outcome(f"Removed for good: {counted(purged.messages, 'message')} ({purged.bytes} octets)")


async def relieve(ctx: JobContext) -> Outcome:
    """Before a full disk stops new mail, deleted mail makes room for it."""
    if not await ctx.purging.short():
        return NOTHING
    purged = await ctx.purging.relieve(await ctx.maintenance.accounts(), ctx.purging.short)
    if not purged.messages:
        return Outcome("space is short, and no deleted mail is left that could make room")
    ctx.log.warning("store.made-room", messages=purged.messages, bytes=purged.bytes)
    return Outcome(f"{counted(purged.messages, 'message')} ({purged.bytes} octets) made room")


def follow_edits(ctx: JobContext) -> Run:
    """An edit made outside is told when it is made, not when the next change is refused for it."""
    seen = ""

    async def look() -> Outcome:
        nonlocal seen
        edited = ctx.edited.edited()
        if edited == seen:
            return NOTHING
        files = await ctx.edited.differ() if edited else ()
        seen = edited
        for file in files:
            ctx.log.warning("config.edited", file=file)
        if files:
            return Outcome(f"{', '.join(files)} was changed outside and is not in use")
        return Outcome("the files are those in use")

    return look


def keep_index(ctx: JobContext) -> Run:
    """users.idx is there and whole, whatever is done to it. A reason why it cannot be made is logged once."""
    logged = ""

    async def look() -> Outcome:
        nonlocal logged
        try:
            healed, reason = await ctx.editor.heal(), ""
        except (ConfigError, OSError) as error:
            healed, reason = False, str(error) or type(error).__name__
        if reason and reason != logged:
            ctx.log.error("config.index-not-made", error=reason)
        logged = reason
        return Outcome("users.idx was made anew") if healed else Outcome(reason)

    return look


CERTIFICATE: Final = Job(
    "certificate", "Renews the self-signed certificate before it ends.", each_time(renew_certificate),
    every(CERTIFICATE_CHECK),
)  # fmt: skip
LOG_FILES: Final = Job(
    "log-files", "Puts log files aside when they are due, and indexes them for searching.", each_time(keep_logs),
    every(LOG_CHECK),
)  # fmt: skip
SELF_CHECK: Final = Job(
    "self-check", "Looks at all folders of the store and heals what is wrong.", each_time(maintain),
    every(lambda ctx: ctx.self_check()),
)  # fmt: skip
PURGE: Final = Job(
    "purge", "Removes deleted mail that was kept long enough.", each_time(purge), every(PURGE_CHECK)
)  # fmt: skip
RELIEVE: Final = Job(
    "make-room", "Removes deleted mail early while free space is below the soft limit.", each_time(relieve),
    every(SPACE_CHECK),
)  # fmt: skip
EDITS: Final = Job(
    "foreign-edits", "Tells when somebody edits a configuration file.", follow_edits, every(EDIT_CHECK)
)  # fmt: skip
INDEX: Final = Job(
    "users-index", "Makes users.idx anew when it was deleted, emptied or replaced.", keep_index, every(INDEX_CHECK)
)  # fmt: skip
