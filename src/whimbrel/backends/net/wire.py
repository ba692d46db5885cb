"""One accepted connection as the event loop has it: octets in and out, TLS, back-pressure, and one waiter.

What a session makes of it is in `driver.py`. Thousands of connections wait at a time, so each is kept small.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import cast

from whimbrel.backends.net.farewell import Farewell
from whimbrel.backends.net.meter import UNMETERED
from whimbrel.backends.net.names import NOWHERE, host_and_port
from whimbrel.backends.net.secure import Secure

READ_AHEAD = 256 * 1024
"""Bytes taken from a peer before its session has asked for them; then reading pauses."""
CHUNK = 120 * 1024
"""Bytes read at once: few enough that malloc doesn't take new pages from the kernel for each, which clears them."""
SECURE_CHUNK = 60 * 1024
"""And under TLS, where plaintext takes as much again."""


class Closed(Exception):
    """The connection is gone. Ends the session."""


class TimedOut(Exception):
    """The peer was silent, or did not read, for too long. The session may still say why before it ends."""


class _Here(threading.local):
    """The buffer that all connections of a thread read into: asked for, filled and told of in one step."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(CHUNK))


_here = _Here()


class Wire(asyncio.BufferedProtocol):
    """The side of a connection that its transport calls; `Connection` is the side of its session."""

    __slots__ = (
        "_deadline", "_ended", "_inbox", "_inbox_size", "_local", "_loop", "_lost", "_peer", "_read_paused", "_secure",
        "_timer", "_transport", "_waiter", "_write_paused", "active", "broken", "farewell", "meter", "received",
    )  # fmt: skip

    def __init__(self) -> None:
        self.broken: Callable[[str, str], None] | None = None
        """Called with the peer's address and the reason when TLS fails after its handshake."""
        self.farewell: Farewell | None = None
        """Has taken over from this one: the session is over, the connection is not."""
        self.received = 0
        self.meter = UNMETERED
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.active = self._loop.time()
        """When the peer last said something, or came: by the time of the loop."""
        self._inbox: list[bytes] = []
        self._inbox_size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._ended = self._lost = self._read_paused = self._write_paused = False
        self._secure: Secure | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._peer: tuple[str, int] = NOWHERE
        self._local: tuple[str, int] | None = None

    @property
    def peer(self) -> tuple[str, int]:
        """IP address and port of the other end; ("", 0) for a Unix socket."""
        return self._peer

    @property
    def local(self) -> tuple[str, int]:
        """Our end of it, once the connection is there."""
        if self._local is None and self._transport is not None:
            self._local = host_and_port(self._transport.get_extra_info("sockname"))
        return self._local or NOWHERE

    @property
    def ended(self) -> bool:
        """The peer has closed, its own side at least: it will send no more, and perhaps does not read either."""
        return self._ended

    def abort(self) -> None:
        """Closes at once, for a peer that does not read."""
        if self.farewell is not None:
            self.farewell.abort()
        elif self._transport is not None and not self._lost:
            self._transport.abort()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._peer = host_and_port(transport.get_extra_info("peername"))

    def get_buffer(self, sizehint: int) -> memoryview:
        return _here.view if self._secure is None else _here.view[:SECURE_CHUNK]

    def buffer_updated(self, nbytes: int) -> None:
        if self._secure is None:
            self.data_received(bytes(_here.view[:nbytes]))
        elif plain := self._opened(self._secure, _here.view[:nbytes]):
            self.data_received(plain)

    def data_received(self, data: bytes) -> None:
        """`data` is what the peer said, without TLS."""
        size = len(data)
        self.received += size
        self.meter.received[0] += size
        self.active = self._loop.time()
        self._inbox.append(data)
        self._inbox_size += size
        if self._inbox_size > READ_AHEAD and not self._read_paused and self._transport is not None:
            self._read_paused = True
            self._transport.pause_reading()
        if (waiter := self._waiter) is not None and not waiter.done():
            waiter.set_result(None)

    def eof_received(self) -> bool:
        self._ended = True
        self._wake_waiter()
        return True  # Half-closed: the replies to what was sent still go out.

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = self._lost = True
        self._write_paused = False
        self._secure = None
        if self._waiter is None and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake_waiter()

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._secure is not None:
            self._pump(self._secure)
        if not self._write_paused:
            self._wake_waiter()

    # Inside

    def _pump(self, secure: Secure) -> None:
        """Encrypts what the transport takes now. What it does not is held as it is, not a second time as ciphertext."""
        transport = self._transport
        if transport is None or self._lost or not secure.established:
            return
        while secure.held and not self._write_paused and not transport.is_closing():
            transport.write(secure.sealed())
        if secure.failure:
            self._break(secure, transport)

    def _opened(self, secure: Secure, data: memoryview) -> bytes:
        """The plaintext of `data`; what TLS itself answers to it is sent."""
        transport, known = self._transport, secure.established
        if transport is None:
            return b""
        plain = secure.feed(data)
        if records := secure.outgoing():
            transport.write(records)
            if transport.get_write_buffer_size() > READ_AHEAD:
                self.abort()  # It makes TLS answer, and reads nothing.
        if secure.failure:
            self._break(secure, transport)
        elif secure.ended:
            self._ended = True
            self._wake_waiter()
        elif secure.established is not known:
            self._wake_waiter()
            self._pump(secure)
        return plain

    def _break(self, secure: Secure, transport: asyncio.Transport) -> None:
        """TLS has failed: an end, whoever is to blame."""
        if not transport.is_closing():
            if secure.established and self.broken is not None:
                self.broken(self._peer[0], secure.failure)
            self._part(transport)
        self._ended = True
        self._wake_waiter()

    def _part(self, transport: asyncio.Transport, *, wait: bool = True) -> None:
        """Closes, by a farewell if something is not sent yet or, with `wait`, the peer may be sending."""
        if (self._ended or not wait) and not self._unsent(transport):
            if self._secure is not None:
                transport.write(self._secure.close())
            transport.close()
        else:
            self.farewell = Farewell(self._secure, ended=self._ended)
            self._transport, self._lost, self._write_paused = None, True, False
            self.farewell.take(transport)

    def _unsent(self, transport: asyncio.Transport) -> int:
        return transport.get_write_buffer_size() + (0 if self._secure is None else self._secure.held)

    async def _wait(self, deadline: float) -> None:
        self._arm(deadline)
        try:
            await cast(asyncio.Future[None], self._waiter)
        finally:
            self._waiter = None
        if self._deadline == 0.0:
            raise TimedOut

    def _arm(self, deadline: float) -> None:
        """Makes the future to wait for; `_deadline` is 0 afterwards if the time ran out."""
        # One timer for the life of the connection, moved only when it fires: waits are many, time-outs rare.
        self._deadline = deadline
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._tick)
        self._waiter = self._loop.create_future()

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
