"""Notices that the clock was set back, so that nothing waits for a time that was never meant."""

from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.flow.delivery.health import LONGEST
from whimbrel.flow.delivery.schedule import BUSY_PAUSES, SPREAD
from whimbrel.flow.delivery.settings import DeliverySettings

MOST: Final = 60.0
"""Seconds by which a clock may be corrected without anything being made of it."""


class ClockWatch:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: float | None = None

    def set_back(self) -> bool:
        """Since it was asked last; True at first: who knows what was before."""
        ahead = self._clock.now() - self._clock.monotonic()
        before, self._ahead = self._ahead, ahead
        return before is None or ahead < before - MOST


def longest_wait(settings: DeliverySettings) -> float:
    """Seconds after which each entry of the queue that is not parked is tried again at the latest."""
    return max(*map(float, settings.retry_schedule or (900.0,)), LONGEST, BUSY_PAUSES[-1]) * 1.1 + SPREAD
