"""What runs in a process for ever: what a bug in it may not do."""

import asyncio
import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.fakes import InlinePool, MemoryLog
from whimbrel.app.processes import control, queue


@pytest.mark.parametrize("bug", [True, False])
def test_a_worker_that_dies_takes_its_process_with_it_so_that_another_is_started(
    bug: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    log = MemoryLog()

    async def scene() -> None:
        async def run() -> None:
            if bug:
                raise RuntimeError("a bug")
            await asyncio.sleep(60)

        task = asyncio.create_task(run())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        queue._ended(cast(Any, SimpleNamespace(log=log)), task)

    asyncio.run(scene())
    assert raised == [signal.SIGTERM] * bug and len(log.named("queue.stalled")) == bug


def test_a_chore_that_meets_a_bug_is_done_again() -> None:
    """Else logs would never be put aside again, and the disk would fill."""
    done: list[int] = []
    log = MemoryLog()

    def work() -> None:
        done.append(1)
        if len(done) < 3:
            raise RuntimeError("a bug")

    async def scene() -> None:
        async with asyncio.timeout(10):
            house = cast(Any, SimpleNamespace(log=log, pool=InlinePool()))
            task = asyncio.create_task(control._every(0.0, work, house))
            while len(done) < 4:
                await asyncio.sleep(0)
            task.cancel()

    asyncio.run(scene())
    assert len(log.named("server.chore-failed")) == 2
