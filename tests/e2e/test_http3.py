"""HTTP/3 by a client that nobody here wrote: the endpoint by itself, with an application of the test's own."""

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from aioquic.h3.connection import ErrorCode
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicPacketType
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.fakes import MemoryLog
from tests.support.http3 import connected
from whimbrel.backends.net.listener import Limits
from whimbrel.backends.tls import authority
from whimbrel.backends.tls.certificate_files import load, read_key
from whimbrel.core.net import ShownCertificate
from whimbrel.core.network import contains
from whimbrel.services.webd import http3
from whimbrel.services.webd.exchange import Gone
from whimbrel.services.webd.quic import QuicEndpoint
from whimbrel.services.webd.quic_certificates import QuicCertificates
from whimbrel.services.webd.quic_connection import WINDOW, header_of

Asgi = Callable[[Any, Any, Any], Awaitable[None]]
_PAIRS = {name: authority.self_signed([name]) for name in ("localhost", "other.test", "new.test")}


class Own:
    """OwnCertificates, by name."""

    def __init__(self, folder: Any) -> None:
        self.files = {}
        for name, pair in _PAIRS.items():
            path = folder / f"{name}.pem"
            authority.write_file(path, pair.key + pair.certificate, 0o600)
            self.files[name] = str(path)

    def shown(self, name: str) -> ShownCertificate | None:
        path = self.files.get(name, self.files["localhost"])
        return ShownCertificate(load(path, path).chain, read_key(path))

    def names(self) -> Collection[str]:
        return ()

    def publicly_trusted(self, name: str) -> bool:
        return False


class Bench:
    def __init__(self, folder: Any) -> None:
        self.log, self.own = MemoryLog(), Own(folder)
        self.limits, self.allowed = Limits(64, 64), tuple[str, ...]()
        self.endpoint: QuicEndpoint
        self.port = 0

    @contextlib.asynccontextmanager
    async def serving(self, application: Asgi) -> AsyncIterator[int]:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        self.port = int(sock.getsockname()[1])
        certificates = QuicCertificates(self.own)
        self.endpoint = QuicEndpoint(
            "console",
            application,
            certificates,
            lambda: self.limits,
            lambda ip: not self.allowed or contains(self.allowed, ip),
            self.log,
        )
        self.endpoint.listen([sock])
        try:
            async with asyncio.timeout(50):
                yield self.port
        finally:
            await self.endpoint.close()
        assert self.endpoint.connections == 0


@pytest.fixture
def bench(tmp_path: Any) -> Bench:
    return Bench(tmp_path)


async def body_of(receive: Any) -> bytes:
    pieces = []
    while (message := await receive())["type"] == "http.request":
        pieces.append(message["body"])
        if not message["more_body"]:
            break
    return b"".join(pieces)


async def reply(send: Any, body: bytes, status: int = 200) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length]})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def mirror(scope: Any, receive: Any, send: Any) -> None:
    head = f"{scope['method']} {scope['raw_path'].decode()} {dict(scope['headers'])[b'host'].decode()} "
    await reply(send, head.encode() + b"%d" % len(await body_of(receive)))


def test_requests_and_bodies_larger_than_any_window(bench: Bench) -> None:
    async def run() -> list[bytes]:
        async with bench.serving(mirror) as port, connected(port) as client:
            small = [await client.get("/a?b=c"), await client.get("/b"), await client.post("/c", b"abc")]
            large = await client.post("/d", b"x" * (WINDOW * 5))
            return [answer.body for answer in [*small, large]]

    assert asyncio.run(run()) == [
        b"GET /a localhost 0", b"GET /b localhost 0", b"POST /c localhost 3", b"POST /d localhost %d" % (WINDOW * 5)
    ]  # fmt: skip


def test_a_large_answer_and_many_at_once(bench: Bench) -> None:
    async def large(scope: Any, receive: Any, send: Any) -> None:
        await reply(send, b"y" * (1 << 20))

    async def run() -> list[int]:
        async with bench.serving(large) as port, connected(port) as client:
            return [len(answer.body) for answer in await asyncio.gather(*(client.get(f"/{n}") for n in range(4)))]

    assert asyncio.run(run()) == [1 << 20] * 4


def test_events_come_one_by_one_and_end_when_the_client_goes(bench: Bench) -> None:
    async def run() -> tuple[bytes, str]:
        go_on, ended = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def events(scope: Any, receive: Any, send: Any) -> None:
            await body_of(receive)
            kind = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": kind})
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
            await go_on.wait()
            await send({"type": "http.response.body", "body": b"data: 2\n\n", "more_body": True})
            ended.set_result((await receive())["type"])

        async with bench.serving(events) as port:
            async with connected(port) as client:
                stream = client.begin("GET", "/api/events")
                first = (await client.wait(stream, lambda answer: answer.body)).body
                assert first == b"data: 1\n\n"
                go_on.set()
                both = (await client.wait(stream, lambda answer: b"2" in answer.body)).body
            return both, await ended

    assert asyncio.run(run()) == (b"data: 1\n\ndata: 2\n\n", "http.disconnect")


