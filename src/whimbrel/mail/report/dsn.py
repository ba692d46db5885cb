"""Delivery status notifications: what a report is made of, and its bytes.

The caller decides who gets one and sends it with the null reverse-path (RFC 3461 6.1).

Standards: RFC 3464 (delivery-status), RFC 6522 (multipart/report), RFC 3461 4.3, 6 (RET; what is returned),
RFC 6533 3 and 4 (addresses beyond ASCII), RFC 3834 5 (Auto-Submitted), RFC 2045 6 (encodings)
"""

import re
import textwrap
from dataclasses import dataclass
from enum import Enum

from whimbrel.core.address import Address
from whimbrel.mail.report.language import LANGUAGES, Phrases, language
from whimbrel.mail.sorting.identifiers import identifiers
from whimbrel.mail.structure import header
from whimbrel.mail.writing.compose import (
    clean,
    crlf,
    field,
    fold,
    mailbox,
    multipart,
    quoted_printable,
    seven_bit,
    text_part,
    token_field,
)

_NOT_QCHAR = re.compile(r"[^!-~]|[+=\\]")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\Z")
_SMTP_REPLY = re.compile(r"[2-5]\d\d(?:[ -]|\Z)")
MAX_RETURNED = 1 << 20
"""A larger message comes back as its header only, even if RET=FULL asked for all."""
_MAX_HEADER = 1 << 17


class Action(Enum):
    """RFC 3464 2.3.3"""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


_DEFAULT_STATUS = {Action.FAILED: "5.0.0", Action.DELAYED: "4.0.0"}


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """How it went for one recipient."""

    recipient: Address
    action: Action
    status: str = ""
    """Enhanced status code, `5.1.1`; a general one if this is none."""
    diagnostic: str = ""
    """What the server, ours or `remote`, said: `550 5.1.1 no such user`."""
    remote: str = ""
    """Name (or address) of the server that said it; empty if it was us."""
    orcpt: str = ""
    """`rfc822;a@b` or `utf-8;...` as the sender gave it, xtext undone."""
    last_attempt: str = ""
    """RFC 5322 date."""
    retry_until: str = ""
    """RFC 5322 date, with DELAYED."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report to `to` on the message whose bytes (or at least header) are `original`."""

    to: Address
    reporting_mta: str
    postmaster: Address
    message_id: str
    """Of the report itself, with angle brackets."""
    date: str
    recipients: tuple[RecipientReport, ...]
    original: bytes
    complete: bool = True
    """`original` is the whole message, not just its header."""
    ret_full: bool = False
    envid: str = ""
    arrival: str = ""
    """RFC 5322 date of the original's arrival here."""
    queue_id: str = ""
    utf8: bool = False
    """The original came with SMTPUTF8."""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Composed:
    """A report's bytes and what its envelope needs."""

    content: bytes
    utf8: bool
    body_8bit: bool


def compose(report: Report) -> Composed:
    """Builds the report. ValueError if it has no recipient."""
    if not report.recipients:
        raise ValueError("a delivery report is about at least one recipient")
    tongue = language(report.language)
    phrases = LANGUAGES[tongue]
    international = report.utf8 or not report.to.ascii or not all(r.recipient.ascii for r in report.recipients)
    eight_bit = not report.to.ascii  # Else in 7 bits where that can be: every server takes it.
    worst = _worst(report)
    subject = {
        Action.FAILED: phrases.failed_subject,
        Action.DELAYED: phrases.delayed_subject,
        Action.DELIVERED: phrases.delivered_subject,
    }.get(worst, phrases.passed_on_subject)
    head = [
        token_field("Date", report.date),
        fold(f"From: {mailbox(phrases.sender, str(report.postmaster))}"),
        fold(f"To: <{clean(str(report.to))}>"),
        field("Subject", subject),
        token_field("Message-ID", report.message_id),
        *_thread(report.original),
        b"Auto-Submitted: auto-replied\r\n",
        b"MIME-Version: 1.0\r\n",
    ]
    parts = (
        text_part(_words(report, phrases), language=tongue),
        _status_part(report, international=international, eight_bit=eight_bit),
        _returned(report, worst, international=international, eight_bit=eight_bit),
    )
    body = multipart("report", parts, seed=report.message_id, parameters="report-type=delivery-status")
    if not body.isascii():  # RFC 2045 6.4: a multipart has the greatest encoding of its parts.
        head.append(b"Content-Transfer-Encoding: 8bit\r\n")
    # RFC 6531 3.6, RFC 6532 3.7: only what is UTF-8 in its envelope or its own header needs a server with SMTPUTF8.
    return Composed(b"".join(head) + body, not report.to.ascii, not body.isascii())


def _worst(report: Report) -> Action:
    actions = {recipient.action for recipient in report.recipients}
    for action in (Action.FAILED, Action.DELAYED, Action.RELAYED, Action.EXPANDED):
        if action in actions:
            return action
    return Action.DELIVERED


def _thread(original: bytes) -> list[bytes]:
    """So that mail programs show the report beside the message it is about. RFC 5322 3.6.4"""
    for item in header.fields(original[: header.end(original, 0, min(len(original), _MAX_HEADER))]):
        if item.name.lower() == b"message-id":
            ids = identifiers(item.value)
            if ids and ids[0].isascii() and len(ids[0]) < 500:
                return [token_field("In-Reply-To", ids[0]), token_field("References", ids[0])]
    return []


