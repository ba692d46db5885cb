"""The connections of consoles at this moment: the port Connections of the process that has them.

This process knows no session: who has signed in on a connection is what control said with its last answer
(`Whimbrel-User`, which never leaves here). A browser uses one connection for one person; where it signs out, the next
answer says so.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from whimbrel.core.connections import MOST, ConnectionList, LiveConnection, Which, ordered
from whimbrel.core.log import Log

LONGEST: Final = 80
"""Characters of an address that is shown."""


@dataclass(slots=True, eq=False)
class WebConnection:
    """One connection, whatever version of HTTP is spoken on it. Times are of the event loop."""

    id: str
    service: str
    address: str
    port: int
    end: Callable[[], object]
    """Ends it as a shutdown does."""
    since: float
    active: float
    """When the client last said something."""
    tls: str = ""
    cipher: str = ""
    user: str = ""
    received: int = 0
    sent: int = 0
    requests: dict[int, str] = field(default_factory=dict)
    """Those under way, in the order they came."""

    def heard(self, octets: int) -> None:
        self.received += octets
        self.active = asyncio.get_running_loop().time()

    def begin(self, key: int, method: str, path: str) -> None:
        """A request. Its address is a stranger's: only plain letters of it are shown."""
        text = f"{method[:20]} {path[:LONGEST]}"
        self.requests[key] = "".join(char if " " <= char <= "~" else "?" for char in text)

    def over(self, key: int) -> None:
        self.requests.pop(key, None)


class WebConnections:
    """Of one service in one process."""

    def __init__(self, process: str, log: Log) -> None:
        self._process, self._log = process, log
        self._all: dict[WebConnection, None] = {}

    def add(self, connection: WebConnection) -> None:
        self._all[connection] = None

    def remove(self, connection: WebConnection) -> None:
        self._all.pop(connection, None)

    async def list(self, which: Which, order: str = "since", limit: int = MOST) -> ConnectionList:
        rows = [row for _, row in self._rows() if which.fits(row)]
        return ConnectionList(ordered(rows, order, limit), dict(Counter(row.service for row in rows)))

    async def disconnect(self, which: Which, by: str) -> Sequence[LiveConnection]:
        ended = []
        for connection, row in self._rows():
            if which.fits(row, whole=True):
                self.remove(connection)
                connection.end()
                ended.append(row)
                self._log.info(
                    "connection.ended", service=row.service, session_id=row.id, user=row.user,
                    sender_host=row.address, by=by,
                )  # fmt: skip
        return ended

    def _rows(self) -> "Sequence[tuple[WebConnection, LiveConnection]]":
        now = asyncio.get_running_loop().time()
        wall = time.time() - now
        return [(each, self._row(each, wall, now)) for each in self._all]

    def _row(self, each: WebConnection, wall: float, now: float) -> LiveConnection:
        return LiveConnection(
            id=each.id,
            service=each.service,
            user=each.user,
            address=each.address,
            port=each.port,
            tls=each.tls,
            cipher=each.cipher,
            since=round(each.since + wall, 3),
            idle=round(max(0.0, now - each.active), 1),
            command=next(reversed(each.requests.values()), ""),
            received=each.received,
            sent=each.sent,
            process=self._process,
        )


if TYPE_CHECKING:
    from whimbrel.core.connections import Connections

    def _port(connections: WebConnections) -> Connections:
        return connections
