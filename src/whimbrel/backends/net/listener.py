"""The accepted connections of a service, within limits, each with its session.

A worker whose loop lags stops accepting until it has caught up. A connection counts until it is gone, its session over
or not.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from whimbrel.backends.net.acceptor import Acceptor
from whimbrel.backends.net.driver import Closed, Connection
from whimbrel.backends.net.farewell import Farewell
from whimbrel.backends.net.meter import Meter
from whimbrel.core.engine import Trace
from whimbrel.core.log import Log
from whimbrel.core.stats import NoTally, Tally

LAG = 0.05
"""Seconds by which the loop may be late before accepting stops."""
MOST_LATE = 10
"""Looks in a row at which nothing is accepted: whoever keeps the loop busy must not shut out all others for ever."""
_TICK = 0.1
TLS_ALERT = b"\x15\x03\x03\x00\x02\x02\x50"
"""A fatal alert, internal_error: what a client with implicit TLS hears of a limit. RFC 8446 6, 6.2, 5.1"""
REFUSED = 64
"""Connections over the limit that are heard out at a time, beside those that count; others may lose their refusal."""
PARTING = 1.0
"""Seconds of a shutdown for peers to read why, once the sessions are over."""
_NO_TALLY = NoTally()


@dataclass(frozen=True, slots=True)
class Limits:
    """Connections at once in this worker: in all, and from one address. 0: no limit."""

    connections: int = 5000
    per_host: int = 0


class Listener:
    """The accepted connections of one service, each with the task of its session."""

    def __init__(
        self,
        name: str,
        limits: Callable[[], Limits],
        log: Log,
        *,
        factory: Callable[[], Connection[Any, Any]],
        session: Callable[[Any], Coroutine[Any, Any, None]],
        refusal: bytes = b"",
        implicit_tls: Callable[[], bool] = lambda: False,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        allowed: Callable[[str], bool] = lambda _host: True,
        trace: Callable[[str], Trace | None] = lambda _host: None,
        tally: Tally = _NO_TALLY,
    ) -> None:
        """`factory` makes the protocol of a connection, `session` is its whole life; the listener owns its task.
        `refusal` is sent to a connection over the limit; a client that is not `allowed` is turned away
        without a word. With `implicit_tls` the handshake, with the context that
        `tls` gives, is made before the session begins. `trace` is asked for each connection, and again by `retrace`.
        Settings are asked for each connection."""
        self.name = name
        self.accepted = 0
        self._limits, self._allowed, self._log = limits, allowed, log
        self._meter = Meter(tally, name)
        self._factory, self._session, self._refusal = factory, session, refusal
        self._implicit_tls, self._tls, self._trace = implicit_tls, tls, trace
        self._acceptor = Acceptor(name, log, self._admit)
        self._tasks: dict[asyncio.Task[None], tuple[str, Connection[Any, Any] | None]] = {}
        self._hosts: Counter[str] = Counter()
        self._refused: set[asyncio.Task[None]] = set()
        self._closed = False
        self._broken = self._tell_broken  # One for all connections.

    @property
    def connections(self) -> int:
        """Those included whose handshake is not done yet, or whose session is over."""
        return len(self._tasks)

    def sessions(self) -> Sequence[tuple[asyncio.Task[None], Connection[Any, Any]]]:
        """Those under way at this moment, and those whose handshake is."""
        return [(task, connection) for task, (_, connection) in self._tasks.items() if connection is not None]

    def listen(self, sockets: Sequence[socket.socket]) -> None:
        """Accepts on these from now on. Those before are closed when it returns; their sessions go on."""
        self._acceptor.listen(sockets)

    def resume(self) -> None:
        self._acceptor.resume()

    def pause(self) -> None:
        self._acceptor.pause()

    def retrace(self) -> None:
        """Sessions under way are traced as new ones are from now on."""
        for host, connection in self._tasks.values():
            if connection is not None:
                wanted = self._trace(host)
                connection.trace = (connection.trace or wanted) if wanted is not None else None

    async def close(self, grace: float) -> None:
        """Stops accepting and stops all sessions; waits `grace` seconds, for what they must finish and for peers to
        read why they end."""
        self.listen(())
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        await asyncio.sleep(0)  # What was accepted a moment ago begins: it could not close what it never had.
        sessions = self.sessions()
        for task, connection in sessions:
            connection.stop(task)
        if sessions:
            await asyncio.wait([task for task, _ in sessions], timeout=grace)
        leaving = [task for task, (_, connection) in self._tasks.items() if connection is None] + list(self._refused)
        if leaving:
            await asyncio.wait(leaving, timeout=max(0.0, min(PARTING, deadline - loop.time())))
        self._closed = True
        for task in leaving:
            task.cancel()
        if leaving:
            await asyncio.wait(leaving)

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.exception("session.crashed", error, service=self.name)
        host, connection = self._tasks.pop(task, (None, None))
        if connection is not None:
            connection.end()  # Of a session that was cancelled before it began; any other has done so.
            if self._closed:
                connection.abort()
            elif connection.farewell is not None:
                self._own(connection.farewell.over(), host or "", None)  # In its place, as in `_begin`.
                return
        if host is not None:
            self._meter.ended()
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]

    def _admit(self, connection: socket.socket, host: str) -> None:
        if not self._allowed(host):
            reason = f"not in services/{self.name}/allow-from"
            self._log.warning("connection.refused", service=self.name, sender_host=host, reason=reason)
            connection.close()
            return
        limits = self._limits()
        if (limits.connections and len(self._tasks) >= limits.connections) or (
            limits.per_host and self._hosts[host] >= limits.per_host
        ):
            self._log.warning("connection.limit", service=self.name, sender_host=host, connections=len(self._tasks))
            self._refuse(connection)
            return
        protocol = self._factory()
        protocol.broken, protocol.meter = self._broken, self._meter
        protocol.trace = self._trace(host)
        self.accepted += 1
        self._meter.begun()
        self._hosts[host] += 1
        self._own(self._begin(connection, protocol, host), host, protocol)

    def _refuse(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        # Before a handshake nobody could read words, and one would cost more than the connection that is refused.
        refusal = TLS_ALERT if self._implicit_tls() else self._refusal
        with contextlib.suppress(OSError):
            connection.send(refusal)
        if refusal and len(self._refused) < REFUSED:
            task = asyncio.get_running_loop().create_task(self._hear_out(connection))
            self._refused.add(task)
            task.add_done_callback(self._refused.discard)
        else:
            connection.close()

    async def _hear_out(self, connection: socket.socket) -> None:
        """One that speaks before it is greeted can read the refusal all the same."""
        farewell = Farewell()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: farewell, connection)
        except OSError:
            connection.close()
        else:
            await farewell.over()

    def _tell_broken(self, host: str, reason: str) -> None:
        self._log.debug("tls.failed", service=self.name, sender_host=host, reason=reason)

    def _own(self, work: Coroutine[Any, Any, None], host: str, connection: Connection[Any, Any] | None) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = host, connection
        task.add_done_callback(self._done)

    async def _begin(self, connection: socket.socket, protocol: Connection[Any, Any], host: str) -> None:
        context = None
        if self._implicit_tls() and (context := self._tls()) is None:
            self._log.error("server.no_certificate", service=self.name)
            connection.close()
            return
        try:
            if context is not None:
                protocol.expect_tls(context)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, connection)
            if context is not None:
                await protocol.handshake()
        except OSError as error:
            self._log.debug("tls.failed", service=self.name, sender_host=host, reason=str(error))
            connection.close()
            return
        except Closed as error:
            self._log.debug("tls.failed", service=self.name, sender_host=host, reason=str(error))
            return
        except asyncio.CancelledError:
            protocol.abort()
            protocol.connection_lost(None)  # A transport that was closed before it began does not always say so.
            raise
        # A task of its own, since this one's frame and socket would stay with each connection that waits. It takes the
        # place of this one in the counts.
        del self._tasks[cast("asyncio.Task[None]", asyncio.current_task())]
        self._own(self._session(protocol), host, protocol)


class Accepting(Protocol):
    """What takes new work until it is paused."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


async def watch_lag(listeners: Collection[Accepting]) -> None:
    """Runs for the life of a worker: pauses all listeners while the loop is late."""
    loop, late = asyncio.get_running_loop(), 0
    while True:
        due = loop.time() + _TICK
        await asyncio.sleep(_TICK)
        late = late + 1 if loop.time() - due > LAG and late < MOST_LATE else 0
        if late:
            for listener in listeners:
                listener.pause()
            await asyncio.sleep(0)
        else:
            for listener in listeners:
                listener.resume()
