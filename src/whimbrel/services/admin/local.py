"""Serves an ASGI application on a Unix socket that only our own user and root can reach.

Its folder is 0700 and the socket 0600, which the kernel enforces on Linux; where it does not, and as a second lock,
the user at the other end is asked for (SO_PEERCRED) before a byte is read. Nobody signs in: who can open the socket
can read the files as well. This is the break-glass way (mission S12).
"""

import asyncio
import contextlib
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from starlette.requests import Request

from whimbrel.core.log import Log
from whimbrel.services.admin.context import Caller

SOCKET = "admin.sock"
MAX_CONNECTIONS = 64
FINISH_WITHIN = 1.0


@contextlib.asynccontextmanager
async def serving(application: Any, path: Path, log: Log) -> AsyncIterator[None]:
    """`application` can be reached at `path` while the block runs. OSError if the socket cannot be made."""
    listening = _listen(path)
    config = Config()
    config.accesslog = config.errorlog = None
    config.h11_max_incomplete_size = 64 * 1024
    config.keep_alive_timeout = 2.0  # A client that has gone is noticed only then.
    config.include_server_header = False
    context, loop = WorkerContext(None), asyncio.get_running_loop()
    wrapped = ASGIWrapper(application)
    sessions: set[asyncio.Task[Any]] = set()

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        sessions.add(task)
        task.add_done_callback(sessions.discard)
        try:
            # A cancellation comes at our end; asyncio would print it.
            with contextlib.suppress(asyncio.CancelledError):
                peer = peer_of(writer.get_extra_info("socket"))
                if peer is not None and peer.user not in (0, os.geteuid()):
                    log.warning("admin.refused", user=peer.user, socket=str(path))
                elif len(sessions) <= MAX_CONNECTIONS:
                    state: Any = {"peer": peer}
                    await TCPServer(wrapped, loop, config, context, state, reader, writer)
        finally:
            # However it ended: a transport must not outlive the server.
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    server = await asyncio.start_unix_server(session, sock=listening)
    try:
        yield
    finally:
        _unlink(path)  # Nobody comes in any more; the sessions end before the server does.
        await context.terminated.set()
        if sessions:  # What is being answered is still answered; what only follows a log is not.
            await asyncio.wait(sessions, timeout=FINISH_WITHIN)
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        await asyncio.sleep(0)
        server.close()


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


def local_caller(request: Request) -> Caller:
    """Whoever reached the socket may do everything; the config log says who it was."""
    peer = request.scope.get("state", {}).get("peer")
    return Caller("local", origin=str(peer) if peer is not None else "local socket")
