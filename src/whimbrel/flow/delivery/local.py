"""Tries again what a mailbox here could not take when the message arrived.

Standards: RFC 5321 4.4 (Return-Path at final delivery), RFC 3463 3.3 (X.2.1)
"""

from collections.abc import Awaitable, Callable, Sequence
from zlib import crc32

from whimbrel.core.commit import Append, Commit, Rendition, Spool, Spooled
from whimbrel.core.directory import Directory
from whimbrel.core.envelope import Recipient
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.intake import Origin
from whimbrel.core.mailbox import AccountId
from whimbrel.core.queue import Queue, QueueItem, QueueRecipient, RecipientState
from whimbrel.flow.delivery.outcome import Outcome, of_error, without_content
from whimbrel.flow.delivery.progress import Phase, Progress
from whimbrel.flow.delivery.smtp import PIECE
from whimbrel.flow.placement.placement import Placement
from whimbrel.flow.placement.quota import bound
from whimbrel.mail.writing.trace import return_path

Resume = Callable[[QueueItem, Sequence[Recipient], Spooled], Awaitable[list[MailError | None]]]
"""`Reception.resume`: the way of a message that was accepted before the filters had ended."""


class LocalAgent:
    def __init__(
        self,
        *,
        queue: Queue,
        directory: Directory,
        placement: Placement,
        spool: Spool,
        commit: Commit,
        resume: Resume | None = None,
    ) -> None:
        """Without `resume` such entries wait for a process that has it."""
        self._resume = resume
        self._queue, self._directory, self._placement = queue, directory, placement
        self._spool, self._commit = spool, commit

    async def deliver(
        self, item: QueueItem, recipients: tuple[QueueRecipient, ...], progress: Progress | None = None
    ) -> list[Outcome]:
        """One for each recipient, in order; one barrier for all. Never raises MailError."""
        if progress is not None:
            progress.phase = Phase.STORING
        try:
            content = await self._load(item)
        except MailError as error:
            return [of_error(error)] * len(recipients)
        if content is None:
            return without_content(recipients)
        try:
            if item.unchecked:
                return await self._checked(item, recipients, content)
            return await self._append(item, recipients, Rendition(return_path(item.sender), content))
        finally:
            content.close()

    async def _checked(
        self, item: QueueItem, recipients: tuple[QueueRecipient, ...], content: Spooled
    ) -> list[Outcome]:
        if self._resume is None:
            return [of_error(MailError(451, "4.3.5", "Nobody here can check the message"))] * len(recipients)
        errors = await self._resume(item, [one.recipient for one in recipients], content)
        passed_on = Outcome(RecipientState.DELIVERED, "2.0.0 Checked and passed on", dsn=True)
        return [passed_on if error is None else of_error(error) for error in errors]

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
        for at, append, answer in zip(places, work, answers, strict=True):
            if isinstance(answer, MailboxError) and answer.condition is Condition.NONEXISTENT:
                self._placement.forget(AccountId(recipients[at].account))
                answer = MailError(451, "4.2.0", "Mailbox is not available now", detail=answer.text)
            elif isinstance(answer, Exception) and not isinstance(answer, MailError):
                answer = MailError(451, "4.3.0", "Storage failure, try again later", detail=repr(answer))
            if isinstance(answer, MailError):
                outcomes[at] = of_error(self._placement.refusal(append, answer))
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
            limit=bound(account, report=item.origin == Origin.INTERNAL.value and item.sender is None),
        )

    async def _load(self, item: QueueItem) -> Spooled | None:
        """None: it is gone, or cut short."""
        writer = self._spool.start()
        start = checksum = 0
        try:
            while piece := await self._queue.content(item.id, start, PIECE):
                await writer.write(piece)
                start += len(piece)
                checksum = crc32(piece, checksum)
            if not start or start < item.size or item.checksum not in (None, checksum):
                writer.discard()
                return None
            return await writer.finish()
        except BaseException:
            writer.discard()
            raise
