"""Calls about the room that mail takes: the disk, and what domains and mailboxes hold of it (mission S09, S24)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from whimbrel.core.state import State
from whimbrel.services.admin.calls import Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.mail.usage import CountLine, UsageView, count_mailboxes, latest
from whimbrel.services.admin.views import Octets

if TYPE_CHECKING:
    from whimbrel.services.health.check import Holding

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class SpacePart:
    """What of ours, beside mail, is in this file system."""

    name: str
    """indexes, queue or logs."""
    size: Octets
    grows: int | None
    """Octets by day, as of the last week; None: too little is known."""
    spare: Octets
    """Of it, what can go without loss of mail: log files that were put aside."""
    spare_files: int


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
    parts: tuple[SpacePart, ...] = ()
    """store usage has what mailboxes hold."""


@call(
    "store", "space", reads=True, needs=Needs.SERVER,
    help="Shows the disk of the store: free space, limits, growth, when it is full, and what queue, logs and indexes "
    "hold of it.",
)  # fmt: skip
async def store_space(ctx: AdminContext) -> SpaceView:
    from whimbrel.services.health.forecast import known, seconds_until, slope

    health = need(ctx.health, "A look at the disk").ctx
    disk = await health.pool.run(health.machine.disk)
    series = (*(await known(health.state, "disk") if health.state is not None else ()), (ctx.clock.now(), disk.free))
    falls, left = slope(series), seconds_until(series, disk.hard)
    parts = [
        SpacePart(each.name, Octets(each.octets), await _grows(health.state, each, ctx.clock.now()), Octets(each.spare),
                  each.files)
        for each in await health.pool.run(health.machine.holdings)
    ]  # fmt: skip
    return SpaceView(
        disk.folder, Octets(disk.total), Octets(disk.free), Octets(disk.soft), Octets(disk.hard), disk.word,
        None if falls is None else round(-falls * DAY), None if left is None else round(left),
        tuple(parts),
    )  # fmt: skip


async def _grows(state: State | None, part: "Holding", now: float) -> int | None:
    from whimbrel.services.health.forecast import known, slope

    rises = slope((*(await known(state, f"disk-{part.name}") if state is not None else ()), (now, part.octets)))
    return None if rises is None else round(rises * DAY)


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
