"""Bounds concurrent deliveries: to each destination, and how many transfer messages.

A delivery that connects costs a socket and little else, and may last half a minute where the server is down. So it
needs a slot of its destination only; not before the server has greeted does it wait for a transfer slot. Thousands of
unreachable servers delay nobody else. How many deliveries connect at once is bounded by what is leased; when they are
many, each has a shorter time-out.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

from whimbrel.core.config import ConfigStore
from whimbrel.flow.delivery.health import DestinationHealth
from whimbrel.flow.delivery.settings import DeliverySettings

CONNECTIONS: Final = 20_000
CROWD: Final = 4
"""From this part of those who may connect at once, they are many."""
_Wait = asyncio.Future[bool]
"""True: the slot is free. False: its destination was paused."""


class Slot:
    """One delivery to one destination. `async with` waits until that takes another; it gives False if there is no
    slot, since the destination was paused meanwhile."""

    __slots__ = ("_acquired", "_key", "_on_greeting", "_slots", "_transferring")

    def __init__(self, slots: "Slots", key: str, on_greeting: Callable[[], None] | None) -> None:
        self._slots, self._key, self._on_greeting = slots, key, on_greeting
        self._acquired = self._transferring = False

    async def __aenter__(self) -> bool:
        self._acquired = self._slots.acquire(self._key) or await self._slots.wait(self._key)
        return self._acquired

    async def __aexit__(self, *_: object) -> None:
        self.connect()
        if self._acquired:
            self._slots.release(self._key)

    async def transfer(self) -> None:
        """A server has greeted: waits for a transfer slot, and has it until `connect` or the end."""
        if not self._transferring:
            self._slots.greeted(self._key)
            if self._on_greeting:
                self._on_greeting()
            if not self._slots.begin_transfer():
                await self._slots.wait_to_transfer()
            self._transferring = True

    def connect(self) -> None:
        """It connects to another server: the transfer slot is free again."""
        if self._transferring:
            self._transferring = False
            self._slots.end_transfer()

    @property
    def crowded(self) -> bool:
        """So many connect that each should have a short time-out."""
        return self._slots.connecting > self._slots.most_connecting // CROWD


class Slots:
    """The bounds may change at any time."""

    def __init__(self, health: DestinationHealth, config: ConfigStore, connections: int = CONNECTIONS) -> None:
        """`connections`: as many as this process may open for it."""
        self._health, self._config, self._connections = health, config, connections
        self._by_key: dict[str, int] = {}
        self._waiting: dict[str, deque[_Wait]] = {}
        self._to_transfer: deque[_Wait] = deque()
        self._held = 0
        """Slots in use."""
        self.transferring = 0
        """Of these, how many transfer."""

    @property
    def connecting(self) -> int:
        """Deliveries that connect, or are connected and wait for a transfer slot."""
        return self._held - self.transferring

    @property
    def most_connecting(self) -> int:
        return min(self._config.section(DeliverySettings).max_connecting, self._connections)

    def slot(self, key: str, on_greeting: Callable[[], None] | None = None) -> Slot:
        """`on_greeting` is called when a server has answered."""
        return Slot(self, key, on_greeting)

    def pause(self, key: str) -> None:
        """Ends the wait of all deliveries to this destination, without a slot."""
        for future in self._waiting.pop(key, ()):
            if not future.done():
                future.set_result(False)

    def offer(self, key: str) -> None:
        """Gives free slots to those who wait, after the limit of the destination has risen."""
        while (waiting := self._waiting.get(key)) and self._takes(key):
            future = waiting.popleft()
            if not waiting:
                del self._waiting[key]
            if not future.done():
                self._count(key)
                future.set_result(True)

    # For Slot

    def acquire(self, key: str) -> bool:
        """A slot, unless others wait for one, or the destination has all it takes."""
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
                self.release(key)
            elif waiting := self._waiting.get(key):
                with contextlib.suppress(ValueError):
                    waiting.remove(future)
                if not waiting:
                    del self._waiting[key]
            raise

    def release(self, key: str) -> None:
        self._held -= 1
        self._by_key[key] -= 1
        if not self._by_key[key]:
            del self._by_key[key]
        self.offer(key)

    def greeted(self, key: str) -> None:
        """A destination of which a server has greeted may take more."""
        if self._health.greeted(key, self._config.section(DeliverySettings).per_destination):
            self.offer(key)

    def begin_transfer(self) -> bool:
        if self._to_transfer or self.transferring >= self._config.section(DeliverySettings).max_deliveries:
            return False
        self.transferring += 1
        return True

    async def wait_to_transfer(self) -> None:
        future: _Wait = asyncio.get_running_loop().create_future()
        self._to_transfer.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if _given(future):
                self.end_transfer()
            else:
                self._to_transfer.remove(future)
            raise

    def end_transfer(self) -> None:
        self.transferring -= 1
        most = self._config.section(DeliverySettings).max_deliveries
        while self._to_transfer and self.transferring < most:
            future = self._to_transfer.popleft()
            if not future.done():
                self.transferring += 1
                future.set_result(True)

    # Inside

    def _count(self, key: str) -> None:
        self._held += 1
        self._by_key[key] = self._by_key.get(key, 0) + 1

    def _takes(self, key: str) -> bool:
        most = self._config.section(DeliverySettings).per_destination
        return self._by_key.get(key, 0) < self._health.limit(key, most)


def _given(future: _Wait) -> bool:
    """It got its slot at the very moment at which it was cancelled."""
    return future.done() and not future.cancelled() and future.result()
