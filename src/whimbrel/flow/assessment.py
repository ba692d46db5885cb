"""The findings of filters about a message, from the connection to each mailbox.

Assessments form a chain: the session's (CONNECT), its HELO's, the transaction's (MAIL, DATA), a recipient's (RCPT), a
mailbox's. Each has a child of the one before; a new HELO or RSET drops a child and nothing else. Nothing that was found
early is lost: the rating after the content (`judging/rating.py`) reads the whole chain.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, NamedTuple, TypeVar

from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.mail.writing.changes import Change


class Stage(Enum):
    """When a filter runs."""

    __hash__ = object.__hash__  # Looked up for each message: that of Enum is a Python function.

    CONNECT = "connect"
    HELO = "helo"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    MAILBOX = "mailbox"
    """After DATA, once for each mailbox: what its owner has of his own (training, lists)."""


class Action(IntEnum):
    """What happens to a message at a mailbox; of several the gravest."""

    ACCEPT = 0
    MARK = 1
    """It goes where it would have gone, marked."""
    JUNK = 2
    """Into the Junk folder, marked."""
    QUARANTINE = 3
    """Parked until somebody decides."""
    DISCARD = 4
    """Taken and delivered to nobody, by a named rule."""
    DEFER = 5
    """Answered 4xx: the client tries again."""
    REFUSE = 6


class Peer(Enum):
    """Who hands a message in. A filter declares whom it judges."""

    __hash__ = object.__hash__  # As Stage.

    OUTSIDER = "outsider"
    """A client on port 25 of whom nothing is known."""
    NETWORK = "network"
    """One in a network that may relay (`relay/allow-from`)."""
    USER = "user"
    """A signed-in user."""
    LMTP = "lmtp"
    """A program beside us."""
    OURSELVES = "ourselves"
    """Our reports, forwards and replies."""


EVERYBODY: Final = frozenset(Peer)
OUTSIDERS: Final = frozenset({Peer.OUTSIDER})
"""Whom lists of addresses, greylisting and spam scores judge, unless an administrator wants more."""
PEERS: Final = {
    Origin.INBOUND: Peer.OUTSIDER,
    Origin.SUBMISSION: Peer.USER,
    Origin.LMTP: Peer.LMTP,
    Origin.INTERNAL: Peer.OURSELVES,
}


class Fact:
    """What a filter has verified and others build on: an SPF result, a valid signature, tokens. Frozen subclasses."""

    __slots__ = ()


class Symbol(NamedTuple):
    """One reason of a score."""

    name: str
    """In header and log: letters, digits, `_` `.` `:` `-`."""
    score: float
    """Points; below zero it speaks for the message."""
    words: str = ""
    """For people who ask why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a filter has to say."""

    symbols: tuple[Symbol, ...] = ()
    action: Action = Action.ACCEPT
    """The least that must happen, whatever the score."""
    waives: bool = False
    """Points count no more (an allow list, "not spam"); the action of another filter does."""
    reply: MailError | None = None
    """The answer for DEFER and REFUSE."""
    facts: tuple[Fact, ...] = ()
    changes: tuple[Change, ...] = ()
    unheard: Action = Action.JUNK
    """What becomes of a message that is refused where nobody can hear it: a virus never goes to Junk."""


NOTHING: Final = Finding()
F = TypeVar("F", bound=Fact)


class Assessment:
    """Findings by the name of their filter. False while there are none."""

    __slots__ = ("own", "parent")

    def __init__(self, parent: "Assessment | None" = None) -> None:
        self.parent = parent
        self.own: dict[str, Finding] = {}

    def __bool__(self) -> bool:
        return bool(self.own or self.parent)

    def findings(self) -> Iterator[tuple[str, Finding]]:
        """All of the chain, those of its beginning first."""
        if self.parent is not None:
            yield from self.parent.findings()
        yield from self.own.items()

    def facts(self, kind: type[F]) -> list[F]:
        return [fact for _, finding in self.findings() for fact in finding.facts if isinstance(fact, kind)]

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(symbol for _, finding in self.findings() for symbol in finding.symbols)

    @property
    def waiver(self) -> str:
        """The filter that takes the points away; empty if none does."""
        return next((name for name, finding in self.findings() if finding.waives), "")

    @property
    def score(self) -> float:
        """All points; none if they are waived."""
        return 0.0 if self.waiver else sum(symbol.score for symbol in self.symbols)

    @property
    def gravest(self) -> tuple[str, Finding]:
        """The finding with the gravest action, of equals the first, and its filter; without any, nothing."""
        return max(self.findings(), key=lambda named: named[1].action, default=("", NOTHING))

    @property
    def changes(self) -> tuple[Change, ...]:
        """Each once."""
        return tuple(dict.fromkeys(change for _, finding in self.findings() for change in finding.changes))
