"""Makes an accepted message durable wherever it goes: one list of work, one commit, one barrier.

Copies for mailboxes, entries for other servers, messages that are parked and side messages are stored together. What a
mailbox cannot take at this moment goes to the queue in a second commit, with what is left of its disposition. What
cannot be had at all is left as an error at its mailbox, for the answer or for a report. A message that the queue had
judged goes on as entries of their own, in one transaction with the end of the old one: no crash sends it twice.

Standards: RFC 5321 6.1 (responsibility), 6.3 (loops), RFC 8689 4.1
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.commit import Commit, Enqueue, PassOn, Rendition, Work
from whimbrel.core.config import ConfigStore
from whimbrel.core.disposition import (
    HELD_REMOTE,
    IN_INBOX,
    QUARANTINE,
    Changes,
    Disposition,
    Parked,
    Place,
    SideMessage,
)
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.core.log import Log
from whimbrel.core.queue import QueueItem, QueueRecipient, RecipientState
from whimbrel.core.state import State
from whimbrel.flow.assessment import Action
from whimbrel.flow.delivery.local import Copy, LocalDelivery
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.intake.copies import Copies
from whimbrel.flow.intake.plan import Mailbox, Plan, onward_notify
from whimbrel.flow.intake.records import placed
from whimbrel.flow.intake.signing import Signer
from whimbrel.flow.placement.placement import Placement
from whimbrel.flow.placement.quota import FULL
from whimbrel.flow.transaction import Transaction

BUSY: Final = 1.0
"""Seconds after which a mailbox that was busy is tried again."""
FULL_PAUSE: Final = 30.0
PASSED_ON: Final = "2.0.0 Checked and passed on"
_ONCE: Final = "once"
"""Kind of State under which side messages stand that are not made again for a while."""


class Dispatch:
    def __init__(
        self,
        *,
        placement: Placement,
        local: LocalDelivery,
        commit: Commit,
        config: ConfigStore,
        state: State,
        clock: Clock,
        log: Log,
        signer: Signer,
    ) -> None:
        self._signer = signer
        self._placement, self._local, self._commit = placement, local, commit
        self._config, self._state, self._clock, self._log = config, state, clock, log

    async def decide(self, tx: Transaction, plan: Plan) -> None:
        """What becomes of the message at each mailbox of the plan, or the error why nothing does. MailError if that is
        the answer for all."""
        await self._measure(tx, plan)
        for mailbox in plan.mailboxes.values():
            if mailbox.error is not None:
                continue
            try:
                what = await self._placement.decide(
                    mailbox.account, mailbox.rating.action, mailbox.rating.rule, mailbox.changes
                )
            except MailError as error:
                mailbox.error = error
            else:
                placed(self._log, tx, mailbox.account, what)
                mailbox.place(what, queued=tx.resumed is not None or what.parked is not None)

    async def carry_out(self, tx: Transaction, plan: Plan, copies: Copies) -> None:
        """Returns after the barrier; errors are left in `plan`."""
        filing = await self._filing(tx, plan, copies)
        work: list[Work] = [copy.append for _, some in filing for copy in some]
        filed = len(work)
        entries, once = await self._entries(tx, plan, copies)
        work += entries
        answers = await self._do(work) if work else ()
        self._file(filing, answers)
        plan.remote_error = next((answer for answer in answers[filed:] if isinstance(answer, MailError)), None)
        if plan.remote_error is not None:
            for mailbox in plan.mailboxes.values():
                if mailbox.queued:
                    mailbox.error, mailbox.queued = plan.remote_error, False
        elif once:
            await self._remember(once)
        if plan.failed:
            await self._again(tx, plan, copies)

    async def pass_on(self, tx: Transaction, plan: Plan, copies: Copies) -> None:
        """A message of the queue that has been judged, for its addressees without an error. MailError: nothing was
        done."""
        item = tx.resumed
        assert item is not None
        entries, once = await self._entries(tx, plan, copies)
        ended = {
            place: replace(item.recipients[place], state=RecipientState.DELIVERED, status=PASSED_ON)
            for place, to in zip(_unjudged(item), tx.addressees, strict=True)
            if to.error is None
        }
        (answer,) = await self._do([PassOn(item.id, ended, tuple(entries))])
        if isinstance(answer, MailError):
            raise answer
        await self._remember(once)

    async def put_off(self, tx: Transaction, rendition: Rendition, parked: Parked | None = None) -> None:
        """Into the queue as it is, to be judged there: soon, or when what it is parked for has come. MailError."""
        recipients = tuple(QueueRecipient(to.recipient, local=True) for to in tx.addressees)
        item = self._item(tx, tx.queue_id, recipients, rendition.size)
        item = replace(item, unchecked=True, held=parked is not None, parked=parked)
        (answer,) = await self._do([Enqueue(item, rendition)])
        if isinstance(answer, MailError):
            raise answer

    # Mailboxes

    async def _measure(self, tx: Transaction, plan: Plan) -> None:
        """A message that turned out larger than MAIL had said, for mailboxes it does not fit into.

        If nobody could take this one it is refused before anything is stored. LMTP has an answer for each mailbox (RFC
        2033 4.2). Where one answer stands for several, who may not have it gets nothing, and its sender is told; where
        there is no room now, it is tried again.
        """
        if tx.origin is Origin.INTERNAL or tx.content is None or tx.content.size <= tx.options.size:
            return
        for mailbox in plan.mailboxes.values():
            try:
                await self._placement.check(mailbox.account, tx.content.size, tx.reserved)
            except MailError as error:
                mailbox.error = error
        if tx.per_recipient or plan.remote or plan.copies:
            return
        errors = [mailbox.error for mailbox in plan.mailboxes.values() if mailbox.error is not None]
        if errors and len(errors) == len(plan.mailboxes):
            raise errors[0]

    async def _filing(self, tx: Transaction, plan: Plan, copies: Copies) -> list[tuple[Mailbox, list[Copy]]]:
        """What is stored in the transaction itself."""
        filing: list[tuple[Mailbox, list[Copy]]] = []
        report = tx.origin is Origin.INTERNAL and tx.sender is None
        for mailbox in plan.mailboxes.values():
            if mailbox.error is not None or mailbox.queued or mailbox.rest is None:
                continue
            try:
                some = await self._local.work(
                    mailbox.account, mailbox.recipient, mailbox.rest, copies.local, report=report
                )
                filing.append((mailbox, some))
            except MailError as error:
                mailbox.error = error
        return filing

    def _file(self, filing: Sequence[tuple[Mailbox, list[Copy]]], answers: Sequence[object]) -> None:
        start = 0
        for mailbox, some in filing:
            end = start + len(some)
            mailbox.take(self._local.filed(some, answers[start:end]))
            start = end

    async def _again(self, tx: Transaction, plan: Plan, copies: Copies) -> None:
        """A folder that has moved is looked up anew; what is temporary goes to the queue, as far as it is not done."""
        moved = [mailbox for mailbox in plan.mailboxes.values() if mailbox.moved]
        if moved:
            for mailbox in moved:
                mailbox.error = None
            filing = [pair for pair in await self._filing(tx, plan, copies) if pair[0] in moved]
            work = [copy.append for _, some in filing for copy in some]
            self._file(filing, await self._do(work) if work else ())
        waiting = [
            mailbox
            for mailbox in plan.mailboxes.values()
            if mailbox.error is not None
            and mailbox.error.temporary
            and not mailbox.queued
            and not _answered(tx, plan, mailbox)
        ]
        if not waiting:
            return
        entries = await self._mailbox_entries(tx, plan, waiting, copies)
        for answer in await self._do(entries):
            if answer is not None:
                self._log.warning("queue.failed", queue_id=tx.queue_id, status=str(answer))
                return
        for mailbox in waiting:
            mailbox.queued = True

    # Entries of the queue

    async def _entries(
        self, tx: Transaction, plan: Plan, copies: Copies
    ) -> tuple[list[Enqueue], list[tuple[str, float]]]:
        """All that goes into the queue, and the keys of side messages that are not made again for a while."""
        entries = await self._onward(tx, plan, copies) if plan.remote or plan.copies else []
        waiting, side = list[Mailbox](), list[SideMessage]()
        for mailbox in plan.mailboxes.values():
            what = mailbox.disposition
            if what is None or mailbox.error is not None:
                continue
            if mailbox.queued and mailbox.rest is not None:
                waiting.append(mailbox)
            if what.side:
                side += what.side
        if waiting:
            entries += await self._mailbox_entries(tx, plan, waiting, copies)
        once: list[tuple[str, float]] = []
        for message in side:
            if message.once is not None:
                if await self._state.get(_ONCE, message.once[0]) is not None:
                    continue
                once.append(message.once)
            entries.append(await self._side(tx, plan, message, copies))
        return entries, once

    async def _onward(self, tx: Transaction, plan: Plan, copies: Copies) -> list[Enqueue]:
        """For other servers."""
        parked = Parked(QUARANTINE) if plan.rating.action is Action.QUARANTINE else None
        if parked is None and self._config.section(DeliverySettings).hold_remote:
            parked = Parked(HELD_REMOTE)
        entries = []
        for fields, recipients in plan.onward:
            rendition = await copies.remote(plan.remote_changes, fields)
            signed = await self._signer.signed(tx, rendition)
            if signed.as_it_is:
                rendition = Rendition(signed.as_it_is + rendition.prefix, rendition.content)
            item = self._item(tx, plan.next_id(tx), recipients, rendition.size)
            if signed.seven_bit:
                item = replace(item, options=replace(item.options, seven_bit=signed.seven_bit.decode("ascii")))
            if parked is not None:
                item = replace(item, held=True, parked=parked)
            entries.append(Enqueue(item, rendition))
        return entries

    async def _mailbox_entries(
        self, tx: Transaction, plan: Plan, mailboxes: Sequence[Mailbox], copies: Copies
    ) -> list[Enqueue]:
        """What is left to be done at mailboxes: an entry for each set of edits and each reason to be parked."""
        groups: dict[tuple[Parked | None, Changes], list[QueueRecipient]] = {}
        for mailbox in mailboxes:
            by_changes: dict[Changes, list[Place]] = {}
            for place in (mailbox.rest or IN_INBOX).places:
                by_changes.setdefault(place.changes, []).append(replace(place, changes=()) if place.changes else place)
            parked = mailbox.disposition.parked if mailbox.disposition is not None else None
            for changes, places in by_changes.items():
                recipient = mailbox.recipient
                if mailbox.several:
                    recipient = replace(recipient, notify=onward_notify(recipient.notify))
                groups.setdefault((parked, changes), []).append(
                    QueueRecipient(
                        recipient,
                        status=_status(mailbox.error),
                        local=True,
                        account=mailbox.account.id,
                        disposition=Disposition(tuple(places)),
                    )
                )
        entries = []
        for (parked, changes), recipients in groups.items():
            rendition = await copies.remote(changes)
            item = self._item(tx, plan.next_id(tx), tuple(recipients), rendition.size)
            if parked is not None:
                item = replace(item, held=True, parked=parked)
            elif recipients[0].status:
                # A mailbox that was busy is given a moment, and a full one some more.
                pause = FULL_PAUSE if all(each.status.startswith(FULL) for each in recipients) else BUSY
                item = replace(item, next_attempt=self._clock.now() + pause, attempts=1)
            entries.append(Enqueue(item, rendition))
        return entries

    async def _side(self, tx: Transaction, plan: Plan, message: SideMessage, copies: Copies) -> Enqueue:
        """Judged and routed when the queue comes to it."""
        if message.content is None:
            rendition = await copies.remote(message.changes)
        else:
            rendition = Rendition(b"", message.content)
        now, envelope = self._clock.now(), message.envelope
        item = QueueItem(
            id=plan.side_id(tx),
            sender=envelope.sender,
            recipients=tuple(QueueRecipient(recipient, local=True) for recipient in envelope.recipients),
            created=now,
            next_attempt=now,
            size=rendition.size,
            options=replace(envelope.options, own=message.content is not None),
            origin=Origin.INTERNAL.value,
            unchecked=True,
        )
        self._log.info("message.caused", queue_id=item.id, cause=tx.queue_id)
        return Enqueue(item, rendition)

    async def _remember(self, once: Sequence[tuple[str, float]]) -> None:
        for key, seconds in once:
            await self._state.set(_ONCE, key, "", expires=self._clock.now() + seconds)

    def _item(self, tx: Transaction, queue_id: str, recipients: tuple[QueueRecipient, ...], size: int) -> QueueItem:
        now, options = self._clock.now(), tx.options
        if not (options.utf8 or all(each.recipient.address.ascii for each in recipients)):
            options = replace(options, utf8=True)
        return QueueItem(
            id=queue_id,
            sender=tx.sender,
            recipients=recipients,
            # What the queue had judged has waited since it arrived.
            created=now if tx.resumed is None else tx.resumed.created,
            next_attempt=now,
            size=size,
            message_id=tx.message_id[:998],
            user=str(tx.account.address) if tx.account else "",
            client=tx.client.ip,
            options=options,
            origin=tx.origin.value,
            tls_optional=tx.tls_optional,
        )

    async def _do(self, work: Sequence[Work]) -> Sequence[object]:
        """Never raises MailError: it stands for each piece of work that it befell."""
        try:
            answers = await self._commit.commit(work)
        except MailError as error:
            return [error] * len(work)
        return [self._known(answer) if isinstance(answer, Exception) else answer for answer in answers]

    def _known(self, error: Exception) -> MailError:
        if isinstance(error, MailError):
            return error
        self._log.exception("store.failed", error)
        return MailError(451, "4.3.0", "Storage failure, try again later")


def _unjudged(item: QueueItem) -> list[int]:
    """Places of the recipients that wait to be judged."""
    return [at for at, each in enumerate(item.recipients) if each.local and each.state is RecipientState.WAITING]


def _answered(tx: Transaction, plan: Plan, mailbox: Mailbox) -> bool:
    """The client is told that this mailbox is full, and keeps the mail: as at RCPT. So it must stand for no other that
    has the message, or they would have it twice."""
    if mailbox.error is None or mailbox.error.enhanced != FULL or tx.origin is Origin.INTERNAL or mailbox.folders:
        return False
    if tx.per_recipient:
        expansions = (to.expansion for to in tx.addressees if to.error is None)
        leading = (each for each in expansions if any(local.account.id == mailbox.account.id for local in each.local))
        return all(len(each.local) + len(each.remote) == 1 for each in leading)
    return not plan.onward and all(
        each.error is not None and (each.error.enhanced == FULL or not each.error.temporary)
        for each in plan.mailboxes.values()
    )


def _status(error: MailError | None) -> str:
    return f"{error.enhanced} {error.text}" if error is not None else ""
