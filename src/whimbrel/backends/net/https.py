"""One request over HTTPS, bounded in time and size, to a URL that an administrator set: a POST of JSON, or a GET.

No redirect is followed: what has moved is an error with a sentence, not a new place for what is sent.
Standards: RFC 9110 (semantics), RFC 9112 (HTTP/1.1), RFC 8615.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import h11

from whimbrel.core.net import Link, TlsMode, TlsPolicy
from whimbrel.core.urls import url_fault

WITHIN: Final = 15.0
"""Seconds for all of it."""
MOST: Final = 64 << 10
"""Octets of an answer that are read."""
SHOWN: Final = 200


Open = Callable[[str, int, str, TlsPolicy], Awaitable[Link]]
"""As `Connector.open`."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str
    """The beginning of the body, for people."""
    body: bytes = b""
    """All of it, of a GET."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


async def post(open_link: Open, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """What the server answered. OSError in words, ValueError: the URL is none that can be called."""
    return await _request(open_link, "POST", url, body, headers, MOST)


async def get(open_link: Open, url: str, headers: Mapping[str, str], most: int = MOST) -> Answer:
    """As `post`; `most` octets of an answer are read, its head included."""
    return await _request(open_link, "GET", url, b"", headers, most)


async def _request(
    open_link: Open, method: str, url: str, body: bytes, headers: Mapping[str, str], most: int
) -> Answer:
    place = place_of(url)
    port = place.port or 443
    host = place.hostname or ""
    try:
        async with asyncio.timeout(WITHIN):
            link = await open_link(host, port, "", TlsPolicy(TlsMode.IMPLICIT, host))
            try:
                return await _exchange(link, method, place, body, headers, most)
            finally:
                await link.close()
    except TimeoutError as error:
        raise TimeoutError(str(error) or f"no answer within {WITHIN:g} seconds") from None
    except h11.RemoteProtocolError as error:
        raise OSError(f"the answer is no HTTP: {error}") from None


def place_of(url: str) -> SplitResult:
    """ValueError, without the URL, which may be secret."""
    if fault := url_fault(url):
        raise ValueError(fault)
    return urlsplit(url)


async def _exchange(
    link: Link, method: str, place: SplitResult, body: bytes, headers: Mapping[str, str], most: int
) -> Answer:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST)
    target = (place.path or "/") + (f"?{place.query}" if place.query else "")
    fixed = {"Host": place.netloc, "Connection": "close"}
    fixed |= {"Content-Length": str(len(body))} if method == "POST" else {}
    request = h11.Request(method=method, target=target, headers=[*fixed.items(), *headers.items()])
    content = [connection.send(request), *([connection.send(h11.Data(data=body))] if body else [])]
    sent = [*content, connection.send(h11.EndOfMessage())]
    await link.write(b"".join(each for each in sent if each))
    status, text, octets = 0, b"", 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await link.read()
            octets += len(data)
            if octets > most:
                raise OSError(f"the answer has more than {most} octets")
            connection.receive_data(data)
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            text += bytes(event.data)
        elif not isinstance(event, h11.InformationalResponse):
            shown = text[:SHOWN].decode("utf-8", "replace")
            kept = text if method == "GET" else b""
            return Answer(status, "".join(c if c.isprintable() else " " for c in shown), kept)
