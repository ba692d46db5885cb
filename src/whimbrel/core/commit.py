"""Spool and Commit: what must be durable before anything is acknowledged.

`flow` collects appends and queue entries and awaits them once; the backend writes each rendition once, links it
where it is wanted, and completes one barrier for everything that is waiting at that moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from whimbrel.core.mailbox import FolderRef
from whimbrel.core.queue import QueueItem, QueueRecipient
from whimbrel.core.quota import Limit


class Spooled(Protocol):
    """Content received and not yet acknowledged. Small ones stay in memory, large ones in an unnamed file."""

    @property
    def size(self) -> int: ...

    @property
    def head(self) -> bytes:
        """The first bytes (at least 64 KiB of them, or all): enough for the header."""
        ...

    async def read(self, start: int = 0, length: int | None = None) -> bytes: ...

    def close(self) -> None:
        """Frees what it holds; may be called twice."""
        ...


class SpoolWriter(Protocol):
    """Takes content as it arrives."""

    async def write(self, data: bytes) -> None:
        """MailError 452 4.3.1 when the disk is full."""
        ...

    async def finish(self, *, crlf: bool = False) -> Spooled:
        """`crlf`: each line is known to end in CRLF, so nobody need count."""
        ...

    def discard(self) -> None: ...


class Spool(Protocol):
    def start(self) -> SpoolWriter: ...

    def hold(self, content: bytes) -> Spooled:
        """Content that is at hand already."""
        ...


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
