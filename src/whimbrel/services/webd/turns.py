"""Fair turns for requests: each session has its share, what is above it waits for a moment, and only what cannot wait
is refused.

Many people come from one address (NAT), and one browser asks for much at once: an address alone says little. So a
request is counted by what it shows of itself (cookie, token) first and by its address, with more room, second. What is
shown may be made up: it counts from when control has answered to it as to somebody (`Recognised`), and until then the
request has the share of those who show nothing.
"""

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from typing import Final

WAIT: Final = 15.0
"""Seconds that a request waits for its turn."""

MOST_RECOGNISED: Final = 10_000


class Recognised:
    """What was shown by requests that control took for somebody's, the latest."""

    def __init__(self, most: int = MOST_RECOGNISED) -> None:
        self._most = most
        self._known: OrderedDict[Hashable, None] = OrderedDict()

    def __contains__(self, shown: Hashable) -> bool:
        return shown in self._known

    def add(self, shown: Hashable) -> None:
        self._known[shown] = None
        self._known.move_to_end(shown)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def discard(self, shown: Hashable) -> None:
        self._known.pop(shown, None)


class Crowded(Exception):
    """Its turn does not come soon enough."""


class Turns:
    """For one kind of key. For one event loop."""

    def __init__(self, most: int, waiting: int, within: float = WAIT) -> None:
        """`most` of a key at once; so many more wait, for `within` seconds each, in the order they came."""
        self._most, self._waiting, self._within = most, waiting, within
        self._busy: dict[Hashable, int] = {}
        self._queues: dict[Hashable, deque[asyncio.Future[None]]] = {}

    @property
    def keys(self) -> int:
        """Of which something is under way: what memory this takes."""
        return len(self._busy)

    def free(self, key: Hashable) -> bool:
        """A turn of this key would not have to wait."""
        return self._busy.get(key, 0) < self._most

    @contextlib.asynccontextmanager
    async def turn(self, key: Hashable) -> AsyncIterator[None]:
        """Crowded."""
        await self._enter(key)
        try:
            yield
        finally:
            self._leave(key)

    async def _enter(self, key: Hashable) -> None:
        busy, queue = self._busy.get(key, 0), self._queues.get(key)
        if busy < self._most:
            self._busy[key] = busy + 1
            return
        if len(queue or ()) >= self._waiting:
            raise Crowded
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._queues.setdefault(key, deque())
        queue.append(turn)
        try:
            async with asyncio.timeout(self._within):
                await turn
        except TimeoutError:
            self._give_up(key, turn)
            raise Crowded from None
        except asyncio.CancelledError:
            self._give_up(key, turn)
            raise

    def _give_up(self, key: Hashable, turn: "asyncio.Future[None]") -> None:
        """It goes; if its turn came at that very moment, that is the next one's."""
        if turn.done() and not turn.cancelled():
            self._leave(key)
            return
        queue = self._queues.get(key)
        if queue is not None:
            with contextlib.suppress(ValueError):
                queue.remove(turn)
            if not queue:
                del self._queues[key]

    def _leave(self, key: Hashable) -> None:
        queue = self._queues.get(key)
        while queue:
            turn = queue.popleft()
            if not queue:
                del self._queues[key]
            if not turn.done():
                turn.set_result(None)  # Its place is handed over: nobody gets in between.
                return
        left = self._busy[key] - 1
        if left:
            self._busy[key] = left
        else:
            del self._busy[key]
