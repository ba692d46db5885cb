"""Fair turns: shares, order, bounds, and what becomes of those who give up."""

import asyncio
import contextlib

import pytest

from whimbrel.services.webd.turns import Crowded, Turns


async def held(turns: Turns, key: str, go_on: asyncio.Event, entered: list[str], name: str = "") -> None:
    async with turns.turn(key):
        entered.append(name or key)
        await go_on.wait()


async def soon() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_who_waits_is_served_in_order_and_others_are_not_held_up() -> None:
    async def work() -> list[str]:
        turns, entered = Turns(1, 10), list[str]()
        events = [asyncio.Event() for _ in range(4)]
        tasks = [
            asyncio.create_task(held(turns, "a", event, entered, f"a{number}")) for number, event in enumerate(events)
        ]
        await soon()
        async with turns.turn("b"):
            entered.append("b")
        for event in events:
            event.set()
            await soon()
        await asyncio.gather(*tasks)
        assert turns.keys == 0
        return entered

    assert asyncio.run(work()) == ["a0", "b", "a1", "a2", "a3"]


def test_more_than_may_wait_are_refused_at_once_and_the_others_in_time() -> None:
    async def work() -> None:
        turns, go_on, entered = Turns(1, 1, within=0.01), asyncio.Event(), list[str]()
        holder = asyncio.create_task(held(turns, "a", go_on, entered))
        await soon()
        waiter = asyncio.create_task(held(turns, "a", go_on, entered))
        await soon()
        with pytest.raises(Crowded):
            await held(turns, "a", go_on, entered)
        with pytest.raises(Crowded):
            await waiter
        go_on.set()
        await holder
        assert entered == ["a"] and turns.keys == 0 and not turns._queues

    asyncio.run(work())


@pytest.mark.parametrize("first", ["turn", "cancel"])
def test_the_turn_of_who_gives_up_goes_to_the_next(first: str) -> None:
    async def work() -> None:
        turns, stop, go_on, entered = Turns(1, 5), asyncio.Event(), asyncio.Event(), list[str]()
        holder = asyncio.create_task(held(turns, "a", stop, entered, "holder"))
        await soon()
        quitter = asyncio.create_task(held(turns, "a", go_on, entered, "quitter"))
        await soon()
        last = asyncio.create_task(held(turns, "a", go_on, entered, "last"))
        await soon()
        if first == "cancel":
            quitter.cancel()
            stop.set()
        else:  # Both in one step of the loop: its turn has come, and it goes.
            stop.set()
            await holder
            quitter.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await quitter
        go_on.set()
        await asyncio.gather(holder, last)
        assert "last" in entered and turns.keys == 0 and not turns._queues

    asyncio.run(work())


def test_a_thousand_keys_leave_nothing_behind() -> None:
    async def work() -> int:
        turns = Turns(2, 2)
        for number in range(1000):
            async with turns.turn(number):
                pass
        return turns.keys

    assert asyncio.run(work()) == 0
