"""Asks the filters of a stage, and adds what they find to what is known of the message.

Those that wait for nothing come first, one by one. The others run at the same time, each with a deadline of its own;
one that raises MailError or has not ended by then is passed over, or defers the message if its settings say so. All of
a stage together have a deadline besides: content is never held longer than the client waits.

Standards: RFC 5321 4.5.3.2.6 (the client waits 10 minutes for the answer after data), 6.2
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Duration
from whimbrel.flow.assessment import NOTHING, Action, Assessment, Finding, Peer, Stage
from whimbrel.flow.judging.conclusions import Conclusions
from whimbrel.flow.judging.filter import Filter, QuickFilter, WaitingSettings
from whimbrel.flow.judging.health import Health
from whimbrel.flow.judging.order import Order, Step, orders
from whimbrel.flow.judging.ports import FilterPorts
from whimbrel.flow.transaction import Transaction
from whimbrel.mail.writing.compose import clean


class PolicySettings(Section, tag="policy"):
    """How long, and how many messages at once, the filters may look at content."""

    deadline: Duration = setting(
        Duration("60s"), minimum=1, maximum=300, help="Longest time the filters may take for a message from outside."
    )
    deadline_submission: Duration = setting(
        Duration("30s"), minimum=1, maximum=300, help="Longest time the filters may take for a user's message."
    )
    when_late: Literal["defer", "accept"] = setting(
        "defer",
        help="What becomes of a message when the filters did not end in time: defer (451, the client sends it again) "
        "or accept (it is taken, the queue looks at it again; then it is never refused, at worst it goes to Junk).",
    )
    deadline_queued: Duration = setting(
        Duration("10m"),
        minimum=1,
        maximum=3600,
        advanced=True,
        help="Longest time the filters may take for a message that was accepted before they had ended.",
    )
    max_messages: int = setting(
        200,
        minimum=1,
        maximum=100_000,
        advanced=True,
        help="Messages that the filters of one worker look at together; more are put off with 451 4.3.2.",
    )


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the findings of one stage demand at once."""

    action: Action = Action.ACCEPT
    """The gravest of them."""
    reply: MailError | None = None
    rule: str = ""
    """The filter that decided."""
    late: bool = False
    """The filters did not end in time. With an action below DEFER the message is taken, and looked at again."""
    unheard: Action = Action.JUNK
    """What REFUSE becomes where nobody hears it."""

    def enforce(self) -> None:
        """Raises the answer of DEFER and REFUSE."""
        if self.action >= Action.DEFER:
            raise self.reply or MailError(451, "4.7.1", "Try again later")


CLEAN: Final = Judgement()
_TOO_SLOW: Final = ("4.3.2", "The message could not be checked in time, try again later")
_SHOWN: Final = 20
"""Symbols in a record of the debug log."""
_WAITING: Final = WaitingSettings()


