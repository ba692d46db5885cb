"""What is known of destinations: how many deliveries each takes at once, and which do not answer.

A destination begins with one delivery, has two as soon as a server was met, and gets one more for each that it
answers; one that does not answer gets half. When it stays silent it is paused: nothing is tried until the pause is
over, then one delivery finds out. So a queue full of mail for a dead domain costs one attempt, and one for each pause.
Only memory: what is put off meanwhile is in the queue, and after a restart the first attempts find out anew.

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
MET: Final = 2
SILENCES: Final = 2
"""Failures in a row, with nothing in between, that begin a pause; one is enough where nobody was ever met."""
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
    met: bool = False
    """A server was reached and greeted us, once."""
    silences: int = 0
    pauses: int = 0
    pause: Pause | None = None


class Standings:
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
        """It answered when it was last heard of."""
        known = self._known.get(key)
        return known is not None and not known.silences

    def paused(self, key: str, now: float) -> Pause | None:
        known = self._known.get(key)
        return known.pause if known and known.pause and _lasts(known.pause, now) else None

    def met(self, key: str, most: int) -> bool:
        """A server greeted us; whether the destination takes more at once than before. Whether it answers is not said:
        it may fall silent in each session."""
        known = self._known.get(key)
        if known is not None and known.met:
            return False
        known = self._get(key)
        known.met = True
        limit = known.limit
        if not known.silences:
            known.limit = max(limit, min(MET, most))
        return known.limit > limit

    def answered(self, key: str, most: int) -> bool:
        """Something was said that only a living destination says, be it a refusal. Whether it takes more at once than
        before, or is no longer a stranger."""
        known = self._get(key)
        limit, silences = known.limit, known.silences
        known.met = True
        known.limit = min(limit + 1, most)
        known.silences = known.pauses = 0
        known.pause = None
        return known.limit > limit or silences > 0

    def silent(self, key: str, outcome: Outcome, now: float, settings: DeliverySettings) -> Pause | None:
        """A pause if one begins."""
        known = self._get(key)
        if known.pause and _lasts(known.pause, now):
            return None  # Begun before it.
        known.silences += 1
        known.limit = max(known.limit // 2, 1)
        if known.met and known.silences < SILENCES and not known.pauses:
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


def is_silence(outcome: Outcome) -> bool:
    """It speaks of the destination, not of this message or recipient: nobody answered, or TLS failed, or the server
    serves nobody now. RFC 3463 3.4 (X.3.2), 3.5 (X.4.1 to X.4.5); RFC 5321 4.2.2 (421)"""
    if outcome.state is not RecipientState.WAITING:
        return False
    code = outcome.status.partition(" ")[0]
    if outcome.reply:
        return outcome.reply.startswith("421") or code in ("4.3.2", "4.4.5")
    return code in ("4.4.1", "4.4.2", "4.4.3", "4.4.4", "4.4.5", "4.7.4", "4.7.5")
