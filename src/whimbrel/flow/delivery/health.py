"""The health of destinations: how many concurrent deliveries each gets, and which are paused.

A destination begins with one delivery, has two as soon as a server has greeted, and gets one more for each that it
answers; after one that it does not answer it has half. While it stays unreachable it is paused: nothing is tried until
the pause is over, then one delivery is. So a queue full of mail for a dead domain costs one attempt, and one for each
pause. Only memory: what is put off meanwhile is in the queue, and after a restart the first attempts find out anew.

Standards: RFC 5321 4.5.4.1 ("the client SHOULD keep a list of hosts it cannot reach")
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from whimbrel.core.queue import RecipientState
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.settings import DeliverySettings

KNOWN: Final = 10_000
"""Destinations that are remembered; those heard of longest ago are forgotten first."""
START: Final = 1
GREETED: Final = 2
FAILURES: Final = 2
"""Failures in a row, with nothing in between, that begin a pause; one is enough where no server has ever greeted."""
LONGEST: Final = 3600.0
"""Seconds of the longest pause, whatever the schedule of single messages says."""


@dataclass(frozen=True, slots=True)
class Pause:
    until: float
    status: str
    """What the last attempt found."""
    remote: str


@dataclass(slots=True)
class _Known:
    limit: int
    greeted: bool = False
    """A server has greeted us, once."""
    failures: int = 0
    pauses: int = 0
    pause: Pause | None = None


class DestinationHealth:
    """By `Destination.key`."""

    def __init__(self, known: int = KNOWN) -> None:
        self._bound = known
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def limit(self, key: str, most: int) -> int:
        """Deliveries at once."""
        known = self._known.get(key)
        return min(known.limit if known else START, most)

    def answering(self, key: str) -> bool:
        """The last attempt was answered."""
        known = self._known.get(key)
        return known is not None and not known.failures

    def paused(self, key: str, now: float) -> Pause | None:
        known = self._known.get(key)
        return known.pause if known and known.pause and _lasts(known.pause, now) else None

    def greeted(self, key: str, most: int) -> bool:
        """A server greeted us; whether the destination takes more at once than before. It may still fail in each
        session."""
        known = self._known.get(key)
        if known is not None and known.greeted:
            return False
        known = self._get(key)
        known.greeted = True
        limit = known.limit
        if not known.failures:
            known.limit = max(limit, min(GREETED, most))
        return known.limit > limit

    def answered(self, key: str, most: int) -> bool:
        """The server replied to the transaction, be it with a refusal. Whether the destination takes more at once than
        before, or has recovered."""
        known = self._get(key)
        limit, failures = known.limit, known.failures
        known.greeted = True
        known.limit = min(limit + 1, most)
        known.failures = known.pauses = 0
        known.pause = None
        return known.limit > limit or failures > 0

    def unreachable(self, key: str, outcome: Outcome, now: float, settings: DeliverySettings) -> Pause | None:
        """A pause if one begins."""
        known = self._get(key)
        if known.pause and _lasts(known.pause, now):
            return None  # Begun before it.
        known.failures += 1
        known.limit = max(known.limit // 2, 1)
        if known.greeted and known.failures < FAILURES and not known.pauses:
            return None
        known.pauses += 1
        waits = settings.retry_schedule or (900.0,)
        seconds = min(float(waits[min(known.pauses, len(waits)) - 1]), LONGEST)
        known.limit = 1
        known.pause = Pause(now + seconds, outcome.status, outcome.remote)
        return known.pause

    def _get(self, key: str) -> _Known:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Known(START)
            if len(self._known) > self._bound:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return known


def _lasts(pause: Pause, now: float) -> bool:
    """One that ends later than any pause may was begun before the clock was set back."""
    return now < pause.until <= now + LONGEST


def is_unreachable(outcome: Outcome) -> bool:
    """The failure is of the destination, not of this message or recipient: no answer, no TLS, or no service now.
    RFC 3463 3.4 (X.3.2), 3.5 (X.4.1 to X.4.5); RFC 5321 4.2.2 (421)"""
    if outcome.state is not RecipientState.WAITING:
        return False
    code = outcome.status.partition(" ")[0]
    if outcome.reply:
        return outcome.reply.startswith("421") or code in ("4.3.2", "4.4.5")
    return code in ("4.4.1", "4.4.2", "4.4.3", "4.4.4", "4.4.5", "4.7.4", "4.7.5")
