"""Delivery into mailboxes here: the one for sessions and for the queue.

`LocalDelivery` turns a disposition into work for a commit, which the caller makes together with what goes to other
servers, and reads the answers: which folders have the message, and what is left to be tried again. `LocalAgent` does
that for entries of the queue.

Standards: RFC 5321 4.4 (Return-Path at final delivery), RFC 3463 3.3 (X.2.1)
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

from whimbrel.core.commit import Append, Commit, Rendition
from whimbrel.core.directory import Account, Directory
from whimbrel.core.disposition import IN_INBOX, Changes, Disposition, Place
from whimbrel.core.envelope import Recipient
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.intake import Origin
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId, Folder
from whimbrel.core.queue import Queue, QueueItem, QueueRecipient, RecipientState
from whimbrel.core.spool import Spool, Spooled
from whimbrel.flow.delivery.outcome import Outcome, of_error, without_content
from whimbrel.flow.delivery.parcel import PIECE
from whimbrel.flow.delivery.progress import Phase, Progress
from whimbrel.flow.placement.placement import Placement
from whimbrel.flow.placement.quota import bound
from whimbrel.flow.routing.closed import refuse_closed
from whimbrel.mail.writing.trace import return_path

Render = Callable[[Changes], Awaitable[Rendition]]
"""The message as a mailbox gets it, with these edits. MailError"""
Resume = Callable[[QueueItem, Sequence[Recipient], Spooled], Awaitable[list[MailError | None]]]
"""`Reception.resume`: the way of a message that was accepted before the filters had ended."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One place of a disposition as work for a commit."""

    place: Place
    folder: Folder
    append: Append


@dataclass(frozen=True, slots=True)
class Filed:
    """What a commit has done of a disposition."""

    folders: tuple[str, ...] = ()
    """Names of those that have the message."""
    rest: Disposition | None = None
    """To be tried again: places that were busy. Copies that arrived are not among it."""
    error: MailError | None = None
    """Why there is a rest, or why no folder has the message. None: all is well."""
    moved: bool = False
    """A folder was not there any more: looked up anew, it may work at once."""


class LocalDelivery:
    """One in each process."""

    def __init__(self, placement: Placement, log: Log) -> None:
        self._placement, self._log = placement, log

    async def work(
        self,
        account: Account,
        recipient: Recipient,
        what: Disposition,
        render: Render,
        *,
        mark: str = "",
        date: int | None = None,
        report: bool = False,
    ) -> list[Copy]:
        """Appends for its places. `mark`: the queue id under which a second delivery of the same is known. `date`:
        INTERNALDATE, now unless given. `report`: one of ours, which a full mailbox takes too. MailError if it cannot be
        done now."""
        copies = []
        limit = bound(account, report=report)
        for place in what.places:
            folder = await self._placement.target(account.id, place)
            append = Append(
                folder.ref,
                await render(place.changes),
                place.flags,
                place.keywords,
                internal_date=date,
                queue_id=mark,
                recipient=str(recipient.address),
                limit=limit,
            )
            copies.append(Copy(place, folder, append))
        return copies

    def filed(self, copies: Sequence[Copy], answers: Sequence[object]) -> Filed:
        """What the answers of the commit say. What can never be filed is given up where another folder has it."""
        if len(copies) == 1 and not isinstance(answers[0], Exception):  # Nearly always.
            return Filed((copies[0].folder.name,))
        folders, rest, moved = list[str](), list[Place](), False
        failures: list[tuple[Copy, MailError]] = []
        for copy, answer in zip(copies, answers, strict=True):
            if not isinstance(answer, Exception):
                folders.append(copy.folder.name)
                continue
            if isinstance(answer, MailboxError) and answer.condition is Condition.NONEXISTENT:
                self._placement.forget(copy.folder.ref.account)
                moved = True
                answer = MailError(451, "4.2.0", "Mailbox is not available now", detail=answer.text)
            error = self._known(copy.append, answer)
            failures.append((copy, error))
            if error.temporary:
                rest.append(copy.place)
        if folders and not rest:
            for copy, error in failures:
                account = copy.folder.ref.account
                self._log.warning("delivery.copy-failed", mailbox=account, folder=copy.folder.name, status=str(error))
            return Filed(tuple(folders))
        temporary = (error for _, error in failures if error.temporary)
        first = next(temporary, failures[0][1] if failures else None)
        return Filed(tuple(folders), Disposition(tuple(rest)) if rest else None, first, moved)

    def _known(self, append: Append, error: Exception) -> MailError:
        if isinstance(error, MailError):
            return self._placement.refusal(append, error)
        self._log.exception("store.failed", error)
        return MailError(451, "4.3.0", "Storage failure, try again later")


class LocalAgent:
    """Delivers entries of the queue whose recipients are mailboxes here, or have not been judged."""

    def __init__(
        self,
        *,
        queue: Queue,
        directory: Directory,
        delivery: LocalDelivery,
        spool: Spool,
        commit: Commit,
        resume: Resume | None = None,
    ) -> None:
        """Without `resume` entries that were not judged wait for a process that has it."""
        self._resume = resume
        self._queue, self._directory, self._delivery = queue, directory, delivery
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
        errors = await self._resume(item, [each.recipient for each in recipients], content)
        passed_on = Outcome(RecipientState.DELIVERED, "2.0.0 Checked and passed on", dsn=True)
        return [passed_on if error is None else of_error(error) for error in errors]

    async def _append(
        self, item: QueueItem, recipients: tuple[QueueRecipient, ...], rendition: Rendition
    ) -> list[Outcome]:
        async def render(_changes: Changes) -> Rendition:
            return rendition  # The edits were made before it came into the queue.

        outcomes: list[Outcome | None] = [None] * len(recipients)
        work: list[tuple[int, list[Copy]]] = []
        for at, recipient in enumerate(recipients):
            try:
                work.append((at, await self._copies(item, recipient, render)))
            except MailError as error:
                outcomes[at] = of_error(error)
        appends = [copy.append for _, copies in work for copy in copies]
        answers: Sequence[object]
        try:
            answers = await self._commit.commit(appends) if appends else ()
        except MailError as error:
            answers = [error] * len(appends)
        start = 0
        for at, copies in work:
            end = start + len(copies)
            outcomes[at] = _outcome(self._delivery.filed(copies, answers[start:end]), recipients[at].account)
            start = end
        return [outcome for outcome in outcomes if outcome is not None]

    async def _copies(self, item: QueueItem, recipient: QueueRecipient, render: Render) -> list[Copy]:
        account = await self._directory.account(AccountId(recipient.account))
        if account is None:
            raise MailError(550, "5.1.1", "User unknown")
        refuse_closed(account)
        return await self._delivery.work(
            account,
            recipient.recipient,
            recipient.disposition or IN_INBOX,
            render,
            mark=item.id,
            date=int(item.created),
            report=item.origin == Origin.INTERNAL.value and item.sender is None,
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


def _outcome(filed: Filed, account: str) -> Outcome:
    if filed.error is None:
        return Outcome(RecipientState.DELIVERED, "2.0.0 Delivered", mailbox=account, folders=filed.folders)
    outcome = of_error(filed.error)
    return replace(outcome, mailbox=account, folders=filed.folders, rest=filed.rest)
