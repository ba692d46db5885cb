"""The port Connections for the listeners of one process.

Nothing is kept for it but what a connection is anyway: a row is made when somebody looks, some hundred at a time
between two turns of the loop, so that looking at 10,000 connections holds nobody up.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from whimbrel.backends.net.driver import Connection
from whimbrel.backends.net.listener import Listener
from whimbrel.core.connections import MOST, ConnectionList, LiveConnection, Which, ordered
from whimbrel.core.log import Log

TURN: Final = 200
"""Connections that are looked at between two turns of the loop."""


class ListenerSessions:
    def __init__(self, process: str, listeners: Callable[[], Collection[Listener]], log: Log) -> None:
        self._process, self._listeners, self._log = process, listeners, log

    async def list(self, which: Which, order: str = "since", limit: int = MOST) -> ConnectionList:
        counts, chosen = Counter[str](), list[LiveConnection]()
        async for _, _, row in self._all():
            if which.fits(row):
                counts[row.service] += 1
                chosen.append(row)
                if len(chosen) >= 2 * MOST:
                    chosen = list(ordered(chosen, order, limit))
        return ConnectionList(ordered(chosen, order, limit), dict(counts))

    async def disconnect(self, which: Which, by: str) -> Sequence[LiveConnection]:
        ended = []
        async for task, connection, row in self._all():
            if which.fits(row, whole=True) and not task.done():
                connection.dismissed = True
                connection.stop(task)
                ended.append(row)
                self._log.info(
                    "connection.ended", service=row.service, session_id=row.id, user=row.user,
                    sender_host=row.address, by=by,
                )  # fmt: skip
        return ended

    async def _all(self) -> AsyncIterator[tuple["asyncio.Task[None]", Connection[Any, Any], LiveConnection]]:
        loop = asyncio.get_running_loop()
        wall, number = time.time() - loop.time(), 0
        for listener in tuple(self._listeners()):
            for task, connection in listener.sessions():
                yield task, connection, self._row(listener.name, connection, wall, loop.time())
                number += 1
                if number % TURN == 0:
                    await asyncio.sleep(0)

    def _row(self, service: str, connection: Connection[Any, Any], wall: float, now: float) -> LiveConnection:
        tls, command = connection.tls, connection.command
        return LiveConnection(
            id=connection.session_id,
            service=service,
            user=connection.user,
            address=connection.peer[0],
            port=connection.peer[1],
            tls=tls.version if tls is not None else "",
            cipher=tls.cipher if tls is not None else "",
            since=round(connection.since + wall, 3),
            idle=round(max(0.0, now - connection.active), 1),
            command="" if command is None else command.__name__.upper(),
            received=connection.received,
            sent=connection.sent,
            process=self._process,
        )


if TYPE_CHECKING:
    from whimbrel.core.connections import Connections

    def _port(sessions: ListenerSessions) -> Connections:
        return sessions
