"""Slots: of each destination, and of those that transfer."""

import asyncio
from collections.abc import Callable, Coroutine

from tests.support.fakes import FakeConfig
from whimbrel.flow.delivery.health import DestinationHealth
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.slots import Slot, Slots


class Yard:
    def __init__(self, **settings: int) -> None:
        self.health = DestinationHealth()
        self.config = FakeConfig(DeliverySettings(**settings))
        self.slots = Slots(self.health, self.config)
        self.going: list[str] = []
        self.transferring: list[str] = []
        self.refused: list[str] = []
        self.taken: dict[str, Slot] = {}
        self.answered: dict[str, asyncio.Event] = {}
        self.done: dict[str, asyncio.Event] = {}

    def send(self, name: str, key: str, *, answered: bool = True) -> "asyncio.Task[None]":
        async def deliver() -> None:
            self.done[name] = asyncio.Event()
            self.answered[name] = asyncio.Event()
            if answered:
                self.answered[name].set()
            slot = self.taken[name] = self.slots.slot(key)
            async with slot as given:
                if not given:
                    self.refused.append(name)
                    return
                self.going.append(name)
                await self.answered[name].wait()
                await slot.transfer()
                self.transferring.append(name)
                await self.done[name].wait()
                self.transferring.remove(name)
                self.going.remove(name)

        return asyncio.ensure_future(deliver())


def play(test: Callable[[], Coroutine[object, object, None]]) -> None:
    async def inside() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(inside())


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def ended(yard: Yard, *tasks: "asyncio.Task[None]") -> None:
    while yard.transferring:
        yard.done[yard.transferring[0]].set()
        await settled()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert yard.slots.transferring == 0 and not yard.slots._by_key and not yard.slots._waiting


def test_neither_bound_is_passed_and_destinations_take_turns() -> None:
    async def check() -> None:
        yard = Yard(max_deliveries=3, per_destination=2)
        tasks = [yard.send(f"{key}{n}", key) for key in ("a", "b") for n in range(4)]
        await settled()
        assert yard.going == ["a0", "a1", "b0", "b1"] and yard.transferring == ["a0", "a1", "b0"]
        order = list(yard.transferring)
        while yard.transferring:
            yard.done[yard.transferring[0]].set()
            await settled()
            assert len(yard.transferring) <= 3
            assert sum(name.startswith("a") for name in yard.going) <= 2
            order += [name for name in yard.transferring if name not in order]
        assert order == ["a0", "a1", "b0", "b1", "a2", "a3", "b2", "b3"]
        await ended(yard, *tasks)

    play(check)


def test_who_looks_for_a_server_keeps_nobody_from_talking() -> None:
    async def check() -> None:
        yard = Yard(max_deliveries=1)
        tasks = [yard.send(f"dead{n}", f"dead{n}", answered=False) for n in range(100)]
        tasks += [yard.send("first", "x"), yard.send("second", "y")]
        await settled()
        assert len(yard.going) == 102 and yard.transferring == ["first"]
        # One of them got its answer after all: it has to wait like others.
        yard.answered["dead7"].set()
        await settled()
        assert yard.transferring == ["first"]
        yard.done["first"].set()
        await settled()
        assert yard.transferring == ["second"]
        yard.done["second"].set()
        await settled()
        assert yard.transferring == ["dead7"]
        for event in yard.answered.values():
            event.set()
        await settled()
        await ended(yard, *tasks)

    play(check)


def test_who_looks_for_another_server_makes_room_until_he_has_found_it() -> None:
    async def check() -> None:
        yard = Yard(max_deliveries=1)
        tasks = [yard.send("first", "x"), yard.send("second", "y")]
        await settled()
        yard.taken["first"].connect()
        yard.taken["first"].connect()
        await settled()
        assert yard.transferring == ["first", "second"] and yard.slots.transferring == 1
        again = asyncio.ensure_future(yard.taken["first"].transfer())
        await settled()
        assert not again.done()
        yard.done["second"].set()
        await settled()
        assert again.done() and yard.slots.transferring == 1
        await ended(yard, *tasks)

    play(check)


