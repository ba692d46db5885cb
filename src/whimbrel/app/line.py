"""A worker's end of its channel to the zygote: its orders, and for control, its questions.

Its end is the worker's end: a worker does not outlive its zygote.
"""

import asyncio
import itertools
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from whimbrel.app import channel
from whimbrel.app.place import Place
from whimbrel.core.log import Log

ANSWER_WITHIN: Final = 60.0
"""Seconds for the zygote, which may have to wait for workers."""

Order = Callable[[dict[str, Any], list[socket.socket]], None]


class Line:
    """For one event loop."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.state: Mapping[str, Any] = {}
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._held: list[dict[str, Any]] = []
        """Events that came before there was a log."""
        self._log: Log | None = None
        self._order: Order | None = None
        self._ended: Callable[[], None] = lambda: None

    def open(self, ended: Callable[[], None]) -> None:
        """Listens from now on. `ended` is called when the zygote has gone."""
        self._ended = ended
        self._sock.setblocking(False)
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._receive)

    def use(self, log: Log, order: Order) -> None:
        """`order` is what the zygote wants: it owns the sockets; `log` is where its events go."""
        self._log, self._order = log, order
        for event in self._held:
            self._record(event)
        self._held.clear()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._sock.fileno())

    def send(self, message: dict[str, Any]) -> None:
        channel.send(self._sock, message)

    # Supervision

    async def listen(
        self, wanted: Mapping[str, Sequence[Place]], *, end: Collection[str], overrides: Mapping[str, bool]
    ) -> None:
        await self._ask({"do": "listen", "wanted": dict(wanted), "end": list(end), "overrides": dict(overrides)})

    async def connections(self) -> Mapping[str, int]:
        answer = await self._ask({"do": "connections"})
        counts: dict[str, int] = answer["connections"]
        return counts

    def restart(self) -> None:
        self.send({"do": "restart"})

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        number = next(self._ids)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            if not channel.send(self._sock, {**message, "id": number}):
                raise ConnectionError("the zygote has gone")
            async with asyncio.timeout(ANSWER_WITHIN):
                result: dict[str, Any] = await answer
                return result
        finally:
            del self._asked[number]

    def _receive(self) -> None:
        try:
            received = channel.receive(self._sock)
        except BlockingIOError:
            return
        if received is None:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._ended()
            return
        message, sockets = received
        match message.get("do"):
            case "event":
                self._record(message) if self._log is not None else self._held.append(message)
            case "state":
                self.state = message["state"]
                self._answered(message)
            case "answer":
                self._answered(message)
            case _ if self._order is not None:
                self._order(message, sockets)

    def _answered(self, message: dict[str, Any]) -> None:
        future = self._asked.get(message.get("id") or 0)
        if future is not None and not future.done():
            future.set_result(message)

    def _record(self, event: dict[str, Any]) -> None:
        log = self._log
        assert log is not None
        write = {"info": log.info, "warning": log.warning}.get(event["level"], log.error)
        write(event["name"], **event["fields"])


if TYPE_CHECKING:
    from whimbrel.app.house import Supervision

    def _port(line: Line) -> Supervision:
        return line
