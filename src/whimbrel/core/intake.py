"""The one door by which every message enters: SMTP, webmail, reports, forwards, fetched mail."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from whimbrel.core.directory import Account
from whimbrel.core.envelope import Envelope
from whimbrel.core.net import TlsInfo
from whimbrel.core.spool import Spooled


class Origin(Enum):
    """Where a transaction comes from."""

    __hash__ = object.__hash__  # Looked up for each message: that of Enum is a Python function.

    INBOUND = "inbound"
    """From a client that has not signed in, on port 25."""
    SUBMISSION = "submission"
    """From a signed-in user."""
    LMTP = "lmtp"
    """From a trusted program beside us."""
    INTERNAL = "internal"
    """Made by ourselves: reports, forwards, replies."""


@dataclass(frozen=True, slots=True)
class Client:
    """The other end of a session."""

    ip: str
    port: int
    local_ip: str
    local_port: int
    helo: str = ""
    protocol: str = ""
    """For Received, RFC 3848: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, LMTP ..."""
    tls: TlsInfo | None = None
    session_id: str = ""
    service: str = ""
    host: str = ""
    """Name from reverse DNS, verified forward, or empty."""


@dataclass(frozen=True, slots=True)
class Internal:
    """A message that we made: its envelope and content; `cause` is the queue id it came from, for the trace."""

    envelope: Envelope
    content: Spooled
    cause: str = ""
    account: Account | None = None


class Intake(Protocol):
    async def submit(self, message: Internal) -> str:
        """Takes it through the one way and returns its queue id; MailError if it is refused as a whole."""
        ...
