"""How much is leased: few of those who answer, one of each stranger, and no more strangers than may be looked up."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial

import pytest

from tests.support.fakes import FakeClock, FakeConfig
from tests.support.flow_fakes import MemoryQueue
from tests.support.queue_house import NOW, entry
from whimbrel.core.errors import MailError
from whimbrel.flow.delivery import leases
from whimbrel.flow.delivery.destination import Ways
from whimbrel.flow.delivery.health import DestinationHealth
from whimbrel.flow.delivery.leases import IN_LANE, WAITING, Leases
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.slots import Slots


class Desk:
    def __init__(self, connections: int = 20_000, **settings: object) -> None:
        self.settings = DeliverySettings(**settings)  # type: ignore[arg-type]
        self.queue, self.health, self.clock = MemoryQueue(), DestinationHealth(), FakeClock()
        self.clock.time = NOW
        slots = Slots(self.health, FakeConfig(self.settings), connections)
        self.leases = Leases(self.queue, self.health, slots, Ways(), self.clock)

    def add(self, domain: str, count: int, *, first: int = 0) -> None:
        for number in range(first, first + count):
            self.queue.add(entry(f"{domain}-{number}", f"b@{domain}"), b"x")

    async def more(self) -> list[str]:
        return [item.lane for item in await self.leases.more(self.settings)]


def play(test: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(test())


def test_a_stranger_gets_one_until_he_is_verified() -> None:
    async def check() -> None:
        desk = Desk()
        desk.add("new.test", 100)
        assert await desk.more() == ["new.test"]
        assert await desk.more() == []
        desk.health.greeted("new.test", 20)
        assert desk.leases.mark("new.test", answers=True)
        assert not desk.leases.mark("new.test", answers=True)
        assert len(await desk.more()) == 2 * IN_LANE - 1
        assert desk.queue.proven == {"new.test": True}

    play(check)


def test_strangers_are_bounded_by_what_may_be_looked_up_and_by_what_can_be_opened() -> None:
    async def check() -> None:
        for desk in (Desk(max_connecting=10), Desk(connections=10)):
            for number in range(50):
                desk.add(f"d{number}.test", 2)
            assert len(await desk.more()) == 10
            assert await desk.more() == [] and not desk.leases.full  # Those who answer may still come.
            for item in desk.leases.items[:4]:
                desk.leases.over(item.id)
            assert len(await desk.more()) == 4

    play(check)


def test_all_lanes_of_one_relay_host_that_answers_together_have_no_more_than_fits_in_memory() -> None:
    async def check() -> None:
        desk = Desk(max_connecting=10, max_deliveries=2, relay_host="relay.test")
        desk.health.answered("relay.test:25", 20)
        for number in range(500):
            desk.add(f"d{number}.test", 1)
        while await desk.more():
            pass
        assert len(desk.leases) == 2 * WAITING + 10 and desk.leases.full

    play(check)


def test_a_crowd_of_strangers_takes_no_room_from_those_who_answer() -> None:
    async def check() -> None:
        desk = Desk(max_connecting=300, max_deliveries=1)
        for number in range(400):
            desk.add(f"dead{number}.test", 3)
        while await desk.more():
            pass
        assert len(desk.leases) == 300
        desk.health.answered("living.test", 20)
        desk.leases.mark("living.test", answers=True)
        desk.add("living.test", 5)
        assert await desk.more() == ["living.test"] * 5

    play(check)


def test_a_message_to_several_of_whom_one_is_unknown_is_counted_as_a_stranger() -> None:
    async def check() -> None:
        desk = Desk(max_deliveries=1)
        desk.health.answered("known.test", 20)
        for number in range(WAITING):
            desk.queue.add(entry(f"m{number}", "a@known.test", "b@unknown.test"), b"x")
        assert len(await desk.more()) == WAITING
        desk.leases.mark("known.test", answers=True)
        desk.add("known.test", 3)
        assert await desk.more() == ["known.test"] * 3

    play(check)


def test_what_the_queue_could_not_be_told_is_told_again() -> None:
    async def check() -> None:
        desk, verify = Desk(), MemoryQueue.verify

        async def fails(_names: object) -> None:
            raise MailError(452, "4.3.1", "Insufficient system storage")

        desk.leases.mark("a.test", answers=True)
        desk.queue.verify = fails  # type: ignore[assignment,method-assign]
        with pytest.raises(MailError):
            await desk.more()
        desk.leases.mark("b.test", answers=True)
        desk.queue.verify = partial(verify, desk.queue)  # type: ignore[method-assign]
        await desk.more()
        assert desk.queue.proven == {"a.test": True, "b.test": True}

    play(check)


def test_what_is_remembered_of_lanes_is_bounded() -> None:
    desk = Desk()
    for number in range(leases.REMEMBERED + 10):
        desk.leases.mark(f"d{number}.test", answers=True)
    assert len(desk.leases._verified) <= leases.REMEMBERED
