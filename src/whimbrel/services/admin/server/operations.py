"""Long work of an administrator: it has an id, goes on when who asked has gone, and can be watched, listed, cancelled.

Work may also wait a few seconds before it begins, so that a slip of the hand can be taken back: who asked may go away
meanwhile, and nothing has happened if it is cancelled or the server ends.

Operations live in control. What they were and how they ended is kept in State, so that after a restart one that was cut
off is still known, as `interrupted`.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from whimbrel.core.clock import Clock
from whimbrel.core.log import Log
from whimbrel.core.state import State
from whimbrel.services.admin.caller import Caller, permit_still
from whimbrel.services.admin.calls import Call, CallError, Failure

KIND: Final = "operation"
KEEP: Final = 30 * 86_400.0
"""Seconds that the end of an operation is remembered."""
ITEMS: Final = 10_000
"""Items that somebody who comes to watch later is still shown, the latest."""
MOST: Final = 256
"""Under way at the same time."""
MOST_EACH: Final = 32
"""And of one person: nobody takes the room of the others."""
_MISTYPED: Final = frozenset({Failure.USAGE, Failure.NOT_FOUND})
ENDED: Final = 100
"""Ended ones whose items are still there."""
_ALIVE: Final = ("waiting", "running")
_OVER: Final = object()
STANDS_FOR: Final = 5.0
"""Seconds after which work that gives no item asks again whether its caller is who he was."""


@dataclass(slots=True)
class Operation:
    """One of them. `state`: waiting (it has not begun), running, done, tried (a dry run came to its end), failed,
    cancelled, undone (cancelled before it began) or interrupted."""

    id: str
    call: str
    user: str
    subject: str
    """What it was asked to do, as words of a command."""
    started: float
    state: str = "running"
    ended: float = 0.0
    percent: int = 0
    items_seen: int = 0
    error: str = ""
    owner: str = ""
    """As in `Caller`; empty: of a release that did not write it down."""
    begins: float = 0.0
    """When it begins, if it waits before; seconds since 1970."""
    _kept: deque[object] = field(default_factory=lambda: deque(maxlen=ITEMS))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _failure: CallError | None = None
    _task: "asyncio.Task[None] | None" = None
    of: Call | None = None
    """None of one that another run of the server began."""
    kind: Any = None
    """As in `Work`."""

    @property
    def alive(self) -> bool:
        return self.state in _ALIVE

    def begin(self) -> None:
        self.state = "running"
        self._wake()

    def put(self, item: object) -> None:
        self.items_seen += 1
        self.percent = getattr(item, "percent", self.percent)
        self._kept.append(item)
        self._wake()

    def end(self, state: str, failure: CallError | None = None) -> None:
        self.state, self._failure, self.error = state, failure, failure.text if failure else ""
        if state in ("done", "tried"):
            self.percent = 100
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def items(self) -> AsyncIterator[object]:
        """Those that are still there, then each as it comes, to the end. CallError, also if it is cancelled."""
        at = self.items_seen - len(self._kept)
        while True:
            changed = self._changed
            while at < self.items_seen:
                # Whoever reads slowly loses the oldest rather than holding up the work.
                at = max(at, self.items_seen - len(self._kept))
                item = self._kept[at - (self.items_seen - len(self._kept))]
                at += 1
                yield item
            if not self.alive:
                break
            await changed.wait()
        if self._failure is not None:
            raise self._failure

    async def result(self) -> object:
        """Of a call that does not stream. CallError."""
        last: object = None
        async for item in self.items():
            last = item
        return last

    @property
    def record(self) -> str:
        """As State keeps it."""
        names = (
            "call",
            "user",
            "subject",
            "started",
            "state",
            "ended",
            "percent",
            "items_seen",
            "error",
            "owner",
            "begins",
        )
        return json.dumps({name: getattr(self, name) for name in names})


@dataclass(frozen=True, slots=True)
class Work:
    """A call as an operation carries it out. `subject`: what it was asked to do, as words of a command. `trial`: it
    checks everything and changes nothing."""

    call: Call
    caller: Caller
    """Asked again before it begins and while it goes on: who lost the session, the token or the rights has no more of
    it done."""
    subject: str
    items: AsyncIterator[object]
    trial: bool = False
    steps: int = 0
    """How many items there are; 0: nobody knows."""
    wait: float = 0.0
    """Seconds before it begins."""
    kind: Any = None
    """The type of its items, where they are not what the call answers."""


async def _permitted(work: Work) -> AsyncGenerator[object]:
    """The items of the work, as long as its caller may have it done: asked after each, before the next is begun, and
    now and then while one takes long. CallError"""
    items, number = aiter(work.items), 0
    try:
        while (item := await _next(items, work)) is not _OVER:
            yield item
            number += 1
            if number != work.steps:  # The last one may have been what ends the caller's own session.
                await permit_still(work.caller)
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _next(items: AsyncIterator[object], work: Work) -> object:
    making = asyncio.ensure_future(anext(items, _OVER))
    try:
        while not (await asyncio.wait((making,), timeout=STANDS_FOR))[0]:
            if work.call.operation:  # What is no long work is one change, which is not broken off.
                await permit_still(work.caller)
        return making.result()
    finally:
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)


class Operations:
    """Control has one."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        log: Log,
        new_id: Callable[[], str],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._state, self._clock, self._log, self._new_id, self._sleep = state, clock, log, new_id, sleep
        self._known: dict[str, Operation] = {}
        self._closing = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Operations can be started while the block runs."""
        await self.restore()
        try:
            yield
        finally:
            await self.close()

    async def restore(self) -> None:
        """What was running when the server ended was cut off."""
        for name, text in await self._state.list(KIND):
            with contextlib.suppress(ValueError, TypeError):
                operation = Operation(name, **json.loads(text))
                self._known[name] = operation
                if operation.alive:
                    operation.state = "interrupted"
                    await self._keep(operation)

    def start(self, work: Work) -> Operation:
        """Begins it. CallError if too much is under way."""
        alive = [operation for operation in self._known.values() if operation.alive]
        caller = work.caller
        if sum(operation.owner == caller.owner for operation in alive) >= MOST_EACH:
            raise CallError(
                Failure.REFUSED,
                f"{MOST_EACH} operations of {caller.name} are under way; wait, or cancel one: operation list",
            )
        if len(alive) >= MOST:
            raise CallError(Failure.REFUSED, f"{MOST} operations are under way; wait, or cancel one: operation list")
        call = work.call
        operation = Operation(
            self._new_id(), call.name, caller.name, work.subject, self._clock.now(), owner=caller.owner, of=call,
            kind=work.kind,
        )  # fmt: skip
        if work.wait:
            operation.state, operation.begins = "waiting", operation.started + work.wait
        self._known[operation.id] = operation
        self._log.info("operation.started", operation=operation.id, call=call.name, user=caller.name)
        operation._task = asyncio.get_running_loop().create_task(self._work(operation, work))
        return operation

    async def _work(self, operation: Operation, work: Work) -> None:
        state, failure = "failed", None
        await self._keep(operation)
        try:
            if work.wait:
                await self._sleep(work.wait)
                await permit_still(work.caller)
                operation.begin()
                await self._keep(operation)
            async with contextlib.aclosing(_permitted(work)) as items:
                async for item in items:
                    operation.put(item)
            state = "tried" if work.trial else "done"
        except CallError as error:
            failure = error
        except asyncio.CancelledError:
            state = "interrupted" if self._closing else "undone" if operation.state == "waiting" else "cancelled"
            failure = CallError(Failure.REFUSED, f"The operation {operation.id} was {state}")
        finally:
            operation.ended = self._clock.now()
            operation.end(state, failure)
            self._log.info(
                "operation.ended", operation=operation.id, call=work.call.name, result=state, status=operation.error
            )
            if failure is not None and failure.kind in _MISTYPED and not operation.items_seen and not work.wait:
                # It never began: who watches it is told why, and no list has what was only mistyped.
                self._known.pop(operation.id, None)
                await self._state.delete(KIND, operation.id)
            else:
                await self._keep(operation)
            self._forget()

    async def _keep(self, operation: Operation) -> None:
        await self._state.set(KIND, operation.id, operation.record, expires=self._clock.now() + KEEP)

    def _forget(self) -> None:
        """Of the oldest that ended."""
        ended = [name for name, operation in self._known.items() if not operation.alive]
        for name in ended[:-ENDED]:
            del self._known[name]

    def list(self) -> list[Operation]:
        """The latest first."""
        return sorted(self._known.values(), key=lambda operation: operation.started, reverse=True)

    def known(self, id: str) -> Operation | None:
        return self._known.get(id)

    def named(self, id: str) -> Operation:
        """CallError."""
        operation = self.known(id)
        if operation is None:
            raise CallError(Failure.NOT_FOUND, f"There is no operation '{id}'; see `whimbrel operation list`")
        return operation

    async def cancel(self, id: str) -> Operation:
        """Ends it where it is; what it has done stays. One that waits does nothing at all. CallError."""
        operation = self.named(id)
        if operation._task is None or not operation.alive:
            raise CallError(Failure.REFUSED, f"The operation {id} is not under way: {operation.state}")
        operation._task.cancel()
        await asyncio.wait((operation._task,), timeout=10.0)
        return operation

    async def close(self) -> None:
        """What is under way is cut off, and is known as interrupted."""
        self._closing = True
        running = [operation for operation in self._known.values() if operation.alive]
        for operation in running:
            if operation._task is not None:
                operation._task.cancel()
        await asyncio.gather(*(o._task for o in running if o._task is not None), return_exceptions=True)
