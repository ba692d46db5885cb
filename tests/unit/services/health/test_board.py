"""Results are kept with the time since when they are so; no check holds up another."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.support.fakes import MemoryLog
from tests.unit.services.health.ward import Ward
from whimbrel.app.processes.health import looking
from whimbrel.services.health.board import Board, Result
from whimbrel.services.health.check import Check, HealthContext, Level, Verdict, ok


def check(name: str, *verdicts: Verdict | Exception | None) -> Check:
    """Gives one verdict after the other, the last again and again; None: it hangs."""
    left = list(verdicts)

    async def look(ctx: HealthContext) -> Verdict:
        verdict = left.pop(0) if len(left) > 1 else left[0]
        if verdict is None:
            await asyncio.Event().wait()
        if isinstance(verdict, Exception):
            raise verdict
        assert verdict is not None
        return verdict

    return Check(name, name.title(), look, "/x", f"mend {name}")


RED = Verdict(Level.ERROR, "it is broken", "mend it")


class Desk:
    def __init__(self, *checks: Check) -> None:
        self.ward, self.log, self.checks = Ward(), MemoryLog(), checks
        self.board = self.again()

    def again(self) -> Board:
        """As after a restart."""
        return Board(self.checks, self.ward.context(), self.log, within=0.05)

    async def look(self) -> dict[str, Result]:
        return {result.name: result for result in await self.board.look()}


def test_since_when_something_is_so_outlives_the_server() -> None:
    async def work() -> None:
        desk = Desk(check("disk", ok("fine"), RED))
        begun = desk.ward.clock.now()
        await desk.look()
        desk.ward.clock.forward(100)
        assert (await desk.look())["disk"].since == begun + 100
        desk.ward.clock.forward(100)
        desk.board = desk.again()
        await desk.board.restore()
        (kept,) = desk.board.results()
        assert (kept.level, kept.since, kept.text, kept.command) == (
            Level.ERROR, begun + 100, "it is broken", "mend disk",
        )  # fmt: skip
        result = (await desk.look())["disk"]
        assert (result.since, result.looked) == (begun + 100, begun + 200)
        assert [each.name for each in desk.board.red] == ["disk"]

    asyncio.run(work())


def test_a_check_that_hangs_is_unknown_and_is_not_made_twice() -> None:
    async def work() -> None:
        calls = 0

        async def hang(ctx: HealthContext) -> Verdict:
            nonlocal calls
            calls += 1
            await asyncio.Event().wait()
            raise AssertionError

        desk = Desk(Check("store", "Store", hang, "", ""), check("clock", ok("fine")))
        first = await desk.look()
        assert (first["store"].level, first["clock"].level) == (Level.UNKNOWN, Level.OK)
        assert "within" in first["store"].text
        assert "earlier look has not ended" in (await desk.look())["store"].text
        assert calls == 1
        await desk.board.close()

    asyncio.run(work())


def test_a_bug_in_a_check_is_logged_and_hides_no_other() -> None:
    async def work() -> None:
        desk = Desk(check("a", ValueError("bug")), check("b", OSError(5, "Input/output error")), check("c", RED))
        results = await desk.look()
        assert [results[name].level for name in "abc"] == [Level.UNKNOWN, Level.UNKNOWN, Level.ERROR]
        assert "Input/output error" in results["b"].text
        assert desk.log.named("health.crashed")

    asyncio.run(work())


def test_two_who_ask_at_the_same_time_share_a_look() -> None:
    async def work() -> None:
        calls = 0

        async def count(ctx: HealthContext) -> Verdict:
            nonlocal calls
            calls += 1
            await asyncio.sleep(0)
            return ok("fine")

        desk = Desk(Check("a", "A", count, "", ""))
        await asyncio.gather(desk.board.look(), desk.board.look())
        assert calls == 1
        await desk.board.look()
        assert calls == 2

    asyncio.run(work())


def test_who_subscribed_hears_of_each_look() -> None:
    async def work() -> None:
        heard: list[Sequence[Result]] = []
        desk = Desk(check("a", RED))
        desk.board.subscribe(heard.append)
        await desk.look()
        assert [[each.name for each in results] for results in heard] == [["a"]]

    asyncio.run(work())


def test_results_of_another_release_are_passed_over() -> None:
    async def work() -> None:
        desk = Desk(check("a", ok("fine")), check("b", ok("fine")))
        await desk.ward.state.set("health", "a", '{"level": "purple"}')
        await desk.ward.state.set("health", "b", "no json")
        await desk.board.restore()
        assert list(desk.board.results()) == []

    asyncio.run(work())


def test_what_looks_at_the_configuration_is_made_anew_when_that_changes() -> None:
    async def work() -> None:
        settings = replace(check("settings", ok("fine"), RED, ok("fine")), configured=True)
        desk = Desk(settings, check("disk", ok("fine"), RED))
        listeners: list[Callable[[frozenset[str]], None]] = []
        desk.ward.config.subscribe = listeners.append  # type: ignore[method-assign]
        desk.board = desk.again()
        await desk.look()
        async with looking(desk.board):
            for names in (["settings"], []):  # It is wrong; it is right again.
                for changed in listeners:
                    changed(frozenset({"relay/allow-from"}))
                for _ in range(50):
                    await asyncio.sleep(0)
                assert [each.name for each in desk.board.red] == names

    asyncio.run(work())
