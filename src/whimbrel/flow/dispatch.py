"""Makes an accepted message durable wherever it goes: one list of work, one commit, one barrier.

What a mailbox cannot take at this moment goes to the queue in a second commit. What cannot be had at all is left as an
error at its mailbox, for the answer or for a report.

Standards: RFC 5321 4.4 (Return-Path at final delivery only), 6.1 (responsibility)
"""

from collections.abc import Sequence
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.commit import Append, Commit, Enqueue, Rendition
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId
from whimbrel.core.queue import QueueItem, QueueRecipient, Recipient
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.filters.base import Verdict
from whimbrel.flow.placement import Placement
from whimbrel.flow.transaction import Transaction

SECOND: Final = ".2"
"""Ends the queue id of the entry for mailboxes that were busy, where remote recipients have the first."""


class Mailbox:
    """One mailbox of the transaction and how it went: `error` None and not `queued` is delivered."""

    __slots__ = ("account", "error", "queued", "recipient")

    def __init__(self, account: Account, recipient: Recipient) -> None:
        self.account, self.recipient = account, recipient
        """`recipient`: the first of the envelope that leads here."""
        self.error: MailError | None = None
        self.queued = False


class Plan:
    """Where the recipients of a transaction lead, each mailbox and address once."""

    __slots__ = ("mailboxes", "remote", "remote_error")

    def __init__(self, tx: Transaction) -> None:
        self.mailboxes: dict[AccountId, Mailbox] = {}
        self.remote: dict[str, QueueRecipient] = {}
        self.remote_error: MailError | None = None
        for recipient, expansion in zip(tx.recipients, tx.expansions, strict=True):
            for local in expansion.local:
                account = local.account
                if account.id not in self.mailboxes:
                    self.mailboxes[account.id] = Mailbox(account, recipient)
            for remote in expansion.remote:
                if remote.address.key not in self.remote:
                    self.remote[remote.address.key] = QueueRecipient(
                        Recipient(remote.address, recipient.notify, recipient.orcpt)
                    )


class Dispatch:
    def __init__(self, *, placement: Placement, commit: Commit, config: ConfigStore, clock: Clock, log: Log) -> None:
        self._placement, self._commit = placement, commit
        self._config, self._clock, self._log = config, clock, log

    async def carry_out(
        self, tx: Transaction, plan: Plan, local: Rendition, remote: Rendition, verdict: Verdict = Verdict.ACCEPT
    ) -> None:
        """Returns after the barrier; errors are left in `plan`. `remote` has no Return-Path, `local` has."""
        work: list[Append | Enqueue] = []
        placed: list[Mailbox] = []
        for mailbox in plan.mailboxes.values():
            try:
                work.append(await self._append(tx, mailbox, local, verdict))
                placed.append(mailbox)
            except MailError as error:
                mailbox.error = error
        if plan.remote:
            held = self._config.section(DeliverySettings).hold_remote
            item = self._item(tx, tx.queue_id, tuple(plan.remote.values()), remote.size, held=held)
            work.append(Enqueue(item, remote))
        answers = await self._do(work) if work else ()
        failed = False
        for mailbox, answer in zip(placed, answers, strict=False):
            if isinstance(answer, MailError):
                mailbox.error, failed = answer, True
        if plan.remote and isinstance(answers[-1], MailError):
            plan.remote_error = answers[-1]
        if failed or len(placed) < len(plan.mailboxes):
            await self._again(tx, plan, local, remote, verdict)

    async def _again(self, tx: Transaction, plan: Plan, local: Rendition, remote: Rendition, verdict: Verdict) -> None:
        """A folder that has moved is looked up anew; what is temporary goes to the queue."""
        for mailbox in plan.mailboxes.values():
            if isinstance(mailbox.error, MailboxError) and mailbox.error.condition is Condition.NONEXISTENT:
                self._placement.forget(mailbox.account.id)
                try:
                    (answer,) = await self._do([await self._append(tx, mailbox, local, verdict)])
                    mailbox.error = answer if isinstance(answer, MailError) else None
                except MailError as error:
                    mailbox.error = error
                if isinstance(mailbox.error, MailboxError) and mailbox.error.condition is Condition.NONEXISTENT:
                    mailbox.error = MailError(451, "4.2.0", "Mailbox is not available now", detail=mailbox.error.text)
        waiting = [one for one in plan.mailboxes.values() if one.error is not None and one.error.temporary]
        if not waiting:
            return
        recipients = tuple(
            QueueRecipient(one.recipient, status=_status(one.error), local=True, account=one.account.id)
            for one in waiting
        )
        queue_id = tx.queue_id + SECOND if plan.remote else tx.queue_id
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
            # No mark against double delivery: only what goes into the queue is tried again under this id.
            recipient=str(mailbox.recipient.address),
        )

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
        local = recipients[0].local
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
            envid=tx.options.envid,
            ret_full=tx.options.ret_full,
            utf8=tx.options.utf8,
            body_8bit=tx.options.body_8bit,
            origin=tx.origin.value,
        )


def _status(error: MailError | None) -> str:
    return f"{error.enhanced} {error.text}" if error is not None else ""
