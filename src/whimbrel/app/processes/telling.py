"""What every process of the server tells: its counts, in a file that outlives it; its connections, when asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from whimbrel.backends.live import connections
from whimbrel.backends.live.sockets import serving
from whimbrel.backends.net.sessions import ListenerSessions
from whimbrel.backends.stats.board import EVERY, TOPS_EVERY, Board
from whimbrel.core.pool import Pool

if TYPE_CHECKING:
    from whimbrel.app.wiring import DiskHouse
    from whimbrel.backends.net.listener import Listener


AGAIN: Final = 30
"""Copies after which a file that could not be made is tried again."""


@contextlib.asynccontextmanager
async def telling(house: "DiskHouse", listeners: "Callable[[], Collection[Listener]]") -> AsyncIterator[None]:
    """While the block runs. A process that cannot tell does its work all the same: the log says why."""
    run, name = house.places.run, house.title.replace("/", "-")
    sessions = ListenerSessions(house.title, listeners, house.log)
    house.answers.tell(connections.SUBJECT, connections.answering(sessions))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(house.tally.close)
        try:
            house.tally.open(run / "stats" / name)
            await stack.enter_async_context(serving(house.answers, run / "live", name))
        except OSError as error:
            house.log.error("stats.not-told", reason=str(error))
        copying = asyncio.get_running_loop().create_task(_copy(house.tally, run / "stats" / name, house.pool))
        stack.callback(copying.cancel)
        yield


async def _copy(board: Board, path: Path, pool: Pool) -> None:
    """Runs for the life of a process."""
    looks, seldom = 0, round(TOPS_EVERY / EVERY)
    while True:
        await asyncio.sleep(EVERY)
        looks += 1
        if not board.copied and looks % AGAIN == 0:
            with contextlib.suppress(OSError):
                await pool.run(board.open, path)
        await pool.run(board.write, board.image(tops=looks % seldom == 0))


__all__ = ["telling"]
