"""What the log tells of a message on its way in: that it was taken, refused, and what became of it for whom."""

from collections.abc import Sequence
from typing import Final

from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account
from whimbrel.core.disposition import Disposition
from whimbrel.core.envelope import Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.flow.intake.plan import Mailbox
from whimbrel.flow.judging.rating import Rating, symbol_names
from whimbrel.flow.routing.relay import RelayDenied
from whimbrel.flow.routing.route import Local, Remote, Step
from whimbrel.flow.routing.router import Followed, Note
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import Addressee, Transaction
from whimbrel.mail.decoding.encoded import words

_SHOWN: Final = 10
"""Recipients named in one record; each has a record of its own besides."""


class Records:
    def __init__(self, config: ConfigStore, log: Log) -> None:
        self._config, self._log = config, log

    def recipient_refused(self, tx: Transaction, recipient: Recipient, error: MailError) -> None:
        self._log.info(
            "relay.denied" if isinstance(error, RelayDenied) else "rcpt.refused",
            queue_id=tx.queue_id,
            service=tx.client.service,
            session_id=tx.client.session_id,
            sender_host=tx.client.ip,
            user=_user(tx),
            from_=str(tx.sender or ""),
            recipient=str(recipient.address),
            status=str(error),
        )

    def following(self, tx: Transaction, recipient: Recipient) -> Note | None:
        """What writes each step of routing to the debug log; None while nobody wants it."""
        if not self._log.debugs("routing"):
            return None

        def note(followed: Followed) -> None:
            self._log.debug(
                "routing.followed",
                queue_id=tx.queue_id,
                recipient=str(recipient.address),
                address=str(followed.address),
                rule=_rule(followed),
                leads_to=str(followed.error) if followed.error is not None else _leads_to(followed.step),
            )

        return note

    def rated(self, tx: Transaction, rating: Rating, mailbox: str) -> None:
        """At one mailbox, or (empty) where it leaves for other servers."""
        if self._log.debugs("message"):
            self._log.debug(
                "message.rated",
                queue_id=tx.queue_id,
                mailbox=mailbox or "-",
                action=rating.action.name.lower(),
                rule=rating.rule or "-",
                score=round(rating.score, 2),
                required=rating.required,
            )

    def refused(self, tx: Transaction, error: MailError, rule: str) -> None:
        self._log.info(
            "message.refused",
            queue_id=tx.queue_id,
            service=tx.client.service,
            session_id=tx.client.session_id,
            from_=str(tx.sender or ""),
            to=_names(tx.addressees),
            user=_user(tx),
            sender_host=tx.client.ip,
            status=str(error),
            rule=rule,
        )

    def received(self, tx: Transaction, size: int) -> None:
        client, subject = tx.client, ""
        if self._config.section(SmtpSettings).log_subject:
            subject = words(tx.header.value(b"subject")[:998].encode())[:250]
        self._log.info(
            "message.received",
            queue_id=tx.queue_id,
            service=client.service,
            session_id=client.session_id,
            from_=str(tx.sender) if tx.sender else "",
            to=_names(tx.addressees),
            size=size,
            user=_user(tx),
            sender_host=client.ip,
            tls=client.tls.version if client.tls else "",
            message_id=tx.message_id[:250],
            subject=subject,
        )

    def mailbox(self, tx: Transaction, mailbox: Mailbox, delay: float) -> None:
        """What became of the message at a mailbox here, by folders. `delay`: seconds since it had come."""
        for folder in mailbox.folders:
            self._log.info(
                "delivery.sent",
                queue_id=tx.queue_id,
                recipient=str(mailbox.recipient.address),
                result="delivered",
                status="2.0.0 Delivered",
                remote="",
                mailbox=mailbox.account.id,
                folder=folder,
                message_id=tx.message_id[:250],
                delay=delay,
            )
        if mailbox.error is not None:
            result, text = "delayed" if mailbox.queued else "failed", status(mailbox.error)
        elif mailbox.queued and mailbox.disposition is not None and mailbox.disposition.parked is not None:
            result, text = "parked", f"2.0.0 Parked: {mailbox.disposition.parked.reason}"
        elif mailbox.queued:
            return  # The queue tells, when it has delivered it.
        elif mailbox.folders:
            return
        else:
            rule = mailbox.disposition.rule if mailbox.disposition is not None else ""
            result, text = "discarded", f"2.0.0 Discarded by {rule}"
        self._log.info(
            "delivery.sent",
            queue_id=tx.queue_id,
            recipient=str(mailbox.recipient.address),
            result=result,
            status=text,
            remote="",
            mailbox=mailbox.account.id,
            message_id=tx.message_id[:250],
        )

    def judged(self, tx: Transaction, rating: Rating, to: Sequence[str] = ()) -> None:
        """What the filters found: for all, or for some of its mailboxes."""
        known = rating.known or tx.known
        self._log.info(
            "message.judged",
            queue_id=tx.queue_id,
            to=", ".join(to[:_SHOWN]) + (f" and {len(to) - _SHOWN} more" if len(to) > _SHOWN else ""),
            action=rating.action.name.lower(),
            rule=rating.rule,
            score=round(rating.score, 2),
            required=rating.required,
            symbols=" ".join(symbol_names(rating)),
            waived=known.waiver,
        )

    def sent(self, tx: Transaction, recipient: Recipient, result: str, status: str) -> None:
        self._log.info(
            "delivery.sent",
            queue_id=tx.queue_id,
            recipient=str(recipient.address),
            result=result,
            status=status,
            remote="",
            message_id=tx.message_id[:250],
        )

    def repeated(self, tx: Transaction, before: str) -> None:
        self._log.info("message.repeated", queue_id=tx.queue_id, before=before, sender_host=tx.client.ip)

    def caused(self, tx: Transaction, cause: str) -> None:
        self._log.info("message.caused", queue_id=tx.queue_id, cause=cause)

    def unwelcome(self, tx: Transaction, cause: str, rule: str) -> None:
        self._log.warning("message.unwelcome", queue_id=tx.queue_id, cause=cause, rule=rule)


