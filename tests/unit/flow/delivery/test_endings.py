"""Entries of which all was sent leave the queue together, and none of them is forgotten."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.support.fakes import MemoryLog
from tests.support.flow_fakes import MemoryQueue
from tests.support.queue_house import entry
from whimbrel.core.errors import MailError
from whimbrel.flow.delivery import endings as endings_module
from whimbrel.flow.delivery.endings import Endings


class Slow(MemoryQueue):
    """Counts what comes together; fails as often as told."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self.together: list[list[str]] = []
        self.failures = list(failures)

    async def finish(self, ids: Sequence[str]) -> None:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.together.append(list(ids))
        await super().finish(ids)


def filled(queue: Slow, count: int = 5) -> Slow:
    for n in range(count):
        queue.add(entry(f"q{n}"), b"x")
    return queue


def play(queue: Slow, log: MemoryLog) -> list[str]:
    over: list[str] = []

    async def main() -> None:
        endings = Endings(queue, log, over.extend, gather=0.0)
        endings.add("q0")
        await asyncio.sleep(0)
        for n in range(1, 5):
            endings.add(f"q{n}")
        await endings.drain()
        await endings.drain()

    asyncio.run(main())
    return over


def test_what_ends_while_others_are_stored_is_stored_together() -> None:
    queue, log = filled(Slow()), MemoryLog()
    assert sorted(play(queue, log)) == [f"q{n}" for n in range(5)]
    assert len(queue.together) <= 2 and not queue.items


def test_a_disk_that_fails_for_a_moment_sends_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings_module, "PAUSES", (0.0, 0.0))
    queue, log = filled(Slow(MailError(451, "4.3.0", "Storage failure"))), MemoryLog()
    assert sorted(play(queue, log)) == [f"q{n}" for n in range(5)] and not queue.items
    assert len(log.named("queue.failed")) == 1


def test_a_disk_that_is_full_for_long_sends_nothing_twice_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings_module, "PAUSES", (0.0, 0.0))
    full = MailError(452, "4.3.1", "Insufficient system storage")
    queue, log = filled(Slow(*[full] * 50)), MemoryLog()
    assert sorted(play(queue, log)) == [f"q{n}" for n in range(5)] and not queue.items
    assert len(log.named("queue.failed")) == 50


def test_what_cannot_be_stored_for_a_bug_is_let_go_and_told_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("a bug")
    monkeypatch.setattr(endings_module, "PAUSES", (0.0,))
    queue, log = filled(Slow(error, error)), MemoryLog()
    assert sorted(play(queue, log)) == [f"q{n}" for n in range(5)]
    assert log.named("delivery.crashed")


def test_where_little_is_sent_what_was_is_stored_at_once() -> None:
    """What a crash meanwhile would send again is as little as can be."""
    queue = filled(Slow())

    async def main() -> None:
        endings = Endings(queue, MemoryLog(), lambda _ids: None, gather=3600.0)
        endings.add("q0")
        for _ in range(5):
            await asyncio.sleep(0)
        assert queue.together == [["q0"]]
        endings.add("q1")  # Soon after it: gathered, for an hour here.
        for _ in range(5):
            await asyncio.sleep(0)
        assert queue.together == [["q0"]]
        assert endings._storing is not None
        endings._storing.cancel()

    asyncio.run(main())