def test_a_request_that_is_reset_is_a_client_that_has_gone(bench: Bench) -> None:
    async def run() -> tuple[str, bool, int]:
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        refused: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def waiting(scope: Any, receive: Any, send: Any) -> None:
            if scope["raw_path"] == b"/b":
                await mirror(scope, receive, send)
                return
            while (message := await receive())["type"] != "http.disconnect":
                pass
            heard.set_result(message["type"])
            try:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            except Gone:
                refused.set_result(True)

        async with bench.serving(waiting) as port, connected(port) as client:
            stream = client.begin("POST", "/a")
            client.write(stream, b"abc")
            client._quic.reset_stream(stream, ErrorCode.H3_REQUEST_CANCELLED)
            client.transmit()
            return await heard, await refused, (await client.get("/b")).status

    assert asyncio.run(run()) == ("http.disconnect", True, 200)


def test_an_answer_that_is_aborted_is_reset_not_ended(bench: Bench) -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        scope["state"]["abort"]()

    async def run() -> tuple[bool, bool, int]:
        async with bench.serving(half) as port, connected(port) as client:
            answer = await client.get("/")
            return answer.reset, answer.ended, client._quic._close_event is None

    assert asyncio.run(run()) == (True, False, True)


def test_an_application_that_does_not_read_holds_the_client_up(bench: Bench) -> None:
    async def run() -> tuple[int, int]:
        go_on = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await go_on.wait()
            await mirror(scope, receive, send)

        async with bench.serving(slow) as port, connected(port) as client:
            stream = client.begin("POST", "/")
            client.write(stream, b"x" * (WINDOW * 4), end=True)
            ping = client.ping()
            await ping  # All that may be sent is on its way before.
            for _ in range(20):
                await client.ping()
            (session,) = bench.endpoint._sessions
            request = session._http.requests[stream]  # type: ignore[union-attr]
            held = sum(map(len, filter(None, request._pieces)))
            go_on.set()
            answer = await client.wait(stream, lambda answer: answer.ended)
            return held, int(answer.body.split()[-1])

    held, taken = asyncio.run(run())
    assert 0 < held <= WINDOW and taken == WINDOW * 4


def test_a_client_that_does_not_read_holds_its_answer_up(bench: Bench) -> None:
    async def run() -> int:
        sent = 0

        async def flood(scope: Any, receive: Any, send: Any) -> None:
            nonlocal sent
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x" * 16384, "more_body": True})
                sent += 16384

        async with bench.serving(flood) as port, connected(port) as client:
            stream = client.begin("GET", "/")
            await client.wait(stream, lambda answer: answer.body)
            client.datagram_received = lambda data, addr: None  # type: ignore[method-assign]
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.3)
            return sent - len(client.answers[stream].body)

    assert asyncio.run(run()) <= http3.SENT_AHEAD + 16384 + (1 << 20)


def initial(address: tuple[str, int], token: bytes = b"") -> bytes:
    """The first datagram of a client."""
    configuration = QuicConfiguration(alpn_protocols=["h3"], server_name="localhost", token=token)
    client = QuicConnection(configuration=configuration)
    client.connect(address, now=0.0)
    return client.datagrams_to_send(now=0.0)[0][0]


def test_an_address_is_proven_before_it_costs_anything(bench: Bench) -> None:
    async def run() -> tuple[QuicPacketType, int, int]:
        async with bench.serving(mirror) as port:
            loop = asyncio.get_running_loop()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.setblocking(False)
                stranger.connect(("127.0.0.1", port))
                sent = initial(("127.0.0.1", port))
                stranger.send(sent)
                answer = await loop.sock_recv(stranger, 65536)
                stranger.send(initial(("127.0.0.1", port), os.urandom(60)))  # A token of his own.
                stranger.send(sent)
                await loop.sock_recv(stranger, 65536)
                return header_of(answer).packet_type, len(sent) - len(answer), bench.endpoint.connections

    kind, more, connections = asyncio.run(run())
    assert (kind, connections) == (QuicPacketType.RETRY, 0) and more > 900


def test_an_unknown_version_is_answered_with_those_that_are_known(bench: Bench) -> None:
    async def run() -> tuple[int | None, list[bytes]]:
        async with bench.serving(mirror) as port:
            loop = asyncio.get_running_loop()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.setblocking(False)
                stranger.connect(("127.0.0.1", port))
                data = bytearray(initial(("127.0.0.1", port)))
                data[1:5] = b"\x1a\x2a\x3a\x4a"
                stranger.send(data[:1000])  # Too short for an answer. RFC 9000 6.1
                stranger.send(data)
                answers = [await loop.sock_recv(stranger, 65536)]
                stranger.send(initial(("127.0.0.1", port)))
                answers.append(await loop.sock_recv(stranger, 65536))
                return header_of(answers[0]).version, answers

    version, answers = asyncio.run(run())
    assert version == 0 and header_of(answers[1]).packet_type == QuicPacketType.RETRY


