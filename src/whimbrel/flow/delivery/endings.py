"""Entries of which everything was sent: their ends are stored together, in one write for all that ended meanwhile.

What was sent must not be sent again because the disk is full for an hour: storing is tried until it can be done. The
entries count as under way meanwhile, so that soon nothing more is sent of which nobody could say that it was.

Standards: RFC 5321 6.1 (responsibility ends when the next server has taken it)
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, repeat
from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.queue import Queue

PAUSES: Final = (1.0, 5.0, 30.0, 60.0)
"""Seconds between attempts to store an outcome; the last is repeated."""
GATHER: Final = 0.01
"""Seconds for which ends are gathered: a barrier costs as much as sending several messages."""
QUIET: Final = 0.2
"""Seconds without an end after which the next is stored at once: gathering would save nothing, and what a crash
meanwhile would send again is this message."""


async def stored(store: Callable[[], Awaitable[None]], log: Log, queue_id: str) -> None:
    """Repeats `store` until it can be done, or is cancelled."""
    for pause in chain(PAUSES, repeat(PAUSES[-1])):
        try:
            await store()
            return
        except MailError as error:
            log.warning("queue.failed", queue_id=queue_id, status=str(error))
            await asyncio.sleep(pause)


class Endings:
    """`over` is called for what is stored, or cannot be."""

    def __init__(self, queue: Queue, log: Log, over: Callable[[Sequence[str]], None], gather: float = GATHER) -> None:
        self._gather = gather
        self._queue, self._log, self._over = queue, log, over
        self._ids: list[str] = []
        self._storing: asyncio.Task[None] | None = None
        self._hurried = False
        self._stored = 0.0

    def add(self, queue_id: str) -> None:
        """Without waiting: nobody needs to know when it is done."""
        self._ids.append(queue_id)
        if self._storing is None:
            self._storing = asyncio.ensure_future(self._store())

    async def drain(self) -> None:
        """Until all that was added is stored."""
        self._hurried = True
        while self._storing is not None:
            await asyncio.wait([self._storing])
        self._hurried = False

    async def _store(self) -> None:
        loop = asyncio.get_running_loop()
        quiet = loop.time() - self._stored >= QUIET
        try:
            while self._ids:
                if not (quiet or self._hurried):
                    await asyncio.sleep(self._gather)
                ids, self._ids = self._ids, []
                quiet = False
                try:
                    await stored(lambda ids=ids: self._queue.finish(ids), self._log, ids[0])  # type: ignore[misc]
                except Exception as error:  # noqa: BLE001 - their leases end by themselves.
                    self._log.exception("delivery.crashed", error, queue_id=ids[0])
                finally:
                    self._over(ids)
        finally:
            self._storing, self._stored = None, loop.time()
