"""The queue of messages that wait for another server, or for a mailbox that was busy.

Standards: RFC 5321 4.5.4 (retry), RFC 3461 (NOTIFY, RET, ENVID, ORCPT), RFC 3464 (status).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from whimbrel.core.address import ReversePath
from whimbrel.core.disposition import Disposition, Parked
from whimbrel.core.envelope import PLAIN, MailOptions, Recipient


class RecipientState(Enum):
    __hash__ = object.__hash__  # Enum's own is a function in Python; this is asked for several times a message.

    WAITING = "waiting"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class QueueRecipient:
    """A recipient in the queue with how its last attempt went."""

    recipient: Recipient
    state: RecipientState = RecipientState.WAITING
    status: str = ""
    """`4.4.1 Cannot connect to remote host`."""
    remote: str = ""
    """The server that answered."""
    reported_delay: int = 0
    """How many delay reports the sender got."""
    local: bool = False
    """A mailbox here that could not take the message at once."""
    account: str = ""
    """With `local`: the AccountId of that mailbox; `recipient.address` stays what the envelope said."""
    disposition: Disposition | None = None
    """With `account`: what is left to be done there; None: the message goes into INBOX. Nobody makes it anew."""


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A queued message. Times are seconds since 1970 UTC."""

    id: str
    sender: ReversePath
    recipients: tuple[QueueRecipient, ...]
    created: float
    next_attempt: float
    size: int = 0
    checksum: int | None = None
    """CRC-32 of the content; set by the queue. None: it is not known."""
    attempts: int = 0
    held: bool = False
    """It waits outside its lanes until it is released."""
    parked: Parked | None = None
    """Why it is held, and until when, if it is not for the wish of a person."""
    message_id: str = ""
    user: str = ""
    """Who signed in to send it; empty for mail from outside."""
    client: str = ""
    options: MailOptions = PLAIN
    origin: str = ""
    tls_optional: bool = False
    """RFC 8689 3, TLS-Required: No: its sender would rather have it arrive than have TLS policies of the
    recipient's domain (DANE, MTA-STS) obeyed."""
    unchecked: bool = False
    """Taken in before the filters had ended: its recipients are those of the envelope, looked at again by the worker
    before anything is delivered."""
    give_up: str = ""
    """Set by a person: not tried any more, but returned to its sender with this status."""
    urgent: bool = False
    """A person wants it tried now, whatever is known of its destination."""

    @property
    def waiting(self) -> tuple[QueueRecipient, ...]:
        return tuple(r for r in self.recipients if r.state is RecipientState.WAITING)

    @property
    def reason(self) -> str:
        """Why it waits, for people: it is to be returned, it is parked, or how the last attempt went."""
        if self.give_up or self.parked is not None:
            return self.give_up or (self.parked.reason if self.parked is not None else "")
        return next((each.status for each in self.waiting if each.status), "")

    @property
    def lane(self) -> str:
        """The line it stands in: the domain of all who wait; `MIXED` for several, `LOCAL` for mailboxes here."""
        if len(self.recipients) == 1:  # Nearly always.
            only = self.recipients[0]
            return LOCAL if only.local or only.state is not RecipientState.WAITING else only.recipient.address.domain
        lanes = {LOCAL if r.local else r.recipient.address.domain for r in self.waiting}
        return lanes.pop() if len(lanes) == 1 else MIXED if lanes else LOCAL


LOCAL: Final = ""
MIXED: Final = "*"
CONTENT_LOST: Final = "5.3.0 The content of the message is lost"
"""Status of an entry whose file is gone or damaged: seen in the queue, then reported to its sender. RFC 3463 3.4"""


