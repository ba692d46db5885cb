"""The port to what the server has counted: totals, series over time, and who sends and gets most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, get_args

Period = Literal["start", "today", "ever"]
"""Since the server started; since midnight, local time; since the last reset."""
PERIODS: Final[tuple[str, ...]] = get_args(Period)
TopKind = Literal["senders", "recipients"]
LONGEST: Final = 366 * 86_400
"""Seconds that series reach back."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers by name (`core/stats.py`), as they are now."""

    at: float
    """Seconds since 1970."""
    started: float
    reset: float
    day: str
    counts: Mapping[str, Mapping[str, int]]
    """By period: of everything counted."""
    gauges: Mapping[str, float]
    """At the last sample."""


@dataclass(frozen=True, slots=True)
class Series:
    """One number over time, oldest first. A point is the time at which its step begins, and what was counted in the
    step, or the average of a gauge; None: nothing is known of that time, which is not the same as zero."""

    name: str
    unit: str
    gauge: bool
    step: int
    """Seconds."""
    points: tuple[tuple[float, float | None], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Top:
    """A sender or recipient. `times` is never too low; too high only for the rarest of very many."""

    name: str
    times: int
    octets: int


class Statistics(Protocol):
    async def totals(self) -> Totals: ...

    async def series(self, names: Sequence[str], seconds: int, until: float = 0.0) -> Sequence[Series]:
        """Of the last so many seconds, or those before `until`, in the finest step that reaches so far. A name is a
        number's, a family's (the sum of its numbers), or `latency.p50`, `latency.p95`. LookupError: there is none of
        that name."""
        ...

    async def tops(self, kind: TopKind, *, today: bool, limit: int) -> Sequence[Top]: ...

    async def reset(self) -> None:
        """Totals and tops begin again. Series stay."""
        ...

    def names(self) -> Sequence[str]:
        """Those of all series."""
        ...
