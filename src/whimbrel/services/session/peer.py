"""Who is at the other end of a session, and what that end may do before it has signed in.

Standards: RFC 8314 3 (no passwords without TLS), RFC 4954 4, RFC 9051 6.2.3, RFC 2595 2.3.
"""

from dataclasses import dataclass

from whimbrel.core.log import Log
from whimbrel.core.network import contains
from whimbrel.protocols.sasl import PLAINTEXT, SERVER_MECHANISMS
from whimbrel.services.session.settings import SecuritySettings


@dataclass(frozen=True, slots=True)
class SessionPeer:
    service: str
    """`smtp`, `submission`, `imaps` ...: the name in the services section."""
    ip: str
    tls: bool
    session_id: str


def plaintext_allowed(settings: SecuritySettings, peer: SessionPeer) -> bool:
    """Whether a password may pass as this connection is now: under TLS, or from a network set for that."""
    return peer.tls or contains(settings.plaintext_from, peer.ip)


def mechanisms(settings: SecuritySettings, peer: SessionPeer) -> tuple[str, ...]:
    """The SASL mechanisms to offer, best first; none if all would show the password to listeners."""
    allowed = plaintext_allowed(settings, peer)
    return tuple(name for name in SERVER_MECHANISMS if allowed or name not in PLAINTEXT)


def session_log(log: Log, peer: SessionPeer) -> Log:
    """`log`, its records carrying what tells this session from others."""
    return log.bind(service=peer.service, session_id=peer.session_id, sender_host=peer.ip)
