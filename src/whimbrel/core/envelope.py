"""The envelope of a message: reverse-path, recipients, and the options of its transaction.

`MailOptions` is one value from the MAIL command to the queue, the next server and the reports: whoever hands a message
on hands it on whole, and an option of a new extension is one field here, which the queue keeps (`backends/queue/rows`).

Standards: RFC 5321 2.3.1, 4.1.2 (Mail-parameters); RFC 1870 (SIZE), RFC 6152 (BODY), RFC 6531 (SMTPUTF8), RFC 3461
(NOTIFY, ORCPT, RET, ENVID), RFC 8689 (REQUIRETLS), RFC 4865 (HOLDUNTIL)
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from whimbrel.core.address import Address, ReversePath
from whimbrel.core.mailbox import AccountId

Ret = Literal["", "FULL", "HDRS"]
"""How much of the message a report of failure returns; "": the choice is the reporting server's. RFC 3461 4.3"""


class Notify(Enum):
    """RFC 3461 4.1. Without NOTIFY a failure and, at our choice, a delay is reported."""

    __hash__ = object.__hash__  # As Origin: it stands in sets that are looked into for each recipient.

    NEVER = "NEVER"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient of an envelope with what RFC 3461 lets the client ask for."""

    address: Address
    notify: frozenset[Notify] = frozenset()
    orcpt: str = ""
    """`rfc822;a@b` as given, xtext decoded; empty if not given."""


@dataclass(frozen=True, slots=True)
class MailOptions:
    """What MAIL says of a message beside its sender, and who is answerable for it."""

    size: int = 0
    """Octets that MAIL declared; 0: none. The queue does not keep it: it counts the content. RFC 1870 6"""
    utf8: bool = False
    """Addresses or header fields need SMTPUTF8. RFC 6531 3.4"""
    body_8bit: bool = False
    """BODY=8BITMIME. RFC 6152 3"""
    ret: Ret = ""
    envid: str = ""
    """Not xtext. RFC 3461 4.4"""
    require_tls: bool = False
    """Only over verified TLS to servers that promise the same. RFC 8689 2"""
    hold_until: float = 0.0
    """Seconds since 1970 before which nothing is delivered; 0: at once. RFC 4865 4.1"""
    verp: str = ""
    """The two characters with which a recipient's address is put into the reverse-path, `+=`; empty: it is not."""
    account: AccountId = AccountId("")  # noqa: RUF009 - a str.
    """The account that submitted it; empty for mail from outside and our own."""
    findings: str = ""
    """Of a message that was taken before its content was judged: what filters had said by then
    (`flow/intake/keeping.py`)."""

    seven_bit: str = ""
    """The DKIM-Signature fields of the form in seven bits, which stand in place of those in front of the content where
    that form is sent."""
    own: bool = False
    """We wrote it: it is signed as ours. What is redirected is not."""


PLAIN: Final = MailOptions()


@dataclass(frozen=True, slots=True)
class Envelope:
    sender: ReversePath
    recipients: tuple[Recipient, ...]
    options: MailOptions = PLAIN
