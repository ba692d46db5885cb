"""Tries again what a mailbox here could not take when the message arrived.

Standards: RFC 5321 4.4 (Return-Path at final delivery), RFC 3463 3.3 (X.2.1)
"""

from whimbrel.core.commit import Append, Commit, Rendition, Spool, Spooled
from whimbrel.core.directory import Directory
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.queue import Queue, QueueItem, QueueRecipient, RecipientState
from whimbrel.flow.delivery.outcome import Outcome, of_error
from whimbrel.flow.delivery.smtp import PIECE
from whimbrel.flow.placement import Placement
from whimbrel.mail.trace import return_path


class LocalAgent:
    def __init__(
        self, *, queue: Queue, directory: Directory, placement: Placement, spool: Spool, commit: Commit
    ) -> None:
        self._queue, self._directory, self._placement = queue, directory, placement
        self._spool, self._commit = spool, commit

    async def deliver(self, item: QueueItem, recipients: tuple[QueueRecipient, ...]) -> list[Outcome]:
        """One for each recipient, in order; one barrier for all. Never raises MailError."""
        try:
            content = await self._load(item.id)
        except MailError as error:
            return [of_error(error)] * len(recipients)
        try:
            return await self._append(item, recipients, Rendition(return_path(item.sender), content))
        finally:
            content.close()

    async def _append(
        self, item: QueueItem, recipients: tuple[QueueRecipient, ...], rendition: Rendition
    ) -> list[Outcome]:
        outcomes: list[Outcome | None] = [None] * len(recipients)
        work: list[Append] = []
        places: list[int] = []
        for at, recipient in enumerate(recipients):
            try:
                work.append(await self._placed(item, recipient, rendition))
                places.append(at)
            except MailError as error:
                outcomes[at] = of_error(error)
        try:
            answers = await self._commit.commit(work) if work else ()
        except MailError as error:
            answers = [error] * len(work)
        for at, answer in zip(places, answers, strict=True):
            if isinstance(answer, MailboxError) and answer.condition is Condition.NONEXISTENT:
                self._placement.forget(AccountId(recipients[at].account))
                answer = MailError(451, "4.2.0", "Mailbox is not available now", detail=answer.text)
            elif isinstance(answer, Exception) and not isinstance(answer, MailError):
                answer = MailError(451, "4.3.0", "Storage failure, try again later", detail=repr(answer))
            if isinstance(answer, MailError):
                outcomes[at] = of_error(answer)
            else:
                outcomes[at] = Outcome(RecipientState.DELIVERED, "2.0.0 Delivered")
        return [outcome for outcome in outcomes if outcome is not None]

    async def _placed(self, item: QueueItem, recipient: QueueRecipient, rendition: Rendition) -> Append:
        account = await self._directory.account(AccountId(recipient.account))
        if account is None:
            raise MailError(550, "5.1.1", "User unknown")
        if not account.enabled:
            raise MailError(550, "5.2.1", "This mailbox is disabled")
        place = await self._placement.place(account.id)
        return Append(
            place.folder,
            rendition,
            place.flags,
            place.keywords,
            internal_date=int(item.created),
            queue_id=item.id,
            recipient=str(recipient.recipient.address),
        )

    async def _load(self, queue_id: str) -> Spooled:
        writer = self._spool.start()
        start = 0
        try:
            while piece := await self._queue.content(queue_id, start, PIECE):
                await writer.write(piece)
                start += len(piece)
            if not start:
                raise MailError(451, "4.3.0", "The content of the message cannot be read")
            return await writer.finish()
        except BaseException:
            writer.discard()
            raise
