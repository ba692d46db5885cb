"""Webhooks through an HTTP proxy: a tunnel with TLS of ours, bounded, and every refusal in words."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.unit.backends.net.test_connector import tls_contexts
from tests.unit.backends.net.test_https import OK, server
from whimbrel.backends.net.guard import GuardedConnector
from whimbrel.backends.net.https import post
from whimbrel.backends.net.proxy import HEAD, Proxy, open_through
from whimbrel.backends.net.settings import proxy_place
from whimbrel.core.values import Secret

CONNECTED = b"HTTP/1.1 200 Connected\r\n\r\n"


@contextlib.asynccontextmanager
async def proxied(target: int, answer: bytes = CONNECTED) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A proxy that leads everywhere to `target`; its port and what it was asked."""
    asked: list[bytes] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
            if answer.startswith(b"HTTP/1.1 2"):
                there, back = await asyncio.open_connection("127.0.0.1", target)
                await asyncio.gather(carry(reader, back), carry(there, writer))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1], asked


def test_a_webhook_goes_through_the_proxy_and_its_tls_is_between_us_and_the_server() -> None:
    async def work() -> None:
        async with server(OK) as (port, requests), proxied(port) as (way, asked):
            proxy = Proxy("127.0.0.1", way, "me", Secret("geheim"))
            connector = GuardedConnector(tls_contexts(), None, tuple, proxy=lambda: proxy)
            answer = await post(connector.open_named, "https://mail.example.test:4711/hook", b"secret text", {})
            assert answer.ok and requests[0].endswith(b"secret text")
            (head,) = asked
            assert head.startswith(b"CONNECT mail.example.test:4711 HTTP/1.1\r\nHost: mail.example.test:4711\r\n")
            assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:geheim") in head
            assert b"secret" not in head and b"/hook" not in head

    asyncio.run(work())


def test_a_proxy_cannot_stand_in_for_the_server() -> None:
    async def work() -> None:
        async with server(OK) as (port, requests), proxied(port) as (way, _):
            connector = GuardedConnector(tls_contexts(), None, tuple, proxy=lambda: Proxy("127.0.0.1", way))
            with pytest.raises(OSError, match="certificate"):
                await post(connector.open_named, "https://other.example/hook", b"x", {})
            assert not requests

    asyncio.run(work())


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 .*proxy-user"),
        (b"HTTP/1.1 403 Forbidden\x1b[31m\r\n\r\n", r"refused: 403 Forbidden \[31m"),
        (b"SSH-2.0-x\r\n\r\n", "does not answer as a proxy"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * (2 * HEAD), "more than"),
        (b"", "closed"),
    ],
)
def test_what_a_proxy_refuses_is_told_in_words(answer: bytes, text: str) -> None:
    async def work() -> None:
        async with proxied(1, answer) as (way, _):
            with pytest.raises(OSError, match=text) as caught:
                await open_through(Proxy("127.0.0.1", way), tls_contexts(), None, "example.org", 443, "example.org")
            assert str(caught.value).isprintable()

    asyncio.run(work())


@pytest.mark.parametrize("host", ["a b", "a\r\nX: y", "", "a/b", "ä.example"])
def test_nothing_but_a_host_name_reaches_the_proxy(host: str) -> None:
    with pytest.raises(OSError, match="no host name"):
        asyncio.run(open_through(Proxy("127.0.0.1", 1), tls_contexts(), None, host, 443, "x"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("proxy.example.org:3128", ("proxy.example.org", 3128)), ("http://10.0.0.1:8080/", ("10.0.0.1", 8080)),
        ("[2001:db8::1]:3128", ("2001:db8::1", 3128)), ("proxy", None), ("proxy:0", None), ("proxy:70000", None),
        ("me:pw@proxy:1", None), ("https://proxy:1", None), ("a b:1", None),
    ],
)  # fmt: skip
def test_a_proxy_is_a_host_and_a_port(text: str, place: tuple[str, int] | None) -> None:
    assert proxy_place(text) == place
