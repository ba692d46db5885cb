"""Bounds what is delivered at once: to each destination, and how many talk with a server.

A delivery that looks for its server costs a socket and little else, and may last half a minute where that server is
dead. So it needs a turn of its destination only; not before the server has answered does it wait until it may speak.
Thousands of dead servers then keep nobody from the living. How many deliveries look at once is bounded by what is
leased; when they are many, each looks for a shorter time.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

from whimbrel.core.config import ConfigStore
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.standing import Standings

CONNECTIONS: Final = 20_000
CROWD: Final = 4
"""Of those who may look for a server, this part is many."""
_Wait = asyncio.Future[bool]
"""True: it is its turn. False: its destination was paused."""


class Turn:
    """One delivery to one destination. `async with` waits until that takes another; what it gives is False if there
    is no turn, since the destination was paused meanwhile."""

    __slots__ = ("_had", "_key", "_met", "_slots", "_speaks")

    def __init__(self, slots: "Slots", key: str, met: Callable[[], None] | None) -> None:
        self._slots, self._key, self._met = slots, key, met
        self._had = self._speaks = False

    async def __aenter__(self) -> bool:
        self._had = self._slots.begin(self._key) or await self._slots.wait(self._key)
        return self._had

    async def __aexit__(self, *_: object) -> None:
        self.look()
        if self._had:
            self._slots.end(self._key)

    async def speak(self) -> None:
        """A server has answered: waits until one more may talk. Then this one does, until it looks for another server,
        or ends."""
        if not self._speaks:
            self._slots.met(self._key)
            if self._met:
                self._met()
            if not self._slots.speak():
                await self._slots.wait_to_speak()
            self._speaks = True

    def look(self) -> None:
        """It talks with nobody now; others may."""
        if self._speaks:
            self._speaks = False
            self._slots.fall_silent()

    @property
    def crowded(self) -> bool:
        """So many look for their servers that nobody should do so for long."""
        return self._slots.looking > self._slots.most_looking // CROWD


class Slots:
    """The bounds may change at any time."""

    def __init__(self, standings: Standings, config: ConfigStore, connections: int = CONNECTIONS) -> None:
        """`connections`: as many as this process may open for it."""
        self._standings, self._config, self._connections = standings, config, connections
        self._by_key: dict[str, int] = {}
        self._waiting: dict[str, deque[_Wait]] = {}
        self._to_speak: deque[_Wait] = deque()
        self._having = 0
        """Deliveries that have a turn."""
        self.talking = 0
        """Of these, who talk with a server."""

    @property
    def looking(self) -> int:
        """Deliveries that look for a server, or have found it and wait until they may talk."""
        return self._having - self.talking

    @property
    def most_looking(self) -> int:
        return min(self._config.section(DeliverySettings).max_connecting, self._connections)

    def take(self, key: str, met: Callable[[], None] | None = None) -> Turn:
        """`met` is called when a server has answered."""
        return Turn(self, key, met)

    def pause(self, key: str) -> None:
        """Sends away all who wait for this destination."""
        for future in self._waiting.pop(key, ()):
            if not future.done():
                future.set_result(False)

    def offer(self, key: str) -> None:
        """Gives those who wait what this destination takes, after its bound has risen."""
        while (waiting := self._waiting.get(key)) and self._takes(key):
            future = waiting.popleft()
            if not waiting:
                del self._waiting[key]
            if not future.done():
                self._count(key)
                future.set_result(True)

    # For Turn

    def begin(self, key: str) -> bool:
        """A turn, unless others wait for one, or the destination has all it takes."""
        if key in self._waiting or not self._takes(key):
            return False
        self._count(key)
        return True

    async def wait(self, key: str) -> bool:
        future: _Wait = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if _given(future):
                self.end(key)
            elif waiting := self._waiting.get(key):
                with contextlib.suppress(ValueError):
                    waiting.remove(future)
                if not waiting:
                    del self._waiting[key]
            raise

    def end(self, key: str) -> None:
        self._having -= 1
        self._by_key[key] -= 1
        if not self._by_key[key]:
            del self._by_key[key]
        self.offer(key)

    def met(self, key: str) -> None:
        """More may try a destination of which a server has answered."""
        if self._standings.met(key, self._config.section(DeliverySettings).per_destination):
            self.offer(key)

    def speak(self) -> bool:
        if self._to_speak or self.talking >= self._config.section(DeliverySettings).max_deliveries:
            return False
        self.talking += 1
        return True

    async def wait_to_speak(self) -> None:
        future: _Wait = asyncio.get_running_loop().create_future()
        self._to_speak.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if _given(future):
                self.fall_silent()
            else:
                self._to_speak.remove(future)
            raise

    def fall_silent(self) -> None:
        self.talking -= 1
        most = self._config.section(DeliverySettings).max_deliveries
        while self._to_speak and self.talking < most:
            future = self._to_speak.popleft()
            if not future.done():
                self.talking += 1
                future.set_result(True)

    # Inside

    def _count(self, key: str) -> None:
        self._having += 1
        self._by_key[key] = self._by_key.get(key, 0) + 1

    def _takes(self, key: str) -> bool:
        most = self._config.section(DeliverySettings).per_destination
        return self._by_key.get(key, 0) < self._standings.limit(key, most)


def _given(future: _Wait) -> bool:
    """It was given what it will not use, in the moment in which it was cancelled."""
    return future.done() and not future.cancelled() and future.result()
