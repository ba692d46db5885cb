"""A small HTTP/1.1 client for a server of ours on a Unix socket: few connections, kept for a moment, bounded in all.

What is sent and received goes through piece by piece, as fast as the slower end takes it.

Standards: RFC 9112
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import h11

from whimbrel.services.admin.local import short_name
from whimbrel.services.webd.exchange import Headers

KEPT: Final = 8
"""Connections kept for the next request."""
KEPT_FOR: Final = 1.0
"""Seconds; the other end closes them after two."""
CONNECT_WITHIN: Final = 5.0
PLACE_WITHIN: Final = 3.0
"""Seconds that a request waits for a connection when all are in use."""
_READ: Final = 65536
_HEAD: Final = 64 * 1024
"""Octets of an answer's head."""


class Away(Exception):
    """Nobody listens at the socket, or nobody answered before the connection ended."""


class Busy(Exception):
    """All connections are in use."""


class Cut(Exception):
    """The answer ended in its middle, or is none."""


class Link:
    """One connection. For one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD)
        self.kept_since = 0.0
        self.fresh = True
        """No request has gone over it yet."""

    async def request(self, method: bytes, target: bytes, headers: Headers) -> None:
        """Sends the head. h11.LocalProtocolError: it is not well formed. Away."""
        await self._send(h11.Request(method=method, target=target, headers=headers))

    async def send(self, piece: bytes) -> None:
        """A piece of the body. h11.LocalProtocolError: it is longer than was announced. Away."""
        await self._send(h11.Data(data=piece))

    async def finish(self) -> None:
        """The body is over. h11.LocalProtocolError: it is shorter than was announced. Away."""
        await self._send(h11.EndOfMessage())

    async def head(self) -> h11.Response:
        """The head of the answer; what comes before the final one is left out. Away."""
        try:
            while not isinstance(event := await self._next(), h11.Response):
                if not isinstance(event, h11.InformationalResponse):
                    raise Away("it closed the connection")
        except Cut as error:
            raise Away(str(error)) from None
        return event

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body of the answer. Cut."""
        while True:
            event = await self._next()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise Cut("the answer has no end")

    @property
    def gone(self) -> bool:
        """The other end has closed it."""
        return self._reader.at_eof() or self._writer.is_closing()

    def renew(self) -> bool:
        """Makes it ready for another request. False: it cannot be used again."""
        try:
            self._state.start_next_cycle()
        except h11.LocalProtocolError:
            return False
        self.fresh = False
        return not self._state.trailing_data[0]  # Or what nobody asked for would answer the next request.

    def close(self) -> None:
        """At once; nothing that waits for being sent holds it."""
        self._writer.transport.abort()

    async def _send(self, event: h11.Event) -> None:
        data = self._state.send(event)
        try:
            if data:
                self._writer.write(data)
                await self._writer.drain()
        except OSError as error:
            raise Away(str(error)) from None

    async def _next(self) -> object:
        try:
            while (event := self._state.next_event()) is h11.NEED_DATA:
                self._state.receive_data(await self._reader.read(_READ))
        except (OSError, h11.RemoteProtocolError) as error:
            raise Cut(str(error)) from None
        return event


class Upstream:
    """The connections to one socket."""

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        self._places = asyncio.Semaphore(most)
        self._kept: list[Link] = []
        self._asked = (-KEPT_FOR, False)

    @contextlib.asynccontextmanager
    async def link(self, *, kept: bool) -> AsyncIterator[Link]:
        """A connection; with `kept`, one that may turn out to be closed by the other end. It is kept after the block if
        the exchange is complete, closed at once if not. Away, Busy."""
        try:
            async with asyncio.timeout(PLACE_WITHIN):
                await self._places.acquire()
        except TimeoutError:
            raise Busy from None
        link = None
        try:
            link = (self._take() if kept else None) or await self._connect()
            yield link
            if link.renew():
                self._keep(link)
                link = None
        finally:
            self._places.release()
            if link is not None:
                link.close()

    async def answers(self) -> bool:
        """Whether somebody listens, or did a moment ago."""
        asked, answer = self._asked
        if _now() - asked < KEPT_FOR:
            return answer
        try:
            (await self._connect()).close()
            answer = True
        except Away:
            answer = False
        self._asked = _now(), answer
        return answer

    def close(self) -> None:
        while self._kept:
            self._kept.pop().close()

    async def _connect(self) -> Link:
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                with short_name(self._path) as name:
                    return Link(*await asyncio.open_unix_connection(name, limit=_READ))
        except (OSError, TimeoutError) as error:
            raise Away(str(error)) from None

    def _take(self) -> Link | None:
        while self._kept:
            link = self._kept.pop()
            if not link.gone and _now() - link.kept_since < KEPT_FOR:
                return link
            link.close()
        return None

    def _keep(self, link: Link) -> None:
        if len(self._kept) >= KEPT:
            self._kept.pop(0).close()
        link.kept_since = _now()
        self._kept.append(link)


def _now() -> float:
    return asyncio.get_running_loop().time()
