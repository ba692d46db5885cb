"""Is mail on its way, or does it wait?"""

from collections.abc import Sequence
from typing import Final

from whimbrel.core.counting import counted, lasting
from whimbrel.core.queue import LaneCounts
from whimbrel.services.health.check import NO_SERVER, Check, HealthContext, Level, Verdict, ok
from whimbrel.services.health.settings import HealthSettings

LANES: Final = 50
"""Destinations looked at: those in which most waits."""
SHOWN: Final = 3
MANY: Final = 3
"""So many destinations that all fail are no accident: the fault is ours."""
PILE: Final = 10
"""Messages that wait in them."""


async def _queue(ctx: HealthContext) -> Verdict:
    if ctx.queue is None:
        return NO_SERVER
    now = ctx.clock.now()
    counts = await ctx.queue.counts(now)
    if not counts.waiting:
        held = f" {counted(counts.held, 'message')} {'is' if counts.held == 1 else 'are'} held." if counts.held else ""
        return ok(f"Nothing waits.{held}")
    lanes = [lane for lane in await ctx.queue.lanes(LANES) if lane.waiting]
    oldest = min((lane.oldest for lane in lanes), default=now)
    age, limit = now - oldest, ctx.config.section(HealthSettings).queue_age
    failing = [lane for lane in lanes if lane.status]
    waits = f"{counted(counts.waiting, 'message')} {'waits' if counts.waiting == 1 else 'wait'}"
    if age < limit:
        return ok(f"{waits}, the oldest for {lasting(age)}.")
    pile = sum(lane.waiting for lane in failing)
    if len(failing) >= MANY and len(failing) == len(lanes) and pile >= PILE:
        return Verdict(
            Level.ERROR,
            f"No destination takes mail: {waits}, the oldest for {lasting(age)}. {_reasons(failing)}",
            "All of them fail, so it is probably this side: look at outgoing port 25, DNS and block lists.",
        )
    return Verdict(
        Level.WARNING,
        f"{waits}, the oldest for {lasting(age)}. {_reasons(failing)}".strip(),
        "See why, and whether the addresses are right; each is returned to its sender when its time is over.",
    )


def _reasons(failing: Sequence[LaneCounts]) -> str:
    """The destinations with most mail, and what they said."""
    shown = [
        f"{lane.lane or 'mailboxes here'} ({lane.waiting}): {lane.status}"
        for lane in sorted(failing, key=lambda lane: -lane.waiting)[:SHOWN]
    ]
    more = f"; and {len(failing) - SHOWN} more" if len(failing) > SHOWN else ""
    return "; ".join(shown) + more


QUEUE: Final = Check("queue", "Queue", _queue, "/queue", "whimbrel queue list")
