"""What the worker has leased from the queue, and how much more it may.

Few entries are in memory, however long the queue is. They are counted twice: those of verified destinations, which
answer, and those of unverified ones, of which there may be many more, since most of them only wait for a server that
is down. An unverified destination gets one entry at a time, until a server has greeted us; then its lane is marked as
verified in the queue.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.queue import LOCAL, MIXED, Queue, QueueItem
from whimbrel.flow.delivery.destination import Ways
from whimbrel.flow.delivery.health import START, DestinationHealth
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.slots import Slots

SECONDS: Final = 120.0
"""After which the entries of a worker that died are due again."""
WAITING: Final = 16
"""Entries leased for each delivery that may transfer at once."""
IN_LANE: Final = 16
"""Entries leased from a lane that answers, for each delivery that may run at once to it."""
UNVERIFIED: Final = 128
"""Entries of unverified destinations leased at once: looking them all up must not delay what can be sent."""
REMEMBERED: Final = 10_000
"""Lanes of which it is remembered whether they are verified."""
_ALWAYS: Final = (LOCAL, MIXED)


class Leases:
    def __init__(self, queue: Queue, health: DestinationHealth, slots: Slots, ways: Ways, clock: Clock) -> None:
        self._queue, self._health, self._slots = queue, health, slots
        self._ways, self._clock = ways, clock
        self._items: dict[str, QueueItem] = {}
        self._lanes: Counter[str] = Counter()
        self._unverified: set[str] = set()
        """Entries whose destination was not known to answer when they were leased."""
        self._verified: dict[str, bool] = {}
        """By lane, as the queue knows it."""
        self._marks: dict[str, bool] = {}
        """What is to be stored in it."""
        self.full = False
        """Nothing more may be leased before an attempt ends."""

    def __len__(self) -> int:
        return len(self._items)

    @property
    def items(self) -> tuple[QueueItem, ...]:
        return tuple(self._items.values())

    async def more(self, settings: DeliverySettings) -> Sequence[QueueItem]:
        """Entries that are due, as many as there is room for."""
        bound = WAITING * settings.max_deliveries
        known = bound - (len(self._items) - len(self._unverified))
        if known <= bound // 4:
            known = 0  # Not one by one.
        most = self._slots.most_connecting
        # Those of which only the queue does not know that they answer are counted all the same.
        unverified = max(min(most - len(self._unverified), bound + most - len(self._items), UNVERIFIED), 0)
        self.full = not known and not unverified
        if self.full:
            return ()
        if self._marks:
            marks, self._marks = self._marks, {}
            try:
                await self._queue.verify(marks)
            except BaseException:
                self._marks = marks | self._marks
                raise
        room = {lane: self._room(lane, number, settings) for lane, number in self._lanes.items()}
        leased = await self._queue.lease(
            self._clock.now(), known, SECONDS, each=IN_LANE * START, room=room, unverified=unverified
        )
        fresh = [item for item in leased if item.id not in self._items]  # Else its lease ran out while it was sent.
        for item in fresh:
            self._items[item.id] = item
            self._lanes[item.lane] += 1
            if not self._known(item, settings):
                self._unverified.add(item.id)
        return fresh

    async def renew(self) -> None:
        if self._items:
            await self._queue.renew(list(self._items), self._clock.now() + SECONDS)

    def over(self, queue_id: str) -> None:
        """Its attempt has ended and is stored."""
        lane = self._items.pop(queue_id).lane
        self._unverified.discard(queue_id)
        self._lanes[lane] -= 1
        if not self._lanes[lane]:
            del self._lanes[lane]

    def verified(self, lane: str) -> bool:
        return lane in _ALWAYS or self._verified.get(lane, False)

    def mark(self, lane: str, *, answers: bool) -> bool:
        """Stored in the queue with the next lease; whether that is a change."""
        if lane in _ALWAYS or self._verified.get(lane, False) is answers:
            return False
        if len(self._verified) >= REMEMBERED:
            self._verified.clear()
        self._verified[lane] = self._marks[lane] = answers
        return True

    def _known(self, item: QueueItem, settings: DeliverySettings) -> bool:
        """All its destinations answered when they were last heard of."""
        if item.lane == LOCAL:
            return True
        domains = [item.lane]
        if item.lane == MIXED:
            domains = [row.recipient.address.domain for row in item.waiting if not row.local]
        return all(self._health.answering(self._ways.of(domain, settings).key) for domain in domains)

    def _room(self, lane: str, number: int, settings: DeliverySettings) -> int:
        """How many more may be leased from a lane of which `number` are. Not one by one: it is filled again when half
        is done. An unverified lane has its one."""
        if lane in _ALWAYS:
            return WAITING * settings.max_deliveries
        if not self._verified.get(lane):
            return 0
        key = self._ways.of(lane, settings).key
        bound = self._health.limit(key, settings.per_destination)
        if self._health.answering(key):
            bound *= IN_LANE
        return bound - number if number <= bound // 2 else 0
