"""Calls about the room that mail takes: the disk, and what domains and mailboxes hold of it (mission S09, S24)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from whimbrel.services.admin.calls import Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.mail.usage import CountLine, UsageView, count_mailboxes, latest
from whimbrel.services.admin.views import Octets

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class SpaceView:
    """The file system of the store."""

    folder: str
    total: Octets
    free: Octets
    soft: Octets
    """Below it a warning is given, and deleted mail is no longer kept."""
    hard: Octets
    """Below it no mail is taken in."""
    state: str
    """enough, low, full or read-only."""
    grows: int | None
    """Octets by day of which it fills, as of the last week; negative: it empties; None: too little is known."""
    full_in: int | None
    """Seconds until the hard limit at that growth; None: never, or too little is known."""


@call(
    "store", "space", reads=True, needs=Needs.SERVER,
    help="Shows the disk of the store: free space, limits, growth, and when it is full.",
)  # fmt: skip
async def store_space(ctx: AdminContext) -> SpaceView:
    from whimbrel.services.health.forecast import known, seconds_until, slope

    health = need(ctx.health, "A look at the disk").ctx
    disk = await health.pool.run(health.machine.disk)
    series = (*(await known(health.state, "disk") if health.state is not None else ()), (ctx.clock.now(), disk.free))
    falls, left = slope(series), seconds_until(series, disk.hard)
    return SpaceView(
        disk.folder, Octets(disk.total), Octets(disk.free), Octets(disk.soft), Octets(disk.hard), disk.word,
        None if falls is None else round(-falls * DAY), None if left is None else round(left),
    )  # fmt: skip


@call(
    "store", "count", reads=True, needs=Needs.STORE, operation=True,
    help="Counts what all mailboxes hold, with what is kept of deleted messages; store usage shows what it came to.",
)  # fmt: skip
async def store_count(ctx: AdminContext) -> AsyncIterator[CountLine]:
    store, state = need(ctx.store, "The mail store"), None if ctx.dry_run else ctx.state
    async for line in count_mailboxes(store, ctx.mailboxes, state, ctx.clock):
        yield line


@call(
    "store", "usage", reads=True, needs=Needs.SERVER,
    help="Shows what domains and the largest mailboxes hold, and which grow fastest, as of the latest store count.",
)  # fmt: skip
async def store_usage(ctx: AdminContext) -> UsageView:
    return await latest(need(ctx.state, "What was counted"))
