"""Open sessions with other servers, kept a little while for the next message to the same server.

Bounded in number, in idle time and in messages for each. A session that has idled for more than a moment is asked with
RSET first whether it still lives, so that no message waits behind one that died without a word.

Standards: RFC 5321 4.5.3.2.7, 4.1.1.5 (RSET)
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Final, NamedTuple

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.net import TlsMode
from whimbrel.flow.delivery.conversation import Conversation
from whimbrel.flow.delivery.settings import DeliverySettings

MAX_IDLE: Final = 100
FRESH: Final = 1.0
"""Seconds after its last answer in which a server is taken to be there."""
CLOSE_WITHIN: Final = 5.0


class Key(NamedTuple):
    """What must be the same for a session to serve another message. A tuple: made and hashed for each of them."""

    name: str
    address: str
    port: int
    mode: TlsMode
    source: str
    user: str
    relay: bool
    lmtp: bool


@dataclass(slots=True, eq=False)
class _Idle:
    key: Key
    conversation: Conversation
    since: float
    until: float
    """Loop time at which it is closed."""


class Sessions:
    def __init__(self, config: ConfigStore, clock: Clock) -> None:
        self._config, self._clock = config, clock
        self._by_key: dict[Key, list[_Idle]] = {}
        self._order: dict[_Idle, None] = {}  # The longest idle first.
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._order)

    async def take(self, key: Key) -> Conversation | None:
        """One that lives, the last that was given."""
        while idle := self._by_key.get(key):
            entry = idle[-1]
            self._remove(entry)
            conversation = entry.conversation
            try:
                if self._clock.monotonic() - entry.since <= FRESH or await conversation.probe():
                    return conversation
            except BaseException:
                self.drop(conversation)
                raise
            self.drop(conversation)
        return None

    def give(self, key: Key, conversation: Conversation) -> None:
        """Keeps it, or takes leave of it."""
        settings = self._config.section(DeliverySettings)
        limit = conversation.client.extensions.max_transactions or settings.reuse_count
        if (
            self._closed
            or not settings.reuse_idle
            or not conversation.client.reusable
            or conversation.count >= min(limit, settings.reuse_count)
        ):
            self.leave(conversation)
            return
        if len(self._order) >= MAX_IDLE:
            self._expire(next(iter(self._order)))
        loop = asyncio.get_running_loop()
        entry = _Idle(key, conversation, self._clock.monotonic(), loop.time() + settings.reuse_idle)
        self._order[entry] = None
        if self._timer is None:
            self._timer = loop.call_at(entry.until, self._tick, loop)
        self._by_key.setdefault(key, []).append(entry)

    def forget(self, key: Key) -> None:
        """One of them was found dead: the others are not to be trusted."""
        for entry in list(self._by_key.get(key, ())):
            self._remove(entry)
            self.drop(entry.conversation)

    def leave(self, conversation: Conversation) -> None:
        """QUIT and close, while nobody waits for it."""
        self._behind(conversation.leave())

    def drop(self, conversation: Conversation) -> None:
        """Closes without a word."""
        self._behind(conversation.close())

    async def close(self) -> None:
        """Takes leave of all."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for entry in list(self._order):
            self._expire(entry)
        if self._leaving:
            _, late = await asyncio.wait(self._leaving, timeout=CLOSE_WITHIN)
            for task in late:
                task.cancel()

    def _expire(self, entry: _Idle) -> None:
        self._remove(entry)
        self.leave(entry.conversation)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """One timer for all, moved only when it fires: sessions come and go with each message."""
        self._timer = None
        now = loop.time() + 0.001
        for entry in list(self._order):
            if entry.until > now:
                self._timer = loop.call_at(entry.until, self._tick, loop)
                break
            self._expire(entry)

    def _remove(self, entry: _Idle) -> None:
        del self._order[entry]
        entries = self._by_key[entry.key]
        entries.remove(entry)
        if not entries:
            del self._by_key[entry.key]

    def _behind(self, work: Coroutine[object, object, None]) -> None:
        async def quietly() -> None:
            with contextlib.suppress(OSError):
                await work

        task = asyncio.ensure_future(quietly())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
