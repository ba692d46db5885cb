"""What is live, looked at once and shown to everybody who watches.

A topic that somebody watches has a channel: one task that looks, or follows a log, and the latest of what it saw. Of a
state only the latest is kept, of lines a bounded number, and nothing is queued for anybody: who reads takes what there
is when it has room for it. A channel looks only while somebody waits for news, so a browser that does not read costs
nothing; looks take a fiftieth of the time at most, however large the server is.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from whimbrel.core.log import Log, LogLine
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import AdminContext, Caller

GAP: Final = 0.25
"""Seconds between two events of a topic, at least."""
SHARE: Final = 50
"""A look that took a second is followed by so many without one."""
LINGER: Final = 30.0
"""Seconds that a channel goes on when nobody waits for it: a browser that comes again misses nothing."""
KEPT: Final = 1000
"""Lines that who comes again, or reads slowly, can still have."""
PER_SECOND: Final = 100
"""Lines that are shown of a log."""
MAX_READERS: Final = 200
MAX_OWN: Final = 20
"""Streams at a time: of all, and of one user."""

Look = Callable[[AdminContext], Awaitable[bytes]]
"""A state as JSON, on one line. CallError."""
Follow = Callable[[AdminContext], AsyncGenerator[LogLine, None]]


@dataclass(frozen=True, slots=True)
class Topic:
    """What can be watched. `look` gives a state, `follow` lines."""

    name: str
    right: Right
    look: Look | None = None
    follow: Follow | None = None
    period: float = 1.0
    """Seconds between two looks."""
    own: bool = False
    """Each user sees another part of it."""

    def scope(self, caller: Caller) -> Hashable:
        """Those of the same scope see the same. CallError: the caller may not see it."""
        domains = caller.grants.domains(self.right, reads=True)
        if domains is not None and not domains:
            raise CallError(
                Failure.FORBIDDEN,
                f"The topic '{self.name}' needs the right {self.right}; {caller.name} has {caller.grants}",
            )
        if domains is None and not self.own:
            return None
        # Who may do more than others in the same domains is shown more of their people.
        return domains, caller.grants.grants, caller.owner if self.own else ""


@dataclass(slots=True)
class _Channel:
    """A topic in one scope."""

    topic: Topic
    ctx: AdminContext
    latest: bytes = b""
    lines: "deque[tuple[int, LogLine]]" = field(default_factory=lambda: deque(maxlen=KEPT))
    version: int = 0
    """Number of the latest state, or of the last line."""
    since: int = 0
    """Number of the last event of any topic when the log began to be followed."""
    dropped: int = 0
    """Number of the last line that had to make room."""
    readers: int = 0
    wanted: float = 0.0
    """When somebody last waited for it (loop time)."""
    task: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class _Place:
    """How far one reader is in a channel."""

    channel: _Channel
    version: int
    fresh: bool
    """It has not been anywhere yet, so it has missed nothing."""
    allowance: float = PER_SECOND
    at: float = 0.0


class Hub:
    """One for control."""

    def __init__(
        self, topics: Sequence[Topic], context: Callable[[Caller], AdminContext], log: Log, epoch: str
    ) -> None:
        """`epoch` tells this run from others, whose numbers mean nothing here."""
        self._topics = {topic.name: topic for topic in topics}
        self._context, self._log, self.epoch = context, log, epoch
        self._channels: dict[tuple[str, Hashable], _Channel] = {}
        self._number = 0
        self._changed = asyncio.Event()
        self._reaper: asyncio.Task[None] | None = None
        self._own: dict[str, int] = {}

    @property
    def watched(self) -> Sequence[str]:
        """The topics that are being looked at."""
        return [channel.topic.name for channel in self._channels.values() if channel.task is not None]

    def check(self, names: Sequence[str], caller: Caller) -> None:
        """CallError: there is no such topic, the caller may not see it, or too many watch already."""
        for name in names:
            topic = self._topics.get(name)
            if topic is None:
                raise CallError(
                    Failure.NOT_FOUND, f"There is no topic '{name[:100]}'; there are {', '.join(self._topics)}"
                )
            topic.scope(caller)
        if sum(self._own.values()) >= MAX_READERS or self._own.get(caller.owner, 0) >= MAX_OWN:
            raise CallError(Failure.UNAVAILABLE, "Too many event streams are open: close some windows of the console")

    def reader(self, names: Sequence[str], caller: Caller, last: int = 0) -> "Reader":
        """Who watches these topics; `last` is the number of the last event that was seen, 0 for none. It must be
        closed. CallError, as `check`."""
        self.check(names, caller)
        places = [self._place(self._topics[name], caller, last) for name in dict.fromkeys(names)]
        self._own[caller.owner] = self._own.get(caller.owner, 0) + 1
        if self._reaper is None:
            self._reaper = asyncio.get_running_loop().create_task(self._reap())
        return Reader(self, caller, places)

    def left(self, caller: Caller, places: Sequence[_Place]) -> None:
        for place in places:
            place.channel.readers -= 1
        self._own[caller.owner] -= 1
        if not self._own[caller.owner]:
            del self._own[caller.owner]

    async def close(self) -> None:
        tasks = [channel.task for channel in self._channels.values() if channel.task is not None]
        tasks += [self._reaper] if self._reaper is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._channels.clear()

    def want(self, channel: _Channel, now: float) -> None:
        """Somebody has room for news of it."""
        channel.wanted = now
        if channel.task is None or channel.task.done():
            channel.since = self._number
            work = self._follow(channel) if channel.topic.follow is not None else self._look(channel)
            channel.task = asyncio.get_running_loop().create_task(work)

    async def news(self, timeout: float) -> None:
        """Waits until anything has changed, or so many seconds."""
        changed = self._changed
        try:
            async with asyncio.timeout(timeout):
                await changed.wait()
        except TimeoutError:
            pass

    # Inside

    def _place(self, topic: Topic, caller: Caller, last: int) -> _Place:
        key = topic.name, topic.scope(caller)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = _Channel(topic, self._context(caller))
        channel.readers += 1
        if topic.follow is None:
            return _Place(channel, -1, fresh=True)  # A state is always shown as it is.
        return _Place(channel, last or self._number, fresh=not last)

    async def _look(self, channel: _Channel) -> None:
        look, loop = channel.topic.look, asyncio.get_running_loop()
        assert look is not None
        while True:
            begun = loop.time()
            try:
                seen = await look(channel.ctx)
            except CallError as error:
                seen = json.dumps({"error": {"kind": error.kind.word, "text": error.text}}).encode()
            except Exception as error:  # noqa: BLE001 - a bug in one topic leaves the others as they are.
                self._log.exception("console.topic-failed", error, topic=channel.topic.name)
                seen = json.dumps({"error": {"kind": "failed", "text": "See the error log"}}).encode()
            if seen != channel.latest:
                channel.latest, channel.version = seen, self._next()
            await asyncio.sleep(max(channel.topic.period, SHARE * (loop.time() - begun)))

    async def _follow(self, channel: _Channel) -> None:
        assert channel.topic.follow is not None
        try:
            async with aclosing(channel.topic.follow(channel.ctx)) as following:
                async for line in following:
                    if len(channel.lines) == KEPT:
                        channel.dropped = channel.lines[0][0]
                    channel.version = self._next()
                    channel.lines.append((channel.version, line))
        except Exception as error:  # noqa: BLE001 - as above; who waits has it begun again.
            self._log.exception("console.topic-failed", error, topic=channel.topic.name)
            await asyncio.sleep(LINGER)

    def _next(self) -> int:
        self._number += 1
        self._changed.set()
        self._changed = asyncio.Event()
        return self._number

    async def _reap(self) -> None:
        """Ends channels that nobody has waited for; runs while there are any."""
        loop = asyncio.get_running_loop()
        while self._channels:
            await asyncio.sleep(LINGER / 6)
            for key, channel in list(self._channels.items()):
                if loop.time() - channel.wanted < LINGER:
                    continue
                if channel.task is not None:
                    channel.task.cancel()
                    channel.task = None
                if not channel.readers:
                    del self._channels[key]
        self._reaper = None


class Reader:
    """One stream of events. `take` gives what is new, as far as it may be shown now; `wait` waits for more."""

    def __init__(self, hub: Hub, caller: Caller, places: Sequence[_Place]) -> None:
        self._hub, self._caller, self._places = hub, caller, places
        self._closed = False

    def take(self) -> list[tuple[str, int, bytes]]:
        """Name, number and JSON of each event."""
        now = asyncio.get_running_loop().time()
        events = []
        for place in self._places:
            channel = place.channel
            self._hub.want(channel, now)
            if channel.topic.follow is not None:
                lines = self._lines(place, now)
                if lines:
                    events.append((channel.topic.name, place.version, lines))
            elif channel.version > place.version and channel.latest:
                place.version = channel.version
                events.append((channel.topic.name, channel.version, channel.latest))
        return events

    @property
    def behind(self) -> bool:
        """There are lines that may not be shown yet."""
        return any(place.channel.version > place.version for place in self._places)

    async def wait(self, timeout: float) -> None:
        await self._hub.news(timeout)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._hub.left(self._caller, self._places)

    def _lines(self, place: _Place, now: float) -> bytes:
        """The newest that may be shown now, and how many before them are not."""
        channel = place.channel
        place.allowance = min(PER_SECOND, place.allowance + PER_SECOND * (now - place.at)) if place.at else PER_SECOND
        place.at = now
        if channel.version <= place.version:
            return b""
        room = int(place.allowance)
        if room <= 0:
            return b""
        fresh = [line for number, line in channel.lines if number > place.version]
        shown = fresh[-room:]
        gap = place.version < channel.dropped or (not place.fresh and place.version < channel.since)
        place.allowance -= len(shown)
        place.version, place.fresh = channel.version, False
        made = [{"at": line.at, "text": line.text, "title": line.title, "fields": dict(line.fields)} for line in shown]
        skipped = len(fresh) - len(shown)
        return json.dumps({"lines": made, "skipped": skipped, "gap": gap}, ensure_ascii=False).encode(
            "utf-8", "replace"
        )
