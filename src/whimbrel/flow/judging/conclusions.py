"""What filters do once the outcome of a message is durable, or its refusal decided: `Filter.concluded`.

The answer waits for none of it, and mail never fails by it: what raises is logged. While too many wait, further ones
are left out, with a line in the log.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.flow.assessment import Action, Assessment, Peer
from whimbrel.flow.judging.filter import Filter
from whimbrel.flow.transaction import Transaction

MOST: Final = 500
"""Messages that are concluded at the same time."""
PATIENCE: Final = 60.0
"""Seconds that one filter may take for one message."""

Outcome = tuple[Assessment, Action]
"""What was known of the message, and what happened to it."""


class Conclusions:
    """Of one process."""

    def __init__(self, filters: Sequence[Filter], log: Log) -> None:
        hooked = [filter for filter in filters if type(filter).concluded is not Filter.concluded]
        self._hooked = {peer: tuple(filter for filter in hooked if peer in filter.peers) for peer in Peer}
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def wanted(self, peer: Peer) -> bool:
        """Whether any filter wants to know what becomes of mail of `peer`."""
        return bool(self._hooked[peer])

    def add(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        """Each outcome that the message had, once. Returns at once."""
        filters = self._hooked[tx.peer]
        if not filters or not outcomes:
            return
        if len(self._tasks) >= MOST:
            self._log.warning("filter.unconcluded", queue_id=tx.queue_id, status="too many messages wait")
            return
        task = asyncio.create_task(self._conclude(filters, tx, tuple(outcomes)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, grace: float) -> None:
        """Waits so many seconds for what is under way, and ends the rest."""
        if not self._tasks:
            return
        _, pending = await asyncio.wait(self._tasks, timeout=grace)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    async def _conclude(self, filters: Sequence[Filter], tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        for filter in filters:
            try:
                async with asyncio.timeout(PATIENCE):
                    for known, action in outcomes:
                        await filter.concluded(tx, known, action)
            except (MailError, TimeoutError) as error:
                self._log.warning("filter.unconcluded", queue_id=tx.queue_id, filter=filter.name, status=str(error))
            except Exception as error:  # noqa: BLE001  # The top of a task.
                self._log.exception("filter.crashed", error, queue_id=tx.queue_id, filter=filter.name)
