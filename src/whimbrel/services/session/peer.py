"""The peer of a session, and what it may do before authentication.

Standards: RFC 8314 3 (no passwords without TLS), RFC 4954 4, RFC 9051 6.2.3, RFC 2595 2.3.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from whimbrel.core.config import ConfigStore
from whimbrel.core.definitions import Definitions
from whimbrel.core.log import Log
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
    """Returns channel binding data by type; `tls-server-end-point` is of the certificate that the client was shown.
    None: not available. RFC 5929, RFC 9266"""


def plaintext_allowed(config: ConfigStore, peer: SessionPeer) -> bool:
    """True if passwords may be sent on this connection: under TLS, or from a network set for that."""
    if peer.tls:
        return True
    clients = config.section(SecuritySettings).plaintext_from
    return bool(clients) and config.section(Definitions).include(clients, peer.ip)


def offered(
    config: ConfigStore,
    peer: SessionPeer,
    schemes: frozenset[str] = frozenset(),
    mechanisms: dict[str, Mechanism] = SERVER_MECHANISMS,
) -> dict[str, Mechanism]:
    """Returns the mechanisms that can succeed here, in order of preference: none that would reveal the password to
    eavesdroppers, none whose keys accounts lack (`schemes` lists those they have), no channel binding without TLS."""
    allowed, bound = plaintext_allowed(config, peer), peer.tls and peer.binding("tls-server-end-point") is not None
    return _offered(tuple(mechanisms.values()), allowed, bound, schemes)


@lru_cache(64)
def _offered(
    mechanisms: tuple[Mechanism, ...], allowed: bool, bound: bool, schemes: frozenset[str]
) -> dict[str, Mechanism]:
    """Cached: it is asked at each greeting and each sign-in."""
    return {
        mechanism.name: mechanism
        for mechanism in mechanisms
        if (allowed or not mechanism.plain)
        and (mechanism.form is not Form.KEYS or mechanism.scheme in schemes)
        and (bound or not mechanism.binds)
    }


def session_log(log: Log, peer: SessionPeer) -> Log:
    """Returns `log` with service, session id and client address in each record."""
    return log.bind(service=peer.service, session_id=peer.session_id, sender_host=peer.ip)
