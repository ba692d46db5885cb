"""Bounds what is delivered at once: in all, and to each destination; destinations take turns.

A delivery that waits for a server to answer costs a socket and little else. After a moment it no longer counts among
those at once, so that thousands of dead servers do not keep mail from the living; how many may wait so is bounded too.
"""

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.flow.delivery.progress import Phase, Progress
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.standing import Standings

MOMENT: Final = 0.05
"""Seconds after which a delivery without an answer counts as waiting. A dead server holds a place for so long, and
thousands of them each do; a living one that needs longer costs nothing meanwhile."""
SILENT: Final = frozenset({Phase.WAITING, Phase.RESOLVING, Phase.CONNECTING, Phase.GREETING})


@dataclass(eq=False, slots=True)
class _Turn:
    progress: Progress
    begun: float
    stranger: bool
    """Nobody knows yet whether its destination answers."""
    patient: bool = False


class _Taking:
    """One turn, from waiting for it to its end. A class, since a generator costs three times as much."""

    __slots__ = ("_key", "_progress", "_slots", "_turn")

    def __init__(self, slots: "Slots", key: str, progress: Progress) -> None:
        self._slots, self._key, self._progress = slots, key, progress
        self._turn: _Turn | None = None

    async def __aenter__(self) -> bool:
        self._turn = await self._slots.begin(self._key, self._progress)
        return self._turn is not None

    async def __aexit__(self, *_: object) -> None:
        if self._turn is not None:
            self._slots.end(self._key, self._turn)


class Slots:
    """The bounds may change at any time."""

    def __init__(self, standings: Standings, config: ConfigStore, clock: Clock) -> None:
        self._standings, self._config, self._clock = standings, config, clock
        self._turns: set[_Turn] = set()
        self._by_key: dict[str, int] = {}
        self._waiting: OrderedDict[str, deque[tuple[asyncio.Future[_Turn | None], Progress]]] = OrderedDict()
        self.patient = 0
        """Deliveries that wait for an answer."""
        self._strangers = 0
        """Deliveries to strangers that do not wait so."""

    @property
    def talking(self) -> int:
        return len(self._turns) - self.patient

    def take(self, key: str, progress: Progress) -> "_Taking":
        """Waits for a turn. False: its destination was paused meanwhile, and there is none."""
        return _Taking(self, key, progress)

    async def begin(self, key: str, progress: Progress) -> _Turn | None:
        """For `take`, as is `end`."""
        if key not in self._waiting and self._free(key):
            return self._begin(key, progress)
        return await self._wait(key, progress)

    def pause(self, key: str) -> None:
        """Sends away all who wait for this destination."""
        for future, _ in self._waiting.pop(key, ()):
            if not future.done():
                future.set_result(None)

    def offer(self) -> None:
        """Gives what is free to those who wait, one destination after the other."""
        given = True
        while given and self._waiting and self.talking < self._config.section(DeliverySettings).max_deliveries:
            given = False
            for key in self._waiting:
                if not self._free(key):
                    continue
                given = True
                waiting = self._waiting[key]
                while waiting:
                    future, progress = waiting.popleft()
                    if not future.done():
                        future.set_result(self._begin(key, progress))
                        break
                if waiting:
                    self._waiting.move_to_end(key)
                else:
                    del self._waiting[key]
                break

    def look(self) -> None:
        """Now and then: who has waited a moment for an answer makes room, who got one counts again."""
        now, bound = self._clock.monotonic(), self._config.section(DeliverySettings).max_connecting
        before = self.patient
        for turn in self._turns:
            waits = turn.progress.phase in SILENT and now - turn.begun >= MOMENT
            if waits != turn.patient and (turn.patient or self.patient < bound):
                turn.patient = waits
                self.patient += 1 if waits else -1
                self._strangers -= turn.stranger if waits else -turn.stranger
        if self.patient > before:
            self.offer()

    def _begin(self, key: str, progress: Progress) -> _Turn:
        turn = _Turn(progress, self._clock.monotonic(), not self._standings.answering(key))
        self._turns.add(turn)
        self._strangers += turn.stranger
        self._by_key[key] = self._by_key.get(key, 0) + 1
        return turn

    def end(self, key: str, turn: _Turn) -> None:
        self._turns.remove(turn)
        self.patient -= turn.patient
        self._strangers -= turn.stranger and not turn.patient
        self._by_key[key] -= 1
        if not self._by_key[key]:
            del self._by_key[key]
        self.offer()

    async def _wait(self, key: str, progress: Progress) -> _Turn | None:
        future: asyncio.Future[_Turn | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append((future, progress))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and (turn := future.result()) is not None:
                self.end(key, turn)  # It was given a turn that it will not use.
            raise

    def _free(self, key: str) -> bool:
        settings = self._config.section(DeliverySettings)
        if self.talking >= settings.max_deliveries:
            return False
        if self._by_key.get(key, 0) >= self._standings.limit(key, settings.per_destination):
            return False
        # When no more may wait for an answer, strangers must not take all that is left.
        full = self.patient >= settings.max_connecting > 0 and self._strangers >= settings.max_deliveries // 2
        return not full or self._standings.answering(key)
