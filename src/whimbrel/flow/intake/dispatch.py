"""Makes an accepted message durable wherever it goes: one list of work, one commit, one barrier.

What a mailbox cannot take at this moment goes to the queue in a second commit. What cannot be had at all is left as an
error at its mailbox, for the answer or for a report.

Standards: RFC 5321 4.4 (Return-Path at final delivery only), 6.1 (responsibility), 6.3 (loops), RFC 8689 4.1
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.commit import Append, Commit, Enqueue, Rendition
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.intake import Origin
from whimbrel.core.log import Log
from whimbrel.core.queue import QueueItem, QueueRecipient
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.intake.plan import Mailbox, Plan, onward_notify
from whimbrel.flow.judging.filter import Verdict
from whimbrel.flow.placement.placement import Placement
from whimbrel.flow.placement.quota import FULL, bound
from whimbrel.flow.transaction import Transaction

SECOND: Final = ".2"
"""Ends the queue id of the entry for mailboxes that were busy, where remote recipients have the first."""


class Dispatch:
    def __init__(self, *, placement: Placement, commit: Commit, config: ConfigStore, clock: Clock, log: Log) -> None:
        self._placement, self._commit = placement, commit
        self._config, self._clock, self._log = config, clock, log

    async def carry_out(
        self, tx: Transaction, plan: Plan, local: Rendition, remote: Rendition, verdict: Verdict = Verdict.ACCEPT
    ) -> None:
        """Returns after the barrier; errors are left in `plan`. `remote` has no Return-Path, `local` has."""
        await self._full(tx, plan)
        appends: list[Append] = []
        placed: list[Mailbox] = []
        for mailbox in plan.mailboxes.values():
            if mailbox.error is not None:
                continue
            try:
                appends.append(await self._append(tx, mailbox, local, verdict))
                placed.append(mailbox)
            except MailError as error:
                mailbox.error = error
        work: list[Append | Enqueue] = [*appends]
        held = tx.hold_remote or self._config.section(DeliverySettings).hold_remote
        for number, (fields, recipients) in enumerate(plan.onward):
            rendition = Rendition(fields + remote.prefix, remote.content) if fields else remote
            queue_id = f"{tx.queue_id}.{number + 2}" if number else tx.queue_id  # `SECOND` is not among them.
            item = self._item(tx, queue_id, recipients, rendition.size, held=held)
            work.append(Enqueue(item, rendition))
        answers = await self._do(work) if work else ()
        failed = False
        for mailbox, append, answer in zip(placed, appends, answers, strict=False):
            if isinstance(answer, MailError):
                mailbox.error, failed = self._placement.refusal(append, answer), True
        plan.remote_error = next((one for one in answers[len(placed) :] if isinstance(one, MailError)), None)
        if failed or len(placed) < len(plan.mailboxes):
            await self._again(tx, plan, local, remote, verdict)

    async def _full(self, tx: Transaction, plan: Plan) -> None:
        """A message that turned out larger than MAIL had said, for mailboxes it does not fit into.

        If nobody could take this one it is refused before anything is stored. LMTP has an answer for each mailbox (RFC
        2033 4.2). Where one answer stands for several, the store tells whom it does not fit, and those are tried again.
        """
        if tx.origin is Origin.INTERNAL or tx.content is None or tx.content.size <= tx.options.size:
            return
        each = tx.per_recipient
        errors: list[tuple[Mailbox, MailError]] = []
        for mailbox in plan.mailboxes.values():
            try:
                await self._placement.check(mailbox.account, tx.content.size)
            except MailError as error:
                errors.append((mailbox, error))
            else:
                if not each:
                    return
        if errors and not each and not plan.remote and not plan.copies:
            raise errors[0][1]
        if each:
            for mailbox, refusal in errors:
                mailbox.error = refusal

    async def _again(self, tx: Transaction, plan: Plan, local: Rendition, remote: Rendition, verdict: Verdict) -> None:
        """A folder that has moved is looked up anew; what is temporary goes to the queue."""
        for mailbox in plan.mailboxes.values():
            if isinstance(mailbox.error, MailboxError) and mailbox.error.condition is Condition.NONEXISTENT:
                self._placement.forget(mailbox.account.id)
                try:
                    append = await self._append(tx, mailbox, local, verdict)
                    (answer,) = await self._do([append])
                    mailbox.error = self._placement.refusal(append, answer) if isinstance(answer, MailError) else None
                except MailError as error:
                    mailbox.error = error
                if isinstance(mailbox.error, MailboxError) and mailbox.error.condition is Condition.NONEXISTENT:
                    mailbox.error = MailError(451, "4.2.0", "Mailbox is not available now", detail=mailbox.error.text)
        waiting = [
            one
            for one in plan.mailboxes.values()
            if one.error is not None and one.error.temporary and not _answered(tx, plan, one)
        ]
        if not waiting:
            return
        recipients = tuple(
            QueueRecipient(
                replace(one.recipient, notify=onward_notify(one.recipient.notify)) if one.several else one.recipient,
                status=_status(one.error),
                local=True,
                account=one.account.id,
            )
            for one in waiting
        )
        queue_id = tx.queue_id + SECOND if plan.remote or plan.copies else tx.queue_id
        item = self._item(tx, queue_id, recipients, remote.size, held=False)
        (answer,) = await self._do([Enqueue(item, remote)])
        for mailbox in waiting:
            if answer is None:
                mailbox.queued = True
            else:
                self._log.warning("queue.failed", queue_id=tx.queue_id, status=str(answer))

    async def _append(self, tx: Transaction, mailbox: Mailbox, rendition: Rendition, verdict: Verdict) -> Append:
        place = await self._placement.place(mailbox.account.id, verdict)
        return Append(
            place.folder,
            rendition,
            place.flags,
            place.keywords,
            # Against double delivery: only what comes from the queue is tried again under its id.
            queue_id=tx.mark,
            recipient=str(mailbox.recipient.address),
            limit=bound(mailbox.account, report=tx.origin is Origin.INTERNAL and tx.sender is None),
        )

    async def put_off(self, tx: Transaction, rendition: Rendition) -> None:
        """Into the queue as it is, to be looked at again. MailError."""
        recipients = tuple(QueueRecipient(to.recipient, local=True) for to in tx.addressees)
        item = self._item(tx, tx.queue_id, recipients, rendition.size, held=False)
        item = replace(item, unchecked=True, next_attempt=item.created, attempts=0)
        (answer,) = await self._do([Enqueue(item, rendition)])
        if isinstance(answer, MailError):
            raise answer

    async def _do(self, work: Sequence[Append | Enqueue]) -> Sequence[object]:
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

    def _item(
        self, tx: Transaction, queue_id: str, recipients: tuple[QueueRecipient, ...], size: int, *, held: bool
    ) -> QueueItem:
        now = self._clock.now()
        local, options = recipients[0].local, tx.options
        if not (options.utf8 or all(one.recipient.address.ascii for one in recipients)):
            options = replace(options, utf8=True)
        return QueueItem(
            id=queue_id,
            sender=tx.sender,
            recipients=recipients,
            created=now,
            # A mailbox that was busy is given a moment.
            next_attempt=now + 30 if local else now,
            size=size,
            attempts=1 if local else 0,
            held=held,
            message_id=tx.header.value(b"message-id")[:998],
            user=str(tx.account.address) if tx.account else "",
            client=tx.client.ip,
            options=options,
            origin=tx.origin.value,
            tls_optional=tx.tls_optional,
        )


def _answered(tx: Transaction, plan: Plan, mailbox: Mailbox) -> bool:
    """The client is told that this mailbox is full, and keeps the mail: as at RCPT. So it must stand for no other that
    has the message, or they would have it twice."""
    if mailbox.error is None or mailbox.error.enhanced != FULL or tx.origin is Origin.INTERNAL:
        return False
    if tx.per_recipient:
        expansions = (to.expansion for to in tx.addressees if to.error is None)
        leading = (one for one in expansions if any(local.account.id == mailbox.account.id for local in one.local))
        return all(len(one.local) + len(one.remote) == 1 for one in leading)
    return not plan.onward and all(
        one.error is not None and (one.error.enhanced == FULL or not one.error.temporary)
        for one in plan.mailboxes.values()
    )


def _status(error: MailError | None) -> str:
    return f"{error.enhanced} {error.text}" if error is not None else ""
