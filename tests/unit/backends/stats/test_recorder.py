"""Totals and series of what processes count: over their deaths, restarts, days and clocks."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import FakeClock, MemoryLog
from whimbrel.backends.stats import recorder as recorder_module
from whimbrel.backends.stats.board import Board
from whimbrel.backends.stats.recorder import Recorder
from whimbrel.core.pool import Pool

SERVICES = ("smtp", "imap")
NOON = time.mktime((2026, 3, 1, 12, 0, 0, 0, 0, -1))


class Inline:
    """Work done at once."""

    async def run(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return work(*args, **kwargs)


class Server:
    """Processes that count, and control that keeps it, by a clock of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock, self.log = FakeClock(NOON), MemoryLog()
        self.boards: list[Board] = []
        self.run_name = "1:1"
        self.gauges: dict[str, float] = {"queue": 3, "disk-free": 1000}
        self.recorder = self.recorded()

    def recorded(self) -> Recorder:
        async def look() -> Mapping[str, float]:
            return self.gauges

        pool: Pool = Inline()
        return Recorder(
            self.folder / "store", self.folder / "run", SERVICES, look=look, clock=self.clock, pool=pool, log=self.log,
            server=lambda: self.run_name,
        )  # fmt: skip

    def process(self) -> Board:
        board = Board(SERVICES)
        board._day, board._turns = time.strftime("%Y-%m-%d", time.localtime(self.clock.now())), float("inf")
        board.open(self.folder / "run" / f"mail-{len(self.boards)}")
        self.boards.append(board)
        return board

    async def sample(self, seconds: float = 20.0) -> None:
        for board in self.boards:
            board.write(board.image(tops=True))
        self.clock.forward(seconds)
        await self.recorder.sample()

    async def counted(self, name: str, period: str = "ever") -> int:
        for board in self.boards:
            board.write(board.image(tops=True))
        self.clock.forward(1.0)
        return (await self.recorder.totals()).counts[period].get(name, 0)


def kept(test: Callable[[Server], Coroutine[Any, Any, None]], folder: Path) -> None:
    async def inside() -> None:
        server = Server(folder)
        async with server.recorder.running():
            await test(server)
        for board in server.boards:
            board.close()

    asyncio.run(inside())


def test_what_nobody_has_counted_yet_is_zero_and_not_missing(tmp_path: Path) -> None:
    async def test(server: Server) -> None:
        for period in ("start", "today", "ever"):
            counts = (await server.recorder.totals()).counts[period]
            assert counts["messages-in.smtp"] == counts["deliveries.failed"] == counts["latency.0"] == 0
            assert "memory" not in counts

    kept(test, tmp_path)


def test_totals_are_the_sum_of_all_processes_dead_ones_too(tmp_path: Path) -> None:
    async def check(server: Server) -> None:
        one, two = server.process(), server.process()
        one.add("messages-in", "smtp", 5)
        two.add("messages-in", "smtp", 2)
        assert await server.counted("messages-in.smtp") == 7
        one.add("messages-in", "smtp")
        one.close()
        assert await server.counted("messages-in.smtp") == 8
        await server.sample()
        assert len(list((tmp_path / "run").iterdir())) == 1  # What is safe is cleared away.
        assert await server.counted("messages-in.smtp") == 8

    kept(check, tmp_path)


def test_a_crash_of_control_counts_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    async def check(server: Server) -> None:
        one, two = server.process(), server.process()
        one.add("messages-in", "smtp", 5)
        two.add("messages-in", "smtp", 3)
        await server.sample()
        two.add("messages-in", "smtp", 10)
        two.close()
        assert await server.counted("messages-in.smtp") == 18  # Seen, not yet written down.
        server.recorder = server.recorded()
        crashed = server.recorder
        async with crashed.running():
            assert await server.counted("messages-in.smtp") == 18
            one.add("messages-in", "smtp")
            assert await server.counted("messages-in.smtp") == 19

    kept(check, tmp_path)


def test_a_board_that_was_safe_and_not_yet_cleared_away_is_not_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(server: Server) -> None:
        one = server.process()
        one.add("messages-in", "smtp", 5)
        one.noted("a@example.test", 1)
        one.close()
        monkeypatch.setattr(Path, "unlink", lambda *_args, **_more: None)  # The power goes in between.
        await server.sample()
        monkeypatch.undo()
        server.recorder = server.recorded()
        async with server.recorder.running():
            assert await server.counted("messages-in.smtp") == 5
            tops = await server.recorder.tops("senders", today=True, limit=5)
            assert [(top.name, top.times) for top in tops] == [("a@example.test", 1)]

    kept(check, tmp_path)


def test_since_the_start_is_of_this_run_of_the_server_not_of_control(tmp_path: Path) -> None:
    async def check(server: Server) -> None:
        server.process().add("messages-in", "smtp", 5)
        assert await server.counted("messages-in.smtp", "start") == 5
        await server.sample()
        for run_name, start in (("1:1", 5), ("2:7", 0)):
            server.run_name = run_name
            server.recorder = server.recorded()
            async with server.recorder.running():
                assert await server.counted("messages-in.smtp", "start") == start
                assert await server.counted("messages-in.smtp", "ever") == 5

    kept(check, tmp_path)


