"""What every process of the server tells: its counts, in a file that outlives it; its connections, when asked."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from whimbrel.backends.live import connections
from whimbrel.backends.live.sockets import serving
from whimbrel.backends.net.listener import Listener
from whimbrel.backends.net.sessions import ListenerSessions
from whimbrel.backends.stats.board import EVERY, TOPS_EVERY, Board
from whimbrel.core.connections import MOST, ConnectionList, Connections, LiveConnection, Which, ordered
from whimbrel.core.pool import Pool

if TYPE_CHECKING:
    from whimbrel.app.wiring import DiskHouse


AGAIN: Final = 30
"""Copies after which a file that could not be made is tried again."""


@runtime_checkable
class _OfItsOwn(Protocol):
    """A service whose connections are no streams of a Listener: that of consoles."""

    clients: Connections


class _Together:
    """The connections of all services of this process."""

    def __init__(self, parts: Callable[[], Sequence[Connections]]) -> None:
        self._parts = parts

    async def list(self, which: Which, order: str = "since", limit: int = MOST) -> ConnectionList:
        pages = [await part.list(which, order, limit) for part in self._parts()]
        counts = sum((Counter(page.counts) for page in pages), Counter[str]())
        return ConnectionList(ordered((row for page in pages for row in page.items), order, limit), dict(counts))

    async def disconnect(self, which: Which, by: str) -> Sequence[LiveConnection]:
        return [row for part in self._parts() for row in await part.disconnect(which, by)]


@contextlib.asynccontextmanager
async def telling(house: "DiskHouse", serves: Callable[[], Iterable[Any]]) -> AsyncIterator[None]:
    """While the block runs, of the services that `serves` names, those that end included. A process that cannot tell
    does its work all the same: the log says why."""
    run, name = house.places.run, house.title.replace("/", "-")
    streams = ListenerSessions(
        house.title, lambda: [each for each in serves() if isinstance(each, Listener)], house.log
    )
    sessions = _Together(lambda: [streams, *(each.clients for each in serves() if isinstance(each, _OfItsOwn))])
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
