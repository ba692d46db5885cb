"""One POST over HTTPS: verified, bounded, no redirect followed, nothing private reached."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest

from tests.unit.backends.net.test_connector import FILES, connector, tls_contexts
from whimbrel.backends.net.guard import GuardedConnector
from whimbrel.backends.net.https import MOST, Answer, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextlib.asynccontextmanager
async def server(answer: bytes, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Gives one answer; the port and the requests."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            requests.append(head + await reader.readexactly(length))
            writer.write(answer)
            await writer.drain()
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls or FILES.server())
    async with listening:
        yield listening.sockets[0].getsockname()[1], requests


def posted(answer: bytes, path: str = "/hook?x=1") -> tuple[Answer, list[bytes]]:
    async def work() -> tuple[Answer, list[bytes]]:
        async with server(answer) as (port, requests):
            return await post(connector().open, f"https://127.0.0.1:{port}{path}", b'{"a": 1}', {"X-Y": "z"}), requests

    return asyncio.run(work())


def test_the_body_arrives_with_its_headers() -> None:
    answer, (request,) = posted(OK)
    assert (answer.status, answer.text, answer.ok) == (200, "ok", True)
    assert request.startswith(b"POST /hook?x=1 HTTP/1.1\r\n")
    assert b"X-Y: z\r\n" in request or b"x-y: z\r\n" in request.lower()
    assert request.endswith(b'\r\n\r\n{"a": 1}')


def test_a_redirect_is_not_followed() -> None:
    answer, requests = posted(b"HTTP/1.1 307 Moved\r\nLocation: https://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
    assert (answer.status, answer.ok, len(requests)) == (307, False, 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * MOST + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + b"y" * (MOST + 1),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"",
    ],
)
def test_an_answer_that_is_none_or_too_large_is_an_error_in_words(answer: bytes) -> None:
    with pytest.raises(OSError, match=r"answer|closed"):
        posted(answer)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "https://", "https://user:pw@example.org/", "https://example.org/a b", "https://x:y/"],
)
def test_only_plain_https_urls_are_called(url: str) -> None:
    with pytest.raises(ValueError):  # In words of ours or of the library.
        asyncio.run(post(connector().open, url, b"", {}))


def test_a_certificate_that_proves_nothing_is_refused() -> None:
    from tests.support.certs import self_signed

    async def work() -> None:
        async with server(OK, tls=self_signed("other.test")) as (port, requests):
            with pytest.raises(OSError, match="certificate"):
                await post(connector().open, f"https://127.0.0.1:{port}/", b"x", {})
            assert requests == []

    asyncio.run(work())


def test_through_the_guard_no_private_address_is_called() -> None:
    async def work() -> None:
        async with server(OK) as (port, requests):
            guarded = GuardedConnector(tls_contexts(), None, tuple)
            with pytest.raises(OSError, match="not connected to"):
                await post(guarded.open, f"https://localhost:{port}/", b"x", {})
            assert requests == []

    asyncio.run(work())
