"""The longest wait for a server, over and over: what `asyncio.timeout` does, with one timer for a whole session.

Waits are many and time-outs rare, so the timer is moved only when it fires. One for each message and reply took a tenth
of the time of sending.

Standards: RFC 5321 4.5.3.2 (time-outs)
"""

import asyncio
from types import TracebackType
from typing import Final

_NEVER: Final = float("inf")


class Patience:
    """`with patience: patience.set(seconds); await ...` raises TimeoutError. Used by one task at a time, not nested."""

    __slots__ = ("_cancelling", "_expired", "_loop", "_task", "_timer", "_until", "deadline")

    def __init__(self) -> None:
        self.deadline = _NEVER
        """Of the loop's clock: no wait goes beyond it, however often the peer lengthens its waits by an answer."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._until = _NEVER
        self._expired = False
        self._cancelling = 0

    def __enter__(self) -> "Patience":
        # Once for each wait: asking for the running loop asks the system for the process each time.
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(self._loop)
        assert task is not None and self._task is None
        self._task, self._expired, self._cancelling = task, False, task.cancelling()
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        task, self._task, self._until = self._task, None, _NEVER
        # Only if nobody else wants the task to end: see asyncio.timeout.
        alone = self._expired and task is not None and task.uncancel() <= self._cancelling
        if alone and kind is asyncio.CancelledError:
            raise TimeoutError("timed out")

    def set(self, seconds: float) -> None:
        """From now, inside the block."""
        loop = self._loop
        assert loop is not None
        self._until = min(loop.time() + seconds, self.deadline)
        if self._timer is None or self._timer.when() > self._until:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(self._until, self._tick, loop)

    def close(self) -> None:
        """No wait will follow."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._task is None or self._until == _NEVER or self._expired:
            return
        if loop.time() >= self._until - 0.001:
            self._expired = True
            self._task.cancel()
        else:
            self._timer = loop.call_at(self._until, self._tick, loop)
