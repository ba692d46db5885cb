"""Accepts connections on sockets that every worker inherits, within limits, while the loop keeps up.

One listening socket per address is shared by all workers (no SO_REUSEPORT): whoever is free takes the next
connection. A worker whose loop lags stops accepting until it has caught up.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from whimbrel.backends.net.driver import HANDSHAKE_TIMEOUT, host_and_port
from whimbrel.core.log import Log

LAG = 0.05
"""Seconds by which the loop may be late before accepting stops."""
_TICK = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """Connections at once in this worker: in all, and from one address. 0: no limit."""

    connections: int = 5000
    per_host: int = 0


class Listener:
    """The accepted connections of one service, each with the task of its session."""

    def __init__(self, name: str, limits: Callable[[], Limits], log: Log) -> None:
        self.name = name
        self.accepted = 0
        self._limits, self._log = limits, log
        self._sockets: list[socket.socket] = []
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._hosts: Counter[str] = Counter()
        self._accepting = False
        self._factory: Callable[[], asyncio.Protocol] | None = None
        self._session: Callable[[Any], Coroutine[Any, Any, None]] | None = None
        self._refusal = b""
        self._tls: Callable[[], ssl.SSLContext | None] | None = None

    @property
    def connections(self) -> int:
        """Those whose handshake is not done yet included."""
        return len(self._tasks)

    def open(
        self,
        sockets: list[socket.socket],
        factory: Callable[[], asyncio.Protocol],
        session: Callable[[Any], Coroutine[Any, Any, None]],
        *,
        refusal: bytes = b"",
        tls: Callable[[], ssl.SSLContext | None] | None = None,
    ) -> None:
        """Starts accepting: `factory` makes the protocol of a connection, `session` is its whole life; the listener
        owns its task. `refusal` is sent to a connection over the limit. With `tls` (implicit TLS) the handshake is made
        before the session begins."""
        self._sockets, self._factory, self._session = sockets, factory, session
        self._refusal, self._tls = refusal, tls
        for sock in sockets:
            sock.setblocking(False)
        self.resume()

    def resume(self) -> None:
        if not self._accepting:
            self._accepting = True
            loop = asyncio.get_running_loop()
            for sock in self._sockets:
                loop.add_reader(sock.fileno(), self._accept, sock)

    def pause(self) -> None:
        if self._accepting:
            self._accepting = False
            loop = asyncio.get_running_loop()
            for sock in self._sockets:
                loop.remove_reader(sock.fileno())

    async def close(self, grace: float) -> None:
        """Stops accepting, lets sessions finish what they are at for `grace` seconds, then cancels them."""
        self.pause()
        self._sockets = []
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=grace)

    def _done(self, task: asyncio.Task[None]) -> None:
        host = self._tasks.pop(task)
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.exception("session.crashed", error, service=self.name)

    def _accept(self, sock: socket.socket) -> None:
        # One for each readiness: the other workers are awake too, and the loop comes back if more are waiting.
        try:
            connection, address = sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._log.error("accept.failed", service=self.name, error=error.strerror or str(error))
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self.pause()  # The lag watch resumes: without a pause this would spin.
            return
        connection.setblocking(False)
        host, _ = host_and_port(address)  # As the session will know it: IPv4 is not told in its IPv6 form.
        limits = self._limits()
        if (limits.connections and len(self._tasks) >= limits.connections) or (
            limits.per_host and self._hosts[host] >= limits.per_host
        ):
            self._log.warning("connection.limit", service=self.name, sender_host=host, connections=len(self._tasks))
            with contextlib.suppress(OSError):
                connection.send(self._refusal)
            connection.close()
            return
        self.accepted += 1
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._serve(loop, connection, host))
        self._tasks[task] = host
        self._hosts[host] += 1
        task.add_done_callback(self._done)

    async def _serve(self, loop: asyncio.AbstractEventLoop, connection: socket.socket, host: str) -> None:
        assert self._factory is not None and self._session is not None
        protocol = self._factory()  # Not what the loop returns: uvloop gives its own TLS protocol there.
        try:
            if self._tls is None:
                await loop.connect_accepted_socket(lambda: protocol, connection)
            else:
                context = self._tls()
                if context is None:
                    self._log.error("server.no_certificate", service=self.name)
                    connection.close()
                    return
                await loop.connect_accepted_socket(
                    lambda: protocol, connection, ssl=context, ssl_handshake_timeout=HANDSHAKE_TIMEOUT
                )
        except OSError as error:  # ssl.SSLError is one.
            self._log.debug("tls.failed", service=self.name, sender_host=host, reason=str(error))
            connection.close()
            return
        await self._session(protocol)


async def watch_lag(listeners: list[Listener]) -> None:
    """Runs for the life of a worker: pauses all listeners while the loop is late."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _TICK
        await asyncio.sleep(_TICK)
        if loop.time() - due > LAG:
            for listener in listeners:
                listener.pause()
            await asyncio.sleep(0)
        else:
            for listener in listeners:
                listener.resume()
