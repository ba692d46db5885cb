"""One request over HTTPS, bounded in time and size: a POST of JSON to a URL that an administrator set.

No redirect is followed: a webhook that has moved is an error with a sentence, not a new place for what is sent.
Standards: RFC 9110 (semantics), RFC 9112 (HTTP/1.1), RFC 8615.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import h11

from whimbrel.core.net import Link, TlsMode, TlsPolicy

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
    """The beginning of the body."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


async def post(open_link: Open, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """What the server answered. OSError in words, ValueError: the URL is none that can be called."""
    place = _place(url)
    port = place.port or 443
    host = place.hostname or ""
    try:
        async with asyncio.timeout(WITHIN):
            link = await open_link(host, port, "", TlsPolicy(TlsMode.IMPLICIT, host))
            try:
                return await _exchange(link, place, body, headers)
            finally:
                await link.close()
    except TimeoutError as error:
        raise TimeoutError(str(error) or f"no answer within {WITHIN:g} seconds") from None
    except h11.RemoteProtocolError as error:
        raise OSError(f"the answer is no HTTP: {error}") from None


def _place(url: str) -> SplitResult:
    """ValueError."""
    place = urlsplit(url)
    if place.scheme != "https" or not place.hostname:
        raise ValueError(f"'{url}' is no URL that begins with https://")
    if place.username is not None or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"'{url}' holds a name, a password, or what is no character of a URL")
    _ = place.port  # ValueError, should it be none.
    return place


async def _exchange(link: Link, place: SplitResult, body: bytes, headers: Mapping[str, str]) -> Answer:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST)
    target = (place.path or "/") + (f"?{place.query}" if place.query else "")
    fixed = {"Host": place.netloc, "Content-Length": str(len(body)), "Connection": "close"}
    request = h11.Request(method="POST", target=target, headers=[*fixed.items(), *headers.items()])
    sent = [connection.send(request), connection.send(h11.Data(data=body)), connection.send(h11.EndOfMessage())]
    await link.write(b"".join(each for each in sent if each))
    status, text, octets = 0, b"", 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await link.read()
            octets += len(data)
            if octets > MOST:
                raise OSError(f"the answer has more than {MOST} octets")
            connection.receive_data(data)
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            text += bytes(event.data)[: SHOWN - len(text)]
        elif not isinstance(event, h11.InformationalResponse):
            return Answer(status, "".join(c if c.isprintable() else " " for c in text.decode("utf-8", "replace")))
