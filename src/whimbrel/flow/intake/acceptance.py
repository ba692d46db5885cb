"""From the verdict to the answer: the message gets our trace fields, becomes durable wherever it goes, and whoever must
hear of it hears of it.

Standards: RFC 5321 4.4 (trace), 6.1 (responsibility), 7.2 (Received names a lone recipient only); RFC 6409 8 (what a
submission server adds)
"""

from whimbrel.core.clock import Clock, Ids
from whimbrel.core.commit import Rendition
from whimbrel.core.config import ConfigStore
from whimbrel.core.disposition import SCHEDULED, Parked
from whimbrel.core.envelope import Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.core.log import Log
from whimbrel.core.queue import RecipientState
from whimbrel.core.spool import Spool, Spooled
from whimbrel.flow.intake.copies import Copies
from whimbrel.flow.intake.dispatch import Dispatch
from whimbrel.flow.intake.dropped_fields import to_drop, without
from whimbrel.flow.intake.outcomes import conclude, reported, result
from whimbrel.flow.intake.plan import Plan
from whimbrel.flow.intake.records import Records, status
from whimbrel.flow.intake.verdicts import Verdicts
from whimbrel.flow.judging.renditions import Renditions
from whimbrel.flow.report.reports import Reports, Subject
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import Result, Transaction
from whimbrel.mail.writing.trace import joint, received


class Acceptance:
    """Nothing here refuses a message for what it is."""

    def __init__(
        self,
        *,
        verdicts: Verdicts,
        dispatch: Dispatch,
        reports: Reports,
        spool: Spool,
        records: Records,
        config: ConfigStore,
        clock: Clock,
        ids: Ids,
        log: Log,
    ) -> None:
        self._verdicts = verdicts
        self._dispatch, self._reports, self._spool, self._records = dispatch, reports, spool, records
        self._config, self._clock, self._ids, self._log = config, clock, ids, log

    async def put_off(self, tx: Transaction, content: Spooled) -> Result:
        """Into the queue as it is, which has it judged again. MailError."""
        self._verdicts.keep(tx)
        rendition = Rendition(b"".join(self._trace(tx)), content)
        await self._dispatch.put_off(tx, rendition)
        self._records.received(tx, rendition.size)
        for to in tx.addressees:
            self._records.sent(tx, to.recipient, "delayed", "4.3.2 Taken, and looked at again")
        return result(tx)

    async def schedule(self, tx: Transaction, content: Spooled) -> Result:
        """Into the queue until the time before which nothing is delivered; it is judged again then. RFC 4865"""
        self._verdicts.keep(tx)
        rendition = Rendition(b"".join(self._trace(tx)), content)
        await self._dispatch.put_off(tx, rendition, Parked(SCHEDULED, tx.options.hold_until))
        self._records.received(tx, rendition.size)
        for to in tx.addressees:
            self._records.sent(tx, to.recipient, "parked", f"2.0.0 Parked: {SCHEDULED}")
        return result(tx)

    async def take(self, tx: Transaction, content: Spooled) -> Result:
        """MailError if nobody gets it, or the one reply for all must be that."""
        names = to_drop(tx)
        if not names:
            return await self._carry_out(tx, content)
        tx.content = await without(names, content, self._spool)
        try:
            return await self._carry_out(tx, tx.content)
        finally:
            tx.content.close()

    async def _carry_out(self, tx: Transaction, content: Spooled) -> Result:
        plan = Plan(tx)
        await self._verdicts.decide(tx, plan)
        # What the queue resumes has our fields since it was taken.
        before, behind = self._trace(tx) if tx.resumed is None else (b"", b"")
        if not plan.judged:
            await self._store(tx, plan, Copies(tx.sender, before, behind, content), content)
        else:
            renditions = Renditions(content, self._spool, self._log, tx.queue_id)
            try:
                await self._store(tx, plan, Copies(tx.sender, before, behind, content, renditions.of), content)
            finally:
                renditions.close()
        self._verdicts.concluded(tx, plan)
        return result(tx)

    async def _store(self, tx: Transaction, plan: Plan, copies: Copies, content: Spooled) -> None:
        await self._dispatch.decide(tx, plan)
        if tx.resumed is None:
            await self._dispatch.carry_out(tx, plan, copies)
            conclude(tx, plan)
            self._record(tx, plan, copies.size)
            await self._report(tx, plan, content)
        else:
            conclude(tx, plan)
            await self._report(tx, plan, content)  # A crash repeats it, and does not lose it.
            await self._dispatch.pass_on(tx, plan, copies)
            self._record(tx, plan, copies.size)

    def _trace(self, tx: Transaction) -> tuple[bytes, bytes]:
        """Received, and what a submission lacks: between them stand fields that filters add."""
        hostname = self._config.section(SmtpSettings).hostname
        before = received(
            tx.client,
            by=hostname,
            queue_id=tx.queue_id,
            date=self._clock.date(),
            # With several recipients the field would tell each of the others. RFC 5321 7.2
            recipient=tx.addressees[0].recipient.address if len(tx.addressees) == 1 else None,
            utf8=tx.options.utf8,
        )
        parts: list[bytes] = []
        if tx.origin is Origin.SUBMISSION:
            if not tx.header.has(b"date"):  # RFC 6409 8.2
                parts.append(b"Date: %s\r\n" % self._clock.date().encode())
            if not tx.header.has(b"message-id"):  # RFC 6409 8.3
                parts.append(b"Message-ID: %s\r\n" % self._ids.message_id(hostname).encode())
        if tx.content is not None:
            parts.append(joint(tx.content.head))
        return before, b"".join(parts)

    def _record(self, tx: Transaction, plan: Plan, size: int) -> None:
        self._records.received(tx, size)
        delay = self._clock.monotonic() - tx.arrived
        if tx.resumed is not None:
            delay = max(0.0, self._clock.now() - tx.resumed.created)
        for mailbox in plan.mailboxes.values():
            self._records.mailbox(tx, mailbox, delay)
        for to in tx.addressees:
            if to.error is None:
                for member in to.expansion.unreachable:
                    self._records.sent(tx, Recipient(member.address), "failed", status(member.error))

    async def _report(self, tx: Transaction, plan: Plan, content: Spooled) -> None:
        statuses = reported(tx, plan)
        if not statuses:
            return
        subject = Subject(tx.queue_id, tx.sender, self._clock.now(), content.size, content.read, tx.options)
        try:
            await self._reports.send(subject, statuses)
        except MailError as error:
            if any(each.state is RecipientState.FAILED for each in statuses):
                raise  # Nobody else would tell.
            # A confirmation that cannot be made is not worth a second copy to all.
            self._log.warning("report.failed", queue_id=tx.queue_id, status=str(error))
