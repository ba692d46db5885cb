"""Control's health checks: the board with the ports of a running server, and its first look."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from whimbrel.app.house import House
from whimbrel.services.admin.ports import JobState, ServerStatus
from whimbrel.services.health.board import Board
from whimbrel.services.health.check import HealthContext
from whimbrel.services.health.checks import CHECKS

FIRST: Final = 15.0
"""Seconds after the start until the first look: services that were asked to listen do, or are refused."""


def health_board(house: House, status: ServerStatus, jobs: Callable[[], Sequence[JobState]]) -> Board:
    """With all ports."""
    return Board(
        CHECKS,
        HealthContext(
            config=house.config,
            editor=house.editor,
            directory=house.directory,
            clock=house.clock,
            machine=house.machine,
            pool=house.patient_pool,
            resolver=house.resolver,
            connector=house.connector,
            state=house.state,
            queue=house.queue,
            files=house.files,
            status=status,
            jobs=jobs,
        ),
        house.log,
    )


@contextlib.asynccontextmanager
async def looking(board: Board) -> AsyncIterator[None]:
    """What was known before the start is known again; a first look comes sooner than that of the job `health`."""
    await board.restore()

    async def first() -> None:
        await asyncio.sleep(FIRST)
        await board.look()

    task = asyncio.get_running_loop().create_task(first())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await board.close()
