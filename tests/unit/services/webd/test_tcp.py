"""Connections of the console over TLS, from the first octet to the last: what is slow, too large, idle, half closed or
never begins takes no more than its share, and nothing of it stays."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from tests.support.certs import certificates
from tests.support.fakes import MemoryLog
from whimbrel.backends.net.listener import TLS_ALERT, Limits
from whimbrel.core.network import contains
from whimbrel.services.webd import tcp
from whimbrel.services.webd.tcp import TcpConnections

CERTIFICATES = certificates("localhost")
GET = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Bench:
    """Connections over pairs of sockets: no port, no network."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.limits = Limits(50, 40)
        self.allowed: tuple[str, ...] = ()
        self.requests: list[str] = []
        self.go_on = asyncio.Event()
        self.read = 0
        self.tcp = TcpConnections(
            "console", self.application, lambda: CERTIFICATES.server(), lambda: self.limits,
            lambda ip: not self.allowed or contains(self.allowed, ip), self.log,
        )  # fmt: skip

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.requests.append(scope["path"])
        if scope["path"] == "/wait":
            await self.go_on.wait()
        while True:
            message = await receive()
            self.read += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                break
        if scope["path"] == "/flood":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(10_000):
                self.read += 1
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})

    def raw(self, host: str = "192.0.2.7") -> socket.socket:
        """The client's end, without TLS."""
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        ours.setblocking(False)
        self.tcp._admit(ours, host)
        return theirs

    async def client(self, host: str = "192.0.2.7") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = CERTIFICATES.client()
        context.set_alpn_protocols(["http/1.1"])
        return await asyncio.open_connection(sock=self.raw(host), ssl=context, server_hostname="localhost")

    async def none_left(self) -> None:
        async with asyncio.timeout(10):
            while self.tcp.connections:
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def benched() -> AsyncIterator[Bench]:
    bench = Bench()
    try:
        yield bench
    finally:
        await bench.tcp.close(0)
    assert not bench.tcp.connections and not bench.tcp._hosts


def run(work: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def inside() -> None:
        async with benched() as bench, asyncio.timeout(20):
            await work(bench)

    asyncio.run(inside())


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "HANDSHAKE_WITHIN", 0.3)
    monkeypatch.setattr(tcp, "IDLE", 1.0)
    monkeypatch.setattr(tcp, "PARTING", 0.1)
    monkeypatch.setattr(tcp, "REFUSED_WITHIN", 0.3)


