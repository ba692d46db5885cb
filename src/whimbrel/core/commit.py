"""Commit: what must be durable before anything is acknowledged.

`flow` collects appends and queue entries and awaits them once; the backend writes each rendition once, links it
where it is wanted, and completes one barrier for everything that is waiting at that moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from whimbrel.core.mailbox import FolderRef, Limit
from whimbrel.core.queue import QueueItem, QueueRecipient
from whimbrel.core.spool import Spooled


@dataclass(frozen=True, slots=True)
class Rendition:
    """What a file will hold: our trace fields, then the content. Recipients with equal renditions share one file."""

    prefix: bytes
    content: Spooled

    @property
    def size(self) -> int:
        return len(self.prefix) + self.content.size


@dataclass(frozen=True, slots=True)
class Append:
    """One message into one folder. `queue_id` and `recipient` make a second delivery of the same a no-op."""

    folder: FolderRef
    rendition: Rendition
    flags: int = 0
    keywords: frozenset[str] = frozenset()
    internal_date: int | None = None
    """Seconds; now unless given."""
    queue_id: str = ""
    recipient: str = ""
    """Envelope recipient, kept in the index."""
    limit: Limit | None = None
    """What the account may hold: looked at where nobody else can add anything in between. OVERQUOTA."""


@dataclass(frozen=True, slots=True)
class Appended:
    uid_validity: int
    uid: int
    """0: this delivery had been made before."""


@dataclass(frozen=True, slots=True)
class Enqueue:
    """One entry into the queue."""

    item: QueueItem
    rendition: Rendition


@dataclass(frozen=True, slots=True)
class PassOn:
    """An entry of the queue goes on as others: `entries` are added and `recipients` of the old one, by their places,
    stored as they are given; all of it or nothing, whatever happens meanwhile. Its lease goes on."""

    queue_id: str
    recipients: Mapping[int, QueueRecipient]
    entries: tuple[Enqueue, ...]


Work = Append | Enqueue | PassOn


class Commit(Protocol):
    async def commit(self, work: Sequence[Work]) -> Sequence[Appended | Exception | None]:
        """Makes all of `work` durable with one barrier and says how each went, in order.

        A MailError stands for the one item it befell; the others are durable. Appends that share a folder are in
        the order given. If the barrier itself fails, every answer is that MailError.
        """
        ...
