"""The queue worker: leases what is due, sends it, stores how that went, and reports.

Reports enter before the outcome is stored: a crash between the two repeats a report, never loses one.

Standards: RFC 5321 4.5.4 (sending strategy), RFC 3461 5.2
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.queue import Queue, QueueItem, RecipientState
from whimbrel.flow.delivery.destination import Destination, destination
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.schedule import Settled, settle, untold
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.smtp import Parcel, SmtpAgent
from whimbrel.flow.report import Reports, Told

LEASE: Final = 120.0
"""Seconds after which the entries of a worker that died are due again."""
RENEW: Final = 40.0
PAUSES: Final = (1.0, 5.0, 30.0, 60.0)
"""Seconds between attempts to store an outcome."""
IDLE: Final = 5.0
"""Longest wait between two looks at the queue: a notice that something was added may be lost."""
WAITING: Final = 4
"""Entries leased for each delivery that may run at once, so that one slow destination does not stop the others."""

RESULTS: Final = {
    RecipientState.WAITING: "delayed",
    RecipientState.DELIVERED: "delivered",
    RecipientState.RELAYED: "relayed",
    RecipientState.FAILED: "failed",
}
"""As the event `delivery.sent` tells them."""


@dataclass(slots=True)
class Slots:
    """Bounds what runs at once; the bound may change at any time."""

    taken: int = 0
    by_destination: dict[str, int] = field(default_factory=dict)
    freed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @contextlib.asynccontextmanager
    async def take(self, key: str, config: ConfigStore) -> AsyncIterator[None]:
        def free() -> bool:
            settings = config.section(DeliverySettings)
            return self.taken < settings.max_deliveries and self.by_destination.get(key, 0) < settings.per_destination

        async with self.freed:
            await self.freed.wait_for(free)
            self.taken += 1
            self.by_destination[key] = self.by_destination.get(key, 0) + 1
        try:
            yield
        finally:
            self.taken -= 1
            self.by_destination[key] -= 1
            if not self.by_destination[key]:
                del self.by_destination[key]
            async with self.freed:
                self.freed.notify_all()


class QueueWorker:
    """One in an installation, in the queue process."""

    def __init__(
        self,
        *,
        queue: Queue,
        smtp: SmtpAgent,
        local: LocalAgent,
        reports: Reports,
        config: ConfigStore,
        log: Log,
        clock: Clock,
    ) -> None:
        self._queue, self._smtp, self._local, self._reports = queue, smtp, local, reports
        self._config, self._log, self._clock = config, log, clock
        self._slots = Slots()
        self._active: dict[str, QueueItem] = {}
        self._stopping = False
        self._stirred = asyncio.Event()

    @property
    def active(self) -> tuple[QueueItem, ...]:
        """Entries being sent now."""
        return tuple(self._active.values())

    async def run(self) -> None:
        """Until `stop`, or until it is cancelled: what was under way is then tried again after its lease."""
        async with asyncio.TaskGroup() as group:
            renewal = group.create_task(self._renew())
            deliveries: set[asyncio.Task[None]] = set()
            while not self._stopping:
                self._stirred.clear()
                room = WAITING * self._config.section(DeliverySettings).max_deliveries - len(self._active)
                leased = await self._lease(room)
                for item in leased:
                    self._active[item.id] = item
                    task = group.create_task(self._attempt(item))
                    deliveries.add(task)
                    task.add_done_callback(deliveries.discard)
                if room <= 0 or len(leased) == room:
                    await self._stirred.wait()  # An attempt ends.
                elif not leased:
                    await self._idle()
            if deliveries:
                await asyncio.wait(deliveries)
            renewal.cancel()

    def stop(self) -> None:
        """Starts nothing more; `run` returns when what is under way has ended."""
        self._stopping = True
        self._stirred.set()

    async def run_due(self) -> int:
        """One attempt for everything due now; returns how many entries. For `queue run` and for tests."""
        count = 0
        while leased := await self._lease(100):
            async with asyncio.TaskGroup() as group:
                for item in leased:
                    self._active[item.id] = item
                    group.create_task(self._attempt(item))
            count += len(leased)
        return count

    async def _lease(self, room: int) -> list[QueueItem]:
        if room <= 0:
            return []
        return [
            item
            for item in await self._queue.lease(self._clock.now(), room, LEASE)
            if item.id not in self._active  # Its lease ran out while it was being sent.
        ]

    async def _idle(self) -> None:
        # Listening begins before the look at the queue, so that nothing added between them is missed.
        waits = [asyncio.ensure_future(self._queue.wait(IDLE)), asyncio.ensure_future(self._stirred.wait())]
        try:
            await asyncio.sleep(0)
            due = await self._queue.next_due()
            seconds = IDLE if due is None else min(max(due - self._clock.now(), 0.05), IDLE)
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW)
            if self._active:
                await self._queue.renew(list(self._active), self._clock.now() + LEASE)

    async def _attempt(self, item: QueueItem) -> None:
        try:
            outcomes = await self._outcomes(item)
        except Exception as error:  # noqa: BLE001 - once for each attempt; the message stays in the queue.
            self._log.exception("delivery.crashed", error, queue_id=item.id)
            crashed = Outcome(RecipientState.WAITING, "4.3.0 Internal error, tried again later")
            outcomes = {at: crashed for at, r in enumerate(item.recipients) if r.state is RecipientState.WAITING}
        try:
            await self._settle(item, outcomes)
        except Exception as error:  # noqa: BLE001 - its lease ends by itself.
            self._log.exception("delivery.crashed", error, queue_id=item.id)
        finally:
            del self._active[item.id]
            self._stirred.set()

    async def _outcomes(self, item: QueueItem) -> dict[int, Outcome]:
        settings = self._config.section(DeliverySettings)
        local: list[int] = []
        groups: dict[str, tuple[Destination, list[int]]] = {}
        for at, recipient in enumerate(item.recipients):
            if recipient.state is not RecipientState.WAITING:
                continue
            if recipient.local:
                local.append(at)
            else:
                way = destination(recipient.recipient.address.domain, settings)
                groups.setdefault(way.key, (way, []))[1].append(at)
        outcomes: dict[int, Outcome] = {}
        async with asyncio.TaskGroup() as group:
            if local:
                group.create_task(self._deliver_local(item, local, outcomes))
            for way, places in groups.values():
                group.create_task(self._deliver_remote(item, way, places, outcomes))
        return outcomes

    async def _deliver_local(self, item: QueueItem, places: list[int], outcomes: dict[int, Outcome]) -> None:
        async with self._slots.take("", self._config):
            found = await self._local.deliver(item, tuple(item.recipients[at] for at in places))
        outcomes.update(zip(places, found, strict=True))

    async def _deliver_remote(
        self, item: QueueItem, way: Destination, places: list[int], outcomes: dict[int, Outcome]
    ) -> None:
        async with self._slots.take(way.key, self._config):
            parcel = Parcel(item, way, tuple(item.recipients[at] for at in places))
            found = await self._smtp.deliver(parcel)
        outcomes.update(zip(places, found, strict=True))

    async def _settle(self, item: QueueItem, outcomes: dict[int, Outcome]) -> None:
        settings = self._config.section(DeliverySettings)
        settled = settle(item, outcomes, self._clock.now(), settings)
        until = item.created + settings.give_up_after
        self._log_outcomes(settled)
        told = [
            Told(recipient.recipient, outcome.state, outcome.status, outcome.remote, outcome.reply)
            for recipient, outcome in settled.told
        ]
        following = settled.item
        try:
            await self._reports.of_queue(item, partial(self._queue.content, item.id), told, until=until)
        except MailError as error:
            self._log.warning("report.failed", queue_id=item.id, status=str(error))
            following = untold(following, settled.told)
        await self._update(following)

    async def _update(self, item: QueueItem) -> None:
        """What was sent must not be sent again because the disk hiccuped: tried for as long as the lease is held."""
        for pause in PAUSES:
            try:
                return await self._queue.update(item)
            except MailError as error:
                self._log.warning("queue.failed", queue_id=item.id, status=str(error))
                await asyncio.sleep(pause)
        return await self._queue.update(item)

    def _log_outcomes(self, settled: Settled) -> None:
        for recipient, outcome in settled.outcomes:
            self._log.info(
                "delivery.sent",
                queue_id=settled.item.id,
                recipient=str(recipient.recipient.address),
                result=RESULTS[outcome.state],
                status=outcome.status,
                remote=outcome.remote,
                tls=outcome.tls,
                attempts=settled.item.attempts,
            )