async def to_end(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(OSError):
        return await reader.read(-1)
    return b""


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_a_handshake_that_never_ends_ends(first: bytes) -> None:
    async def work(bench: Bench) -> None:
        client = bench.raw()
        if first:
            client.send(first)
        await bench.none_left()
        client.close()

    run(work)


def test_what_is_no_tls_is_nobodys_request() -> None:
    async def work(bench: Bench) -> None:
        client = bench.raw()
        client.send(GET)
        await bench.none_left()
        assert not bench.requests
        client.close()

    run(work)


def test_a_head_that_comes_in_drips_does_not_keep_its_place() -> None:
    async def work(bench: Bench) -> None:
        _reader, writer = await bench.client()

        async def drip() -> None:
            with contextlib.suppress(OSError):
                writer.write(b"GET /x HTTP/1.1\r\nHost: localhost\r\nX: ")
                while bench.tcp.connections:
                    writer.write(b"a")
                    await writer.drain()
                    await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        await bench.none_left()
        await dripping
        assert not bench.requests
        writer.close()

    run(work)


def test_an_oversized_head_is_refused_and_never_reaches_the_application() -> None:
    async def work(bench: Bench) -> None:
        reader, writer = await bench.client()
        with contextlib.suppress(OSError):
            writer.write(b"GET /x HTTP/1.1\r\nHost: localhost\r\n" + b"X: " + b"a" * (200 << 10) + b"\r\n\r\n")
            await writer.drain()
        answer = await to_end(reader)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431")) or not answer
        await bench.none_left()
        assert not bench.requests
        writer.close()

    run(work)


def test_a_body_that_nobody_reads_stays_with_its_sender() -> None:
    """Else a client fills our memory with what the application has not asked for."""

    async def work(bench: Bench) -> None:
        _reader, writer = await bench.client()
        writer.write(b"POST /wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                while sent < 100_000_000:
                    writer.write(b"x" * 65536)
                    await writer.drain()
                    sent += 65536
        assert bench.requests == ["/wait"] and sent < 8 << 20
        writer.transport.abort()
        bench.go_on.set()
        await bench.none_left()

    run(work)


def test_an_answer_that_nobody_reads_stays_with_its_maker() -> None:
    async def work(bench: Bench) -> None:
        _reader, writer = await bench.client()
        writer.transport.pause_reading()
        writer.write(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        made = -1
        while made != bench.read or not made:
            made = bench.read
            await asyncio.sleep(0.2)
        assert made < 64
        writer.transport.abort()
        await bench.none_left()

    run(work)


def test_idle_connections_go_and_give_up_their_places() -> None:
    async def work(bench: Bench) -> None:
        clients = [await bench.client(f"192.0.2.{number}") for number in range(20)]
        await bench.none_left()
        for reader, writer in clients:
            assert await to_end(reader) == b""
            writer.close()

    run(work)


def test_a_kept_connection_serves_again_and_then_goes() -> None:
    async def work(bench: Bench) -> None:
        reader, writer = await bench.client()
        for number in range(1, 4):
            writer.write(GET)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200") and await reader.readexactly(2) == b"ok"
            assert len(bench.requests) == number
        await bench.none_left()
        writer.close()

    run(work)


def test_who_closes_his_half_after_a_request_leaves_nothing_behind() -> None:
    """TLS has no half-close in use (RFC 8446 6.1): it ends the connection, and the application is told."""

    async def work(bench: Bench) -> None:
        _reader, writer = await bench.client()
        writer.write(b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")
        await writer.drain()
        writer.transport.close()
        await bench.none_left()

    run(work)


def test_who_vanishes_while_he_is_answered_gives_up_his_place() -> None:
    async def work(bench: Bench) -> None:
        _reader, writer = await bench.client()
        writer.write(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while not bench.requests:
            await asyncio.sleep(0.005)
        writer.transport.abort()
        await bench.none_left()

    run(work)


def test_connections_beyond_the_limits_hear_so_and_others_are_served() -> None:
    async def work(bench: Bench) -> None:
        bench.limits = Limits(50, 2)
        kept = [await bench.client() for _ in range(2)]
        reader, writer = await bench.client()
        writer.write(GET)
        assert (await to_end(reader)).startswith(b"HTTP/1.1 503")
        other, asking = await bench.client("192.0.2.8")
        asking.write(GET)
        assert (await other.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        for _, each in [*kept, (reader, writer), (other, asking)]:
            each.close()

    run(work)


def test_a_flood_of_connections_beyond_the_limit_is_cut_in_the_handshake() -> None:
    async def work(bench: Bench) -> None:
        bench.limits = Limits(1, 1)
        clients = [bench.raw() for _ in range(1 + tcp.REFUSED + 5)]
        assert [client.recv(100) for client in clients[-5:]] == [TLS_ALERT] * 5
        assert len(bench.tcp._refused) == tcp.REFUSED
        for client in clients:
            client.close()

    run(work)


def test_networks_that_may_not_are_turned_away_before_tls() -> None:
    async def work(bench: Bench) -> None:
        bench.allowed = ("10.0.0.0/8",)
        client = bench.raw()
        assert client.recv(100) == TLS_ALERT and not bench.tcp.connections
        client.close()

    run(work)


@pytest.mark.parametrize(
    "upgrade",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        b"Upgrade: h2c\r\n",
        b"Upgrade: H2C\r\nConnection: upgrade\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        b"Connection: Upgrade\r\nUpgrade: TLS/1.3, h2c\r\n",
    ],
)
def test_an_upgrade_is_ignored(upgrade: bytes) -> None:
    """RFC 9110 7.8: a server may; RFC 9113 has no h2c any more."""

    async def work(bench: Bench) -> None:
        reader, writer = await bench.client()
        writer.write(b"GET /x HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"\r\n")
        writer.write(b"GET /y HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answers = await to_end(reader)
        assert answers.count(b"HTTP/1.1 200") == 2 and b"HTTP/1.1 101" not in answers
        assert b"upgrade" not in answers.lower()
        assert bench.requests == ["/x", "/y"]
        writer.close()

    run(work)


def test_http_2_is_spoken_only_where_the_handshake_chose_it() -> None:
    async def work(bench: Bench) -> None:
        reader, writer = await bench.client()
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
        answers = await to_end(reader)
        assert answers.startswith(b"HTTP/1.1 ") and answers.rpartition(b"HTTP/1.1 ")[2].startswith(b"400")
        writer.close()

    run(work)


@pytest.mark.parametrize(
    "head",
    [
        b"Host: localhost\r\nHost: evil.test\r\n",
        b"Host: localhost\r\nHost: localhost\r\n",
        b"",
        b"Host: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        b"Host: localhost\r\nTransfer-Encoding: gzip, chunked\r\n",
        b"Host: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_a_head_of_more_than_one_meaning_is_refused(head: bytes) -> None:
    async def work(bench: Bench) -> None:
        reader, writer = await bench.client()
        writer.write(b"POST /x HTTP/1.1\r\n" + head + b"\r\n0\r\n\r\n")
        assert (await to_end(reader)).startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")) and not bench.requests
        writer.close()

    run(work)
