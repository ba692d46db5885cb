"""Who is at the other end of a session, and what that end may do before it has signed in.

Standards: RFC 8314 3 (no passwords without TLS), RFC 4954 4, RFC 9051 6.2.3, RFC 2595 2.3.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from whimbrel.core.log import Log
from whimbrel.core.network import contains
from whimbrel.protocols.sasl import SERVER_MECHANISMS
from whimbrel.protocols.sasl.exchange import Form, Mechanism
from whimbrel.services.session.settings import SecuritySettings


def _unbound(_kind: str) -> bytes | None:
    return None


@dataclass(frozen=True, slots=True)
class SessionPeer:
    service: str
    """`smtp`, `submission`, `imaps` ...: the name in the services section."""
    ip: str
    tls: bool
    session_id: str
    binding: Callable[[str], bytes | None] = field(default=_unbound, compare=False, repr=False)
    """Data of the TLS channel by the type of its binding, `tls-server-end-point` of the certificate that the client was
    shown; None: not to be had. RFC 5929 4, RFC 9266"""


def plaintext_allowed(settings: SecuritySettings, peer: SessionPeer) -> bool:
    """Whether a password may pass as this connection is now: under TLS, or from a network set for that."""
    return peer.tls or contains(settings.plaintext_from, peer.ip)


def offered(
    settings: SecuritySettings,
    peer: SessionPeer,
    schemes: frozenset[str] = frozenset(),
    mechanisms: dict[str, Mechanism] = SERVER_MECHANISMS,
) -> dict[str, Mechanism]:
    """The mechanisms that can succeed here, best first: none that would show the password to who listens, none whose
    keys (`schemes`) accounts lack, none that binds to a TLS channel that is not there."""
    allowed, bound = plaintext_allowed(settings, peer), peer.tls and peer.binding("tls-server-end-point") is not None
    return _offered(tuple(mechanisms.values()), allowed, bound, schemes)


@lru_cache(64)
def _offered(
    mechanisms: tuple[Mechanism, ...], allowed: bool, bound: bool, schemes: frozenset[str]
) -> dict[str, Mechanism]:
    """Asked for at each greeting and each sign-in: the same few answers."""
    return {
        mechanism.name: mechanism
        for mechanism in mechanisms
        if (allowed or not mechanism.plain)
        and (mechanism.form is not Form.KEYS or mechanism.scheme in schemes)
        and (bound or not mechanism.binds)
    }


def session_log(log: Log, peer: SessionPeer) -> Log:
    """`log`, its records carrying what tells this session from others."""
    return log.bind(service=peer.service, session_id=peer.session_id, sender_host=peer.ip)