def _words(report: Report, phrases: Phrases) -> str:
    """The part for people."""
    out: list[str] = []
    groups = (
        ((Action.FAILED,), phrases.failed),
        ((Action.DELAYED,), phrases.delayed),
        ((Action.DELIVERED,), phrases.delivered),
        ((Action.RELAYED, Action.EXPANDED), phrases.passed_on),
    )
    for actions, opening in groups:
        some = [recipient for recipient in report.recipients if recipient.action in actions]
        if some:
            out += [textwrap.fill(opening.format(host=clean(report.reporting_mta)), 72), ""]
            for recipient in some:
                out += [*_about(recipient, phrases), ""]
            until = next((recipient.retry_until for recipient in some if recipient.retry_until), "")
            if until:
                out += [textwrap.fill(phrases.retry_until.format(when=clean(until)), 72), ""]
    out.append(textwrap.fill(phrases.details, 72))
    return "\n".join(out) + "\n"


def _about(recipient: RecipientReport, phrases: Phrases) -> list[str]:
    lines = [f"  <{clean(str(recipient.recipient))}>"]
    known = recipient.action in _DEFAULT_STATUS
    meaning = phrases.statuses.get(_status(recipient).partition(".")[2]) if known else None
    meaning = {Action.RELAYED: phrases.relayed, Action.EXPANDED: phrases.expanded}.get(recipient.action, meaning)
    if meaning:
        lines.append(textwrap.fill(meaning, 72, initial_indent="    ", subsequent_indent="    "))
    if recipient.diagnostic:
        lead = phrases.answered.format(host=clean(recipient.remote)) if recipient.remote else phrases.reason
        said = clean(recipient.diagnostic)
        lines.append(textwrap.fill(f"{lead} {said}", 72, initial_indent="    ", subsequent_indent="    "))
    return lines


def _status(recipient: RecipientReport) -> str:
    return recipient.status if _STATUS.match(recipient.status) else _DEFAULT_STATUS.get(recipient.action, "2.0.0")


def _status_part(report: Report, *, international: bool, eight_bit: bool) -> bytes:
    """RFC 3464 2; RFC 6533 3, 4: with addresses beyond ASCII it is message/global-delivery-status in UTF-8."""
    out = []
    if report.envid:
        out.append(token_field("Original-Envelope-Id", report.envid))
    out.append(token_field("Reporting-MTA", f"dns; {clean(report.reporting_mta)}"))
    if report.arrival:
        out.append(token_field("Arrival-Date", report.arrival))
    for recipient in report.recipients:
        out.append(b"\r\n")
        if recipient.orcpt:
            original = _original_recipient(recipient.orcpt, international=international)
            out.append(token_field("Original-Recipient", original))
        kind = "rfc822" if recipient.recipient.ascii else "utf-8"
        out.append(token_field("Final-Recipient", f"{kind}; {recipient.recipient}"))
        out.append(token_field("Action", recipient.action.value))
        out.append(token_field("Status", _status(recipient)))
        if recipient.remote:
            out.append(token_field("Remote-MTA", f"dns; {_ascii(recipient.remote, keep=international)}"))
        if recipient.diagnostic:
            # RFC 3464 2.3.6: the type says whose language it is; ours speaks in SMTP replies too.
            said = _ascii(recipient.diagnostic, keep=international)
            out.append(token_field("Diagnostic-Code", f"{'smtp' if _SMTP_REPLY.match(said) else 'x-whimbrel'}; {said}"))
        if recipient.last_attempt:
            out.append(token_field("Last-Attempt-Date", recipient.last_attempt))
        if report.queue_id:
            out.append(token_field("Final-Log-ID", report.queue_id))
        if recipient.retry_until and recipient.action is Action.DELAYED:
            out.append(token_field("Will-Retry-Until", recipient.retry_until))
    body = b"".join(out)
    kind = "message/global-delivery-status" if international else "message/delivery-status"
    return _entity(kind, body, eight_bit=eight_bit)


def _original_recipient(orcpt: str, *, international: bool) -> str:
    """RFC 3461 6.3 (d): it is there if the sender gave it. RFC 6533 3: utf-8-addr-xtext where all is ASCII."""
    kind, _, address = (clean(part) for part in orcpt.partition(";"))
    if kind == "utf-8" and not international:
        address = _NOT_QCHAR.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", address)
    return _ascii(f"{kind}; {address}", keep=international)


def _ascii(text: str, *, keep: bool) -> str:
    text = clean(text)
    return text if keep else text.encode("ascii", "replace").decode("ascii")


def _returned(report: Report, worst: Action, *, international: bool, eight_bit: bool) -> bytes:
    """The message, or its header. RFC 3461 4.3: RET=FULL is for failures; other reports return the header."""
    whole = report.complete and report.ret_full and worst is Action.FAILED and len(report.original) <= MAX_RETURNED
    if whole:  # RFC 2046 5.2.1: no encoding but 8bit. RFC 6532 3.7: nor is any other wished for.
        return _entity("message/global" if international else "message/rfc822", crlf(report.original), eight_bit=True)
    stop = header.end(report.original, 0, min(len(report.original), _MAX_HEADER))
    head = crlf(report.original[:stop]).rstrip(b"\r\n") + b"\r\n"
    return _entity("message/global-headers" if international else "text/rfc822-headers", head, eight_bit=eight_bit)


def _entity(kind: str, body: bytes, *, eight_bit: bool) -> bytes:
    """Without `eight_bit` what is not lines of ASCII becomes quoted-printable. RFC 6522 4, RFC 6533 6.3 and 6.4"""
    coding = "7bit" if body.isascii() else "8bit"
    if not (eight_bit or seven_bit(body)):
        coding, body = "quoted-printable", quoted_printable(body)
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {coding}\r\n\r\n".encode() + body
