"""Pumps any sans-IO engine over one accepted connection.

Time-outs, back-pressure, STARTTLS, corked replies and waking for a push exist here, once. A session is one task:

    while True:
        event = await connection.next_event(timeout=300)
        await connection.send(reply)

Replies are held until the engine needs data, so a pipelined batch is answered with one write.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from whimbrel.backends.net.deflate import Deflate
from whimbrel.core.engine import NEED_DATA, PAUSED, Engine, Pause
from whimbrel.core.net import TlsInfo

EventT = TypeVar("EventT")
ReplyT = TypeVar("ReplyT")

READ_AHEAD = 256 * 1024
"""Bytes taken from a peer before its session has asked for them; then reading pauses."""
WRITE_AHEAD = 64 * 1024
"""Bytes of replies held before they are written."""
HANDSHAKE_TIMEOUT = 30.0
LINGER = 60.0
"""Seconds that a peer has to take what is held when its session ended."""


class Closed(Exception):
    """The connection is gone. Ends the session."""


class TimedOut(Exception):
    """The peer was silent, or did not read, for too long. The session may still say why before it ends."""


class Connection(asyncio.Protocol, Generic[EventT, ReplyT]):
    """One connection and its engine; owned by one task."""

    def __init__(
        self,
        engine: Engine[EventT, ReplyT],
        ready: "Callable[[Connection[EventT, ReplyT]], None] | None" = None,
    ) -> None:
        """`ready` is called once connected, with implicit TLS after the handshake: for those who have no listener."""
        self.engine = engine
        self.tls: TlsInfo | None = None
        self.received = self.sent = 0
        self._ready = ready
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._inbox: list[bytes] = []
        self._inbox_size = 0
        self._out: list[bytes] = []
        self._out_size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._ended = self._lost = self._woken = self._read_paused = self._write_paused = False
        self._packing: Deflate | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._peer: tuple[str, int] = ("", 0)
        self._local: tuple[str, int] = ("", 0)

    # What the session uses

    @property
    def peer(self) -> tuple[str, int]:
        """IP address and port of the other end; ("", 0) for a Unix socket."""
        return self._peer

    @property
    def local(self) -> tuple[str, int]:
        return self._local

    @property
    def ended(self) -> bool:
        """The peer has closed, its own side at least: it will send no more, and perhaps does not read either."""
        return self._ended

    async def next_event(self, timeout: float) -> EventT:
        """The next event. Raises TimedOut after `timeout` seconds in all, Closed when the peer has gone."""
        deadline = None
        while True:
            event = await self.event_or_wake(timeout, deadline)
            if event is not None:
                return event
            deadline = deadline or self._loop.time() + timeout

    async def event_or_wake(self, timeout: float, deadline: float | None = None) -> EventT | None:
        """Like `next_event`; None when `wake` was called meanwhile. `deadline` (loop time) may stand for `timeout`."""
        event = self._next()
        while isinstance(event, Pause):
            if self._woken:
                self._woken = False
                return None
            if event is PAUSED:
                raise RuntimeError("the last event has not been answered")
            self.flush()
            if self._packing is not None and self._packing.more:
                self._deliver()
                await asyncio.sleep(0)  # What unfolds to a thousand times its size takes no more than its turns.
            elif not self._inbox and not self._ended:
                # One deadline for the whole event: a peer that sends an octet now and then gains nothing by it.
                deadline = deadline or self._loop.time() + timeout
                await self._wait(deadline)
            elif self._inbox:
                self._deliver()
            else:
                raise Closed
            event = self._next()
        return event

    async def send(self, reply: ReplyT) -> None:
        """Encodes and holds `reply`; a large amount is written out, waiting for a slow reader."""
        await self.send_bytes(self.engine.send(reply))

    async def send_bytes(self, data: bytes, timeout: float = 300.0) -> None:
        """Bytes that the engine has made already (bulk content)."""
        if data:
            self._out.append(data)
            self._out_size += len(data)
            if self._out_size >= WRITE_AHEAD:
                await self.drain(timeout)

    def flush(self) -> None:
        """Hands held replies to the transport."""
        if self._out and self._transport is not None and not self._lost:
            self.sent += self._out_size
            data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._transport.write(data if self._packing is None else self._packing.pack(data))
        self._out.clear()
        self._out_size = 0

    async def drain(self, timeout: float = 300.0) -> None:
        """Flushes, and waits while the peer is not reading. Raises TimedOut, Closed.

        A peer that reads at least WRITE_AHEAD bytes in each `timeout` seconds may take as long as it needs.
        """
        self.flush()
        if self._write_paused and self._transport is not None:
            left, deadline = self._transport.get_write_buffer_size(), self._loop.time() + timeout
            while self._write_paused and not self._lost:
                try:
                    await self._wait(deadline)
                except TimedOut:
                    size = self._transport.get_write_buffer_size()
                    if size > left - WRITE_AHEAD:
                        raise
                    left, deadline = size, self._loop.time() + timeout
        if self._lost:
            raise Closed

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Flushes, then TLS as the server. What the peer sent before the handshake is thrown away. Raises Closed."""
        self.flush()
        transport = self._transport
        if transport is None or self._lost:
            raise Closed
        self._inbox.clear()
        self._inbox_size = 0
        try:
            started = await self._loop.start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_TIMEOUT
            )
        except (OSError, ssl.SSLError) as error:
            self._lost = True
            transport.abort()
            raise Closed(f"TLS handshake failed: {error}") from None
        if started is None:
            raise Closed
        self._transport = started
        self.tls = tls_info(started)
        self._read_paused = False
        self.engine.tls_started()

    def deadline_in(self, seconds: float) -> float:
        """What `event_or_wake` takes as its deadline."""
        return self._loop.time() + seconds

    def wake(self) -> None:
        """Makes `event_or_wake` return None, now or when it is next called."""
        self._woken = True
        self._wake_waiter()

    @property
    def compressed(self) -> bool:
        return self._packing is not None

    def compress(self) -> None:
        """What is held goes out as it is; from then on both directions are compressed. RFC 4978 3"""
        self.flush()
        self._packing = Deflate()

    def end(self) -> None:
        """Flushes and closes; what is held is still sent, if the peer takes it within LINGER seconds."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None and not self._lost:
            left = self._transport.get_write_buffer_size()
            self._transport.close()
            if left:
                self._timer = self._loop.call_later(LINGER, self._transport.abort)

    def abort(self) -> None:
        """Closes at once, for a peer that does not read."""
        if self._transport is not None:
            self._transport.abort()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._transport is not None:
            return  # After TLS was started the same protocol is told again.
        self._transport = cast(asyncio.Transport, transport)
        self._peer = host_and_port(transport.get_extra_info("peername"))
        self._local = host_and_port(transport.get_extra_info("sockname"))
        self.tls = tls_info(transport)
        if self.tls is not None:
            self.engine.tls_started()
        if self._ready is not None:
            self._ready(self)

    def data_received(self, data: bytes) -> None:
        size = len(data)
        self.received += size
        self._inbox.append(data)
        self._inbox_size += size
        if self._inbox_size > READ_AHEAD and not self._read_paused and self._transport is not None:
            self._read_paused = True
            self._transport.pause_reading()
        self._wake_waiter()

    def eof_received(self) -> bool:
        self._ended = True
        self._wake_waiter()
        return self.tls is None  # Half-closed: the replies to what was sent still go out. TLS cannot.

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = self._lost = True
        self._write_paused = False
        if self._waiter is None and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake_waiter()

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self._wake_waiter()

    # Inside

    def _next(self) -> EventT | Pause:
        return self.engine.next_event()

    def _deliver(self) -> None:
        if self._packing is not None and self._packing.more:
            self.engine.receive(self._unpacked(b""))
            return
        inbox = self._inbox
        data = inbox[0] if len(inbox) == 1 else b"".join(inbox)
        self._inbox = []
        self._inbox_size = 0
        if self._read_paused and self._transport is not None and not self._lost:
            self._read_paused = False
            self._transport.resume_reading()
        self.engine.receive(data if self._packing is None else self._unpacked(data))

    def _unpacked(self, data: bytes) -> bytes:
        """At most `deflate.STEP` octets: the rest is taken when the engine has done with them."""
        assert self._packing is not None
        try:
            return self._packing.unpack(data)
        except ValueError as error:
            self.abort()
            raise Closed(str(error)) from None

    async def _wait(self, deadline: float) -> None:
        # One timer for the life of the connection, moved only when it fires: waits are many, time-outs rare.
        self._deadline = deadline
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._tick)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self._deadline == 0.0:
            raise TimedOut

    def _tick(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() >= self._deadline - 0.001:
            self._deadline = 0.0
            self._waiter.set_result(None)
        else:
            self._timer = self._loop.call_at(self._deadline, self._tick)

    def _wake_waiter(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def tls_info(transport: asyncio.BaseTransport) -> TlsInfo | None:
    """What TLS a transport speaks."""
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return None
    name, _, bits = tls.cipher() or ("", "", 0)
    return TlsInfo(str(tls.version() or ""), str(name), int(bits))


def host_and_port(name: object) -> tuple[str, int]:
    """A socket's address; ("", 0) for a Unix socket."""
    if isinstance(name, tuple) and len(name) >= 2:
        host = str(name[0])
        return host.removeprefix("::ffff:") if "." in host else host, int(name[1])
    return "", 0


__all__ = ["NEED_DATA", "Closed", "Connection", "TimedOut", "host_and_port", "tls_info"]
