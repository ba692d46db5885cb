"""HTTP/1.1 and HTTP/2 over TLS: accepted connections, within limits, each served by Hypercorn.

Hypercorn is given one connection after another and nothing else: sockets, TLS, limits and the end are ours.

Standards: RFC 9112 (HTTP/1.1), RFC 9113 (HTTP/2), RFC 7301 (ALPN)
"""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol

from whimbrel.backends.net.acceptor import Acceptor
from whimbrel.backends.net.listener import TLS_ALERT, Limits
from whimbrel.backends.net.meter import UNMETERED, Meter
from whimbrel.backends.net.names import host_and_port
from whimbrel.core.log import Log
from whimbrel.core.net import TlsInfo
from whimbrel.services.webd.exchange import Receive, Scope, Send
from whimbrel.services.webd.http1 import Http1
from whimbrel.services.webd.live import WebConnection, WebConnections

PROTOCOLS: Final = ("h2", "http/1.1")
HANDSHAKE_WITHIN: Final = 10.0
IDLE: Final = 30.0
"""Seconds in which the head of a request must have come, and for which a connection without one is kept."""
REFUSED: Final = 32
"""Connections over the limit that are answered at a time; any more are closed in the handshake."""
REFUSED_WITHIN: Final = 5.0
"""Seconds for one of these."""
FINISH_WITHIN: Final = 2.0
"""Seconds for answers under way when the service ends."""
PARTING: Final = 3.0
"""Seconds after the end of a transport in which what served it must be over."""
_HEAD: Final = 32 * 1024
_STREAMS: Final = 128
"""At once on one connection: clients that have not read our settings yet assume 100. RFC 9113 6.5.2"""
_REQUESTS: Final = 10_000
"""Of one connection; then it is closed, and the browser makes another."""
_SENT_AHEAD: Final = 64 * 1024

_App = Any  # Hypercorn has types of its own for what the standard leaves open.


class TcpConnections:
    """All of one service in one process."""

    def __init__(
        self,
        name: str,
        application: Callable[[Scope, Receive, Send], Any],
        tls: Callable[[], ssl.SSLContext | None],
        limits: Callable[[], Limits],
        allowed: Callable[[str], bool],
        log: Log,
        meter: Meter = UNMETERED,
        connections: WebConnections | None = None,
        session_id: Callable[[], str] = lambda: "",
    ) -> None:
        """`allowed` says whether a host may connect. Settings are asked for each connection. All of them
        stand in `connections`, under ids of `session_id`."""
        self._live, self._session_id = connections or WebConnections("", log), session_id
        self._name, self._tls, self._limits, self._allowed, self._log = name, tls, limits, allowed, log
        self._meter = meter
        self._acceptor = Acceptor(name, log, self._admit)
        self._serve, self._refuse = ASGIWrapper(cast(_App, application)), ASGIWrapper(cast(_App, _busy))
        self._context = WorkerContext(None)
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._refused: set[asyncio.Task[None]] = set()
        self._hosts: Counter[str] = Counter()

    @property
    def connections(self) -> int:
        return len(self._tasks)

    def listen(self, sockets: Sequence[socket.socket]) -> None:
        self._acceptor.listen(sockets)

    def pause(self) -> None:
        self._acceptor.pause()

    def resume(self) -> None:
        self._acceptor.resume()

    async def close(self, grace: float) -> None:
        """Accepts no more. What is being answered is still answered, for at most `grace` seconds; streams of events
        would go on for ever."""
        self.listen(())
        await self._context.terminated.set()
        tasks = [*self._tasks, *self._refused]
        if tasks:
            await asyncio.wait(tasks, timeout=min(grace, FINISH_WITHIN))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _admit(self, connection: socket.socket, host: str) -> None:
        limits = self._limits()
        if not self._allowed(host):
            reason = f"not in services/{self._name}/allow-from"
            self._log.warning("connection.refused", service=self._name, sender_host=host, reason=reason)
            _turn_away(connection)
        elif len(self._tasks) >= limits.connections or self._hosts[host] >= limits.per_host:
            self._log.warning("connection.limit", service=self._name, sender_host=host, connections=len(self._tasks))
            if len(self._refused) >= REFUSED:
                _turn_away(connection)
                return
            task = self._begin(connection, host, self._refuse, REFUSED_WITHIN)
            self._refused.add(task)
            task.add_done_callback(self._refused.discard)
        else:
            task = self._begin(connection, host, self._serve, IDLE)
            self._tasks[task] = host
            self._hosts[host] += 1
            self._meter.begun()
            task.add_done_callback(self._over)

    def _begin(
        self, connection: socket.socket, host: str, application: ASGIWrapper, idle: float
    ) -> "asyncio.Task[None]":
        return asyncio.get_running_loop().create_task(self._session(connection, host, application, idle))

    def _over(self, task: "asyncio.Task[None]") -> None:
        host = self._tasks.pop(task)
        self._meter.ended()
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    async def _session(self, connection: socket.socket, host: str, application: ASGIWrapper, idle: float) -> None:
        tls, loop = self._tls(), asyncio.get_running_loop()
        if tls is None:
            self._log.error("server.no_certificate", service=self._name)
            connection.close()
            return
        task = asyncio.current_task()
        assert task is not None
        reader = asyncio.StreamReader(limit=_SENT_AHEAD)
        begun = loop.time()
        live = WebConnection(self._session_id(), self._name, host, _port(connection), task.cancel, begun, begun)
        protocol = _Protocol(reader, task, live)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=tls, ssl_handshake_timeout=HANDSHAKE_WITHIN
            )
        except OSError as error:  # ssl.SSLError and TimeoutError are.
            self._meter.secured(None)
            self._log.debug("tls.failed", service=self._name, sender_host=host, reason=str(error))
            connection.close()
            return
        secured = transport.get_extra_info("ssl_object")
        live.tls, live.cipher = str(secured.version()), str((secured.cipher() or ("",))[0])
        self._meter.secured(TlsInfo(live.tls, "", 0))
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        state: Any = {"abort": transport.abort, "connection": live}
        live.end = protocol.end
        self._live.add(live)
        try:
            await _Connection(application, loop, _config(idle), self._context, state, reader, writer)
        except asyncio.CancelledError:
            if not protocol.lost:
                raise
        except Exception as error:  # noqa: BLE001 - Hypercorn raises groups of what a broken client makes it meet.
            self._log.debug("web.broken", sender_host=host, reason=_words(error))
        finally:
            self._live.remove(live)
            transport.abort()


