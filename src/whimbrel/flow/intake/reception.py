"""The one way of a message, step by step: policy, routing, placement, commit, report.

SMTP and LMTP sessions call the steps one by one; what we make ourselves enters by `submit`, the port Intake, and goes
the same way. Whatever `complete` has not refused is durable when it returns.

Standards: RFC 5321 3.3, 4.4 (trace), 6.1, 6.2, 6.3 (loops); RFC 6409 8 (what a submission server adds); RFC 2033 4.2
(an answer for each recipient); RFC 3461 5.2; RFC 3463 3.4 (X.3.1)
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from whimbrel.core.clock import Clock, Ids
from whimbrel.core.commit import Commit, Rendition, Spool, Spooled, SpoolWriter
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account, Directory
from whimbrel.core.envelope import PLAIN, MailOptions, Notify, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Client, Internal, Origin
from whimbrel.core.log import Log
from whimbrel.core.mailbox import Folders
from whimbrel.core.queue import QueueItem, RecipientState
from whimbrel.core.space import Space
from whimbrel.core.state import Counters, State
from whimbrel.flow.intake.admission import Admission
from whimbrel.flow.intake.dispatch import Dispatch, Mailbox, Plan
from whimbrel.flow.intake.receipts import LATE, Receipts
from whimbrel.flow.intake.return_path import has_old_path, without_old_path
from whimbrel.flow.judging.filter import Stage, Verdict
from whimbrel.flow.judging.policy import Judgement, Policy
from whimbrel.flow.placement.placement import Placement
from whimbrel.flow.placement.quota import QuotaCheck
from whimbrel.flow.placement.size_limits import SizeLimits
from whimbrel.flow.report.reports import Reports, Subject, Told
from whimbrel.flow.routing.loops import looping
from whimbrel.flow.routing.route import Expansion
from whimbrel.flow.routing.router import Router
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import HEAD, Answers, Header, Result, Transaction
from whimbrel.mail.decoding.encoded import words
from whimbrel.mail.writing.trace import joint, received, return_path

if TYPE_CHECKING:
    from whimbrel.core.address import ReversePath
    from whimbrel.core.intake import Intake

BUSY: Final = Judgement(
    Verdict.DEFER, reply=MailError(451, "4.3.2", "Too much mail at once, try again later"), rule="busy"
)
_FULL: Final = ("4.3.1", "Insufficient system storage, try again later")
_LAST_LOOK: Final = 3
"""Times that a message which was accepted early is put off again; then it goes to Junk unseen."""
_SHOWN: Final = 10
"""Recipients named in one record of the log; each has a record of its own besides."""


class Reception:
    """One in each process that takes mail in."""

    def __init__(
        self,
        *,
        directory: Directory,
        folders: Folders,
        spool: Spool,
        commit: Commit,
        policy: Policy,
        config: ConfigStore,
        state: State,
        counters: Counters,
        clock: Clock,
        ids: Ids,
        log: Log,
        space: Space | None = None,
    ) -> None:
        """Without `space` there always is room."""
        self._room: Callable[[], bool] = space.accepting if space is not None else _always
        self._directory, self._sizes = directory, SizeLimits(directory)
        self._spool, self._policy, self._config = spool, policy, config
        self._clock, self._ids, self._log = clock, ids, log
        self.quotas = QuotaCheck(folders=folders, directory=directory, state=state, config=config, clock=clock)
        self.placement = Placement(folders, self.quotas, self._sizes)
        self.reports = Reports(intake=self, spool=spool, config=config, clock=clock, ids=ids, log=log)
        router = Router(directory, config)
        self._admission = Admission(router=router, placement=self.placement, policy=policy, config=config, log=log)
        self._dispatch = Dispatch(placement=self.placement, commit=commit, config=config, clock=clock, log=log)
        self._receipts = Receipts(state, counters, clock)

    # The steps of a session

    async def connect(self, origin: Origin, client: Client) -> None:
        """MailError: the client is not wanted."""
        await self._early(Stage.CONNECT, origin, client)

    async def helo(self, origin: Origin, client: Client) -> None:
        """MailError: the client is not wanted under this name."""
        await self._early(Stage.HELO, origin, client)

    async def mail(
        self,
        origin: Origin,
        client: Client,
        account: Account | None,
        sender: "ReversePath",
        options: MailOptions = PLAIN,
        answers: Answers = Answers.ONE,
    ) -> Transaction:
        """Begins a transaction. MailError: the sender, or so large a message, is not taken."""
        if not self._room():
            raise MailError(452, *_FULL)
        queue_id, started = self._ids.queue_id(), self._clock.monotonic()
        tx = Transaction(queue_id, origin, client, account, sender, options, started, answers)
        if account is not None:
            tx.max_size = await self._sizes.of(account)
        judgement = BUSY if self._policy.busy else await self._policy.judge(Stage.MAIL, tx)
        self._enforce(tx, judgement)
        return tx

    async def rcpt(self, tx: Transaction, recipient: Recipient) -> None:
        """Adds a recipient. MailError: it is not taken, the others are."""
        await self._admission.admit(tx, recipient)

    def data(self, tx: Transaction) -> SpoolWriter:
        return self._spool.start()

    async def complete(self, tx: Transaction, content: Spooled) -> Result:
        """The content is here. Returns once everything is durable; MailError if nobody gets the message. `content`
        stays open: after `unanswered`, if that is called, the caller closes it."""
        _take_content(tx, content)
        arrived = self._clock.monotonic()
        if (before := await self._receipts.known(tx)) is not None:
            self._log.info("message.repeated", queue_id=tx.queue_id, before=before, sender_host=tx.client.ip)
            return Result(before, (None,) * len(tx.recipients))
        judgement = await self._policy.judge(Stage.DATA, tx)
        self._enforce(tx, judgement)
        try:
            if not self._room():
                raise MailError(452, *_FULL)
            self._decline_loops(tx)
            take = self._put_off if judgement.late else self._take
            result = await take(tx, content, judgement)
        except MailError as error:
            self._log_refused(tx, error, "")
            raise
        if self._clock.monotonic() - arrived > LATE and not any(result.outcomes):
            await self._receipts.keep(tx)
        return result

    async def resume(
        self, item: QueueItem, recipients: Sequence[Recipient], content: Spooled
    ) -> list[MailError | None]:
        """A message of the queue that was accepted before the filters had ended, for those of its recipients who
        still wait: how it went for each. What the filters say cannot be answered any more, and is never returned:
        what they refuse goes to Junk here, and waits for an administrator if it was to go to another server."""
        tx = self._resumed(item)
        outcomes: list[MailError | None] = []
        for recipient in recipients:
            try:
                await self._admission.readmit(tx, recipient)
                outcomes.append(None)
            except MailError as error:
                outcomes.append(error)
        if not tx.recipients:
            return outcomes
        _take_content(tx, content)
        judgement = await self._policy.judge(Stage.DATA, tx, queued=True)
        if judgement.late or judgement.verdict is Verdict.DEFER:
            if item.attempts + 1 < _LAST_LOOK:
                putting_off = judgement.reply or MailError(451, "4.3.2", "The message could not be checked in time")
                return [error or putting_off for error in outcomes]
            judgement = Judgement(Verdict.JUNK, rule=judgement.rule)
        elif judgement.verdict is Verdict.REFUSE:
            judgement = replace(judgement, verdict=Verdict.JUNK)
        if judgement.verdict is Verdict.JUNK:
            tx.hold_remote = True
            self._log.warning("message.unwelcome", queue_id=tx.queue_id, cause=item.id, rule=judgement.rule)
        self._log.info("message.caused", queue_id=tx.queue_id, cause=item.id)
        try:
            found = iter((await self._take(tx, content, judgement)).outcomes)
        except MailError as error:
            return [one or error for one in outcomes]
        return [one or next(found) for one in outcomes]

    def _resumed(self, item: QueueItem) -> Transaction:
        client = Client(item.client, 0, "", 0, helo="", service="queue")
        options, started = replace(item.options, size=item.size), self._clock.monotonic()
        tx = Transaction(
            f"{item.id}.{item.attempts + 1}q", Origin(item.origin), client, None, item.sender, options, started,
            Answers.NOBODY,
        )  # fmt: skip
        tx.mark = item.id
        return tx

    async def unanswered(self, tx: Transaction) -> None:
        """The client was gone before it got the answer of `complete`: it will send the message again."""
        await self._receipts.keep(tx)

    # The port Intake

    async def submit(self, message: Internal) -> str:
        """Takes a message that we made; recipients that cannot be reached are reported to its sender."""
        envelope = message.envelope
        tx = Transaction(
            self._ids.queue_id(),
            Origin.INTERNAL,
            Client("", 0, "", 0, helo=self._config.section(SmtpSettings).hostname, service="internal"),
            message.account,
            envelope.sender,
            replace(envelope.options, size=message.content.size),
            self._clock.monotonic(),
            Answers.NOBODY,
        )
        refused: list[tuple[Recipient, MailError]] = []
        for recipient in envelope.recipients:
            try:
                await self._admission.admit(tx, recipient)
            except MailError as error:
                refused.append((recipient, error))
        if not tx.recipients:
            message.content.close()
            raise refused[0][1] if refused else MailError(554, "5.5.1", "No recipients")
        if message.cause:
            self._log.info("message.caused", queue_id=tx.queue_id, cause=message.cause)
        tx.refused = refused
        try:
            return (await self.complete(tx, message.content)).queue_id
        finally:
            message.content.close()

    # Inside

    async def _early(self, stage: Stage, origin: Origin, client: Client) -> None:
        if self._policy.has(stage, origin):
            tx = Transaction("", origin, client, None, None, started=self._clock.monotonic())
            self._enforce(tx, await self._policy.judge(stage, tx))

    def _enforce(self, tx: Transaction, judgement: Judgement) -> None:
        if judgement.verdict < Verdict.DEFER:
            return
        try:
            judgement.enforce()
        except MailError as error:
            self._log_refused(tx, error, judgement.rule)
            raise

    def _decline_loops(self, tx: Transaction) -> None:
        """MailError if nobody is left."""
        declined = looping(tx)
        if not any(declined):
            return
        if all(declined):
            raise declined[0] or MailError(554, "5.4.6", "Mail loop")
        tx.declined = declined
        for at, error in enumerate(declined):
            if error is not None:
                tx.expansions[at] = Expansion()
                if not tx.per_recipient:
                    tx.refused.append((tx.recipients[at], error))

    async def _put_off(self, tx: Transaction, content: Spooled, judgement: Judgement) -> Result:
        """Accepted, and looked at again by the queue."""
        rendition = Rendition(self._trace(tx, judgement.fields), content)
        await self._dispatch.put_off(tx, rendition)
        self._log_received(tx, rendition.size)
        for recipient in tx.recipients:
            self._log_sent(tx, recipient, "delayed", "4.3.2 Taken, and looked at again")
        return Result(tx.queue_id, (None,) * len(tx.recipients))

    async def _take(self, tx: Transaction, content: Spooled, judgement: Judgement) -> Result:
        if not has_old_path(tx):
            return await self._carry_out(tx, content, judgement)
        tx.content = await without_old_path(tx, content, self._spool)
        try:
            return await self._carry_out(tx, tx.content, judgement)
        finally:
            tx.content.close()

    async def _carry_out(self, tx: Transaction, content: Spooled, judgement: Judgement) -> Result:
        trace = b"".join(judgement.fields) if tx.mark else self._trace(tx, judgement.fields)
        local = Rendition(return_path(tx.sender) + trace, content)
        if judgement.verdict is Verdict.DISCARD:
            self._log_received(tx, local.size)
            for recipient in tx.recipients:
                self._log_sent(tx, recipient, "discarded", f"2.0.0 Discarded by {judgement.rule}")
            return Result(tx.queue_id, (None,) * len(tx.recipients))
        plan = Plan(tx)
        await self._dispatch.carry_out(tx, plan, local, Rendition(trace, content), judgement.verdict)
        outcomes = self._outcomes(tx, plan)
        if tx.declined and tx.per_recipient:
            outcomes = tuple(error or declined for error, declined in zip(outcomes, tx.declined, strict=True))
        self._log_received(tx, local.size)
        for mailbox in plan.mailboxes.values():
            if mailbox.error is None:
                self._log_sent(tx, mailbox.recipient, "delivered", "2.0.0 Delivered")
            elif mailbox.queued:
                self._log_sent(tx, mailbox.recipient, "delayed", _status(mailbox.error))
            else:
                self._log_sent(tx, mailbox.recipient, "failed", _status(mailbox.error))
        await self._report(tx, content, plan, outcomes)
        return Result(tx.queue_id, outcomes)

    def _trace(self, tx: Transaction, fields: Sequence[bytes]) -> bytes:
        """Received, what filters add, and what a submission lacks."""
        hostname = self._config.section(SmtpSettings).hostname
        parts = [
            received(
                tx.client,
                by=hostname,
                queue_id=tx.queue_id,
                date=self._clock.date(),
                # With several recipients the field would tell each of the others. RFC 5321 7.2
                recipient=tx.recipients[0].address if len(tx.recipients) == 1 else None,
                utf8=tx.options.utf8,
            ),
            *fields,
        ]
        if tx.origin is Origin.SUBMISSION:
            if not tx.header.has(b"date"):  # RFC 6409 8.2
                parts.append(b"Date: %s\r\n" % self._clock.date().encode())
            if not tx.header.has(b"message-id"):  # RFC 6409 8.3
                parts.append(b"Message-ID: %s\r\n" % self._ids.message_id(hostname).encode())
        if tx.content is not None:
            parts.append(joint(tx.content.head))
        return b"".join(parts)

    def _outcomes(self, tx: Transaction, plan: Plan) -> tuple[MailError | None, ...]:
        """For each recipient the error with which everything it stands for failed, or None. What fails in part is
        reported, unless it is only temporary: then the client must try again, at the price of a second copy."""
        if plan.remote_error is None and all(_taken(mailbox) for mailbox in plan.mailboxes.values()):
            return (None,) * len(tx.recipients)
        outcomes: list[MailError | None] = []
        for expansion in tx.expansions:
            boxes = [plan.mailboxes[local.account.id] for local in expansion.local]
            errors = [None if _taken(box) else box.error for box in boxes]
            errors += [plan.remote_error] * bool(expansion.remote)
            temporary = next((error for error in errors if error is not None and error.temporary), None)
            final = errors[0] if errors and all(error is not None for error in errors) else None
            outcomes.append(temporary or final)
        if not tx.per_recipient:
            self._one_answer(outcomes)
        return tuple(outcomes)

    @staticmethod
    def _one_answer(outcomes: list[MailError | None]) -> None:
        """SMTP has one reply for all recipients: raises it if it is a refusal."""
        temporary = next((error for error in outcomes if error is not None and error.temporary), None)
        if temporary is not None:
            raise temporary
        first = outcomes[0] if outcomes else None
        if first is not None and all(outcomes):
            raise first

    async def _report(
        self, tx: Transaction, content: Spooled, plan: Plan, outcomes: tuple[MailError | None, ...]
    ) -> None:
        """What went wrong for a part of the recipients after all; and what went well, where that is asked for."""
        told: list[Told] = []
        for recipient, error in tx.refused:
            told.append(_failure(recipient, recipient, error))
        each = tx.per_recipient
        for recipient, expansion, outcome in zip(tx.recipients, tx.expansions, outcomes, strict=True):
            if each and outcome is not None:
                continue  # The client knows, and tells.
            for member in expansion.unreachable:
                told.append(_failure(Recipient(member.address), recipient, member.error))
                self._log_sent(tx, Recipient(member.address), "failed", _status(member.error))
            for local in expansion.local:
                mailbox = plan.mailboxes[local.account.id]
                if mailbox.recipient is recipient and not _taken(mailbox) and mailbox.error is not None:
                    told.append(_failure(Recipient(local.account.address), recipient, mailbox.error))
            if Notify.SUCCESS in recipient.notify and expansion.several:
                told.append(Told(recipient, RecipientState.DELIVERED, "2.1.5 Expanded", expanded=True))
            elif Notify.SUCCESS in recipient.notify:
                told += [
                    Told(recipient, RecipientState.DELIVERED, "2.1.5 Delivered")
                    for local in expansion.local
                    if plan.mailboxes[local.account.id].error is None
                ][:1]
        told = [one for one in told if Notify.NEVER not in one.recipient.notify]
        if not told:
            return
        try:
            await self.reports.send(self._subject(tx, content), told)
        except MailError as error:
            if any(one.state is RecipientState.FAILED for one in told):
                raise  # Nobody else would tell.
            # A confirmation that cannot be made is not worth a second copy to all.
            self._log.warning("report.failed", queue_id=tx.queue_id, status=str(error))

    def _subject(self, tx: Transaction, content: Spooled) -> Subject:
        return Subject(
            tx.queue_id,
            tx.sender,
            self._clock.now(),
            content.size,
            content.read,
            tx.options,
        )

    def _log_refused(self, tx: Transaction, error: MailError, rule: str) -> None:
        self._log.info(
            "message.refused",
            queue_id=tx.queue_id,
            service=tx.client.service,
            session_id=tx.client.session_id,
            from_=str(tx.sender or ""),
            to=_names(tx.recipients),
            user=str(tx.account.address) if tx.account else "",
            sender_host=tx.client.ip,
            status=str(error),
            rule=rule,
        )

    def _log_received(self, tx: Transaction, size: int) -> None:
        client = tx.client
        self._log.info(
            "message.received",
            queue_id=tx.queue_id,
            service=client.service,
            session_id=client.session_id,
            from_=str(tx.sender) if tx.sender else "",
            to=_names(tx.recipients),
            size=size,
            user=str(tx.account.address) if tx.account else "",
            sender_host=client.ip,
            tls=client.tls.version if client.tls else "",
        )
        message_id, subject = tx.header.value(b"message-id")[:250], ""
        if self._config.section(SmtpSettings).log_subject:
            subject = words(tx.header.value(b"subject")[:998].encode())[:250]
        if message_id or subject:
            self._log.info("message.named", queue_id=tx.queue_id, message_id=message_id, subject=subject)

    def _log_sent(self, tx: Transaction, recipient: Recipient, result: str, status: str) -> None:
        self._log.info(
            "delivery.sent",
            queue_id=tx.queue_id,
            recipient=str(recipient.address),
            result=result,
            status=status,
            remote="",
        )


def _always() -> bool:
    return True


def _take_content(tx: Transaction, content: Spooled) -> None:
    tx.content = content
    head = content.head
    tx.header = Header(head if len(head) <= HEAD else head[:HEAD])


def _taken(mailbox: Mailbox) -> bool:
    return mailbox.error is None or mailbox.queued


def _failure(final: Recipient, envelope: Recipient, error: MailError) -> Told:
    """About the address that failed, under the wishes given for the recipient of the envelope."""
    orcpt = envelope.orcpt
    if not orcpt and final.address != envelope.address:  # Else its sender would not know what it has to do with him.
        orcpt = f"{'rfc822' if envelope.address.ascii else 'utf-8'};{envelope.address}"
    about = Recipient(final.address, envelope.notify, orcpt)
    wanted = not about.notify or Notify.FAILURE in about.notify
    if not wanted:
        about = Recipient(about.address, frozenset({Notify.NEVER}), about.orcpt)
    return Told(about, RecipientState.FAILED, _status(error))


def _status(error: MailError) -> str:
    return f"{error.enhanced} {error.text}"


def _names(recipients: Sequence[Recipient]) -> str:
    if len(recipients) == 1:
        return str(recipients[0].address)
    names = ", ".join(str(one.address) for one in recipients[:_SHOWN])
    return names if len(recipients) <= _SHOWN else f"{names} and {len(recipients) - _SHOWN} more"


if TYPE_CHECKING:

    def _port(reception: Reception) -> Intake:
        return reception
