"""One HTTP/3 connection: what aioquic hears becomes requests for the application, each in a task of its own.

Standards: RFC 9114
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from aioquic.h3.connection import ErrorCode, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.events import QuicEvent, StopSendingReceived, StreamDataReceived, StreamReset

from whimbrel.services.webd.exchange import Gone, Headers, Message, Receive, Scope, Send
from whimbrel.services.webd.live import WebConnection
from whimbrel.services.webd.quic_connection import ServerConnection

App = Callable[[Scope, Receive, Send], Any]

SENT_AHEAD: Final = 128 * 1024
"""Octets of an answer that may wait for the peer's acknowledgement; then its maker waits."""
HEAD: Final = 64 * 1024
"""Octets of a request beside its body. Frames of DATA are framed by few octets each."""
CONTROL: Final = 1 << 20
"""Octets of all streams but those of requests: of one connection, in its whole life."""
REQUESTS: Final = 10_000
"""Of one connection; then it is closed, and the browser makes another."""
_FRAMING: Final = 8
"""A part of the body's octets that may be framing."""


class Http3Connection:
    def __init__(
        self,
        quic: ServerConnection,
        application: App,
        client: tuple[str, int],
        flush: Callable[[], None],
        live: WebConnection,
    ) -> None:
        """`flush` sends what aioquic has to send."""
        self._live = live
        self.quic, self._application, self._client, self.flush = quic, application, client, flush
        self.h3 = H3Connection(quic)
        self.requests: dict[int, Request] = {}
        self._begun: set[int] = set()
        """The streams of all requests, those that are over included."""
        self._waiting: Counter[int] = Counter()
        """Octets of streams that are not a request yet, or never will be (all of these under -1)."""

    def hear(self, event: QuicEvent) -> None:
        """Any event of the connection but its end."""
        bodies = sum(self._heard(heard) for heard in self.h3.handle_event(event))
        if isinstance(event, StreamDataReceived):
            self.quic.take(len(event.data) - bodies)
            self._count(event.stream_id, len(event.data) - bodies, bodies)
        elif isinstance(event, StreamReset | StopSendingReceived) and event.stream_id in self.requests:
            self.requests[event.stream_id].leave()

    def close(self) -> list["asyncio.Task[None]"]:
        """The peer has gone, or is sent away; the tasks that end now."""
        requests = list(self.requests.values())
        for request in requests:
            request.leave()
        return [request.task for request in requests]

    def woken(self) -> None:
        """Something was acknowledged."""
        for request in self.requests.values():
            request.go_on()

    def _heard(self, event: H3Event) -> int:
        """Octets of a body that wait for the application now."""
        if isinstance(event, HeadersReceived):
            if event.stream_id not in self._begun:  # Else trailers, which nobody wants.
                self._begun.add(event.stream_id)
                self._waiting.pop(event.stream_id, None)
                self.requests[event.stream_id] = Request(self, event.stream_id, event.headers)
            if event.stream_ended:
                self._end(event.stream_id)
        elif isinstance(event, DataReceived):
            request, data = self.requests.get(event.stream_id), event.data or b""
            if request is not None and data:
                request.hear(data)
            if event.stream_ended:
                self._end(event.stream_id)
            return len(data) if request is not None else 0
        return 0

    def _end(self, stream: int) -> None:
        if (request := self.requests.get(stream)) is not None:
            request.hear(None)

    def _count(self, stream: int, framing: int, bodies: int) -> None:
        """Ends a connection that fills our memory with what never becomes a request, or that asks for ever."""
        if (request := self.requests.get(stream)) is not None:
            request.framing += framing
            request.octets += bodies
            fits = request.framing <= HEAD + request.octets // _FRAMING
        elif stream not in self._begun:
            kind = stream if stream % 4 == 0 else -1  # Client-initiated, bidirectional. RFC 9000 2.1
            self._waiting[kind] += framing
            fits = self._waiting[kind] <= (HEAD if kind >= 0 else CONTROL)
        else:
            fits = True  # The rest of a request that was answered before its end.
        if not fits or len(self._begun) > REQUESTS:
            self.quic.close(error_code=ErrorCode.H3_EXCESSIVE_LOAD, reason_phrase="too much")

    def scope(self, headers: Headers, abort: Callable[[], None]) -> dict[str, Any]:
        """As ASGI has it."""
        pseudo = {name: value for name, value in headers if name.startswith(b":")}
        path, _, query = pseudo.get(b":path", b"/").partition(b"?")
        return {
            "type": "http",
            "http_version": "3",
            "method": pseudo[b":method"].decode("latin-1"),
            "raw_path": path,
            "query_string": query,
            "headers": [
                (b"host", pseudo[b":authority"]),
                *((name, value) for name, value in headers if not name.startswith(b":")),
            ],
            "client": self._client,
            "state": {"abort": abort, "connection": self._live},
        }

    async def run(self, request: "Request", scope: dict[str, Any]) -> None:
        """The life of a request."""
        try:
            with contextlib.suppress(Gone):
                await self._application(scope, request.receive, request.send)
        finally:
            request.close()
            self.requests.pop(request.stream, None)
            self.flush()