@dataclass(frozen=True, slots=True)
class Deferral:
    """What is due in one lane is put off without an attempt, because its destination cannot be reached."""

    lane: str
    now: float
    until: float
    spread: float
    """Seconds after `until` over which the entries are dealt out, so that they do not all come at once."""
    status: str
    remote: str = ""
    ages: tuple[float, ...] = ()
    """Seconds since it was created at which an entry is looked at all the same: a notice, or at the last its end is
    due. What was put off past its end is looked at too."""
    leased: frozenset[str] = frozenset()
    """Entries leased by the caller that are to be put off too."""
    whole: bool = True
    """False: those in `leased` only."""


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """One lane with what stands in it."""

    lane: str
    waiting: int
    held: int
    bytes: int
    oldest: float
    next_attempt: float | None
    """None: all are held."""
    status: str
    """How an attempt of its oldest entry went."""


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which entries are meant: all that fit every part that is given."""

    ids: frozenset[str] = frozenset()
    sender: str = ""
    recipient: str = ""
    """Part of an address, without regard to case."""
    status: str = ""
    older_than: float | None = None
    """Created before this time."""
    held: bool | None = None
    size_over: int | None = None
    """Octets; only larger ones."""
    parked: str = ""
    """Only those that are parked for this reason."""
    text: str = ""
    """Part of the id, of an address, or of how the last attempt went, without regard to case."""


@dataclass(frozen=True, slots=True)
class QueueCounts:
    waiting: int
    held: int
    due: int
    bytes: int
    oldest: float | None = field(default=None)


@dataclass(frozen=True, slots=True)
class QueuePage:
    """A page, which begins behind the last entry of the one before, whatever was delivered meanwhile."""

    items: tuple[QueueItem, ...]
    total: int
    """All that fit, on whatever page."""
    more: str
    """What the next page begins after; empty: this was the last."""


ORDERS: Final = (
    "created", "id", "sender", "recipients", "status", "next_attempt", "attempts", "size", "held", "message_id",
    "client",
)  # fmt: skip


class Queue(Protocol):
    """A message enters through Commit; the queue worker leases what is due."""

    async def lease(
        self,
        now: float,
        limit: int,
        seconds: float,
        *,
        each: int | None = None,
        room: Mapping[str, int] | None = None,
        unverified: int | None = None,
    ) -> Sequence[QueueItem]:
        """Entries due; nobody else gets them for `seconds` (a killed worker loses nothing).

        Lanes take turns, the one served longest ago first, and get at most `each` entries (None: no bound), or what
        `room` says of them; within a lane the earliest comes first. What is parked until a time is due then. With
        `unverified` only lanes that are verified to answer share `limit`; of all others come one each, and that many at
        most.
        """
        ...

    async def verify(self, names: Mapping[str, bool]) -> None:
        """Lanes whose destination answers (True) or does not (False). It is remembered while nothing stands in them;
        a hint that need not survive anything. Mailboxes here, and lanes of several destinations, always are."""
        ...

    async def defer(self, deferrals: Sequence[Deferral]) -> int:
        """Puts off what is due and not leased, urgent entries and those of a moment in `ages` excepted; how many.
        Losing it costs attempts, nothing else."""
        ...

    async def restrain(self, now: float, longest: float) -> None:
        """After the clock was set back: nothing is due later than `longest` seconds from now but what is parked, and
        nothing was created, leased or served in the future."""
        ...

    async def back(self, ids: Sequence[str]) -> None:
        """Ends leases without an attempt: what was leased and not begun."""
        ...

    async def record(self, queue_id: str, recipients: Mapping[int, QueueRecipient]) -> None:
        """Stores durably how it went for some recipients, by their places, while others are still tried: the lease
        goes on."""
        ...

    async def renew(self, ids: Sequence[str], until: float) -> None:
        """Keeps leased entries until that time, for attempts that take long."""
        ...

    async def update(self, item: QueueItem) -> None:
        """Stores how an attempt went, durably, and ends the lease. An entry with nobody waiting is removed. Whether it
        is held is not touched, and what was deleted meanwhile does not come back."""
        ...

    async def finish(self, ids: Sequence[str]) -> None:
        """Takes out entries of which everything was sent, durably and together: as `update` does with an entry for
        which nobody waits any more."""
        ...

    async def next_due(self) -> float | None:
        """When the next entry that is not held is due, or the time until which one is parked has come."""
        ...

    async def get(self, queue_id: str) -> QueueItem | None: ...

    async def select(self, which: QueueFilter, limit: int = 1000, offset: int = 0) -> Sequence[QueueItem]:
        """Oldest first."""
        ...

    async def page(
        self, which: QueueFilter, limit: int, order: str = "created", after: str = "", skip: int = 0
    ) -> QueuePage:
        """For lists that people look at: ordered by one of `ORDERS`, a - before it turns it round; `skip` of those that
        would come first are left out. ValueError: `after` is not where a page in this order ended."""
        ...

    async def counts(self, now: float) -> QueueCounts: ...

    async def content(self, queue_id: str, start: int = 0, length: int | None = None) -> bytes | None: ...

    async def hold(self, which: QueueFilter, *, held: bool) -> int:
        """Holds entries, or releases those that are held or parked: then they stand in their lanes again."""
        ...

    async def try_now(self, which: QueueFilter, now: float) -> int:
        """Those that are held stay held and are not counted."""
        ...

    async def delete(self, which: QueueFilter) -> int: ...

    async def give_up(self, which: QueueFilter, status: str, now: float) -> int:
        """Has the worker return them to their senders with `status`, held or not; it survives everything."""
        ...

    async def count(self, which: QueueFilter) -> int: ...

    async def lanes(self, limit: int) -> Sequence[LaneCounts]:
        """Those in which most entries stand first."""
        ...

    async def wait(self, seconds: float) -> None:
        """Until something was added or changed here or in another process, or `seconds` have passed."""
        ...