class _Protocol(asyncio.StreamReaderProtocol):
    """Ends the task of its connection a while after the transport: Hypercorn may wait for what never comes any more."""

    def __init__(self, reader: asyncio.StreamReader, task: "asyncio.Task[None]", live: WebConnection) -> None:
        super().__init__(reader)
        self._session, self._live, self.lost = task, live, False
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wire = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._live.heard(len(data))
        super().data_received(data)

    def end(self) -> None:
        """An administrator ends it: whatever is under way, and half an answer is not taken for a whole one."""
        self.lost = True
        if self._wire is not None:
            self._wire.abort()
        self._session.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost = True
        asyncio.get_running_loop().call_later(PARTING, self._session.cancel)


class _Connection(TCPServer):
    """A client that has gone gives up its place at once, not after the time for idle connections; and whoever speaks
    HTTP/1.1 goes on speaking it."""

    async def _read_data(self) -> None:
        if isinstance(self.protocol.protocol, H11Protocol):
            self.protocol.protocol = Http1.instead_of(self.protocol.protocol)
        await super()._read_data()
        await self.idle_task.stop()


def _config(idle: float) -> Config:
    config = Config()
    config.accesslog = config.errorlog = None
    config.include_server_header = False
    config.keep_alive_timeout = idle
    config.keep_alive_max_requests = _REQUESTS
    config.h11_max_incomplete_size = _HEAD
    config.h2_max_header_list_size = _HEAD
    config.h2_max_concurrent_streams = _STREAMS
    return config


def _port(connection: socket.socket) -> int:
    try:
        return host_and_port(connection.getpeername())[1]
    except (OSError, ValueError, IndexError, TypeError):
        return 0


def _turn_away(connection: socket.socket) -> None:
    connection.setblocking(False)
    with contextlib.suppress(OSError):
        connection.send(TLS_ALERT)
    connection.close()


async def _busy(scope: Scope, _receive: Receive, send: Send) -> None:
    """What a client over the limit hears."""
    if scope["type"] != "http":
        return
    text = b"The server has as many connections as it takes; try again in a few seconds.\n"
    length = (b"content-length", b"%d" % len(text))
    headers = [length, (b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"10")]
    if scope["http_version"] == "1.1":
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    body = b"" if scope["method"] == "HEAD" else text
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _words(error: BaseException) -> str:
    """Of the first that is meant, where there is a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
