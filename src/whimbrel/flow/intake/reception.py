"""The one way of a message, step by step: judging, routing, placement, commit, report.

SMTP and LMTP sessions call the steps one by one; what we make ourselves enters by `submit`, the port Intake, and goes
the same way. Whatever `complete` has not refused is durable when it returns.

Standards: RFC 5321 3.3, 6.1, 6.2, 6.3 (loops); RFC 2033 4.2 (an answer for each recipient); RFC 3463 3.4 (X.3.1)
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from whimbrel.core.address import ReversePath
from whimbrel.core.clock import Clock, Ids
from whimbrel.core.commit import Commit
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account, Directory
from whimbrel.core.envelope import PLAIN, MailOptions, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Client, Internal, Origin
from whimbrel.core.log import Log
from whimbrel.core.mailbox import Folders
from whimbrel.core.pool import Pool
from whimbrel.core.queue import QueueItem
from whimbrel.core.signing import SigningKeys
from whimbrel.core.space import Space
from whimbrel.core.spool import Spool, Spooled, SpoolWriter
from whimbrel.core.state import Counters, State
from whimbrel.flow.assessment import Action, Assessment, Stage
from whimbrel.flow.delivery.local import LocalDelivery
from whimbrel.flow.intake.acceptance import Acceptance
from whimbrel.flow.intake.admission import Admission, peer_of
from whimbrel.flow.intake.dispatch import Dispatch
from whimbrel.flow.intake.late import LateJudging
from whimbrel.flow.intake.receipts import LATE, Receipts
from whimbrel.flow.intake.records import Records
from whimbrel.flow.intake.signing import Signer
from whimbrel.flow.intake.verdicts import Unwanted, Verdicts
from whimbrel.flow.judging.filters.header_limits import largest_header
from whimbrel.flow.judging.policy import CLEAN, Judgement, Policy
from whimbrel.flow.judging.rating import Rater
from whimbrel.flow.placement.placement import Placement
from whimbrel.flow.placement.quota import QuotaCheck
from whimbrel.flow.placement.size_limits import SizeLimits
from whimbrel.flow.report.reports import Reports
from whimbrel.flow.routing.loops import decline_loops
from whimbrel.flow.routing.route import Expansion
from whimbrel.flow.routing.router import Router
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import Addressee, Answers, Result, Transaction

BUSY: Final = Judgement(Action.DEFER, MailError(451, "4.3.2", "Too much mail at once, try again later"), "busy")
_FULL: Final = ("4.3.1", "Insufficient system storage, try again later")


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
        keys: SigningKeys | None = None,
        pool: Pool | None = None,
    ) -> None:
        """Without `space` there always is room; without `keys` nothing is signed."""
        self._room: Callable[[], bool] = space.accepting if space is not None else _always
        self._sizes = SizeLimits(directory)
        self._spool, self._policy, self._config = spool, policy, config
        self._clock, self._ids = clock, ids
        self.quotas = QuotaCheck(folders=folders, directory=directory, state=state, config=config, clock=clock)
        self.placement = Placement(folders, self.quotas, self._sizes, config)
        self.local = LocalDelivery(self.placement, log)
        self.reports = Reports(intake=self, spool=spool, config=config, clock=clock, ids=ids, log=log)
        self._records = records = Records(config, log)
        router = Router(directory, config)
        self._admission = Admission(
            router=router, placement=self.placement, policy=policy, config=config, records=records
        )
        dispatch = Dispatch(
            placement=self.placement, local=self.local, commit=commit, config=config, state=state, clock=clock, log=log,
            signer=Signer(keys, pool, clock, log),
        )  # fmt: skip
        self._verdicts = Verdicts(policy=policy, rater=Rater(config), placement=self.placement, records=records)
        self._acceptance = Acceptance(
            verdicts=self._verdicts, dispatch=dispatch, reports=self.reports, spool=spool, records=records,
            config=config, clock=clock, ids=ids, log=log,
        )  # fmt: skip
        self._late = LateJudging(
            directory=directory, sizes=self._sizes, admission=self._admission, policy=policy,
            acceptance=self._acceptance, records=records, config=config, clock=clock,
        )  # fmt: skip
        self._receipts = Receipts(state, counters, clock)

    # The steps of a session

    async def connect(self, origin: Origin, client: Client) -> Assessment | None:
        """What is known of the client, for all that follows in this session. MailError: it is not wanted."""
        return await self._early(Stage.CONNECT, origin, client, None)

    async def helo(self, origin: Origin, client: Client, before: Assessment | None = None) -> Assessment | None:
        """The same, with what is known of its name; `before` is that of `connect`. MailError: it is not wanted under
        this name."""
        return await self._early(Stage.HELO, origin, client, before)

    async def mail(
        self,
        origin: Origin,
        client: Client,
        account: Account | None,
        sender: ReversePath,
        options: MailOptions = PLAIN,
        answers: Answers = Answers.ONE,
        known: Assessment | None = None,
    ) -> Transaction:
        """Begins a transaction; `known` is what `helo` (or `connect`) said of the client. MailError: the sender, or so
        large a message, is not taken."""
        if not self._room():
            raise MailError(452, *_FULL)
        queue_id, started = self._ids.queue_id(), self._clock.monotonic()
        if account is not None:
            options = replace(options, account=account.id)
        tx = Transaction(queue_id, origin, client, account, sender, options, started, answers)
        if account is not None:
            tx.max_size = await self._sizes.of(account)
        tx.peer = peer_of(self._config, origin, client.ip)
        if known:
            tx.known.parent = self._policy.concerning(known, tx.peer) or None
        judgement = BUSY if self._policy.busy else await self._policy.judge(Stage.MAIL, tx, tx.known)
        if judgement is not CLEAN:
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
        tx.take_content(content)
        if tx.header_goes_on:
            await tx.read_header(largest_header(self._config))
        arrived = tx.arrived = self._clock.monotonic()
        if (before := await self._receipts.known(tx)) is not None:
            self._records.repeated(tx, before)
            return Result(before, (None,) * len(tx.addressees))
        try:
            judgement = await self._policy.judge(Stage.DATA, tx, tx.known)
            if judgement is not CLEAN:
                self._enforce(tx, judgement)
        except MailError:
            self.placement.release(tx.reserved)
            raise
        try:
            if not self._room():
                raise MailError(452, *_FULL)
            decline_loops(tx)
            if tx.options.hold_until > self._clock.now():
                result = await self._acceptance.schedule(tx, content)
            else:
                take = self._acceptance.put_off if judgement.late else self._acceptance.take
                result = await take(tx, content)
        except MailError as error:
            self.placement.release(tx.reserved)
            self._records.refused(tx, error, error.rule if isinstance(error, Unwanted) else "")
            raise
        if self._clock.monotonic() - arrived > LATE and not any(result.outcomes):
            await self._receipts.keep(tx)
        return result

    async def unanswered(self, tx: Transaction) -> None:
        """The client was gone before it got the answer of `complete`: it will send the message again."""
        await self._receipts.keep(tx)

    # The queue

    async def resume(
        self, item: QueueItem, recipients: Sequence[Recipient], content: Spooled
    ) -> list[MailError | None]:
        """A message that was accepted before the filters had ended (`late.py`): how it went for each recipient."""
        return await self._late.resume(item, recipients, content)

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
        try:
            for recipient in envelope.recipients:
                try:
                    await self._admission.admit(tx, recipient)
                except MailError as error:
                    tx.addressees.append(Addressee(recipient, Expansion(), error))
            refused = [to.error for to in tx.addressees if to.error is not None]
            if len(refused) == len(tx.addressees):
                raise refused[0] if refused else MailError(554, "5.5.1", "No recipients")
            if message.cause:
                self._records.caused(tx, message.cause)
            return (await self.complete(tx, message.content)).queue_id
        finally:
            message.content.close()

    # Inside

    async def _early(
        self, stage: Stage, origin: Origin, client: Client, before: Assessment | None
    ) -> Assessment | None:
        peer = peer_of(self._config, origin, client.ip)
        if not self._policy.has(stage, peer):
            return before
        tx = Transaction("", origin, client, None, None, started=self._clock.monotonic())
        tx.peer, tx.known.parent = peer, before
        self._enforce(tx, await self._policy.judge(stage, tx, tx.known))
        return tx.known if tx.known.own else before

    def _enforce(self, tx: Transaction, judgement: Judgement) -> None:
        try:
            self._verdicts.enforce(tx, judgement)
        except Unwanted as error:
            self._records.refused(tx, error, error.rule)
            raise


def _always() -> bool:
    return True


if TYPE_CHECKING:
    from whimbrel.core.intake import Intake

    def _port(reception: Reception) -> Intake:
        return reception
