"""`GET /api/events?topics=a,b`: all that is live, as one stream of server-sent events for a browser.

    event: connections
    id: 5f3a9c-1041
    data: {"items": [...], "total": 7, ...}

A topic comes as it is when the stream begins, then whenever it has changed, four times a second at most. Logs
(`log:mail`) come as `{"lines": [...], "skipped": 12, "gap": false}`: lines that were too many are skipped and counted;
who comes again with Last-Event-ID has what it missed, or `gap`. The topic `session` tells when the session ends.

Standards: https://html.spec.whatwg.org/multipage/server-sent-events.html (9.2.5, 9.2.6)
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.web import refusal
from whimbrel.services.console.events_hub import GAP, Hub, Reader

PATH: Final = "/api/events"
SESSION: Final = "session"
HEARTBEAT: Final = 15.0
"""Seconds after which something is said in any case: who has gone is noticed only by writing."""
REVIEW: Final = 5.0
"""Seconds between two looks whether the caller is still signed in."""
RETRY: Final = 2000
"""Milliseconds after which a browser comes again."""
MAX_TOPICS: Final = 24
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who watches. `session` tells what the topic of that name shows; None: the sign-in counts no more. `ended` is set
    when that is known at once."""

    caller: Caller
    session: Callable[[], Awaitable[Mapping[str, object] | None]]
    ended: asyncio.Event | None = None


Viewers = Callable[[Request], Viewer]
"""Who makes a request. CallError."""


def events(hub: Hub, viewers: Viewers) -> Route:
    """The route of the stream."""

    async def endpoint(request: Request) -> Response:
        try:
            viewer = viewers(request)
            names = _topics(request.query_params.get("topics", ""))
            reader = hub.reader([name for name in names if name != SESSION], viewer.caller, _last(request, hub.epoch))
        except CallError as error:
            return refusal(error)
        stream = _stream(reader, viewer, hub.epoch, shows_session=SESSION in names)
        return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)

    return Route(PATH, endpoint, methods=["GET"])


def _topics(text: str) -> Sequence[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not 1 <= len(names) <= MAX_TOPICS:
        raise CallError(Failure.USAGE, f"topics: name 1 to {MAX_TOPICS} topics, such as ?topics=counters,queue")
    return names


def _last(request: Request, epoch: str) -> int:
    """The number of the last event that the browser has seen; 0: none, or one of another run."""
    before, _, number = request.headers.get("last-event-id", "").rpartition("-")
    return int(number) if before == epoch and number.isascii() and number.isdigit() and len(number) < 16 else 0


async def _stream(reader: Reader, viewer: Viewer, epoch: str, *, shows_session: bool) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    shown, reviewed, spoke = b"", float("-inf"), loop.time()
    try:
        yield b"retry: %d\n\n" % RETRY
        while True:
            if loop.time() - reviewed >= REVIEW or (viewer.ended is not None and viewer.ended.is_set()):
                reviewed = loop.time()
                session = await viewer.session()
                if session is None:
                    yield _event(SESSION, "", b'{"ended": true}')
                    return
                if shows_session and (now := json.dumps(session).encode()) != shown:
                    shown, spoke = now, loop.time()
                    yield _event(SESSION, "", now)
            news = reader.take()
            for name, number, data in news:
                yield _event(name, f"{epoch}-{number}", data)
                spoke = loop.time()
            if loop.time() - spoke >= HEARTBEAT:
                yield b":\n\n"
                spoke = loop.time()
            if news or reader.behind:
                await asyncio.sleep(GAP)  # What changes meanwhile comes with the next event of its topic.
            else:
                await reader.wait(REVIEW)
    finally:
        reader.close()


def _event(name: str, ident: str, data: bytes) -> bytes:
    """`data` has no line break: JSON is written on one line."""
    head = f"event: {name}\nid: {ident}\n" if ident else f"event: {name}\n"
    return head.encode() + b"data: " + data.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n\n"
