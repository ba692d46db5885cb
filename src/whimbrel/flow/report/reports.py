"""Delivery status notifications: what became of a message, told to its sender.

A report is a message like any other: it enters by the port Intake with the null reverse-path, and a report about a
report is never made (RFC 5321 6.1); it is logged, and an administrator may want a copy.

Standards: RFC 3461 (NOTIFY, RET, ENVID), RFC 3464 (the report), RFC 5321 4.5.5 and 6.1, RFC 3834 2
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from whimbrel.core.address import Address, ReversePath
from whimbrel.core.clock import Clock, Ids
from whimbrel.core.config import ConfigStore
from whimbrel.core.envelope import PLAIN, Envelope, MailOptions, Notify, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Intake, Internal
from whimbrel.core.log import Log
from whimbrel.core.queue import QueueItem, RecipientState
from whimbrel.core.settings import Section, setting
from whimbrel.core.spool import Spool
from whimbrel.core.values import Size
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import HEAD
from whimbrel.mail.report.dsn import MAX_RETURNED, Action, Composed, RecipientReport, Report, compose

SILENT: Final = frozenset({Notify.NEVER})

Read = Callable[[int, int], Awaitable[bytes | None]]
"""Content of the message a report is about, by start and length."""


class ReportSettings(Section, tag="reports"):
    """Delivery status notifications (bounces)."""

    postmaster_copy: str = setting(
        "",
        pattern=r"^$|^[^\s@]+@[^\s@]+$",
        like="an address, such as postmaster@example.org, or nothing",
        help="Gets what can be returned to nobody: reports that could not be delivered. Empty: only the log tells.",
        row="S45",
    )
    max_returned: Size = setting(
        Size("1M"),
        maximum=MAX_RETURNED,
        help="Largest message that is returned whole where the sender asked for it (RET=FULL).",
        row="S45",
    )
    language: Literal["en", "de", "fr", "es"] = setting("en", help="Language of reports: en, de, fr or es.", row="S45")


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """What is told of one recipient."""

    recipient: Recipient
    state: RecipientState
    status: str
    """`5.1.1 User unknown`."""
    remote: str = ""
    reply: str = ""
    tried: bool = True
    """False: no attempt was made now, so that none can be dated."""
    expanded: bool = False
    """It stands for several, to whom it was sent. RFC 3464 2.3.3"""


@dataclass(frozen=True, slots=True)
class Subject:
    """The message that a report is about."""

    queue_id: str
    sender: ReversePath
    arrived: float
    size: int
    read: Read
    options: MailOptions = PLAIN
    """Of its envelope. What must not leave TLS has a report that must not either, with the header only. RFC 8689 5"""


_ACTIONS: Final = {
    RecipientState.FAILED: Action.FAILED,
    RecipientState.WAITING: Action.DELAYED,
    RecipientState.DELIVERED: Action.DELIVERED,
    RecipientState.RELAYED: Action.RELAYED,
}

_TROUBLE: Final = frozenset({RecipientState.FAILED, RecipientState.WAITING})
"""What needs a reason; of all else the action and its status say everything, and in the reader's language."""


