"""What runs in a process for ever: what a bug in it may not do."""

import asyncio
import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.fakes import MemoryLog
from whimbrel.app.processes import queue


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
