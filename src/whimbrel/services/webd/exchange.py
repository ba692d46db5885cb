"""One request and its answer, whatever version of HTTP brought it, within limits of time.

The protocols call `Application` as an ASGI application (asgi.readthedocs.io, HTTP 2.3). Beside what the standard
says, `scope["state"]` has `abort`, which ends the connection (HTTP/1.1, 2) or the stream (HTTP/3) without a proper end,
so that nobody takes half an answer for a whole one.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from whimbrel.backends.net.names import host_and_port
from whimbrel.services.webd.live import WebConnection

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

RECEIVE_WITHIN: Final = 30.0
"""Seconds for the next piece of a request's body."""
SEND_WITHIN: Final = 60.0
"""Seconds in which a client must have taken a piece of the answer."""
BODY_WITHIN: Final = 900.0
"""Seconds for a whole body."""
DRAIN_WITHIN: Final = 5.0
DRAIN: Final = 1 << 20
"""Octets of a body that are thrown away, so that a refusal can be read: whoever still sends does not read."""


class Refusal(Exception):
    """The answer is an error: `status`, and what happened, in words for the person at the other end."""

    def __init__(self, status: int, text: str, *, retry_after: int = 0) -> None:
        super().__init__(text)
        self.status, self.text, self.retry_after = status, text, retry_after


class Broken(Exception):
    """The answer cannot be brought to its end: the text says why."""


class Gone(Exception):
    """The client has gone."""


_ABSOLUTE: Final = re.compile(r"https://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?\Z", re.IGNORECASE)
_UNCLEAR: Final = Refusal(400, "The target of the request is none that a server answers for.")


class Exchange:
    """For one request, in its task."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.method: str = scope["method"]
        self.path = bytes(scope["raw_path"]).decode("latin-1")
        """As it came: nothing in it is decoded."""
        self.query = bytes(scope["query_string"]).decode("latin-1")
        self.headers: Headers = [(bytes(name).lower(), bytes(value)) for name, value in scope["headers"]]
        self.client = host_and_port(scope["client"])[0]
        self.version: str = scope["http_version"]
        self.status = 0
        """Of the answer, once it has begun."""
        self.sent = 0
        """Octets of the answer's body."""
        self.extra: Headers = []
        """Headers that every answer gets unless it has its own."""
        self._received = False
        self.connection: WebConnection | None = scope["state"].get("connection")

    def header(self, name: bytes) -> bytes | None:
        """The one value of a header; None without it. Refusal: it is there twice."""
        values = [value for each, value in self.headers if each == name]
        if len(values) > 1:
            raise Refusal(400, f"The request has the header {name.decode()} more than once.")
        return values[0] if values else None

    def resolve(self) -> None:
        """Whom and what is asked for, whatever form the request gave it; and where it ends is clear. Refusal.

        RFC 9112 3.2 (forms of the target), 6.1 (framing); RFC 9113 8.3.1 and RFC 9114 4.3.1 (only a path)"""
        if self.method == "CONNECT":
            raise Refusal(501, "This server is no proxy.")
        absolute = _ABSOLUTE.match(self.path) if self.version.startswith("1") else None
        if absolute is not None:  # The target names the host, whatever Host says. RFC 9112 3.2.2
            if self.header(b"host") is None or "@" in absolute["authority"]:
                raise _UNCLEAR
            self.path = absolute["path"] or "/"
            self.headers = [each for each in self.headers if each[0] != b"host"]
            self.headers.append((b"host", absolute["authority"].encode("latin-1")))
        elif not self.path.startswith("/") and (self.path, self.method) != ("*", "OPTIONS"):
            raise _UNCLEAR
        self.length()

    def length(self) -> int | None:
        """Octets of the body as they were announced; None: nothing was. Refusal: it has more than one meaning."""
        length, chunked = self.header(b"content-length"), self.header(b"transfer-encoding") is not None
        if (length is not None and (chunked or not (length.isdigit() and len(length) < 16))) or (
            chunked and self.version == "1.0"
        ):
            raise Refusal(400, "The length of the request is not clear.")
        return int(length) if length is not None else None

    @property
    def received(self) -> bool:
        """The body has come to its end."""
        return self._received

    def abort(self) -> None:
        """Ends the connection or the stream at once."""
        self._scope["state"]["abort"]()

    async def next_piece(self) -> bytes | None:
        """The next piece of the body; None at its end. Gone. It may wait for ever."""
        if self._received:
            return None
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        self._received = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return None if self._received and not piece else piece

    async def gone(self) -> None:
        """Returns when the client has gone. What it still sends is thrown away."""
        while (message := await self._receive())["type"] != "http.disconnect":
            self._received = not message.get("more_body", False)

    async def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Broken: the client does not read."""
        given = list(headers)
        names = {name for name, _ in given}
        given += [(name, value) for name, value in self.extra if name not in names]
        self.status = status
        await self._within({"type": "http.response.start", "status": status, "headers": given})

    async def write(self, piece: bytes) -> None:
        """Broken: the client does not read."""
        self.sent += len(piece)
        if self.connection is not None:
            self.connection.sent += len(piece)
        await self._within({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        """Broken: the client does not read."""
        await self._within({"type": "http.response.body", "body": b"", "more_body": False})

    async def answer(self, status: int, kind: str, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """A whole answer; what the client still sends is thrown away. Broken, Gone."""
        length = (b"content-length", b"%d" % len(body))
        await self.begin(status, [(b"content-type", kind.encode()), length, *headers])
        if body and self.method != "HEAD":
            await self.write(body)
        await self.drain()
        await self.end()

    async def drain(self) -> None:
        """Reads what is left of the body. Gone; Broken: it is too much, or comes too slowly."""
        octets = 0
        try:
            async with asyncio.timeout(DRAIN_WITHIN):
                while (piece := await self.next_piece()) is not None:
                    octets += len(piece)
                    if octets > DRAIN:
                        raise Broken("it sends on after a refusal")
        except TimeoutError:
            raise Broken("it does not end its request") from None

    async def _within(self, message: Message) -> None:
        try:
            async with asyncio.timeout(SEND_WITHIN):
                await self._send(message)
        except TimeoutError:
            raise Broken("it does not read") from None
