"""What a filter is: one reason to want or not to want a message.

A filter returns a `Finding`; it never touches session, message or another filter. One that cannot answer raises
MailError: the policy logs it and goes on, unless the filter is declared `when_down = DEFER`.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import ClassVar, Final

from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.flow.transaction import Transaction


class Stage(Enum):
    """When a filter runs."""

    __hash__ = object.__hash__  # Looked up for each message: that of Enum is a Python function.

    CONNECT = "connect"
    HELO = "helo"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"


class Verdict(IntEnum):
    """What to do with a message; of several the gravest counts."""

    ACCEPT = 0
    JUNK = 1
    """Deliver into the Junk folder where there is one."""
    DISCARD = 2
    """Take it and deliver it to nobody, by a named rule."""
    DEFER = 3
    """Answer 4xx: the client tries again."""
    REFUSE = 4


class WhenDown(Enum):
    """What a filter's silence means."""

    PASS = "pass"  # noqa: S105
    DEFER = "defer"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a filter has to say."""

    score: float = 0.0
    symbols: tuple[str, ...] = ()
    verdict: Verdict = Verdict.ACCEPT
    reply: MailError | None = None
    """The answer for DEFER and REFUSE."""
    fields: tuple[bytes, ...] = ()
    """Header fields to add, each with its CRLF."""


NOTHING: Final = Finding()

ALL_ORIGINS: Final = frozenset(Origin)


class Filter:
    """Base of all filters: a subclass has its stage, the origins it looks at, and `check`."""

    name: ClassVar[str]
    """In logs: lower case with hyphens."""
    stage: ClassVar[Stage]
    origins: ClassVar[frozenset[Origin]] = ALL_ORIGINS
    when_down: ClassVar[WhenDown] = WhenDown.PASS

    async def check(self, tx: Transaction) -> Finding:
        """MailError if it cannot answer now. Stage RCPT is about `tx.trying`; `tx.content` is there at DATA."""
        raise NotImplementedError


class QuickFilter(Filter):
    """One that waits for nothing: a subclass has `look` in place of `check`, and no deadline is needed for it."""

    def look(self, tx: Transaction) -> Finding:
        """As `check`."""
        raise NotImplementedError

    async def check(self, tx: Transaction) -> Finding:
        return self.look(tx)


def refuse(code: int, enhanced: str, text: str, *, detail: str = "") -> Finding:
    """The message (or recipient) is not taken: 4xx defers, 5xx refuses."""
    reply = MailError(code, enhanced, text, detail=detail)
    return Finding(verdict=Verdict.DEFER if reply.temporary else Verdict.REFUSE, reply=reply)
