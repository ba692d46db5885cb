"""When will the disk be full? A line through what was free at former looks, kept in State.

At most one value every half hour, of two weeks; the line goes through those of the last week.
"""

import json
from collections.abc import Sequence
from typing import Final

from whimbrel.core.state import State

KIND: Final = "health-series"
EVERY: Final = 1800.0
"""Seconds between two values at least."""
KEPT: Final = 14 * 86_400.0
LOOKED_BACK: Final = 7 * 86_400.0
LEAST_SPAN: Final = 6 * 3600.0
"""Seconds that the values must cover: an hour says nothing of a week."""
LEAST_VALUES: Final = 4

Series = Sequence[tuple[float, float]]
"""(time in seconds since 1970, value), the oldest first."""


async def record(state: State, name: str, now: float, value: float) -> Series:
    """Adds a value, if the latest is old enough; all there are with this one at the end."""
    kept = [each for each in _read(await state.get(KIND, name)) if now - KEPT < each[0] <= now]
    if not kept or now - kept[-1][0] >= EVERY:
        kept.append((now, value))
        await state.set(KIND, name, json.dumps([[round(at), round(value)] for at, value in kept]))
        return kept
    return [*kept, (now, value)]


async def known(state: State, name: str) -> Series:
    """What was recorded so far."""
    return _read(await state.get(KIND, name))


def slope(series: Series) -> float | None:
    """Of the line through the values of the last week, by second; None: too little is known."""
    values = [each for each in series if each[0] >= series[-1][0] - LOOKED_BACK]
    if len(values) < LEAST_VALUES or values[-1][0] - values[0][0] < LEAST_SPAN:
        return None
    mean_at = sum(at for at, _ in values) / len(values)
    mean = sum(each for _, each in values) / len(values)
    spread = sum((at - mean_at) ** 2 for at, _ in values)
    return sum((at - mean_at) * (each - mean) for at, each in values) / spread if spread else 0.0


def seconds_until(series: Series, floor: float) -> float | None:
    """From the last value on until the line reaches `floor`; None: it does not fall, or too little is known."""
    falls = slope(series)
    if falls is None or falls >= 0:
        return None
    return max(0.0, (series[-1][1] - floor) / -falls)


def _read(text: str | None) -> list[tuple[float, float]]:
    try:
        return [(float(at), float(value)) for at, value in json.loads(text or "[]")]
    except (ValueError, TypeError):
        return []  # Of another release.
