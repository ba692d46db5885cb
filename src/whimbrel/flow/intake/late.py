"""A message that was accepted before the filters had ended, judged when the queue comes to it.

What they say cannot be answered any more, and is never returned: what they refuse goes to Junk here, and waits for an
administrator if it was to go to another server. The account that submitted it counts as it did then.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Directory
from whimbrel.core.envelope import Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Client, Origin
from whimbrel.core.queue import QueueItem
from whimbrel.core.spool import Spooled
from whimbrel.flow.assessment import Action, Finding, Stage
from whimbrel.flow.intake.acceptance import Acceptance
from whimbrel.flow.intake.admission import Admission, peer_of
from whimbrel.flow.intake.keeping import restore
from whimbrel.flow.intake.records import Records
from whimbrel.flow.judging.filters.header_limits import largest_header
from whimbrel.flow.judging.policy import Policy
from whimbrel.flow.placement.size_limits import SizeLimits
from whimbrel.flow.transaction import Answers, Transaction

_LAST_LOOK: Final = 3
"""Times that a message which was accepted early is put off again; then it goes to Junk unseen."""


class LateJudging:
    def __init__(
        self,
        *,
        directory: Directory,
        sizes: SizeLimits,
        admission: Admission,
        policy: Policy,
        acceptance: Acceptance,
        records: Records,
        config: ConfigStore,
        clock: Clock,
    ) -> None:
        self._config = config
        self._directory, self._sizes, self._admission = directory, sizes, admission
        self._policy, self._acceptance, self._records, self._clock = policy, acceptance, records, clock

    async def resume(
        self, item: QueueItem, recipients: Sequence[Recipient], content: Spooled
    ) -> list[MailError | None]:
        """For those of its recipients who still wait: how it went for each."""
        try:
            tx = await self._transaction(item)
        except MailError as error:  # The directory cannot be asked now.
            return [error] * len(recipients)
        for recipient in recipients:
            await self._admission.readmit(tx, recipient)
        if all(to.error is not None for to in tx.addressees):
            return _errors(tx)
        restore(tx, item.options.findings, self._policy.facts)
        tx.take_content(content)
        if tx.header_goes_on:
            await tx.read_header(largest_header(self._config))
        judgement = await self._policy.judge(Stage.DATA, tx, tx.known, queued=True)
        if judgement.late or judgement.action is Action.DEFER:
            if item.attempts + 1 < _LAST_LOOK:
                late = MailError(451, "4.3.2", "The message could not be checked in time")
                return _errors(tx, judgement.reply or late)
            tx.known.own[judgement.rule] = Finding(action=Action.JUNK)
        rule, finding = tx.known.gravest
        if finding.action >= Action.JUNK:
            self._records.unwelcome(tx, item.id, rule)
        self._records.caused(tx, item.id)
        try:
            return list((await self._acceptance.take(tx, content)).outcomes)
        except MailError as error:
            return _errors(tx, error)

    async def _transaction(self, item: QueueItem) -> Transaction:
        account = await self._directory.account(item.options.account) if item.options.account else None
        tx = Transaction(
            f"{item.id}.{item.attempts + 1}q",
            Origin(item.origin),
            Client(item.client, 0, "", 0, helo="", service="queue"),
            account,
            item.sender,
            replace(item.options, size=item.size, hold_until=0.0, findings=""),
            self._clock.monotonic(),
            Answers.NOBODY,
        )
        tx.resumed, tx.peer = item, peer_of(self._config, tx.origin, item.client)
        if account is not None:
            tx.max_size = await self._sizes.of(account)
        return tx


def _errors(tx: Transaction, otherwise: MailError | None = None) -> list[MailError | None]:
    return [to.error or otherwise for to in tx.addressees]