def placed(log: Log, tx: Transaction, account: Account, chosen: Disposition) -> None:
    """What placement chose for a mailbox, in the debug log."""
    if not log.debugs("message"):
        return
    log.debug(
        "message.placed",
        queue_id=tx.queue_id,
        mailbox=str(account.id),
        folder=", ".join(str(place.folder) for place in chosen.places) or "-",
        changes=sum(len(place.changes) for place in chosen.places),
        parked=chosen.parked.reason if chosen.parked is not None else "",
        rule=chosen.rule,
    )


def _rule(followed: Followed) -> str:
    """`account`, `alias`, `group`, `plus-address`, `catch-all`, `remote-domain`, ..."""
    if followed.rule == "entry" and followed.kind is not None:
        return followed.kind.name.lower().replace("_", "-")
    return followed.rule.replace("_", "-")


def _leads_to(step: Step | None) -> str:
    if isinstance(step, Local):
        return f"mailbox {step.account.id}"
    if isinstance(step, Remote):
        return f"other server: {step.address}"
    if step is None:
        return "-"
    more = f" and {len(step.members) - _SHOWN} more" if len(step.members) > _SHOWN else ""
    copy = f", a copy to mailbox {step.account.id}" if step.keeps and step.account is not None else ""
    return f"{step.name}: {', '.join(map(str, step.members[:_SHOWN]))}{more}{copy}"


def status(error: MailError) -> str:
    """Enhanced code and words."""
    return f"{error.enhanced} {error.text}"


def _user(tx: Transaction) -> str:
    return str(tx.account.address) if tx.account else ""


def _names(addressees: Sequence[Addressee]) -> str:
    if len(addressees) == 1:
        return str(addressees[0].recipient.address)
    names = ", ".join(str(to.recipient.address) for to in addressees[:_SHOWN])
    return names if len(addressees) <= _SHOWN else f"{names} and {len(addressees) - _SHOWN} more"
