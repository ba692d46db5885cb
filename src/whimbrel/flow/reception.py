"""The one way of a message, step by step: policy, routing, placement, commit, report.

SMTP and LMTP sessions call the steps one by one; what we make ourselves enters by `submit`, the port Intake, and goes
the same way. Whatever `complete` has not refused is durable when it returns.

Standards: RFC 5321 3.3, 4.4 (trace), 6.1, 6.2; RFC 6409 8 (what a submission server adds); RFC 2033 4.2 (an answer for
each recipient); RFC 3461 5.2
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from whimbrel.core.clock import Clock, Ids
from whimbrel.core.commit import Commit, Rendition, Spool, Spooled, SpoolWriter
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account, Directory
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Client, Internal, Origin
from whimbrel.core.log import Log
from whimbrel.core.mailbox import Folders
from whimbrel.core.queue import Notify, Recipient, RecipientState
from whimbrel.core.state import Counters, State
from whimbrel.flow.admission import Admission
from whimbrel.flow.dispatch import Dispatch, Mailbox, Plan
from whimbrel.flow.filters.base import Stage, Verdict
from whimbrel.flow.placement import Placement
from whimbrel.flow.policy import Judgement, Policy
from whimbrel.flow.receipts import LATE, Receipts
from whimbrel.flow.report import Reports, Subject, Told
from whimbrel.flow.routing.router import Router
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import HEAD, PLAIN, Header, MailOptions, Result, Transaction
from whimbrel.mail.trace import received, return_path

if TYPE_CHECKING:
    from whimbrel.core.address import ReversePath
    from whimbrel.core.intake import Intake

BUSY: Final = Judgement(
    Verdict.DEFER, reply=MailError(451, "4.3.2", "Too much mail at once, try again later"), rule="busy"
)
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
    ) -> None:
        self._spool, self._policy, self._config = spool, policy, config
        self._clock, self._ids, self._log = clock, ids, log
        self.placement = Placement(folders)
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
        self, origin: Origin, client: Client, account: Account | None, sender: "ReversePath", options: MailOptions
    ) -> Transaction:
        """Begins a transaction. MailError: the sender, or so large a message, is not taken."""
        tx = Transaction(self._ids.queue_id(), origin, client, account, sender, options, self._clock.monotonic())
        judgement = BUSY if self._policy.busy else await self._policy.judge(Stage.MAIL, tx)
        self._enforce(tx, judgement)
        return tx

    async def rcpt(self, tx: Transaction, recipient: Recipient) -> None:
        """Adds a recipient. MailError: it is not taken, the others are."""
        await self._admission.admit(tx, recipient)

    def data(self, tx: Transaction) -> SpoolWriter:
        return self._spool.start()

    async def complete(self, tx: Transaction, content: Spooled) -> Result:
        """The content is here. Returns once everything is durable; MailError if nobody gets the message. Closes
        `content`."""
        tx.content = content
        head = content.head
        tx.header = Header(head if len(head) <= HEAD else head[:HEAD])
        arrived = self._clock.monotonic()
        try:
            if (before := await self._receipts.known(tx)) is not None:
                self._log.info("message.repeated", queue_id=tx.queue_id, before=before, sender_host=tx.client.ip)
                return Result(before, (None,) * len(tx.recipients))
            judgement = await self._policy.judge(Stage.DATA, tx)
            self._enforce(tx, judgement)
            try:
                result = await self._take(tx, content, judgement)
            except MailError as error:
                self._log_refused(tx, error, "")
                raise
            if self._clock.monotonic() - arrived > LATE:
                await self._receipts.keep(tx)
            return result
        finally:
            content.close()

    async def unanswered(self, tx: Transaction) -> None:
        """The client was gone before it got the answer of `complete`: it will send the message again."""
        await self._receipts.keep(tx)

    # The port Intake

    async def submit(self, message: Internal) -> str:
        """Takes a message that we made; recipients that cannot be reached are reported to its sender."""
        envelope = message.envelope
        options = MailOptions(
            message.content.size, envelope.utf8, envelope.body_8bit, envelope.envid, envelope.ret_full
        )
        tx = Transaction(
            self._ids.queue_id(),
            Origin.INTERNAL,
            Client("", 0, "", 0, helo=self._config.section(SmtpSettings).hostname, service="internal"),
            message.account,
            envelope.sender,
            options,
            self._clock.monotonic(),
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
        return (await self.complete(tx, message.content)).queue_id

    # Inside

    async def _early(self, stage: Stage, origin: Origin, client: Client) -> None:
        if self._policy.has(stage, origin):
            tx = Transaction("", origin, client, None, None, PLAIN, self._clock.monotonic())
            self._enforce(tx, await self._policy.judge(stage, tx))

    def _enforce(self, tx: Transaction, judgement: Judgement) -> None:
        if judgement.verdict < Verdict.DEFER:
            return
        try:
            judgement.enforce()
        except MailError as error:
            self._log_refused(tx, error, judgement.rule)
            raise

    async def _take(self, tx: Transaction, content: Spooled, judgement: Judgement) -> Result:
        trace = self._trace(tx, judgement.fields)
        local = Rendition(return_path(tx.sender) + trace, content)
        if judgement.verdict is Verdict.DISCARD:
            self._log_received(tx, local.size)
            for recipient in tx.recipients:
                self._log_sent(tx, recipient, "discarded", f"2.0.0 Discarded by {judgement.rule}")
            return Result(tx.queue_id, (None,) * len(tx.recipients))
        plan = Plan(tx)
        await self._dispatch.carry_out(tx, plan, local, Rendition(trace, content), judgement.verdict)
        outcomes = self._outcomes(tx, plan)
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
        if tx.origin is not Origin.LMTP:
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
        lmtp = tx.origin is Origin.LMTP
        for recipient, expansion, outcome in zip(tx.recipients, tx.expansions, outcomes, strict=True):
            if lmtp and outcome is not None:
                continue  # The client knows, and tells.
            for member in expansion.unreachable:
                told.append(_failure(Recipient(member.address), recipient, member.error))
                self._log_sent(tx, Recipient(member.address), "failed", _status(member.error))
            for local in expansion.local:
                mailbox = plan.mailboxes[local.account.id]
                if mailbox.recipient is recipient and not _taken(mailbox) and mailbox.error is not None:
                    told.append(_failure(Recipient(local.account.address), recipient, mailbox.error))
            if Notify.SUCCESS in recipient.notify:
                told += [
                    Told(recipient, RecipientState.DELIVERED, "2.1.5 Delivered")
                    for local in expansion.local
                    if plan.mailboxes[local.account.id].error is None
                ][:1]
        told = [one for one in told if Notify.NEVER not in one.recipient.notify]
        if told:
            await self.reports.send(self._subject(tx, content), told)

    def _subject(self, tx: Transaction, content: Spooled) -> Subject:
        return Subject(
            tx.queue_id,
            tx.sender,
            self._clock.now(),
            content.size,
            content.read,
            tx.options.envid,
            tx.options.ret_full,
            tx.options.utf8,
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

    def _log_sent(self, tx: Transaction, recipient: Recipient, result: str, status: str) -> None:
        self._log.info(
            "delivery.sent",
            queue_id=tx.queue_id,
            recipient=str(recipient.address),
            result=result,
            status=status,
            remote="",
        )


def _taken(mailbox: Mailbox) -> bool:
    return mailbox.error is None or mailbox.queued


def _failure(final: Recipient, envelope: Recipient, error: MailError) -> Told:
    """About the address that failed, under the wishes given for the recipient of the envelope."""
    about = Recipient(final.address, envelope.notify, envelope.orcpt or f"rfc822;{envelope.address}")
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
