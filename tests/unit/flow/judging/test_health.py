"""How long a filter has been down can be asked in any process, and costs nothing while all are well."""

import asyncio

from tests.support.fakes import FakeClock, MemoryLog, MemoryState
from whimbrel.flow.judging.health import KIND, RETRY, TRIES, FilterHealth, Health, filter_health


def test_an_outage_is_known_to_all_workers_and_ends_with_an_answer() -> None:
    async def check() -> None:
        clock, state, log = FakeClock(), MemoryState(), MemoryLog()
        first, second = Health(state, clock, log), Health(state, clock, log)
        began = clock.now()
        await first.failed("list", "no answer within 5s")
        clock.forward(60)
        await second.failed("list", "SERVFAIL")
        clock.forward(60)
        await first.failed("list", "SERVFAIL")
        assert await filter_health(state) == [FilterHealth("list", began, 0.0, 3, "SERVFAIL")]
        clock.forward(60)
        await second.well("list")
        (health,) = await filter_health(state)
        assert (health.since, health.until, health.error) == (began, clock.now(), "SERVFAIL")
        assert log.named("filter.up")[0] == {"filter": "list", "seconds": 180, "failures": 3}
        await first.well("list")
        assert len(log.named("filter.up")) == 1 and first.perfect and second.perfect

    asyncio.run(check())


def test_a_later_outage_begins_anew() -> None:
    async def check() -> None:
        clock, state = FakeClock(), MemoryState()
        health = Health(state, clock, MemoryLog())
        await health.failed("list", "a")
        await health.well("list")
        clock.forward(1000)
        await health.failed("list", "b")
        assert await filter_health(state) == [FilterHealth("list", clock.now(), 0.0, 1, "b")]

    asyncio.run(check())


def test_many_failures_are_not_written_one_by_one_and_none_is_forgotten() -> None:
    class Counting(MemoryState):
        sets = 0

        async def set(self, kind: str, key: str, value: str, *, expires: float | None = None) -> None:
            self.sets += 1
            await super().set(kind, key, value, expires=expires)

    async def check() -> None:
        clock, state = FakeClock(), Counting()
        health = Health(state, clock, MemoryLog())
        for _ in range(1000):
            await health.failed("list", "x" * 10_000)
        assert state.sets == 1
        clock.forward(60)
        await health.failed("list", "x")
        (known,) = await filter_health(state)
        assert known.failures == 1001 and state.sets == 2

    asyncio.run(check())


def test_only_failures_in_a_row_let_a_filter_rest() -> None:
    async def check() -> None:
        clock = FakeClock()
        health = Health(MemoryState(), clock, MemoryLog())
        for _ in range(TRIES - 1):
            await health.failed("list", "why")
        assert not health.resting("list")
        await health.well("list")
        await health.failed("list", "why")
        assert not health.resting("list")
        for _ in range(TRIES):
            await health.failed("list", "why")
        assert health.resting("list") == "why" and not health.resting("other")
        clock.forward(RETRY)
        assert not health.resting("list")
        assert health.resting("list")  # One asks.

    asyncio.run(check())


def test_a_record_of_another_release_is_passed_over() -> None:
    state = MemoryState()
    state.values[KIND, "a"], state.values[KIND, "b"] = "{}", "nonsense"
    assert asyncio.run(filter_health(state)) == []