class Policy:
    """The filters of this process."""

    def __init__(self, filters: Sequence[Filter], ports: FilterPorts) -> None:
        """`filters` in the order of their table (`filters/__init__.py`). OrderError: they do not fit together."""
        self._config, self._log, self._clock = ports.config, ports.log, ports.clock
        self._orders = orders(filters)
        self._peers = {filter.name: filter.peers for filter in filters}
        self._stages = {filter.name: filter.stage for filter in filters}
        self.facts = frozenset(fact for filter in filters for fact in filter.gives)
        """The kinds that filters give."""
        self.health = Health(ports.state, ports.clock, ports.log)
        self.conclusions = Conclusions(filters, ports.log)
        self._looking = 0

    @property
    def busy(self) -> bool:
        """As many messages are being looked at as may be: put off new ones at MAIL."""
        return self._looking >= self._config.section(PolicySettings).max_messages

    def has(self, stage: Stage, peer: Peer) -> bool:
        """Whether any filter looks at this."""
        order = self._orders[stage, peer]
        return bool(order.quick or order.steps)

    def waits(self, stage: Stage, peer: Peer) -> bool:
        """Whether any of the filters that look at this waits for others."""
        return bool(self._orders[stage, peer].steps)

    def names(self, stage: Stage) -> frozenset[str]:
        """Of the filters of a stage."""
        return frozenset(name for name, at in self._stages.items() if at is stage)

    def concerning(self, known: Assessment, peer: Peer) -> Assessment:
        """The findings about a connection but for those of filters that do not judge mail of `peer`: a client may sign
        in after it was looked up in lists."""
        if not known:
            return known
        parent = None if known.parent is None else self.concerning(known.parent, peer)
        kept = Assessment(parent)
        kept.own = {name: finding for name, finding in known.own.items() if peer in self._peers[name]}
        return kept

    async def judge(
        self,
        stage: Stage,
        tx: Transaction,
        known: Assessment,
        account: Account | None = None,
        *,
        queued: bool = False,
    ) -> Judgement:
        """Adds the findings to `known`; never raises MailError. `account` is the mailbox's at MAILBOX; `queued`: no
        client waits for the answer."""
        order = self._orders[stage, tx.peer]
        if not order.steps:  # No deadline then, and no coroutine for each.
            return self._look(order.quick, tx, known, account) if order.quick else CLEAN
        judgement = self._look(order.quick, tx, known, account)
        if judgement.action is Action.REFUSE:
            return judgement
        settings = self._config.section(PolicySettings)
        seconds = settings.deadline_submission if tx.origin is Origin.SUBMISSION else settings.deadline
        if queued:
            seconds = settings.deadline_queued
        self._looking += 1
        try:
            async with asyncio.timeout(seconds):
                await self._run(order, tx, known, account)
        except TimeoutError:
            self._log.warning("filter.late", queue_id=tx.queue_id, stage=stage.value, seconds=float(seconds))
            if stage in (Stage.DATA, Stage.MAILBOX) and settings.when_late == "accept":
                return Judgement(rule="deadline", late=True)
            return Judgement(Action.DEFER, MailError(451, *_TOO_SLOW), "deadline", late=True)
        finally:
            self._looking -= 1
        return _joined(known)

    def _look(
        self, filters: tuple[QuickFilter, ...], tx: Transaction, known: Assessment, account: Account | None
    ) -> Judgement:
        clean = True
        for filter in filters:
            try:
                finding = filter.look(tx, known, account)
            except MailError as error:
                finding = self._down(filter, tx, error)
            if finding is not NOTHING and finding != NOTHING:
                known.own[filter.name], clean = finding, False
                self._note(filter, tx, finding)
                if finding.action is Action.REFUSE:  # Nothing can be graver.
                    break
        return CLEAN if clean else _joined(known)

    async def _run(self, order: Order, tx: Transaction, known: Assessment, account: Account | None) -> None:
        if len(order.steps) == 1:
            await self._ask(order.steps[0].filter, tx, known, account)
            return
        tasks: list[asyncio.Task[Finding]] = []

        async def run(step: Step) -> Finding:
            if step.after:
                await asyncio.wait([tasks[number] for number in step.after])
            return await self._ask(step.filter, tx, known, account)

        tasks += [asyncio.create_task(run(step)) for step in order.steps]  # A task begins when this one waits.
        pending: set[asyncio.Task[Finding]] = set(tasks)
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                if any(task.result().action is Action.REFUSE for task in done):
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        # In the order of the table, whoever was first.
        known.own = {name: known.own[name] for name in order.names if name in known.own} | known.own

    async def _ask(self, filter: Filter, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        health, settings = self.health, self._settings(filter)
        if not health.perfect and (why := health.resting(filter.name)):
            finding = self._passed_over(filter, tx, MailError(451, *_TOO_SLOW, detail=why))
        else:
            try:
                async with asyncio.timeout(settings.deadline):
                    finding = await filter.check(tx, known, account)
                if not health.perfect:
                    await health.well(filter.name)
            except TimeoutError:
                error = MailError(451, *_TOO_SLOW, detail=f"no answer within {settings.deadline}")
                finding = await self._failed(filter, tx, error)
            except MailError as error:
                finding = await self._failed(filter, tx, error)
        if finding is not NOTHING and finding != NOTHING:
            known.own[filter.name] = finding
            self._note(filter, tx, finding)
        return finding

    def _note(self, filter: Filter, tx: Transaction, finding: Finding) -> None:
        if self._log.debugs("filter"):
            self._log.debug(
                "filter.answered",
                queue_id=tx.queue_id,
                filter=filter.name,
                action=finding.action.name.lower(),
                symbols=" ".join(f"{clean(each.name, 60)}={each.score:g}" for each in finding.symbols[:_SHOWN]),
                waives=finding.waives,
                changes=len(finding.changes),
            )

    def _settings(self, filter: Filter) -> WaitingSettings:
        kind = filter.settings
        return self._config.section(kind) if kind is not None and issubclass(kind, WaitingSettings) else _WAITING

    async def _failed(self, filter: Filter, tx: Transaction, error: MailError) -> Finding:
        await self.health.failed(filter.name, error.detail or error.text)
        return self._down(filter, tx, error)

    def _down(self, filter: Filter, tx: Transaction, error: MailError) -> Finding:
        self._log.warning("filter.down", filter=filter.name, queue_id=tx.queue_id, status=str(error))
        return self._passed_over(filter, tx, error)

    def _passed_over(self, filter: Filter, tx: Transaction, error: MailError) -> Finding:
        passes = self._settings(filter).when_down == "pass"
        if self._log.debugs("filter"):
            why = f"{error.detail or error.text}; {'the message goes past it' if passes else 'the message is put off'}"
            self._log.debug("filter.passed", queue_id=tx.queue_id, filter=filter.name, reason=why)
        if passes:
            return NOTHING
        return Finding(action=Action.DEFER, reply=error if error.temporary else MailError(451, *_TOO_SLOW))


def _joined(known: Assessment) -> Judgement:
    """What the findings of this stage demand."""
    name, finding = max(known.own.items(), key=lambda named: named[1].action, default=("", NOTHING))  # The first.
    return Judgement(finding.action, finding.reply, name if finding.action else "", unheard=finding.unheard)