def test_today_begins_at_midnight_and_senders_of_yesterday_are_among_those_of_ever(tmp_path: Path) -> None:
    async def check(server: Server) -> None:
        one = server.process()
        one.add("messages-in", "smtp", 5)
        one.noted("old@example.test", 10)
        assert await server.counted("messages-in.smtp", "today") == 5
        await server.sample()
        server.clock.forward(13 * 3600)
        assert await server.counted("messages-in.smtp", "today") == 0
        one._before = {"day": one._day, **one._tables(10)}
        one.senders = type(one.senders)()
        one._day = time.strftime("%Y-%m-%d", time.localtime(server.clock.now()))
        one.add("messages-in", "smtp", 2)
        one.noted("new@example.test", 10)
        assert await server.counted("messages-in.smtp", "today") == 2
        assert await server.counted("messages-in.smtp", "ever") == 7
        for today, names in ((True, ["new@example.test"]), (False, ["new@example.test", "old@example.test"])):
            tops = await server.recorder.tops("senders", today=today, limit=5)
            assert [(top.name, top.times) for top in tops] == [(name, 1) for name in names]

    kept(check, tmp_path)


def test_a_series_has_counts_averages_and_gaps(tmp_path: Path) -> None:
    async def check(server: Server) -> None:
        one = server.process()
        await server.sample()
        for number in (4, 6):
            one.add("messages-in", "smtp", number)
            one.took(0.5)
            server.gauges["queue"] = number
            await server.sample()
        server.clock.forward(60)  # Nobody looked.
        await server.sample()
        made = await server.recorder.series(["messages-in", "messages-in.imap", "queue", "latency.p50"], 140)
        by_name = {series.name: [value for _, value in series.points] for series in made}
        assert made[0].step == 20
        assert [value for value in by_name["messages-in"] if value] == [4.0, 6.0]
        assert [value for value in by_name["queue"] if value is not None] == [3.0, 4.0, 6.0, 6.0]
        assert by_name["queue"].count(None) >= 3
        assert [0.35 < value < 0.71 for value in by_name["latency.p50"] if value is not None] == [True, True]
        assert not any(by_name["messages-in.imap"][n] for n in range(len(by_name["messages-in.imap"])))
        (week,) = await server.recorder.series(["messages-in"], 7 * 86_400)
        assert week.step == 900 and sum(value or 0 for _, value in week.points) == 10

    kept(check, tmp_path)


def test_a_clock_that_jumps_makes_no_negative_number_and_loses_no_total(tmp_path: Path) -> None:
    async def check(server: Server) -> None:
        one = server.process()
        for jump in (0, 86_400 * 3, -86_400 * 5, 7200):
            server.clock.ahead += jump
            one.add("messages-in", "smtp")
            await server.sample()
        assert await server.counted("messages-in.smtp") == 4
        (series,) = await server.recorder.series(["messages-in"], 30 * 86_400)
        assert all(value is None or value >= 0 for _, value in series.points)

    kept(check, tmp_path)


def test_connections_at_this_moment_are_those_of_living_processes(tmp_path: Path) -> None:
    async def check(server: Server) -> None:
        one, two = server.process(), server.process()
        one.add("connections", "imap", 5)
        two.add("connections", "imap", 3)
        two.add("connections-ended", "imap", 1)
        await server.sample()
        assert (await server.recorder.totals()).gauges["connections-now.imap"] == 7
        one.close()
        await server.sample()
        totals = await server.recorder.totals()
        assert (totals.gauges["connections-now.imap"], totals.gauges["workers"]) == (2, 1)

    kept(check, tmp_path)


def test_a_reset_begins_at_zero_and_keeps_what_was_over_time(tmp_path: Path) -> None:
    async def check(server: Server) -> None:
        one = server.process()
        one.add("messages-in", "smtp", 5)
        one.noted("a@example.test", 1)
        await server.sample()
        await server.recorder.reset()
        assert await server.counted("messages-in.smtp") == 0
        assert await server.recorder.tops("senders", today=False, limit=5) == []
        one.add("messages-in", "smtp")
        assert await server.counted("messages-in.smtp") == 1
        (series,) = await server.recorder.series(["messages-in"], 3600)
        assert sum(value or 0 for _, value in series.points) == 5

    kept(check, tmp_path)


def test_a_full_disk_is_told_once_and_what_came_is_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(server: Server) -> None:
        one = server.process()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(recorder_module.Ring, "add", full)
        one.add("messages-in", "smtp", 5)
        for _ in range(3):
            await server.sample()
        assert [event for _, event, _ in server.log.records] == ["stats.not-kept"]
        monkeypatch.undo()
        await server.sample()
        (series,) = await server.recorder.series(["messages-in"], 3600)
        assert sum(value or 0 for _, value in series.points) == 5

    kept(check, tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 1}', b'{"format": 99}', b"[]", b"\0" * 4096])
def test_damaged_totals_fall_back_to_those_before(tmp_path: Path, content: bytes) -> None:
    async def check(server: Server) -> None:
        server.process().add("messages-in", "smtp", 5)
        await server.sample()
        await server.sample()
        (tmp_path / "store" / "totals.json").write_bytes(content)
        server.recorder = server.recorded()
        async with server.recorder.running():
            assert await server.counted("messages-in.smtp") == 5

    kept(check, tmp_path)


def test_an_unknown_name_is_refused_and_every_known_one_is_served(tmp_path: Path) -> None:
    async def check(server: Server) -> None:
        server.process()
        await server.sample()
        with pytest.raises(LookupError):
            await server.recorder.series(["messages"], 3600)
        made = await server.recorder.series(server.recorder.names(), 3600)
        assert [series.name for series in made] == list(server.recorder.names())
        assert {"latency.p50", "latency.p95", "cpu", "memory", "disk-free", "queue", "connections-now.smtp"} <= set(
            server.recorder.names()
        )

    kept(check, tmp_path)


def test_a_gauge_that_cannot_be_looked_at_is_as_it_was(tmp_path: Path) -> None:
    async def check(server: Server) -> None:
        server.process()
        await server.sample()
        server.gauges = {}
        await server.sample()
        assert (await server.recorder.totals()).gauges["queue"] == 3

    kept(check, tmp_path)
