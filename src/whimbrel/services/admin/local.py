"""Serves an ASGI application on a Unix socket that only our own user and root can reach.

Its folder is 0700 and the socket 0600, which the kernel enforces on Linux; where it does not, and as a second lock,
the user at the other end is asked for (SO_PEERCRED) before a byte is read. Nobody signs in: who can open the socket
can read the files as well. This is the break-glass way (mission S12).
"""

import asyncio
import contextlib
import json
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from starlette.requests import Request

from whimbrel.core.log import Log
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.web import error_object

SOCKET = "admin.sock"
MAX_CONNECTIONS = 64
"""Clients that are served at a time."""
MAX_REFUSALS = 64
"""Clients beyond these that wait for a place or are being refused; those beyond both are not accepted yet. listen(2)"""
IDLE = 2.0
"""Seconds in which a client must have said what it wants, or go."""
WAIT = 1.0
"""Seconds that a client waits for a place before it is refused: most calls take a few milliseconds."""
REFUSE_WITHIN = 2.0
"""Seconds in which a client that is refused must have read it and gone."""
FINISH_WITHIN = 1.0
REST_WITHIN = 5.0
"""Seconds for the rest of a request that was answered before its end."""
_ACCEPT_AGAIN = 1.0
"""Seconds until another attempt where the system had no descriptor for a connection."""


@contextlib.asynccontextmanager
async def serving(
    application: Any,
    path: Path,
    log: Log,
    refuses: "Refuses | None" = None,
    *,
    connections: int = 0,
    idle: float = 0,
) -> AsyncIterator[None]:
    """`application` can be reached at `path` while the block runs, by so many `connections` at a time that say nothing
    for `idle` seconds at most (0: as the constants have it). OSError if the socket cannot be made."""
    listening = _listen(path)
    server = _Server(application, path, log, refuses or foreign, connections or MAX_CONNECTIONS, idle or IDLE)
    accepting = asyncio.get_running_loop().create_task(server.accept(listening))
    try:
        yield
    finally:
        _unlink(path)  # Nobody comes in any more; the sessions end before the server does.
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        listening.close()
        await server.close()


class _Server:
    """The connections of one socket."""

    def __init__(
        self, application: Any, path: Path, log: Log, refuses: "Refuses", connections: int, idle: float
    ) -> None:
        self._path, self._log, self._refuses, self._connections = path, log, refuses, connections
        self._config = Config()
        self._config.accesslog = self._config.errorlog = None
        self._config.h11_max_incomplete_size = 64 * 1024
        self._config.keep_alive_timeout = idle
        self._config.include_server_header = False
        self._application, self._context = ASGIWrapper(read_to_its_end(application)), WorkerContext(None)
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepted = asyncio.Semaphore(connections + MAX_REFUSALS)
        self._served = asyncio.Semaphore(connections)

    async def accept(self, listening: socket.socket) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._accepted.acquire()
            try:
                sock, _ = await loop.sock_accept(listening)
            except OSError:
                self._accepted.release()
                await asyncio.sleep(_ACCEPT_AGAIN)
                continue
            task = loop.create_task(self._connected(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """What is being answered is still answered; what only follows a log is not."""
        await self._context.terminated.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH_WITHIN)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _connected(self, sock: socket.socket) -> None:
        try:
            # A cancellation comes at our end; asyncio would print it.
            with contextlib.suppress(asyncio.CancelledError, OSError):
                reader, writer = await asyncio.open_unix_connection(sock=sock)
                try:
                    await self._session(reader, writer)
                finally:
                    writer.close()  # However it ended: a transport must not outlive the server.
                    with contextlib.suppress(OSError, asyncio.CancelledError):
                        await writer.wait_closed()
        finally:
            sock.close()
            self._accepted.release()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = peer_of(writer.get_extra_info("socket"))
        if peer is not None and (reason := self._refuses(peer)):
            self._log.warning("admin.refused", user=peer.user, socket=str(self._path), reason=reason)
        elif not await _acquired(self._served):
            await _refuse(reader, writer, self._connections)
        else:
            state: Any = {"peer": peer}
            loop = asyncio.get_running_loop()
            try:
                await _Connection(self._application, loop, self._config, self._context, state, reader, writer)
            finally:
                self._served.release()


class _Connection(TCPServer):
    """A client that has gone gives up its place at once: Hypercorn would keep it until the connection counts as idle
    for too long."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


def read_to_its_end(application: Any) -> Any:
    """`application`, behind whose answers the rest of a request is thrown away before the connection is closed: closed
    with octets unread, the socket would take the answer away from the client. unix(7)"""

    async def whole(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        ended, waiting = False, 0

        async def heard() -> Any:
            nonlocal ended, waiting
            waiting += 1
            try:
                message = await receive()
            finally:
                waiting -= 1
            ended = ended or message["type"] != "http.request" or not message.get("more_body", False)
            return message

        async def answer(message: Any) -> None:
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if not last or ended or waiting:
                await send(message)
                return
            await send({**message, "more_body": True})  # Its client has all of it and may stop sending.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REST_WITHIN):
                    while not ended:
                        await heard()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await application(scope, heard, answer)

    return whole


async def _acquired(places: asyncio.Semaphore) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT):
            await places.acquire()
            return True
    return False


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connections: int) -> None:
    """Tells a client beyond `connections` so, and reads what it sends until it has gone: closed with octets unread,
    the socket would take the answer away from it. unix(7)"""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(REFUSE_WITHIN):
            writer.write(_busy(connections))
            writer.write_eof()
            while await reader.read(65536):
                pass


def _busy(connections: int) -> bytes:
    text = (
        f"The server is answering {connections} other commands at this moment, as many as it takes; try again in a "
        "few seconds"
    )
    body = json.dumps({"error": error_object(CallError(Failure.UNAVAILABLE, text))}).encode()
    head = (
        f"HTTP/1.1 {Failure.UNAVAILABLE.http_status} Service Unavailable\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: 2\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _listen(path: Path) -> socket.socket:
    """Bound by its short name in a folder that nobody else can enter: the system allows about 100 bytes for a path."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    _unlink(path)  # Left by a killed server: the caller holds the lock of the installation.
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_name(path) as name:
            listening.bind(name)
        path.chmod(0o600)
        listening.listen(128)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _unlink(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name of at most 100 bytes for the socket `path`, by way of its folder's descriptor where it is longer."""
    name = os.fspath(path)
    if len(os.fsencode(name)) <= 100 or not os.path.isdir("/proc/self/fd"):
        yield name
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as the kernel tells it."""

    user: int
    process: int

    def __str__(self) -> str:
        try:
            name = pwd.getpwuid(self.user).pw_name
        except KeyError:
            name = str(self.user)
        return f"local user {name}, process {self.process}"


def peer_of(connection: Any) -> Peer | None:
    """Who is at the other end; None where the system does not tell it."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    process, user, _group = struct.unpack("3i", credentials)
    return Peer(int(user), int(process))


Refuses = Callable[[Peer], str]
"""Says why a peer is turned away; empty: it is not."""


def foreign(peer: Peer) -> str:
    """Why a peer is none of ours; empty for our user and for root."""
    return "" if peer.user in (0, os.geteuid()) else f"another user's process {peer.process}"


def local_caller(request: Request) -> Caller:
    """Whoever reached the socket may do everything; the config log says who it was."""
    peer = request.scope.get("state", {}).get("peer")
    return Caller("local", origin=str(peer) if peer is not None else "local socket")
