"""Deliveries under way, as the processes of a server tell of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DeliveryTask:
    """One delivery at this moment: what one connection, or one commit to mailboxes, does."""

    id: str
    """Unique in the server while it runs."""
    queue_id: str
    sender: str
    destination: str
    """Domain, relay host or mailbox."""
    recipients: int
    phase: str
    """A `Phase` of `flow/delivery/progress`."""
    server: str
    size: int
    """Octets to send."""
    sent: int
    tls: str
    """Version and cipher; empty without TLS."""
    since: float
    """Seconds since 1970."""


class Tasks(Protocol):
    async def list(self) -> Sequence[DeliveryTask]:
        """Those that have run longest first."""
        ...

    async def abort(self, task: str) -> bool:
        """Ends it; its message goes back into the queue. False: there is no such task (any more)."""
        ...
