"""Turns: in all, for each destination, and for those that wait for an answer."""

import asyncio
from collections.abc import Callable, Coroutine

from tests.support.fakes import FakeClock, FakeConfig
from whimbrel.flow.delivery.progress import Phase, Progress
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.slots import Slots
from whimbrel.flow.delivery.standing import Standings


class Yard:
    def __init__(self, **settings: int) -> None:
        self.clock = FakeClock()
        self.standings = Standings()
        self.config = FakeConfig(DeliverySettings(**settings))
        self.slots = Slots(self.standings, self.config, self.clock)
        self.going: list[str] = []
        self.refused: list[str] = []
        self.progress: dict[str, Progress] = {}
        self.done: dict[str, asyncio.Event] = {}

    def send(self, name: str, key: str) -> "asyncio.Task[None]":
        async def deliver() -> None:
            progress = self.progress[name] = Progress(name, key, 1, 1, 0.0)
            self.done[name] = asyncio.Event()
            async with self.slots.take(key, progress) as turn:
                if not turn:
                    self.refused.append(name)
                    return
                self.going.append(name)
                await self.done[name].wait()
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


def test_neither_bound_is_passed_and_destinations_take_turns() -> None:
    async def check() -> None:
        yard = Yard(max_deliveries=3, per_destination=2)
        tasks = [yard.send(f"{key}{n}", key) for key in ("a", "b") for n in range(4)]
        await settled()
        assert yard.going == ["a0", "a1", "b0"]
        order = list(yard.going)
        while yard.going:
            yard.done[yard.going[0]].set()
            await settled()
            assert len(yard.going) <= 3
            assert sum(name.startswith("a") for name in yard.going) <= 2
            order += [name for name in yard.going if name not in order]
        assert len(order) == 8 and yard.slots.talking == 0
        await asyncio.gather(*tasks)

    play(check)


def test_who_waits_for_an_answer_makes_room_within_a_bound() -> None:
    async def check() -> None:
        yard = Yard(max_deliveries=2, per_destination=2, max_connecting=1)
        yard.standings.answered("x", 2)
        tasks = [yard.send(f"dead{n}", f"dead{n}") for n in range(2)] + [yard.send(f"x{n}", "x") for n in range(2)]
        await settled()
        for name in ("dead0", "dead1"):
            yard.progress[name].phase = Phase.CONNECTING
        yard.slots.look()
        await settled()
        assert yard.going == ["dead0", "dead1"]  # Not at once.
        yard.clock.forward(2)
        yard.slots.look()
        await settled()
        assert yard.going == ["dead0", "dead1", "x0"] and yard.slots.patient == 1
        # Whoever gets an answer counts again.
        for name in ("dead0", "dead1"):
            yard.progress[name].phase = Phase.CONTENT
        yard.slots.look()
        assert (yard.slots.patient, yard.slots.talking) == (0, 3)
        for name in list(yard.done):
            yard.done[name].set()
        await asyncio.gather(*tasks)
        assert yard.slots.talking == 0

    play(check)


def test_a_pause_sends_away_who_waits_for_that_destination_only() -> None:
    async def check() -> None:
        yard = Yard(max_deliveries=1)
        tasks = [yard.send("first", "z"), yard.send("a0", "a"), yard.send("b0", "b")]
        await settled()
        yard.slots.pause("a")
        yard.done["first"].set()
        await settled()
        assert yard.refused == ["a0"] and yard.going == ["b0"]
        yard.done["b0"].set()
        await asyncio.gather(*tasks)

    play(check)


def test_a_turn_of_one_who_is_cancelled_goes_to_the_next() -> None:
    async def check() -> None:
        yard = Yard(max_deliveries=1)
        first, second, third = yard.send("first", "z"), yard.send("second", "a"), yard.send("third", "b")
        await settled()
        offer = yard.slots.offer

        def cancel() -> None:
            offer()
            yard.slots.offer = offer  # type: ignore[method-assign]
            second.cancel()  # In the moment in which it was given its turn.

        yard.slots.offer = cancel  # type: ignore[method-assign]
        yard.done["first"].set()
        await first
        await asyncio.gather(second, return_exceptions=True)
        await settled()
        assert yard.going == ["third"]
        yard.done["third"].set()
        await third
        assert yard.slots.talking == 0

    play(check)


def test_when_all_who_may_wait_do_strangers_leave_half_to_those_who_answer() -> None:
    async def check() -> None:
        yard = Yard(max_deliveries=4, max_connecting=1)
        yard.standings.answered("living", 5)
        tasks = [yard.send("dead", "dead")]
        await settled()
        yard.clock.forward(2)
        yard.slots.look()
        tasks += [yard.send(f"s{n}", f"stranger{n}") for n in range(4)] + [yard.send("l", "living")]
        await settled()
        assert yard.going == ["dead", "s0", "s1", "l"]
        for name in ("s0", "s1"):
            yard.done[name].set()
        await settled()
        assert yard.going == ["dead", "l", "s2", "s3"]
        for event in yard.done.values():
            event.set()
        await asyncio.gather(*tasks)

    play(check)
