"""What a delivery is doing at this moment, for the list of live tasks (S43).

The agent writes, whoever shows tasks reads; nothing is logged or stored. Cheap: plain attributes.
"""

from dataclasses import dataclass
from enum import StrEnum

from whimbrel.core.net import TlsInfo


class Phase(StrEnum):
    """In the order in which a delivery goes through them."""

    WAITING = "waiting"
    RESOLVING = "resolving"
    CONNECTING = "connecting"
    GREETING = "greeting"
    """From the connection to the answer to EHLO, TLS and sign-in included."""
    ENVELOPE = "envelope"
    """MAIL and RCPT."""
    CONTENT = "content"
    """Octets of the message are sent."""
    ANSWER = "answer"
    """All was sent; the server's last reply is awaited."""
    STORING = "storing"
    """A mailbox here takes the message."""


@dataclass(slots=True)
class Progress:
    """One for each attempt; mutable, owned by the task that delivers."""

    queue_id: str
    destination: str
    """Domain, relay host or mailbox."""
    recipients: int
    size: int
    """Octets to send."""
    since: float
    """Seconds since 1970."""
    phase: Phase = Phase.WAITING
    server: str = ""
    """`name [ip]:port` of the server that is talked to."""
    tls: TlsInfo | None = None
    sent: int = 0
    """Octets of the message that the connection has taken."""
