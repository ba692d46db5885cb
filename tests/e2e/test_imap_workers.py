"""Sessions of several workers in one mailbox: what each client believes is what the server has, nothing is lost.

Two mail workers serve the same folder; clients of both do anything in any order, others wait in IDLE. RFC 3501 5.2,
RFC 2177, RFC 7162.
"""

import asyncio
import os
import random
import re
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from bench.measure import tree
from tests.property.test_imap_sync import ACTIONS, Mirror
from tests.support.server import PASSWORD, Running

USER = "user1@example.test"
STEPS = 150
DEADLINE = 30.0
"""Seconds, far more than anything here takes."""
_END = re.compile(rb"^(?:t|x|i) (?:OK|NO|BAD) [^\r]*\r\n\Z", re.M)


class Remote:
    """A client over a real socket, in the shape that `Mirror` uses."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert self.socket.recv(4096).startswith(b"* OK")

    def close(self) -> None:
        self.socket.close()

    def until(self, enough: Callable[[bytes], object]) -> bytes:
        said = b""
        while not enough(said):
            data = self.socket.recv(65536)
            assert data, said
            said += data
        return said

    async def say(self, *lines: bytes) -> bytes:
        self.socket.sendall(b"".join(line + b"\r\n" for line in lines))
        return self.until(_END.search)

    async def ask(self, command: bytes) -> bytes:
        answer = await self.say(b"t " + command)
        untagged, tag, _ = answer.rpartition(b"t OK")
        assert tag, answer
        return untagged

    def worker(self, server: Running) -> int:
        """The process that serves it."""
        ours, theirs = self.socket.getsockname()[1], server.ports["imap"]
        inode = next(
            fields[9]
            for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
            if _port(fields[1]) == theirs and _port(fields[2]) == ours
        )
        for pid in tree([server.pid]):
            for descriptor in os.scandir(f"/proc/{pid}/fd"):
                try:
                    if os.readlink(descriptor.path) == f"socket:[{inode}]":
                        return pid
                except OSError:
                    continue
        raise AssertionError("nobody serves this connection")


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def spread(server: Running, each: int) -> list[Remote]:
    """`each` clients of each of two workers, those of both alternating."""
    found: dict[int, list[Remote]] = {}
    for _ in range(400):
        client = Remote(server.ports["imap"])
        found.setdefault(client.worker(server), []).append(client)
        if len(found) == 2 and all(len(clients) >= each for clients in found.values()):
            break
    assert len(found) == 2 and all(len(clients) >= each for clients in found.values()), "one worker serves all"
    for clients in found.values():
        for client in clients[each:]:
            client.close()
    return [client for pair in zip(*(clients[:each] for clients in found.values()), strict=True) for client in pair]


async def opened(client: Remote, mode: tuple[bytes, ...]) -> Mirror:
    await client.ask(f'LOGIN {USER} "{PASSWORD}"'.encode())
    if mode:
        await client.ask(b"ENABLE " + b" ".join(mode))
    mirror = Mirror(client, mode, await client.ask(b"SELECT INBOX"))  # type: ignore[arg-type]
    await mirror.learn()
    return mirror


def believed(mirror: Mirror) -> dict[object, object]:
    return {message["uid"]: message["flags"] for message in mirror.messages}


def hear(mirror: Mirror, count: int) -> None:
    """Takes what is pushed until the client knows of `count` messages."""
    client, end = mirror.client, time.monotonic() + DEADLINE
    assert isinstance(client, Remote)
    while len(mirror.messages) != count:
        assert time.monotonic() < end, "IDLE was not told"
        mirror.apply(client.until(lambda said: said.endswith(b"\r\n")))


async def scene(server: Running, seed: int) -> None:
    chance = random.Random(seed)
    remotes = spread(server, 3)
    # Who idles and asks for nothing does not know the UIDs that VANISHED would name.
    modes: list[tuple[bytes, ...]] = [(), (b"QRESYNC",), (b"CONDSTORE",), (), (), (b"CONDSTORE",)]
    mirrors = [await opened(client, mode) for client, mode in zip(remotes, modes, strict=True)]
    active, idle = mirrors[:4], mirrors[4:]
    for mirror in idle:
        mirror.client.socket.sendall(b"i IDLE\r\n")  # type: ignore[attr-defined]
        assert mirror.client.until(lambda said: said.endswith(b"+ idling\r\n"))  # type: ignore[attr-defined]
    for _ in range(STEPS):
        await chance.choice(active).do(chance.choice(ACTIONS), chance.randrange(5), chance.randrange(5))
    for mirror in active:
        await mirror.settle()
    with closing(Remote(server.ports["imap"])) as fresh:
        truth = believed(await opened(fresh, ()))
    for mirror in active:
        assert believed(mirror) == truth, mirror.mode
    for mirror in idle:
        hear(mirror, len(truth))
        mirror.apply(await mirror.client.say(b"DONE"))
        await mirror.settle()
        assert believed(mirror) == truth, mirror.mode
    for client in remotes:
        client.close()


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="asks /proc which worker serves a connection")
def test_clients_of_two_workers_end_with_the_same_mailbox(
    own_server: Callable[..., AbstractContextManager[Running]],
) -> None:
    settings = {"server/mail-workers": "2", "security/lock-out-after": "0", "services/imap/max-connections": "1000",
                "services/imap/max-connections-per-host": "1000"}  # fmt: skip
    with own_server(settings) as server:
        for seed in range(3):
            asyncio.run(scene(server, seed))


@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="asks /proc for the environment of the workers")
def test_the_buffers_of_tls_connections_are_mapped_apart_from_the_heap(server: Running) -> None:
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in tree([server.pid]) if pid != server.pid]
    assert environments
    for environment in environments:
        (value,) = re.findall(rb"(?:^|\0)MALLOC_MMAP_THRESHOLD_=(\d+)", environment)
        assert int(value) < 256 * 1024, "uvloop's buffer of one connection"
