"""The queue of messages that wait for another server, or for a mailbox that was busy.

Standards: RFC 5321 4.5.4 (retry), RFC 3461 (NOTIFY, RET, ENVID, ORCPT), RFC 3464 (status).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from whimbrel.core.address import Address, ReversePath


class Notify(Enum):
    """RFC 3461 4.1. Without NOTIFY a failure and, at our choice, a delay is reported."""

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


class RecipientState(Enum):
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
    reported_delay: bool = False
    local: bool = False
    """A mailbox here that could not take the message at once."""
    account: str = ""
    """With `local`: the AccountId of that mailbox; `recipient.address` stays what the envelope said."""


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A queued message. Times are seconds since 1970 UTC."""

    id: str
    sender: ReversePath
    recipients: tuple[QueueRecipient, ...]
    created: float
    next_attempt: float
    size: int = 0
    attempts: int = 0
    held: bool = False
    message_id: str = ""
    user: str = ""
    """Who signed in to send it; empty for mail from outside."""
    client: str = ""
    envid: str = ""
    ret_full: bool = False
    """RFC 3461 4.3 RET=FULL."""
    utf8: bool = False
    """RFC 6531: needs a peer with SMTPUTF8."""
    body_8bit: bool = False
    origin: str = ""

    @property
    def waiting(self) -> tuple[QueueRecipient, ...]:
        return tuple(r for r in self.recipients if r.state is RecipientState.WAITING)


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


@dataclass(frozen=True, slots=True)
class QueueCounts:
    waiting: int
    held: int
    due: int
    bytes: int
    oldest: float | None = field(default=None)


class Queue(Protocol):
    """A message enters through Commit; the queue worker leases what is due."""

    async def lease(self, now: float, limit: int, seconds: float) -> Sequence[QueueItem]:
        """Entries due, earliest first; nobody else gets them for `seconds` (a killed worker loses nothing)."""
        ...

    async def renew(self, ids: Sequence[str], until: float) -> None:
        """Keeps leased entries until that time, for attempts that take long."""
        ...

    async def update(self, item: QueueItem) -> None:
        """Stores how an attempt went, durably, and ends the lease. An entry with nobody waiting is removed. Whether it
        is held is not touched, and what was deleted meanwhile does not come back."""
        ...

    async def next_due(self) -> float | None:
        """When the next entry that is not held is due."""
        ...

    async def get(self, queue_id: str) -> QueueItem | None: ...

    async def select(self, which: QueueFilter, limit: int = 1000, offset: int = 0) -> Sequence[QueueItem]:
        """Oldest first."""
        ...

    async def counts(self, now: float) -> QueueCounts: ...

    async def content(self, queue_id: str, start: int = 0, length: int | None = None) -> bytes | None: ...

    async def hold(self, which: QueueFilter, *, held: bool) -> int: ...

    async def try_now(self, which: QueueFilter, now: float) -> int:
        """Those that are held stay held and are not counted."""
        ...

    async def delete(self, which: QueueFilter) -> int: ...

    async def wait(self, seconds: float) -> None:
        """Until something was added or changed here or in another process, or `seconds` have passed."""
        ...