def test_a_bound_that_rises_lets_in_who_waits() -> None:
    async def check() -> None:
        yard = Yard(max_deliveries=1, per_destination=5)
        tasks = [yard.send(f"a{n}", "a") for n in range(4)] + [yard.send(f"b{n}", "b") for n in range(2)]
        await settled()
        assert yard.going == ["a0", "a1", "b0", "b1"]  # Servers of both were met: two may try.
        yard.health.answered("a", 5)
        yard.slots.offer("a")
        await settled()
        assert yard.going == ["a0", "a1", "b0", "b1", "a2"]
        yard.config.use(DeliverySettings(max_deliveries=4, per_destination=5))
        yard.done["a0"].set()
        await settled()
        assert yard.transferring == ["a1", "b0", "b1", "a2"]
        yard.done["a1"].set()
        await settled()
        assert yard.transferring == ["b0", "b1", "a2", "a3"]
        await ended(yard, *tasks)

    play(check)


def test_a_pause_sends_away_who_waits_for_that_destination_only() -> None:
    async def check() -> None:
        yard = Yard(per_destination=1)
        tasks = [yard.send(f"{key}{n}", key) for key in ("a", "b") for n in range(2)]
        await settled()
        yard.slots.pause("a")
        await settled()
        assert yard.refused == ["a1"] and yard.going == ["a0", "b0"]
        yard.done["b0"].set()
        await settled()
        assert yard.going == ["a0", "b1"]
        await ended(yard, *tasks)

    play(check)


def test_what_is_given_to_one_who_is_cancelled_goes_to_the_next() -> None:
    async def check() -> None:
        yard = Yard(per_destination=1, max_deliveries=1)
        slots, first = yard.slots, yard.slots.slot("a")
        assert await first.__aenter__()
        second = asyncio.ensure_future(slots.slot("a").__aenter__())
        tasks = [yard.send("third", "a")]
        await settled()
        slots.release("a")  # The second is given the slot,
        second.cancel()  # and does not hear of it.
        await settled()
        assert second.cancelled() and yard.transferring == ["third"]
        other = asyncio.ensure_future(slots.slot("b").transfer())
        tasks.append(yard.send("last", "c"))
        await settled()
        slots.end_transfer()
        other.cancel()
        await settled()
        assert other.cancelled() and yard.transferring == ["third", "last"] and slots.transferring == 1
        for event in yard.done.values():
            event.set()
        await asyncio.gather(*tasks)

    play(check)


def test_who_is_cancelled_while_he_waits_leaves_nothing_behind() -> None:
    async def check() -> None:
        yard = Yard(per_destination=1, max_deliveries=1)
        tasks = [yard.send("a0", "a"), yard.send("a1", "a"), yard.send("b0", "b")]
        await settled()
        for task in tasks[1:]:
            task.cancel()
        await settled()
        assert not yard.slots._waiting and not yard.slots._to_transfer
        tasks += [yard.send("a2", "a"), yard.send("b1", "b")]
        await settled()
        await ended(yard, *tasks)

    play(check)


def test_it_is_crowded_while_many_look_for_their_server() -> None:
    async def check() -> None:
        yard = Yard(max_connecting=40)
        tasks = [yard.send(f"d{n}", f"d{n}", answered=False) for n in range(11)]
        await settled()
        slot = yard.taken["d0"]
        assert yard.slots.connecting == 11 and slot.crowded
        yard.answered["d10"].set()
        await settled()
        assert yard.slots.connecting == 10 and not slot.crowded
        for event in yard.answered.values():
            event.set()
        await settled()
        assert yard.slots.connecting == 0
        await ended(yard, *tasks)
        assert yard.slots.connecting == 0

    play(check)
