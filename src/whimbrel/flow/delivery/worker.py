"""The queue worker: leases what is due, sends it, stores how that went, and reports.

Reports enter before the outcome is stored: a crash between the two repeats a report, never loses one. What a
destination that does not answer has coming is put off in the queue by one statement, without attempts.

Standards: RFC 5321 4.5.4 (sending strategy), 4.5.3.1.10 (recipients in one transaction), RFC 3461 5.2
"""

import asyncio
import contextlib
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.queue import LOCAL, MIXED, Deferral, Queue, QueueItem, QueueRecipient, RecipientState
from whimbrel.flow.delivery.clock_watch import ClockWatch, longest_wait
from whimbrel.flow.delivery.destination import Destination, Ways
from whimbrel.flow.delivery.endings import Endings, stored
from whimbrel.flow.delivery.health import DestinationHealth, Pause, is_unreachable
from whimbrel.flow.delivery.leases import Leases
from whimbrel.flow.delivery.live import ABORTED, LiveTasks
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.parcel import Parcel
from whimbrel.flow.delivery.progress import Progress
from whimbrel.flow.delivery.schedule import SPREAD, after_attempt, is_moment, moments, report_again, wants_report
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.slots import CONNECTIONS, Slots
from whimbrel.flow.delivery.smtp import SmtpAgent
from whimbrel.flow.report.reports import RecipientStatus, Reports

RENEW: Final = 40.0
PACE: Final = 0.02
"""Seconds between two leases while there is work: a lease for each message would cost as much as sending it."""
AT_ONCE: Final = 32
"""Lanes put off between two leases: each may hold thousands of entries, and what can be sent waits meanwhile."""
IDLE: Final = 5.0
"""Longest wait between two looks at the queue: a notice that something was added may be lost."""
ENDING: Final = 5.0
"""Seconds in which what was sent is stored when the worker is cancelled."""
STALLED: Final = 2.0
"""Seconds before a queue that could not be read or written is tried again."""
SENT: Final = frozenset({RecipientState.DELIVERED, RecipientState.RELAYED})

RESULTS: Final = {
    RecipientState.WAITING: "delayed",
    RecipientState.DELIVERED: "delivered",
    RecipientState.RELAYED: "relayed",
    RecipientState.FAILED: "failed",
}
"""As the event `delivery.sent` tells them."""