class Reports:
    """Makes reports and lets them in."""

    def __init__(self, *, intake: Intake, spool: Spool, config: ConfigStore, clock: Clock, ids: Ids, log: Log) -> None:
        self._intake, self._spool, self._config = intake, spool, config
        self._clock, self._ids, self._log = clock, ids, log

    async def send(self, subject: Subject, statuses: Sequence[RecipientStatus], *, until: float | None = None) -> None:
        """One report for failures, one for delays, one for successes. `until`: when a delayed message is given up.

        Who wanted which was decided before (`schedule.wants_report`). MailError: a report could not be stored, and the
        message must not be forgotten.
        """
        for states in (
            (RecipientState.FAILED,),
            (RecipientState.WAITING,),
            (RecipientState.DELIVERED, RecipientState.RELAYED),
        ):
            group = [each for each in statuses if each.state in states]
            if group:
                await self._report(subject, group, until)

    async def of_queue(self, item: QueueItem, read: Read, statuses: Sequence[RecipientStatus], *, until: float) -> None:
        """About an entry of the queue."""
        if statuses:
            subject = Subject(item.id, item.sender, item.created, item.size, read, item.options)
            await self.send(subject, statuses, until=until)

    async def _report(self, subject: Subject, statuses: list[RecipientStatus], until: float | None) -> None:
        to = subject.sender
        if to is None:
            failed = statuses[0].state is RecipientState.FAILED
            if failed:
                self._log.warning(
                    "report.undeliverable",
                    queue_id=subject.queue_id,
                    recipient=str(statuses[0].recipient.address),
                    status=statuses[0].status,
                )
            to = self._postmaster(statuses) if failed else None
            if to is None:
                return
        report = await self._build(subject, statuses, to, until)
        envelope = Envelope(
            None,
            (Recipient(to, SILENT),),
            MailOptions(utf8=report.utf8, body_8bit=report.body_8bit, require_tls=subject.options.require_tls),
        )
        try:
            queue_id = await self._intake.submit(Internal(envelope, self._spool.hold(report.content), subject.queue_id))
        except MailError as error:
            if error.temporary:
                raise
            # The sender does not exist here: nobody is left to be told.
            self._log.warning("report.undeliverable", queue_id=subject.queue_id, recipient=str(to), status=str(error))
            return
        self._log.info(
            "report.sent",
            queue_id=subject.queue_id,
            report=queue_id,
            to=str(to),
            result=(Action.EXPANDED if statuses[0].expanded else _ACTIONS[statuses[0].state]).value,
            recipients=len(statuses),
        )

    def _postmaster(self, statuses: list[RecipientStatus]) -> Address | None:
        """Who gets a copy; not if he is the one who cannot be reached."""
        text = self._config.section(ReportSettings).postmaster_copy
        try:
            address = Address.parse(text) if text else None
        except ValueError:  # The pattern of the setting lets some pass that are none.
            address = None
        if address is None or any(each.recipient.address.key == address.key for each in statuses):
            return None
        return address

    async def _build(
        self, subject: Subject, statuses: list[RecipientStatus], to: Address, until: float | None
    ) -> Composed:
        settings = self._config.section(ReportSettings)
        options = subject.options
        full = options.ret == "FULL" and not options.require_tls  # RFC 8689 5: as if it were RET=HDRS.
        whole = full and statuses[0].state is RecipientState.FAILED and subject.size <= settings.max_returned
        original = await subject.read(0, subject.size if whole else HEAD) or b""
        hostname = self._config.section(SmtpSettings).hostname
        now = self._clock.date()
        retry_until = self._clock.date(until) if until is not None else ""
        return compose(
            Report(
                to=to,
                reporting_mta=hostname,
                postmaster=Address("postmaster", hostname),
                message_id=self._ids.message_id(hostname),
                date=now,
                recipients=tuple(
                    RecipientReport(
                        recipient=each.recipient.address,
                        action=Action.EXPANDED if each.expanded else _ACTIONS[each.state],
                        status=each.status.partition(" ")[0],
                        diagnostic=each.reply or (each.status.partition(" ")[2] if each.state in _TROUBLE else ""),
                        # Without its words it is we who speak: nobody was reached.
                        remote=_host(each.remote) if each.reply else "",
                        orcpt=each.recipient.orcpt,
                        last_attempt=now if each.tried else "",  # RFC 3464 2.3.7
                        retry_until=retry_until if each.state is RecipientState.WAITING else "",
                    )
                    for each in statuses
                ),
                original=original,
                complete=whole,
                ret_full=full,
                envid=options.envid,
                arrival=self._clock.date(subject.arrived),
                queue_id=subject.queue_id,
                utf8=options.utf8,
                language=settings.language,
            )
        )


def _host(remote: str) -> str:
    """`mx.example.org[192.0.2.1]:25` -> `mx.example.org`."""
    name, bracket, _ = remote.partition("[")
    return name if bracket else remote.rpartition(":")[0] or remote
