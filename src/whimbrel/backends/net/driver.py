"""Pumps any sans-IO engine over one accepted connection.

Time-outs, back-pressure, TLS, corked replies and waking for a push exist here, once. A session is one task:

    while True:
        event = await connection.next_event(timeout=300)
        await connection.send(reply)

Replies are held until the engine needs data, so a pipelined batch is answered with one write.

Standards: RFC 3207 4.2, RFC 4978 3
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Generic, Literal, TypeVar, cast, overload

from whimbrel.backends.net.deflate import Deflate
from whimbrel.backends.net.secure import Secure
from whimbrel.backends.net.wire import Closed, TimedOut, Wire
from whimbrel.core.engine import NEED_DATA, PAUSED, Engine, Trace
from whimbrel.core.net import TlsInfo

EventT = TypeVar("EventT")
ReplyT = TypeVar("ReplyT")

WRITE_AHEAD = 64 * 1024
"""Bytes of replies held before they are written."""
TURN = 64
"""Events after which the other connections have their turn: a peer may have sent 40,000 commands in one go."""
HANDSHAKE_TIMEOUT = 30.0


class Connection(Wire, Generic[EventT, ReplyT]):
    """One connection and its engine; owned by one task. Thousands of them wait at a time, so each is kept small."""

    __slots__ = (
        "_out", "_out_size", "_packing", "_ready", "_turn", "_woken", "asked", "busy", "command", "dismissed", "engine",
        "sent", "session_id", "since", "stopping", "tls", "trace", "user",
    )  # fmt: skip

    def __init__(
        self,
        engine: Engine[EventT, ReplyT],
        ready: "Callable[[Connection[EventT, ReplyT]], None] | None" = None,
    ) -> None:
        """`ready` is called once connected: for those who have no listener."""
        super().__init__()
        self.engine = engine
        self.tls: TlsInfo | None = None
        self.busy = self.stopping = self.asked = False
        """`busy`: the session is at what it must finish and answer, so `stop` only tells it by `stopping`. `asked`: the
        peer wants the end (QUIT, LOGOUT), so it sends no more and nothing is waited for."""
        self.sent = 0
        self.since = self.active
        self.session_id = self.user = ""
        self.command: type | None = None
        """For who looks at connections, kept by the session: its id, the account that has signed in, and the event
        that it is at; None while it waits for the next."""
        self.dismissed = False
        """An administrator ends it."""
        self.trace: Trace | None = None
        """Is shown what crosses the wire, without TLS and compression."""
        self._ready = ready
        self._out: list[bytes] = []
        self._out_size = 0
        self._woken = False
        self._packing: Deflate | None = None
        self._turn = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._ready is not None:
            self._ready(self)

    # What the session uses

    def next_event(self, timeout: float) -> Awaitable[EventT]:
        """The next event. Raises TimedOut after `timeout` seconds in all, Closed when the peer has gone."""
        return self._event(timeout, 0.0, False)

    def event_or_wake(self, timeout: float, deadline: float | None = None) -> Awaitable[EventT | None]:
        """Like `next_event`; None when `wake` was called meanwhile. `deadline` (loop time) may stand for `timeout`."""
        return self._event(timeout, deadline or 0.0, True)

    @overload
    async def _event(self, timeout: float, deadline: float, wakeable: Literal[False], /) -> EventT: ...

    @overload
    async def _event(self, timeout: float, deadline: float, wakeable: Literal[True], /) -> EventT | None: ...

    async def _event(self, timeout: float, deadline: float, wakeable: bool, /) -> EventT | None:
        # Nearly every command of every protocol comes through here: one frame for all that a wait needs, which also is
        # what each of thousands of idle connections holds.
        self._turn += 1
        if self._turn >= TURN:
            self._turn = 0
            await asyncio.sleep(0)
        next_event = self.engine.next_event
        while (event := next_event()) is NEED_DATA:
            if wakeable and self._woken:
                self._woken = False
                return None
            if self._out:
                self.flush()
            if self._write_paused:
                await self.drain(timeout)  # Else one that asks and never reads would fill our memory with answers.
            if self._packing is not None and self._packing.more:
                self._deliver()
                await asyncio.sleep(0)  # What unfolds to a thousand times its size takes no more than its turns.
            elif self._inbox:
                self._deliver()
            elif self._ended:
                raise Closed
            else:
                # One deadline for the whole event: a peer that sends an octet now and then gains nothing by it.
                deadline = deadline or self._loop.time() + timeout
                self._arm(deadline)
                try:
                    await cast("asyncio.Future[None]", self._waiter)
                finally:
                    self._waiter = None
                if self._deadline == 0.0:
                    raise TimedOut
        if event is PAUSED:
            raise RuntimeError("the last event has not been answered")
        return event

    async def send(self, reply: ReplyT) -> None:
        """Encodes and holds `reply`; a large amount is written out, waiting for a slow reader."""
        data = self.engine.send(reply)
        self._out.append(data)
        self._out_size += len(data)
        if self._out_size >= WRITE_AHEAD:
            await self.drain()

    async def send_bytes(self, data: bytes, timeout: float = 300.0) -> None:
        """Bytes that the engine has made already (bulk content)."""
        if data:
            self._out.append(data)
            self._out_size += len(data)
            if self._out_size >= WRITE_AHEAD:
                await self.drain(timeout)

    @property
    def clear(self) -> bool:
        """The peer is there and reads: `push` may be used. Else only the session itself can write, and wait for it."""
        return not (self._write_paused or self._ended or self._lost)

    def push(self, data: bytes) -> None:
        """From outside the session, whose task waits for an event: `data` is written at once."""
        self._out.append(data)
        self._out_size += len(data)
        self.flush()

    def flush(self) -> None:
        """Hands held replies to the transport."""
        out = self._out
        if out and self._transport is not None and not self._lost:
            self.sent += self._out_size
            self.meter.sent[0] += self._out_size
            if self.trace is not None:
                self.trace.sent(out)
            if len(out) > 1 and len(out[-1]) >= WRITE_AHEAD:
                large = out.pop()  # Not copied for the sake of its first line.
                self._write(b"".join(out))
                self._write(large)
            else:
                self._write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()
        self._out_size = 0

    async def drain(self, timeout: float = 300.0) -> None:
        """Flushes, and waits while the peer is not reading. Raises TimedOut, Closed.

        A peer that reads at least WRITE_AHEAD bytes in each `timeout` seconds may take as long as it needs.
        """
        self.flush()
        if self._write_paused and (transport := self._transport) is not None:
            left, deadline = self._unsent(transport), self._loop.time() + timeout
            while self._write_paused and not self._lost:
                try:
                    await self._wait(deadline)
                except TimedOut:
                    size = self._unsent(transport)
                    if size > left - WRITE_AHEAD:
                        raise
                    left, deadline = size, self._loop.time() + timeout
        if self._lost:
            raise Closed

    def expect_tls(self, context: ssl.SSLContext) -> None:
        """What comes from now on is TLS, with us as the server: called before it is connected, `handshake` after."""
        self._inbox.clear()
        self._inbox_size = 0
        self._secure = Secure(context)

    async def handshake(self) -> None:
        """Raises Closed; `tls` tells what came of it."""
        try:
            secure = await self._established(self._loop.time() + HANDSHAKE_TIMEOUT)
        except Closed as error:
            self.meter.secured(None)
            raise Closed(f"TLS handshake failed: {error}") from None
        self.tls = secure.info
        self.meter.secured(self.tls)
        self.engine.tls_started()

    async def _established(self, deadline: float) -> Secure:
        secure = self._secure
        while secure is not None and not secure.established:
            if self._ended:
                raise Closed(secure.failure or "the peer has closed")
            try:
                await self._wait(deadline)
            except TimedOut:
                self.abort()
                raise Closed("the peer took too long") from None
        if secure is None:
            raise Closed("the peer has closed")
        return secure

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Flushes, then TLS as the server. What the peer sent before the handshake is thrown away: RFC 3207 4.2.

        Raises Closed.
        """
        self.flush()
        if self._transport is None or self._lost:
            raise Closed
        self.expect_tls(context)
        if self._read_paused:
            self._read_paused = False
            self._transport.resume_reading()
        await self.handshake()

    def channel_binding(self, kind: str) -> bytes | None:
        """As `Secure.channel_binding`; None without TLS."""
        return None if self._secure is None else self._secure.channel_binding(kind)

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

    def uncompress(self) -> None:
        """What is held goes out with the end of our stream; the peer's ended with what was read last. RFC 8437 4.1"""
        self.flush()
        packing, self._packing = self._packing, None
        if packing is not None and self._transport is not None and not self._lost:
            self._write(packing.finish())
            self._inbox[:0] = [packing.rest] if packing.rest else []

    def end(self) -> None:
        """Flushes and closes. What is held is still sent, and a peer that sends on can read it: see `farewell`."""
        self.flush()
        self._inbox, asked = [], self.asked and not self._inbox
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None and not self._lost and not self._transport.is_closing():
            self._part(self._transport, wait=not asked)

    def stop(self, session: "asyncio.Task[None]") -> None:
        """Ends the session: at once by cancelling it, or by itself as soon as it is no longer `busy`."""
        if self.busy:
            self.stopping = True
        else:
            session.cancel()

    # Inside

    def _write(self, data: bytes) -> None:
        if self._packing is not None:
            data = self._packing.pack(data)
        if self._secure is not None:
            self._secure.hold(data)
            self._pump(self._secure)
        elif self._transport is not None:
            self._transport.write(data)

    def _deliver(self) -> None:
        if self._packing is not None and self._packing.more:
            data = self._unpacked(b"")
            if self.trace is not None:
                self.trace.received(data)
            self.engine.receive(data)
            return
        inbox = self._inbox
        data = inbox[0] if len(inbox) == 1 else b"".join(inbox)
        self._inbox = []
        self._inbox_size = 0
        if self._read_paused and self._transport is not None and not self._lost:
            self._read_paused = False
            self._transport.resume_reading()
        if self._packing is not None:
            data = self._unpacked(data)
        if self.trace is not None:
            self.trace.received(data)
        self.engine.receive(data)

    def _unpacked(self, data: bytes) -> bytes:
        """At most `deflate.STEP` octets: the rest is taken when the engine has done with them."""
        assert self._packing is not None
        try:
            return self._packing.unpack(data)
        except ValueError as error:
            self.abort()
            raise Closed(str(error)) from None


__all__ = ["NEED_DATA", "Closed", "Connection", "TimedOut"]