class Request:
    """One request and its answer, as the application has them."""

    def __init__(self, connection: Http3Connection, stream: int, headers: Headers) -> None:
        self.stream, self._connection = stream, connection
        self.framing = self.octets = 0
        self._pieces: list[bytes | None] = []
        """Of the body; None is its end."""
        self._gone = self._ended = self._whole = False
        self._news, self._room = asyncio.Event(), asyncio.Event()
        scope = connection.scope(headers, self.abort)
        self.task = asyncio.get_running_loop().create_task(connection.run(self, scope))

    def hear(self, piece: bytes | None) -> None:
        self._whole |= piece is None
        self._pieces.append(piece)
        self._news.set()

    def leave(self) -> None:
        """The client has gone."""
        self._gone = True
        self._news.set()
        self._room.set()

    def go_on(self) -> None:
        if self._connection.quic.waiting(self.stream) < SENT_AHEAD:
            self._room.set()

    async def receive(self) -> Message:
        while not self._pieces and not self._gone:
            self._news.clear()
            await self._news.wait()
        if self._gone:
            return {"type": "http.disconnect"}
        piece = self._pieces.pop(0)
        if piece is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        self._connection.quic.take(len(piece))
        self._connection.flush()
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(self, message: Message) -> None:
        """Gone: to nobody."""
        if self._gone:
            raise Gone
        if message["type"] == "http.response.start":
            status = (b":status", b"%d" % message["status"])
            self._connection.h3.send_headers(self.stream, [status, *message["headers"]])
        else:
            self._ended = not message.get("more_body", False)
            self._connection.h3.send_data(self.stream, message.get("body", b""), self._ended)
        self._connection.flush()
        while not self._ended and not self._gone and self._connection.quic.waiting(self.stream) >= SENT_AHEAD:
            self._room.clear()
            await self._room.wait()

    def abort(self) -> None:
        """Nobody takes half an answer for a whole one."""
        self._reset(ErrorCode.H3_INTERNAL_ERROR)

    def close(self) -> None:
        """The application has done what it does."""
        if not self._ended:
            self._reset(ErrorCode.H3_REQUEST_CANCELLED)
        elif not self._whole and not self._gone:  # What is not wanted need not be sent. RFC 9114 4.1
            with contextlib.suppress(ValueError):
                self._connection.quic.stop_stream(self.stream, ErrorCode.H3_NO_ERROR)
        self._connection.quic.take(sum(map(len, filter(None, self._pieces))))
        self._pieces.clear()

    def _reset(self, code: int) -> None:
        if not self._gone:
            self._connection.quic.reset_stream(self.stream, code)
            if not self._whole:
                with contextlib.suppress(ValueError):
                    self._connection.quic.stop_stream(self.stream, code)
        self.leave()
