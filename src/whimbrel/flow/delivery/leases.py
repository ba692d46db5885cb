"""What the worker has leased from the queue, and how much more it may.

Few entries are in memory, however long the queue is. They are counted twice: those whose destination answers, and
those to strangers, of which there may be many more, since all that most of them do is wait for a server that is not
there. A stranger gets one entry at a time, until a server has greeted us; then its lane is proven to answer, and the
queue is told.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.queue import LOCAL, MIXED, Queue, QueueItem
from whimbrel.flow.delivery.destination import Ways
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.slots import Slots
from whimbrel.flow.delivery.standing import START, Standings

SECONDS: Final = 120.0
"""After which the entries of a worker that died are due again."""
WAITING: Final = 16
"""Entries leased for each delivery that may talk at once."""
IN_LANE: Final = 16
"""Entries leased from a lane that answers, for each delivery that may run at once to it."""
STRANGERS: Final = 128
"""Entries leased at once that go to strangers: to look them all up must not stop what can be sent."""
REMEMBERED: Final = 10_000
"""Lanes of which it is remembered that they were proven."""
_ALWAYS: Final = (LOCAL, MIXED)


class Leases:
    def __init__(self, queue: Queue, standings: Standings, slots: Slots, ways: Ways, clock: Clock) -> None:
        self._queue, self._standings, self._slots = queue, standings, slots
        self._ways, self._clock = ways, clock
        self._items: dict[str, QueueItem] = {}
        self._lanes: Counter[str] = Counter()
        self._strangers: set[str] = set()
        """Entries of which nobody knew, when they were leased, whether their destination answers."""
        self._proven: dict[str, bool] = {}
        """By lane, as the queue knows it."""
        self._proofs: dict[str, bool] = {}
        """What it is to be told."""
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
        known = bound - (len(self._items) - len(self._strangers))
        if known <= bound // 4:
            known = 0  # Not one by one.
        most = self._slots.most_looking
        # Those of whom only the queue does not know that they answer are no strangers, and are counted all the same.
        strangers = max(min(most - len(self._strangers), bound + most - len(self._items), STRANGERS), 0)
        self.full = not known and not strangers
        if self.full:
            return ()
        if self._proofs:
            proofs, self._proofs = self._proofs, {}
            try:
                await self._queue.prove(proofs)
            except BaseException:
                self._proofs = proofs | self._proofs
                raise
        room = {lane: self._room(lane, number, settings) for lane, number in self._lanes.items()}
        leased = await self._queue.lease(
            self._clock.now(), known, SECONDS, each=IN_LANE * START, room=room, strangers=strangers
        )
        fresh = [item for item in leased if item.id not in self._items]  # Else its lease ran out while it was sent.
        for item in fresh:
            self._items[item.id] = item
            self._lanes[item.lane] += 1
            if not self._known(item, settings):
                self._strangers.add(item.id)
        return fresh

    async def renew(self) -> None:
        if self._items:
            await self._queue.renew(list(self._items), self._clock.now() + SECONDS)

    def over(self, queue_id: str) -> None:
        """Its attempt has ended and is stored."""
        lane = self._items.pop(queue_id).lane
        self._strangers.discard(queue_id)
        self._lanes[lane] -= 1
        if not self._lanes[lane]:
            del self._lanes[lane]

    def proven(self, lane: str) -> bool:
        return lane in _ALWAYS or self._proven.get(lane, False)

    def prove(self, lane: str, *, answers: bool) -> bool:
        """The queue is told with the next lease; whether it knew otherwise."""
        if lane in _ALWAYS or self._proven.get(lane, False) is answers:
            return False
        if len(self._proven) >= REMEMBERED:
            self._proven.clear()
        self._proven[lane] = self._proofs[lane] = answers
        return True

    def _known(self, item: QueueItem, settings: DeliverySettings) -> bool:
        """All its destinations answered when they were last heard of."""
        if item.lane == LOCAL:
            return True
        domains = [item.lane]
        if item.lane == MIXED:
            domains = [one.recipient.address.domain for one in item.waiting if not one.local]
        return all(self._standings.answering(self._ways.of(domain, settings).key) for domain in domains)

    def _room(self, lane: str, number: int, settings: DeliverySettings) -> int:
        """How many more may be leased from a lane of which `number` are. Not one by one: it is filled again when half
        is done. A stranger has his one."""
        if lane in _ALWAYS:
            return WAITING * settings.max_deliveries
        if not self._proven.get(lane):
            return 0
        key = self._ways.of(lane, settings).key
        bound = self._standings.limit(key, settings.per_destination)
        if self._standings.answering(key):
            bound *= IN_LANE
        return bound - number if number <= bound // 2 else 0
