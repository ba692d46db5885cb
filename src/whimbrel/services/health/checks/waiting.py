"""Is mail on its way, or does it wait?"""

from collections.abc import Sequence
from typing import Final

from whimbrel.core.counting import counted, lasting
from whimbrel.core.queue import LaneCounts, QueueFilter
from whimbrel.services.health.check import NO_SERVER, Check, HealthContext, Level, Verdict, ok
from whimbrel.services.health.settings import HealthSettings

LANES: Final = 50
"""Destinations looked at: those in which most waits."""
SHOWN: Final = 3
MANY: Final = 3
"""So many destinations that all fail are no accident: the fault is ours."""
AT_ONCE: Final = 500
MOST: Final = 10_000
"""Files whose entries are looked for."""
NAMED: Final = 10
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


async def _ownerless(ctx: HealthContext) -> Verdict:
    """Files whose entry was lost with queue.db: accepted mail that nobody sends."""
    files = await ctx.pool.run(ctx.machine.queue)
    known: set[str] = set()
    if ctx.queue is not None:
        counts = await ctx.queue.counts(ctx.clock.now())
        if len(files.waiting) > counts.waiting + counts.held:
            for start in range(0, min(len(files.waiting), MOST), AT_ONCE):
                some = frozenset(files.waiting[start : start + AT_ONCE])
                known |= {item.id for item in await ctx.queue.select(QueueFilter(ids=some), AT_ONCE)}
            left = [name for name in files.waiting[:MOST] if name not in known]
            if left:
                # One that was finished meanwhile has lost its file as well.
                there = set((await ctx.pool.run(ctx.machine.queue)).waiting)
                if left := [name for name in left if name in there]:
                    return Verdict(Level.ERROR, _named(left, "in store/queue"), _ADVICE)
    if files.lost:
        return Verdict(Level.WARNING, _named(files.lost, "in store/queue/lost"), _ADVICE)
    return ok("Each message in the queue has its recipients.")


_ADVICE: Final = (
    "Read each file (FILE.eml), send it again to whom it was for, then delete it: recipients are never guessed from a "
    "header, since Bcc and lists would go wrong."
)


def _named(ids: Sequence[str], where: str) -> str:
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return (
        f"{counted(len(ids), 'accepted message')} {where} {'has' if len(ids) == 1 else 'have'} no recipients any more, "
        f"since queue.db was lost: {', '.join(ids[:NAMED])}{more}."
    )


QUEUE: Final = Check("queue", "Queue", _queue, "/queue", "whimbrel queue list")
OWNERLESS: Final = Check("queue-files", "Mail without recipients", _ownerless, "/queue", "whimbrel logs show error")
