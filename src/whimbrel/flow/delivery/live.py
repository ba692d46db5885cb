"""The deliveries of this process as they are now, and their end at a person's wish (mission S42, S43)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from whimbrel.core.address import path_text
from whimbrel.core.queue import QueueItem, RecipientState
from whimbrel.core.tasks import DeliveryTask
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.progress import Phase, Progress

ABORTED: Final = Outcome(RecipientState.WAITING, "4.3.0 The attempt was ended by an administrator")


@dataclass(slots=True)
class _Live:
    item: QueueItem
    progress: Progress
    task: "asyncio.Task[object]"
    """Whoever delivers it, and nothing else meanwhile."""
    aborted: bool = False


class LiveTasks:
    """The port Tasks for one process. `name` tells its tasks from those of others."""

    def __init__(self, name: str = "q") -> None:
        self._name, self._number = name, 0
        self._live: dict[str, _Live] = {}

    async def run(
        self, item: QueueItem, progress: Progress, deliver: Callable[[], Awaitable[list[Outcome]]]
    ) -> list[Outcome]:
        """What `deliver` returns; for each recipient `ABORTED` if a person ended it. Its own cancellation goes on.

        It runs in the caller's task: one more for each message costs as much as the rest of its bookkeeping.
        """
        task = asyncio.current_task()
        assert task is not None
        self._number += 1
        name = f"{self._name}{self._number:x}"
        live = self._live[name] = _Live(item, progress, task)
        try:
            found = await deliver()
            if live.aborted:  # It had ended before it could be told.
                task.uncancel()
            return found
        except asyncio.CancelledError:
            if not live.aborted or task.uncancel():
                raise
            return [ABORTED] * progress.recipients
        finally:
            del self._live[name]

    async def list(self) -> Sequence[DeliveryTask]:
        return [_shown(name, live) for name, live in self._live.items()]

    async def abort(self, task: str) -> bool:
        live = self._live.get(task)
        if live is None or live.aborted:
            return False
        live.aborted = True
        live.task.cancel()
        return True


def _shown(name: str, live: _Live) -> DeliveryTask:
    progress, tls = live.progress, live.progress.tls
    return DeliveryTask(
        id=name,
        queue_id=progress.queue_id,
        sender=path_text(live.item.sender),
        destination=progress.destination,
        recipients=progress.recipients,
        # Under way, and not said what it does: it looks for its server.
        phase=(Phase.RESOLVING if progress.phase is Phase.WAITING else progress.phase).value,
        server=progress.server,
        size=progress.size,
        sent=progress.sent,
        tls=f"{tls.version} {tls.cipher}" if tls else "",
        since=progress.since,
    )


if TYPE_CHECKING:
    from whimbrel.core.tasks import Tasks

    _port: Tasks = LiveTasks()
