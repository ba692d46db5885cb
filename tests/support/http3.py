"""An HTTP/3 client by aioquic: requests one after the other, or as a stream of events."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset


@dataclass
class Answer:
    headers: dict[str, str] = field(default_factory=dict)
    received: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: bool = False

    @property
    def body(self) -> bytes:
        return bytes(self.received)

    @property
    def status(self) -> int:
        return int(self.headers.get(":status", "0"))


class Client(QuicConnectionProtocol):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.http = H3Connection(self._quic)
        self.answers: dict[int, Answer] = {}
        self.over = False
        self._news = asyncio.Condition()

    def quic_event_received(self, event: Any) -> None:
        if isinstance(event, ConnectionTerminated):
            self.over = True
        if isinstance(event, StreamReset) and event.stream_id in self.answers:
            self.answers[event.stream_id].reset = True
        for heard in self.http.handle_event(event):
            if isinstance(heard, HeadersReceived) and heard.stream_id in self.answers:
                answer = self.answers[heard.stream_id]
                answer.headers = {name.decode(): value.decode() for name, value in heard.headers}
                answer.ended |= heard.stream_ended
            elif isinstance(heard, DataReceived) and heard.stream_id in self.answers:
                answer = self.answers[heard.stream_id]
                answer.received += heard.data or b""
                answer.ended |= heard.stream_ended
        self._loop.create_task(self._tell())

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def begin(self, method: str, path: str, headers: dict[str, str] | None = None, host: str = "localhost") -> int:
        """The stream of a request without its body."""
        stream = self._quic.get_next_available_stream_id()
        self.answers[stream] = Answer()
        pseudo = {":method": method, ":scheme": "https", ":authority": host, ":path": path}
        given = [(name.encode(), value.encode()) for name, value in {**pseudo, **(headers or {})}.items()]
        self.http.send_headers(stream, given, end_stream=method == "GET")
        self.transmit()
        return stream

    def write(self, stream: int, data: bytes, *, end: bool = False) -> None:
        self.http.send_data(stream, data, end)
        self.transmit()

    async def wait(self, stream: int, true: Any) -> Answer:
        """Until `true` holds of the answer."""
        answer = self.answers[stream]
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: true(answer) or self.over)
        return answer

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.wait(self.begin("GET", path, **options), lambda answer: answer.ended or answer.reset)

    async def post(self, path: str, body: bytes, **options: Any) -> Answer:
        stream = self.begin("POST", path, **options)
        self.write(stream, body, end=True)
        return await self.wait(stream, lambda answer: answer.ended or answer.reset)


@contextlib.asynccontextmanager
async def connected(
    port: int, host: str = "127.0.0.1", name: str = "localhost", **options: Any
) -> AsyncIterator[Client]:
    configuration = QuicConfiguration(alpn_protocols=["h3"], server_name=name, **options)
    configuration.verify_mode = ssl.CERT_NONE
    async with connect(host, port, configuration=configuration, create_protocol=Client, wait_connected=True) as client:
        assert isinstance(client, Client)
        yield client
