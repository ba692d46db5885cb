"""Checks of the mail store: its self-check, its indexes, the backups of its flags, and who else looks at its files."""

from collections.abc import Sequence
from typing import Final

from whimbrel.core.counting import counted, lasting
from whimbrel.services.health.check import Check, HealthContext, Level, Scanner, StoreLook, Verdict, ok

SELF_CHECK: Final = "self-check"
"""The job that goes over all folders."""
SHOWN: Final = 5
LATE: Final = 2 * 86_400.0
"""Seconds after which a round over all folders should have ended."""


async def _store(ctx: HealthContext) -> Verdict:
    look = await ctx.pool.run(ctx.machine.store)
    if look.gone:
        return Verdict(
            Level.ERROR,
            f"The store is not in {look.gone}: its file system is not mounted any more. Nothing is made in its place, "
            "and clients are told to try again later.",
            "Mount it again; the server goes on by itself.",
        )
    if look.broken:
        return Verdict(
            Level.WARNING,
            f"The index of {_shown(look.broken)} is not there: it is made anew from the messages when somebody opens "
            "the folder; mail is safe.",
            "Make them anew now.",
            "whimbrel store repair --all",
        )
    whole = f"{_counted(look)} in order"
    job = next((job for job in ctx.jobs() if job.name == SELF_CHECK), None) if ctx.jobs is not None else None
    if job is None:
        return ok(f"{whole}.")
    if job.failed:
        return Verdict(Level.ERROR, f"The self-check of the store failed: {job.result}.", "See the error log.")
    now = ctx.clock.now()
    if job.last and now - job.last > LATE and not job.running:
        return Verdict(
            Level.WARNING,
            f"The store's self-check ran {lasting(now - job.last)} ago.",
            "Run it now.",
            f"whimbrel job run {SELF_CHECK}",
        )
    latest = f"; self-check {lasting(now - job.last)} ago: {job.result}" if job.last and job.result else ""
    return ok(f"{whole}{latest}.")


async def _flag_backups(ctx: HealthContext) -> Verdict:
    look = await ctx.pool.run(ctx.machine.store)
    if look.gone:
        return Verdict(Level.UNKNOWN, f"The store is not in {look.gone}.")
    if look.unsaved:
        return Verdict(
            Level.WARNING,
            f"Flags of messages have no backup in {_shown(look.unsaved)}: should its index be lost, what was read or "
            "marked is forgotten.",
            "The self-check makes them; see the error log if it does not.",
            f"whimbrel job run {SELF_CHECK}",
        )
    rest = "" if look.complete else ", as far as they were looked at"
    return ok(f"The flags of {counted(look.folders, 'folder')} are backed up{rest}.")


async def _scanners(ctx: HealthContext) -> Verdict:
    scanners = await ctx.pool.run(ctx.machine.scanners)
    if not scanners:
        return ok("No virus scanner that looks at files when they are opened is known to run here.")
    watching = [scanner for scanner in scanners if scanner.watches]
    folder = (await ctx.pool.run(ctx.machine.disk)).folder
    if watching:
        text = (
            f"{_named(watching)} looks at each file of the store when it is opened: slow, and it may delete messages."
        )
    else:
        text = f"{_named(scanners)} runs here; if it looks at files when they are opened, it may delete messages."
    return Verdict(Level.WARNING, text, f"Exclude {folder} from its scan on access; mail is scanned on its way in.")


def _named(scanners: Sequence[Scanner]) -> str:
    return ", ".join(f"{each.product} ({each.process}, pid {each.pid})" for each in scanners[:SHOWN])


def _shown(folders: Sequence[str]) -> str:
    more = f" and {len(folders) - SHOWN} more" if len(folders) > SHOWN else ""
    return ", ".join(folders[:SHOWN]) + more


def _counted(look: StoreLook) -> str:
    folders = counted(look.folders, "folder")
    if look.complete:
        return f"{folders} {'is' if look.folders == 1 else 'are'}"
    return f"{folders} were looked at so far, and are"


STORE: Final = Check("store", "Mail store", _store, "/storage", "whimbrel store check --all")
FLAG_BACKUPS: Final = Check(
    "flag-backups", "Backups of flags", _flag_backups, "/storage", f"whimbrel job run {SELF_CHECK}"
)
SCANNERS: Final = Check("scanners", "Virus scanners on access", _scanners, "/storage", "whimbrel doctor --all")
