"""Asks the filters of a stage and joins their findings to one verdict.

A filter that raises MailError is logged and passed over, or defers the message if it is declared so. All filters of a
stage together have one deadline: content is never held longer than the client waits.

Standards: RFC 5321 4.5.3.2.6 (the client waits 10 minutes for the answer after data), 6.2
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.core.log import Log
from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Duration
from whimbrel.flow.judging.filter import NOTHING, Filter, Finding, QuickFilter, Stage, Verdict, WhenDown
from whimbrel.flow.transaction import Transaction


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
    """All findings of a stage as one."""

    verdict: Verdict = Verdict.ACCEPT
    score: float = 0.0
    symbols: tuple[str, ...] = ()
    fields: tuple[bytes, ...] = ()
    reply: MailError | None = None
    rule: str = ""
    """The filter that decided."""
    late: bool = False
    """The filters did not end in time. With a verdict below DEFER the message is taken, and looked at again."""

    def enforce(self) -> None:
        """Raises the answer of DEFER and REFUSE."""
        if self.verdict >= Verdict.DEFER:
            raise self.reply or MailError(451, "4.7.1", "Try again later")


CLEAN: Final = Judgement()
_TOO_SLOW: Final = ("4.3.2", "The message could not be checked in time, try again later")


class Policy:
    """The filters of this process."""

    def __init__(self, filters: Sequence[Filter], config: ConfigStore, log: Log) -> None:
        """`filters` in running order (`flow/filters/__init__.py`)."""
        self._config, self._log = config, log
        self._plan: dict[tuple[Stage, Origin], tuple[Filter, ...]] = {
            (stage, origin): tuple(f for f in filters if f.stage is stage and origin in f.origins)
            for stage in Stage
            for origin in Origin
        }
        self._quick: dict[tuple[Stage, Origin], tuple[QuickFilter, ...]] = {}
        """Where no filter has to wait for anything: no deadline then, and no coroutine for each."""
        for key, some in self._plan.items():
            quick = tuple(one for one in some if isinstance(one, QuickFilter))
            if len(quick) == len(some):
                self._quick[key] = quick
        self._looking = 0

    @property
    def busy(self) -> bool:
        """As many messages are being looked at as may be: put off new ones at MAIL."""
        return self._looking >= self._config.section(PolicySettings).max_messages

    def has(self, stage: Stage, origin: Origin) -> bool:
        """Whether any filter looks at this."""
        return bool(self._plan[stage, origin])

    async def judge(self, stage: Stage, tx: Transaction, *, queued: bool = False) -> Judgement:
        """One judgement; never raises MailError. `queued`: nobody waits for the answer."""
        quick = self._quick.get((stage, tx.origin))
        if quick is not None:
            return self._look(quick, tx) if quick else CLEAN
        filters = self._plan[stage, tx.origin]
        settings = self._config.section(PolicySettings)
        seconds = settings.deadline_submission if tx.origin is Origin.SUBMISSION else settings.deadline
        if queued:
            seconds = settings.deadline_queued
        self._looking += 1
        try:
            async with asyncio.timeout(seconds):
                return await self._all(filters, tx)
        except TimeoutError:
            self._log.warning("filter.late", queue_id=tx.queue_id, stage=stage.value, seconds=float(seconds))
            if stage is Stage.DATA and settings.when_late == "accept":
                return Judgement(rule="deadline", late=True)
            return Judgement(Verdict.DEFER, reply=MailError(451, *_TOO_SLOW), rule="deadline", late=True)
        finally:
            self._looking -= 1

    def _look(self, filters: tuple[QuickFilter, ...], tx: Transaction) -> Judgement:
        findings: list[tuple[Filter, Finding]] = []
        for one in filters:
            try:
                finding = one.look(tx)
            except MailError as error:
                finding = self._down(one, tx, error)
            if _weighs(one, finding, findings):
                break
        return _join(findings) if findings else CLEAN

    async def _all(self, filters: tuple[Filter, ...], tx: Transaction) -> Judgement:
        findings: list[tuple[Filter, Finding]] = []
        for one in filters:
            try:
                finding = await one.check(tx)
            except MailError as error:
                finding = self._down(one, tx, error)
            if _weighs(one, finding, findings):
                break
        return _join(findings) if findings else CLEAN

    def _down(self, one: Filter, tx: Transaction, error: MailError) -> Finding:
        self._log.warning("filter.down", filter=one.name, queue_id=tx.queue_id, status=str(error))
        if one.when_down is WhenDown.PASS:
            return NOTHING
        reply = error if error.temporary else MailError(451, *_TOO_SLOW, detail=str(error))
        return Finding(verdict=Verdict.DEFER, reply=reply)


def _weighs(one: Filter, finding: Finding, findings: list[tuple[Filter, Finding]]) -> bool:
    """Keeps what says something; True: nothing can be graver."""
    if finding is NOTHING or finding == NOTHING:
        return False
    findings.append((one, finding))
    return finding.verdict is Verdict.REFUSE


def _join(findings: list[tuple[Filter, Finding]]) -> Judgement:
    decider, gravest = max(findings, key=lambda pair: pair[1].verdict)  # Of equals the first.
    return Judgement(
        gravest.verdict,
        sum(finding.score for _, finding in findings),
        tuple(symbol for _, finding in findings for symbol in finding.symbols),
        tuple(field for _, finding in findings for field in finding.fields),
        gravest.reply,
        decider.name if gravest.verdict else "",
    )
