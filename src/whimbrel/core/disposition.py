"""What becomes of a message for one recipient here: placement decides it once, the queue keeps what is left of it.

Standards: RFC 5228 2.10 (actions), RFC 6154 2 (special use)
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from whimbrel.core.envelope import Envelope
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import INBOX, SpecialUse
from whimbrel.core.spool import Spooled

HELD_REMOTE: Final = "delivery/hold-remote"
"""Reason for which mail to other servers is parked while that setting is on."""
QUARANTINE: Final = "quarantine"
MODERATION: Final = "moderation"
SCHEDULED: Final = "scheduled"
COLLECTED: Final = "collected"
"""Reasons for which an entry is parked."""

Changes = tuple[Hashable, ...]
"""Edits of the message that make the copy of a place (`mail/writing`). What is in the queue has them already."""


@dataclass(frozen=True, slots=True)
class Place:
    """One copy. A folder that is not there, or not any more when the queue comes to it, is made (`create`) or else is
    INBOX."""

    folder: str | SpecialUse = INBOX
    flags: int = 0
    keywords: frozenset[str] = frozenset()
    create: bool = False
    changes: Changes = ()


@dataclass(frozen=True, slots=True)
class SideMessage:
    """A reply, redirection, notice or list post: enters the queue unchecked in the commit of the copies, and takes the
    one way from there, so that a crash neither loses nor doubles it."""

    envelope: Envelope
    content: Spooled | None = None
    """None: the message itself."""
    changes: Changes = ()
    once: tuple[str, float] | None = None
    """Key and seconds: not again within them."""


@dataclass(frozen=True, slots=True)
class Parked:
    """An entry of the queue that waits outside its lanes for a person, or for a time."""

    reason: str
    """One of the words above, or why in words."""
    until: float | None = None
    """Seconds since 1970 at which it goes on by itself; None: when somebody releases it."""


@dataclass(frozen=True, slots=True)
class Disposition:
    """Of one mailbox, list or archive. What is kept nowhere names the `rule` that wanted it so."""

    places: tuple[Place, ...] = ()
    side: tuple[SideMessage, ...] = ()
    parked: Parked | None = None
    """The rest of it waits in the queue until it is released."""
    refusal: MailError | None = field(default=None, compare=False)
    rule: str = ""


IN_INBOX: Final = Disposition((Place(),))
