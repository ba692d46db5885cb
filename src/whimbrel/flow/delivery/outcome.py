"""How an attempt went for one recipient.

Standards: RFC 3463 (enhanced status codes), RFC 3464 2.3 (per-recipient fields)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from whimbrel.core.disposition import Disposition
from whimbrel.core.errors import MailError
from whimbrel.core.queue import CONTENT_LOST, QueueRecipient, RecipientState

UNREADABLE: Final = "4.3.0 The content of the message cannot be read"
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\Z")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`state` WAITING means that it is tried again."""

    state: RecipientState
    status: str
    """Enhanced code and words, `4.4.1 Cannot connect to remote host`."""
    remote: str = ""
    """The server that answered, or could not be reached."""
    reply: str = ""
    """Its words, for Diagnostic-Code. RFC 3464 2.3.6"""
    tls: str = ""
    """Version, `TLSv1.3`; empty without TLS."""
    cipher: str = ""
    verified: bool = False
    """The server proved its name, whether or not that was demanded."""
    dsn: bool = False
    """With RELAYED: the server took on the duty to report a success. Without it, who asked for NOTIFY=SUCCESS has a
    "relayed" report from us. RFC 3461 5.2.2"""
    mailbox: str = ""
    """The AccountId, of a mailbox here."""
    folders: tuple[str, ...] = ()
    """Those of the mailbox that have the message now."""
    rest: Disposition | None = None
    """With WAITING: what is left to be done there."""


def of_error(error: MailError, remote: str = "") -> Outcome:
    """What a MailError of ours means for the recipient."""
    state = RecipientState.WAITING if error.temporary else RecipientState.FAILED
    # Of the network the queue tells which name it was, and why; of our disks nobody outside needs to know.
    why = f" ({error.detail})" if error.detail and error.enhanced[1:4] == ".4." else ""
    return Outcome(state, f"{error.enhanced} {error.text}{why}"[:512], remote)


def without_content(recipients: Sequence[QueueRecipient]) -> list[Outcome]:
    """For an entry whose content is not there. The first time it may have been deleted at this moment; if it is still
    in the queue the next time, its sender must hear that nobody will get it."""
    again = any(recipient.status == UNREADABLE for recipient in recipients)
    lost, waits = Outcome(RecipientState.FAILED, CONTENT_LOST), Outcome(RecipientState.WAITING, UNREADABLE)
    return [lost if again else waits] * len(recipients)


def status_of(code: int, enhanced: str, text: str) -> str:
    """A status from a reply, which may lack the enhanced code, or have one of another class. RFC 3463 2"""
    kind = code // 100 if code // 100 in (2, 4, 5) else 4
    if not (_STATUS.match(enhanced) and enhanced[0] == str(kind)):
        enhanced = f"{kind}.0.0"
    return f"{enhanced} {text}"[:512]
