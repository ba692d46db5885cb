"""Which filters give answers: how long one has been down, how often, and why.

A filter that failed several times in a row rests: mail goes past it at once (or is deferred, as set), and every half
minute one message asks it again. So a list that hangs delays few messages, each by its deadline at most.

Workers share what they know in State, so that `status` can tell: the last of them to notice something has its say.
"""

import json
from dataclasses import asdict, dataclass
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.log import Log
from whimbrel.core.state import State

KIND: Final = "filter-health"
KEPT: Final = 30 * 86_400.0
"""Seconds that an outage is remembered."""
TRIES: Final = 3
"""Failures in a row after which a filter rests."""
RETRY: Final = 30.0
"""Seconds until a resting filter is asked again."""
_WRITTEN: Final = 10.0
"""Seconds between two records of the same outage."""


@dataclass(frozen=True, slots=True)
class FilterHealth:
    """The last outage of a filter; times are seconds since 1970."""

    name: str
    since: float
    until: float
    """0: it is down."""
    failures: int
    """Messages that it gave no answer for, in all workers."""
    error: str
    """Of the last failure."""


class _Outage:
    __slots__ = ("error", "failures", "probed", "row", "written")

    def __init__(self) -> None:
        self.row = 0  # Failures in a row,
        self.failures = 0  # and those that State does not know of.
        self.probed = 0.0
        self.written = float("-inf")
        self.error = ""


class Health:
    """Of the filters of one process."""

    def __init__(self, state: State, clock: Clock, log: Log) -> None:
        self._state, self._clock, self._log = state, clock, log
        self._outages: dict[str, _Outage] = {}

    @property
    def perfect(self) -> bool:
        """Nearly always: nothing else need be asked."""
        return not self._outages

    def resting(self, name: str) -> str:
        """Why it is not to be asked now; empty: ask it."""
        outage = self._outages.get(name)
        if outage is None or outage.row < TRIES:
            return ""
        now = self._clock.monotonic()
        if now - outage.probed < RETRY:
            return outage.error
        outage.probed = now  # This message asks; the others do not wait for it.
        return ""

    async def failed(self, name: str, error: str) -> None:
        outage = self._outages.setdefault(name, _Outage())
        outage.row += 1
        outage.failures += 1
        outage.error = error[:200]
        now = self._clock.monotonic()
        outage.probed = now
        if now - outage.written < _WRITTEN:
            return
        outage.written = now
        before = await self._read(name)
        goes_on = before is not None and not before.until
        count, outage.failures = outage.failures, 0
        await self._write(
            FilterHealth(
                name,
                before.since if before is not None and goes_on else self._clock.now(),
                0.0,
                count + (before.failures if before is not None and goes_on else 0),
                outage.error,
            )
        )

    async def well(self, name: str) -> None:
        """It gave an answer."""
        outage = self._outages.pop(name, None)
        if outage is None:
            return
        before = await self._read(name)
        if before is None or before.until:
            return  # Another worker said so.
        now, failures = self._clock.now(), before.failures + outage.failures
        await self._write(FilterHealth(name, before.since, now, failures, before.error))
        self._log.info("filter.up", filter=name, seconds=round(now - before.since), failures=failures)

    async def _read(self, name: str) -> FilterHealth | None:
        return _parsed(name, await self._state.get(KIND, name) or "")

    async def _write(self, health: FilterHealth) -> None:
        values = asdict(health)
        del values["name"]
        await self._state.set(KIND, health.name, json.dumps(values), expires=self._clock.now() + KEPT)


async def filter_health(state: State) -> list[FilterHealth]:
    """Of all filters that were down in the last month, for `status`."""
    parsed = [_parsed(name, value) for name, value in await state.list(KIND)]
    return sorted((health for health in parsed if health is not None), key=lambda health: health.name)


def _parsed(name: str, text: str) -> FilterHealth | None:
    try:
        return FilterHealth(name, **json.loads(text))
    except (ValueError, TypeError):
        return None  # Of another release.
