"""A protocol of lines: each line is an event that waits for its reply. For the driver's tests."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable

from whimbrel.backends.net.driver import Connection
from whimbrel.core.engine import NEED_DATA, PAUSED, Pause


class LineEngine:
    """`plain` says what was received before TLS and must be forgotten by then."""

    def __init__(self) -> None:
        self.buffer = b""
        self.waiting = False
        self.received: list[bytes] = []
        self.tls = 0

    def receive(self, data: bytes) -> None:
        self.received.append(data)
        self.buffer += data

    def next_event(self) -> bytes | Pause:
        if self.waiting:
            return PAUSED
        line, found, rest = self.buffer.partition(b"\n")
        if not found:
            return NEED_DATA
        self.buffer, self.waiting = rest, True
        return line

    def send(self, reply: bytes) -> bytes:
        if not self.waiting:
            raise ValueError("nothing to answer")
        self.waiting = False
        return reply + b"\n"

    def tls_started(self) -> None:
        self.buffer, self.tls = b"", self.tls + 1


Toy = Connection[bytes, bytes]


@contextlib.asynccontextmanager
async def connected(
    *, buffer: int = 0, tls: ssl.SSLContext | None = None, peer: Callable[[socket.socket], object] | None = None
) -> AsyncIterator[tuple[Toy, socket.socket]]:
    """A connection over a socket pair, and the peer's end (non-blocking). `buffer` bounds what the kernel holds; with
    `tls` it is one once the handshake is done, so `peer` must be at it by then."""
    ours, theirs = socket.socketpair()
    if buffer:
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    theirs.setblocking(False)
    if peer is not None:
        peer(theirs)
    connection: Toy = Connection(LineEngine())
    if tls is not None:
        connection.expect_tls(tls)
    await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, ours)
    if tls is not None:
        await connection.handshake()
    try:
        yield connection, theirs
    finally:
        connection.abort()
        theirs.close()
        await asyncio.sleep(0)


async def read(theirs: socket.socket, size: int = 65536) -> bytes:
    """Something that the peer was sent."""
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recv(theirs, size)


async def settle() -> None:
    """Lets the transports do what they can do now."""
    for _ in range(20):
        await asyncio.sleep(0)
