"""The rest of a connection's life once its session is over: the peer reads our last reply, whatever it still sends.

A socket that is closed while octets lie unread in it, or before others arrive, answers them with a reset, on which the
peer's kernel may throw away the reply that its program has not read yet. So we only say that we send no more, and throw
away what still comes, until the peer closes too or one of the bounds below is reached.

The farewell takes the transport over from whoever had it, so that nothing of it is paid for by those who talk. The
owner counts the connection until `over` returns: whoever was sent away has its place for a few seconds more.

Standards: RFC 1122 4.2.2.13, RFC 9112 9.6 (the same for HTTP), RFC 8446 6.1
"""

import asyncio
from typing import Final, cast

from whimbrel.backends.net.secure import Secure

UNSENT: Final = 60.0
"""Seconds that a peer has to take what is held for it."""
IN_ALL: Final = 5.0
"""Seconds that are given to a peer which has got all and sends on."""
SILENCE: Final = 2.0
"""Seconds without an octet after which it has read what we said, or is not there."""
OCTETS: Final = 4 * 1024 * 1024
"""Thrown away; whoever sends more than that gets its reset."""

_sink = memoryview(bytearray(64 * 1024))
"""What all of them read into: nobody looks at it."""


class Farewell(asyncio.BufferedProtocol):
    """One connection's."""

    __slots__ = (
        "_ended", "_full", "_gone", "_heard", "_loop", "_room", "_secure", "_shut", "_timer", "_transport", "_until",
    )  # fmt: skip

    def __init__(self, secure: Secure | None = None, *, ended: bool = False) -> None:
        """`secure` may hold what is not sent yet. `ended`: the peer has closed its side already."""
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._secure, self._ended = secure, ended
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._full = self._shut = self._heard = False
        self._room = OCTETS
        self._until = 0.0

    def take(self, transport: asyncio.Transport) -> None:
        """From the protocol that had it, reading or not."""
        transport.set_protocol(self)
        if not self._ended:
            transport.resume_reading()
        self.connection_made(transport)

    async def over(self) -> None:
        """Returns when the connection is gone. It is cut off if that is cancelled."""
        try:
            await self._gone
        except asyncio.CancelledError:
            self.abort()
            raise

    def abort(self) -> None:
        """Closes at once."""
        if self._transport is not None:
            self._transport.abort()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = sending = cast(asyncio.Transport, transport)
        sending.set_write_buffer_limits(high=0)  # Tells when all has been taken.
        self._full = sending.get_write_buffer_size() > 0
        self._timer = self._loop.call_later(UNSENT, sending.abort)
        self._send(sending)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._transport is not None and not self._shut:
            self._send(self._transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _sink

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = True
        self._room -= nbytes
        if self._room < 0:
            self.abort()

    def eof_received(self) -> bool:
        self._ended = True
        return not self._shut  # What is held is still sent.

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._gone.done():
            self._gone.set_result(None)

    # Inside

    def _send(self, transport: asyncio.Transport) -> None:
        """What the transport takes now; our end when that was all."""
        secure = self._secure
        if secure is not None:
            while secure.held and not self._full and not transport.is_closing():
                transport.write(secure.sealed())
            if secure.held:
                return  # Comes again when the peer has taken it.
            transport.write(secure.close())
            self._secure = None
        if not self._full and not transport.is_closing():
            self._close_our_side(transport)

    def _close_our_side(self, transport: asyncio.Transport) -> None:
        self._shut = True
        if self._timer is not None:
            self._timer.cancel()
        if self._ended:
            transport.close()
            return
        try:
            transport.write_eof()
        except OSError:  # It has just reset the connection.
            transport.abort()
            return
        self._until = self._loop.time() + IN_ALL
        self._timer = self._loop.call_later(SILENCE, self._look)

    def _look(self) -> None:
        """Goes on as long as something comes, within the bounds."""
        self._timer = None
        if self._transport is None:
            return
        left = self._until - self._loop.time()
        if self._heard and left > 0:
            self._heard = False
            self._timer = self._loop.call_later(min(SILENCE, left), self._look)
        else:
            self._transport.close()
