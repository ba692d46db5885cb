"""The ports State and Counters, kept by every backend."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.support.fakes import FakeClock, MemoryLog
from whimbrel.backends.state.counters import LocalCounters, SharedCounters
from whimbrel.backends.state.state import SqliteState
from whimbrel.core.state import Counters, State

Use = Callable[[State], Awaitable[Any]]


class StateBench:
    def __init__(self, path: Path, run: Callable[..., Any]) -> None:
        self.path, self.clock, self.log, self._run = path, FakeClock(), MemoryLog(), run

    def run(self, use: Use) -> Any:
        """Opens, uses, closes."""

        async def main() -> Any:
            state = SqliteState(self.path, self.clock, self.log, interval=0.01)
            try:
                return await use(state)
            finally:
                await state.close()

        return self._run(main())


@pytest.fixture(params=["asyncio", "uvloop"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> StateBench:
    return StateBench(tmp_path / "state.db", asyncio.run if request.param == "asyncio" else uvloop.run)


def test_a_value_is_seen_at_once_and_after_a_restart(bench: StateBench) -> None:
    async def use(state: State) -> str | None:
        assert await state.get("signin", "a@x.test") is None
        await state.set("signin", "a@x.test", "1")
        await state.set("signin", "a@x.test", "2")
        return await state.get("signin", "a@x.test")

    assert bench.run(use) == "2"
    assert bench.run(lambda state: state.get("signin", "a@x.test")) == "2"
    assert bench.run(lambda state: state.get("other", "a@x.test")) is None


def test_a_deleted_value_is_gone_at_once_and_after_a_restart(bench: StateBench) -> None:
    bench.run(lambda state: state.set("k", "a", "1"))

    async def use(state: State) -> str | None:
        await state.delete("k", "a")
        await state.delete("k", "never")
        return await state.get("k", "a")

    assert bench.run(use) is None
    assert bench.run(lambda state: state.get("k", "a")) is None


def test_a_value_ends_at_its_time_written_or_not(bench: StateBench) -> None:
    async def use(state: State) -> list[object]:
        await state.set("k", "a", "1", expires=bench.clock.now() + 60)
        seen: list[object] = [await state.get("k", "a")]
        bench.clock.forward(60)
        return [*seen, await state.get("k", "a"), await state.list("k")]

    assert bench.run(use) == ["1", None, []]

    async def later(state: State) -> None:
        await state.set("k", "b", "1", expires=bench.clock.now() + 60)

    bench.run(later)
    assert bench.run(lambda state: state.get("k", "b")) == "1"
    bench.clock.forward(60)
    assert bench.run(lambda state: state.get("k", "b")) is None
    assert bench.run(lambda state: state.list("k")) == []


def test_a_list_is_what_is_stored_with_what_is_held_by_key_and_bounded(bench: StateBench) -> None:
    async def first(state: State) -> None:
        for key in "bdf":
            await state.set("k", key, "old")
        await state.set("other", "x", "no")

    async def second(state: State) -> list[list[tuple[str, str]]]:
        await state.set("k", "a", "new")
        await state.set("k", "d", "new")
        await state.delete("k", "f")
        return [await state.list("k"), await state.list("k", 2), await state.list("none")]

    bench.run(first)
    everything = [("a", "new"), ("b", "old"), ("d", "new")]
    assert bench.run(second) == [everything, everything[:2], []]


def test_any_text_is_kept(bench: StateBench) -> None:
    text = "ünï\0code\n'\"; DROP TABLE state; --" * 100
    bench.run(lambda state: state.set(text, text, text))
    assert bench.run(lambda state: state.get(text, text)) == text


@pytest.fixture(params=["local", "shared"])
def counters(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Counters, FakeClock]]:
    clock = FakeClock()
    if request.param == "local":
        yield LocalCounters(clock), clock
    else:
        shared = SharedCounters(tmp_path / "counters.map", clock)
        assert shared.shared
        yield shared, clock
        shared.close()


def test_a_running_total_goes_up_and_down_again(counters: tuple[Counters, FakeClock]) -> None:
    count, clock = counters
    assert [count.add("host"), count.add("host", 3), count.get("host")] == [1, 4, 4]
    clock.forward(10**6)
    assert [count.add("host", -1), count.get("host"), count.add("host", -3), count.get("host")] == [3, 3, 0, 0]


def test_names_and_windows_are_apart(counters: tuple[Counters, FakeClock]) -> None:
    count, _ = counters
    count.add("a")
    count.add("a", 5, window=60)
    count.add("a", 7, window=3600)
    assert [count.get("a"), count.get("a", window=60), count.get("a", window=3600), count.get("b")] == [1, 5, 7, 0]


def test_a_window_begins_with_its_first_count_and_ends_in_time(counters: tuple[Counters, FakeClock]) -> None:
    count, clock = counters
    assert count.get("x", window=60) == 0
    assert count.add("x", window=60) == 1
    clock.forward(59)
    assert count.add("x", window=60) == 2
    clock.forward(1)
    assert count.get("x", window=60) == 0
    assert count.add("x", window=60) == 1
    clock.forward(30)
    assert count.get("x", window=60) == 1


def test_a_window_can_be_taken_back_but_not_below_nothing(counters: tuple[Counters, FakeClock]) -> None:
    count, _ = counters
    count.add("x", 3, window=60)
    assert [count.add("x", -2, window=60), count.add("x", -9, window=60), count.add("x", window=60)] == [1, 0, 1]
    assert [count.add("y", -5, window=60), count.get("y", window=60)] == [0, 0]


def test_a_clock_set_back_does_not_keep_a_window_open(counters: tuple[Counters, FakeClock]) -> None:
    count, clock = counters
    count.add("x", 9, window=60)
    clock.forward(-86400)
    assert count.get("x", window=60) == 0
    assert count.add("x", window=60) == 1


def test_any_name_can_be_counted(counters: tuple[Counters, FakeClock]) -> None:
    count, _ = counters
    for name in ("", "\0", "ünï", "\udcff", "x" * 100_000):
        assert count.add(name) == 1