def test_300_damaged_datagrams_are_survived(bench: Bench) -> None:
    random.seed(4711)

    async def run() -> list[int]:
        async with bench.serving(mirror) as port, connected(port) as client:
            await client.get("/before")
            captured = [initial(("127.0.0.1", port))]
            through, server = client._transport.sendto, None  # type: ignore[union-attr]

            def keep(data: bytes, addr: Any = None) -> None:
                nonlocal server
                server = addr
                captured.append(bytes(data))
                through(data, addr)

            client._transport.sendto = keep  # type: ignore[union-attr, method-assign]
            await client.post("/x", b"y" * 5000)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for number in range(300):
                    data = bytearray(random.choice(captured))
                    for _ in range(random.choice((1, 3, 40))):
                        data[random.randrange(len(data))] = random.randrange(256)
                    data = data[: random.randrange(1, len(data))] if number % 3 == 0 else data
                    if number % 2:
                        stranger.sendto(data, ("127.0.0.1", port))
                    else:
                        through(bytes(data), server)
                stranger.sendto(b"", ("127.0.0.1", port))
                stranger.sendto(os.urandom(1400), ("127.0.0.1", port))
            statuses = [(await client.get("/after")).status]
            async with connected(port) as fresh:
                statuses.append((await fresh.get("/fresh")).status)
            return statuses

    assert asyncio.run(run()) == [200, 200]


def test_connections_beyond_the_cap_are_not_begun_and_begin_when_there_is_room(bench: Bench) -> None:
    bench.limits = Limits(1, 64)

    async def run() -> int:
        async with bench.serving(mirror) as port:
            async with connected(port) as client:
                await client.get("/")
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                    stranger.sendto(initial(("127.0.0.1", port)), ("127.0.0.1", port))
                    await client.get("/")
                assert bench.log.named("connection.limit") and bench.endpoint.connections == 1
            while bench.endpoint.connections:
                await asyncio.sleep(0.01)
            async with connected(port) as client:
                return (await client.get("/")).status

    assert asyncio.run(run()) == 200


def test_networks_that_are_not_allowed_hear_nothing(bench: Bench) -> None:
    async def run() -> int:
        async with bench.serving(mirror) as port, connected(port) as client:
            bench.allowed = ("192.0.2.0/24",)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.setblocking(False)
                stranger.sendto(initial(("127.0.0.1", port)), ("127.0.0.1", port))
                await client.get("/")  # Of one that was let in before.
                with pytest.raises(BlockingIOError):
                    stranger.recv(65536)
            return bench.endpoint.connections

    assert asyncio.run(run()) == 1


def test_the_certificate_is_that_of_the_name_and_a_new_one_is_shown_at_once(bench: Bench) -> None:
    async def shown(port: int, name: str) -> bytes:
        async with connected(port, name=name) as client:
            certificate = client._quic.tls._peer_certificate
            assert certificate is not None
            return certificate.public_bytes(Encoding.PEM)

    async def run() -> list[bytes]:
        async with bench.serving(mirror) as port:
            certificates = [await shown(port, "localhost"), await shown(port, "other.test")]
            authority.write_file(
                Path(bench.own.files["localhost"]),
                _PAIRS["new.test"].key + _PAIRS["new.test"].certificate,
                0o600,
            )
            return [*certificates, await shown(port, "localhost")]

    names = ("localhost", "other.test", "new.test")
    assert asyncio.run(run()) == [_PAIRS[name].certificate for name in names]


@pytest.mark.parametrize("what", ["head", "unknown frame"])
def test_what_fills_memory_and_is_no_request_ends_its_connection_alone(bench: Bench, what: str) -> None:
    async def run() -> tuple[bool, int]:
        async with bench.serving(mirror) as port, connected(port) as client, connected(port) as other:
            stream = client._quic.get_next_available_stream_id()
            kind = b"\x01" if what == "head" else b"\x21"
            client._quic.send_stream_data(stream, kind + b"\x80\x10\x00\x00" + b"x" * (http3.HEAD + 2048))
            client.transmit()
            await client.wait_closed()
            return client.over, (await other.get("/")).status

    assert asyncio.run(run()) == (True, 200)


def test_a_process_that_is_replaced_tells_its_clients_that_it_ends(bench: Bench) -> None:
    async def run() -> int:
        async with bench.serving(mirror) as port, connected(port) as client:
            await client.get("/")
            bench.endpoint.listen(())
            await client.wait_closed()
            return bench.endpoint.connections

    assert asyncio.run(run()) == 0
