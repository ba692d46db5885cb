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
    """What was known before the start is known again; a first look comes sooner than that of the job `health`, and what
    depends on settings is looked at as soon as these change."""
    await board.restore()
    changed = asyncio.Event()
    board.ctx.config.subscribe(lambda paths: changed.set())

    async def first() -> None:
        await asyncio.sleep(FIRST)
        await board.look()

    async def after_changes() -> None:
        while True:
            await changed.wait()
            changed.clear()
            await board.look_at_configuration()

    tasks = [asyncio.get_running_loop().create_task(work) for work in (first(), after_changes())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await board.close()