@dataclass(slots=True)
class _Attempt:
    """One entry while it is worked on."""

    item: QueueItem
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    """By the place of the recipient; only those that something is known of."""
    logged: set[int] = field(default_factory=set)
    pause: Pause | None = None
    """Of the destination that ends latest, if there is one that was not tried."""
    tried: bool = False
    groups: int = 0
    """Deliveries that have not ended."""


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
        pace: float = PACE,
        connections: int = CONNECTIONS,
    ) -> None:
        """`connections`: as many as this process may open to find servers."""
        self._pace = pace
        self._queue, self._smtp, self._local, self._reports = queue, smtp, local, reports
        self._config, self._log, self._clock = config, log, clock
        self._health = DestinationHealth()
        self._ways = Ways()
        self._slots = Slots(self._health, config, connections)
        self.tasks = LiveTasks()
        """Deliveries under way."""
        self._leases = Leases(queue, self._health, self._slots, self._ways, clock)
        self._deferrals: dict[tuple[str, float], Deferral] = {}
        self._watch = ClockWatch(clock)
        self._stopping = False
        self._stirred = asyncio.Event()
        self._endings = Endings(queue, log, self._ends, pace / 2)

    @property
    def active(self) -> tuple[QueueItem, ...]:
        """Entries being sent now, or next."""
        return self._leases.items

    async def run(self) -> None:
        """Until `stop`, or until it is cancelled: what was under way is then tried again after its lease."""
        try:
            await self._run()
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDING):  # What was sent is not sent again.
                    await self._endings.drain()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew())
            deliveries: set[asyncio.Task[None]] = set()
            loop, paced = asyncio.get_running_loop(), 0.0
            while not self._stopping:
                self._stirred.clear()
                await asyncio.sleep(max(0.0, paced - loop.time()))
                paced = loop.time() + self._pace
                try:
                    await self._put_off(AT_ONCE)
                    leased = await self._lease()
                    for item in leased:
                        task = group.create_task(self._attempt(item))
                        deliveries.add(task)
                        task.add_done_callback(deliveries.discard)
                    if self._leases.full:
                        await self._stirred.wait()
                    elif not leased and not self._deferrals:
                        await self._idle()
                except Exception as error:  # noqa: BLE001 - a full disk must not end what is under way, nor the worker.
                    self._stalled(error)
                    paced = loop.time() + STALLED
            renewing.cancel()
            if deliveries:
                await asyncio.wait(deliveries)
            await self._endings.drain()
            await self._put_off()

    def stop(self) -> None:
        """Starts nothing more; `run` returns when what is under way has ended."""
        self._stopping = True
        self._stirred.set()

    async def run_due(self) -> int:
        """One attempt for everything due now; returns how many entries. For tests."""
        count = 0
        while leased := await self._lease():
            async with asyncio.TaskGroup() as group:
                for item in leased:
                    group.create_task(self._attempt(item))
            await self._endings.drain()
            await self._put_off()
            count += len(leased)
        return count

    async def _lease(self) -> Sequence[QueueItem]:
        return () if self._stopping else await self._leases.more(self._config.section(DeliverySettings))

    async def _idle(self) -> None:
        # Listening begins before the look at the queue, so that nothing added between them is missed.
        waits = [asyncio.ensure_future(self._queue.wait(IDLE)), asyncio.ensure_future(self._stirred.wait())]
        try:
            await asyncio.sleep(0)
            due = await self._queue.next_due()
            # Not again and again for lanes of which enough is leased: an attempt that ends stirs.
            least = 0.25 if self._leases else 0.05
            seconds = IDLE if due is None else min(max(due - self._clock.now(), least), IDLE)
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _renew(self) -> None:
        while True:
            try:
                if self._watch.set_back():
                    longest = longest_wait(self._config.section(DeliverySettings))
                    await self._queue.restrain(self._clock.now(), longest)
                    self._stirred.set()
                await asyncio.sleep(RENEW)
                await self._leases.renew()
            except Exception as error:  # noqa: BLE001 - the next time is early enough.
                self._stalled(error)
                await asyncio.sleep(RENEW)

    def _stalled(self, error: Exception) -> None:
        self._log.exception("queue.stalled", error)

    async def _attempt(self, item: QueueItem) -> None:
        attempt, kept = _Attempt(item), False
        try:
            try:
                await self._deliver(attempt)
            except Exception as error:  # noqa: BLE001 - once for each attempt; the message stays in the queue.
                self._log.exception("delivery.crashed", error, queue_id=item.id)
                crashed = Outcome(RecipientState.WAITING, "4.3.0 Internal error, tried again later")
                attempt.tried = True
                for at, recipient in enumerate(item.recipients):
                    if recipient.state is RecipientState.WAITING:
                        attempt.outcomes.setdefault(at, crashed)
            kept = self._deferred(attempt) or self._finished(attempt)
            if not kept:
                await self._store(attempt)
        except Exception as error:  # noqa: BLE001 - its lease ends by itself.
            self._log.exception("delivery.crashed", error, queue_id=item.id)
        finally:
            if not kept:
                self._leases.over(item.id)
                self._stirred.set()

    def _ends(self, ids: Sequence[str]) -> None:
        for queue_id in ids:
            self._leases.over(queue_id)
        self._stirred.set()

    # One entry

    async def _deliver(self, attempt: _Attempt) -> None:
        item, settings = attempt.item, self._config.section(DeliverySettings)
        if item.give_up:
            given_up = Outcome(RecipientState.FAILED, item.give_up)
            attempt.tried = True
            attempt.outcomes = {
                at: given_up for at, each in enumerate(item.recipients) if each.state is RecipientState.WAITING
            }
            return
        local: list[int] = []
        ways: dict[str, tuple[Destination, list[int]]] = {}
        for at, recipient in enumerate(item.recipients):
            if recipient.state is not RecipientState.WAITING:
                continue
            if recipient.local:
                local.append(at)
            else:
                way = self._ways.of(recipient.recipient.address.domain, settings, item.sender)
                ways.setdefault(way.key, (way, []))[1].append(at)
        most = settings.max_recipients
        work = [
            partial(self._remote, attempt, way, places[start : start + most])
            for way, places in ways.values()
            for start in range(0, len(places), most)
        ]
        if local:
            work.append(partial(self._to_mailboxes, attempt, local))
        attempt.groups = len(work)
        if len(work) == 1:
            await work[0]()
            return
        async with asyncio.TaskGroup() as group:
            for delivery in work:
                group.create_task(delivery())

    async def _to_mailboxes(self, attempt: _Attempt, places: list[int]) -> None:
        item, recipients = attempt.item, tuple(attempt.item.recipients[at] for at in places)
        name = recipients[0].account or str(recipients[0].recipient.address)
        progress = Progress(item.id, name, len(places), item.size, self._clock.now())
        async with (slot := self._slots.slot(LOCAL)):
            await slot.transfer()
            attempt.tried = True
            outcomes = await self.tasks.run(item, progress, lambda: self._local.deliver(item, recipients, progress))
        if outcomes[0] is not ABORTED:
            # Mailboxes do not fall silent: more of them are written at once.
            self._health.answered(LOCAL, self._config.section(DeliverySettings).per_destination)
        await self._ended(attempt, places, outcomes)

    async def _remote(self, attempt: _Attempt, way: Destination, places: list[int]) -> None:
        item, key = attempt.item, way.key
        progress = Progress(item.id, way.domain or key, len(places), item.size, self._clock.now())
        pause = None if item.urgent else self._health.paused(key, self._clock.now())
        if pause is None:
            on_greeting = None if self._leases.verified(item.lane) else partial(self._mark, item.lane, answers=True)
            slot = self._slots.slot(key, on_greeting)
            async with slot as given:
                if given:
                    attempt.tried = True
                    progress.since = self._clock.now()
                    parcel = Parcel(item, way, tuple(item.recipients[at] for at in places))
                    outcomes = await self.tasks.run(item, progress, lambda: self._smtp.deliver(parcel, progress, slot))
                    if outcomes[0] is not ABORTED:
                        self._judge(item, key, outcomes)
                    await self._ended(attempt, places, outcomes)
                    return
            pause = self._health.paused(key, self._clock.now())
        if pause is None:  # Its destination answered again at this moment: soon.
            pause = Pause(self._clock.now(), "4.4.1 Cannot connect to remote host", "")
        if attempt.pause is None or pause.until > attempt.pause.until:
            attempt.pause = pause
        attempt.outcomes |= dict.fromkeys(places, Outcome(RecipientState.WAITING, pause.status, pause.remote))
        attempt.groups -= 1

    def _judge(self, item: QueueItem, key: str, outcomes: Sequence[Outcome]) -> None:
        """What an attempt tells of its destination."""
        settings = self._config.section(DeliverySettings)
        silent = is_unreachable(outcomes[0]) and all(is_unreachable(outcome) for outcome in outcomes)
        if not silent:
            if self._health.answered(key, settings.per_destination):
                self._slots.offer(key)
        elif pause := self._health.unreachable(key, outcomes[0], self._clock.now(), settings):
            self._slots.pause(key)
            if item.lane not in (LOCAL, MIXED) and not settings.sender_routes:
                self._defer(item.lane, pause, settings)  # Before more of it is leased.
            self._log.info(
                "delivery.paused",
                destination=key,
                seconds=round(pause.until - self._clock.now()),
                status=pause.status,
                remote=pause.remote,
            )
        self._mark(item.lane, answers=not silent)

    def _mark(self, lane: str, *, answers: bool) -> None:
        if self._leases.mark(lane, answers=answers):
            self._stirred.set()

    async def _ended(self, attempt: _Attempt, places: list[int], outcomes: Sequence[Outcome]) -> None:
        """While others of the entry are still tried, what was sent is stored, so that a crash does not repeat it."""
        attempt.groups -= 1
        attempt.outcomes.update(zip(places, outcomes, strict=True))
        if not attempt.groups:
            return
        recipients = attempt.item.recipients
        done = {
            at: replace(recipients[at], state=outcome.state, status=outcome.status, remote=outcome.remote)
            for at, outcome in zip(places, outcomes, strict=True)
            if outcome.state in SENT and not wants_report(recipients[at], outcome)  # A report must not be forgotten.
        }
        if done:
            self._log_outcomes(
                attempt.item, [(done[at], attempt.outcomes[at]) for at in done], attempt.item.attempts + 1
            )
            attempt.logged |= done.keys()
            try:
                await self._queue.record(attempt.item.id, done)
            except MailError as error:
                self._log.warning("queue.failed", queue_id=attempt.item.id, status=str(error))

    def _deferred(self, attempt: _Attempt) -> bool:
        """Nothing was tried and nothing is to be said: it is put off with all that wait for the same."""
        item, pause, now = attempt.item, attempt.pause, self._clock.now()
        settings = self._config.section(DeliverySettings)
        if pause is None or attempt.tried or item.urgent or item.lane in (LOCAL, MIXED):
            return False
        if is_moment(item, now, settings):
            return False
        self._defer(item.lane, pause, settings, {item.id})
        return True

    def _defer(self, lane: str, pause: Pause, settings: DeliverySettings, leased: Set[str] = frozenset()) -> None:
        """With the next lease, what is due in that lane is put off."""
        key = (lane, pause.until)
        deferral = self._deferrals.get(key)
        if deferral is None:
            deferral = Deferral(
                lane, self._clock.now(), pause.until, SPREAD, pause.status, pause.remote, moments(settings),
                # With routes by sender, not all of a lane goes the same way.
                whole=not settings.sender_routes,
            )  # fmt: skip
        self._deferrals[key] = replace(deferral, leased=deferral.leased | leased)

    def _finished(self, attempt: _Attempt) -> bool:
        """All who waited have it, and nobody wants to hear of it: nearly always so, and cheap."""
        item, outcomes = attempt.item, attempt.outcomes
        if item.give_up:
            return False
        ended = []
        for at, recipient in enumerate(item.recipients):
            if recipient.state is RecipientState.WAITING:
                outcome = outcomes.get(at)
                if outcome is None or outcome.state not in SENT or wants_report(recipient, outcome):
                    return False
                if at not in attempt.logged:
                    ended.append((recipient, outcome))
        self._log_outcomes(item, ended, item.attempts + 1)
        self._endings.add(item.id)
        return True

    async def _put_off(self, most: int | None = None) -> None:
        """`most` of the deferrals that wait, or all."""
        keys = list(islice(self._deferrals, most))
        if deferrals := [self._deferrals.pop(key) for key in keys]:
            try:
                await self._queue.defer(deferrals)
            finally:
                for deferral in deferrals:
                    for queue_id in deferral.leased:
                        self._leases.over(queue_id)

    async def _store(self, attempt: _Attempt) -> None:
        item, settings = attempt.item, self._config.section(DeliverySettings)
        paused_until = attempt.pause.until if attempt.pause and not attempt.tried else None
        after = after_attempt(item, attempt.outcomes, self._clock.now(), settings, paused_until=paused_until)
        until = item.created + settings.give_up_after
        # Without an attempt there is nothing to tell but its end.
        ended = [
            pair
            for at, pair in zip(sorted(attempt.outcomes), after.outcomes, strict=True)
            if at not in attempt.logged and (paused_until is None or pair[1].state is RecipientState.FAILED)
        ]
        self._log_outcomes(item, ended, after.item.attempts)
        tried = paused_until is None and not item.give_up
        statuses = [
            RecipientStatus(recipient.recipient, outcome.state, outcome.status, outcome.remote, outcome.reply, tried)
            for recipient, outcome in after.reported
        ]
        following = after.item
        try:
            await self._reports.of_queue(item, partial(self._queue.content, item.id), statuses, until=until)
        except Exception as error:  # noqa: BLE001 - whatever befell the report, what was sent is not sent again.
            if isinstance(error, MailError):
                self._log.warning("report.failed", queue_id=item.id, status=str(error))
            else:
                self._log.exception("delivery.crashed", error, queue_id=item.id)
            following = report_again(following, after.reported)
        await stored(partial(self._queue.update, following), self._log, item.id)

    def _log_outcomes(self, item: QueueItem, outcomes: Sequence[tuple[QueueRecipient, Outcome]], attempts: int) -> None:
        delay = max(0.0, self._clock.now() - item.created)
        for recipient, outcome in outcomes:
            fields: dict[str, str | int | float] = {
                "queue_id": item.id,
                "recipient": str(recipient.recipient.address),
                "remote": outcome.remote,
                "tls": outcome.tls,
                "cipher": outcome.cipher,
                "verified": outcome.verified,
                "attempts": attempts,
                "message_id": item.message_id[:250],
                "delay": delay,
            }
            if outcome.mailbox:
                fields["mailbox"] = outcome.mailbox
            for folder in outcome.folders:
                self._log.info("delivery.sent", **fields, result="delivered", status="2.0.0 Delivered", folder=folder)
            if not outcome.folders or outcome.state is not RecipientState.DELIVERED:
                self._log.info("delivery.sent", **fields, result=RESULTS[outcome.state], status=outcome.status)
