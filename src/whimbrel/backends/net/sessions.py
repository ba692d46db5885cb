"""The port Connections for the listeners of one process.

Nothing is kept for it but what a connection is anyway: a row is made when somebody looks, some hundred at a time
between two turns of the loop, so that looking at 10,000 connections holds nobody up.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from whimbrel.backends.net.driver import Connection
from whimbrel.backends.net.listener import Listener
from whimbrel.core.connections import MOST, ConnectionList, LiveConnection, Which, ordered
from whimbrel.core.log import Log

TURN: Final = 200
"""Connections that are looked at between two turns of the loop."""


class _Session(NamedTuple):
    service: str
    task: "asyncio.Task[None]"
    connection: Connection[Any, Any]

    def fits(self, which: Which, *, whole: bool = False) -> bool:
        connection = self.connection
        return which.admits(connection.session_id, self.service, connection.user, connection.peer[0], whole=whole)


_KEYS: Final[Mapping[str, Callable[[_Session], Any]]] = {
    "since": lambda each: each.connection.since,
    "idle": lambda each: -each.connection.active,
    "octets": lambda each: each.connection.received + each.connection.sent,
    "user": lambda each: each.connection.user,
    "address": lambda each: each.connection.peer[0],
    "service": lambda each: each.service,
}


class ListenerSessions:
    def __init__(self, process: str, listeners: Callable[[], Collection[Listener]], log: Log) -> None:
        self._process, self._listeners, self._log = process, listeners, log

    async def list(self, which: Which, order: str = "since", limit: int = MOST) -> ConnectionList:
        counts, chosen = Counter[str](), list[_Session]()
        async for session in self._all():
            if session.fits(which):
                counts[session.service] += 1
                chosen.append(session)
        # Rows are made of those that are shown: of 10,000 mostly a few hundred.
        name = order.removeprefix("-")
        key = _KEYS[name]
        chosen.sort(key=lambda each: (key(each), each.connection.session_id), reverse=order != name)
        loop = asyncio.get_running_loop()
        now, rows = loop.time(), []
        wall = time.time() - now
        for number, session in enumerate(chosen[:limit], 1):
            rows.append(self._row(session.service, session.connection, wall, now))
            if number % TURN == 0:
                await asyncio.sleep(0)
        return ConnectionList(ordered(rows, order, limit), dict(counts))

    async def disconnect(self, which: Which, by: str) -> Sequence[LiveConnection]:
        ended, now = [], asyncio.get_running_loop().time()
        wall = time.time() - now
        async for session in self._all():
            if session.fits(which, whole=True) and not session.task.done():
                row = self._row(session.service, session.connection, wall, now)
                session.connection.dismissed = True
                session.connection.stop(session.task)
                ended.append(row)
                self._log.info(
                    "connection.ended", service=row.service, session_id=row.id, user=row.user,
                    sender_host=row.address, by=by,
                )  # fmt: skip
        return ended

    async def _all(self) -> AsyncIterator["_Session"]:
        number = 0
        for listener in tuple(self._listeners()):
            for task, connection in listener.sessions():
                yield _Session(listener.name, task, connection)
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
