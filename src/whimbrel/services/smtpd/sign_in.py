"""AUTH: a mechanism's exchange with the client.

Standards: RFC 4954 4 (AUTH), 6 (replies)
"""

import base64
from dataclasses import replace
from typing import Protocol

from whimbrel.core.errors import MailError
from whimbrel.protocols.sasl import SERVER_MECHANISMS
from whimbrel.protocols.sasl.exchange import SaslError
from whimbrel.protocols.smtp.reply import Reply
from whimbrel.protocols.smtp.server_events import Auth, AuthResponse, Fault, ServerEvent
from whimbrel.services.session.identities import SignedIn
from whimbrel.services.session.peer import SessionPeer
from whimbrel.services.session.settings import SecuritySettings
from whimbrel.services.smtpd.content import SmtpConnection
from whimbrel.services.smtpd.door import Ports
from whimbrel.services.smtpd.replies import (
    BAD_RESPONSE,
    CANCELLED,
    NEEDS_TLS,
    NO_MECHANISM,
    TOO_MANY_SIGN_INS,
    refusal,
)


class Exchange(Protocol):
    """What a mechanism needs of the session."""

    ports: Ports
    failed_sign_ins: int

    @property
    def peer(self) -> SessionPeer: ...

    @property
    def waiter(self) -> SmtpConnection:
        """Woken when the sign-in counts no more."""
        ...

    async def ask(self, reply: Reply) -> ServerEvent:
        """Sends `reply`; the event that follows."""
        ...


class _GivenUp(Exception):
    """The client ended the exchange."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


async def authenticate(session: Exchange, event: Auth) -> SignedIn | Reply:
    """Who has signed in, or the reply that says why nobody has."""
    sign_in, peer = session.ports.sign_in, session.peer
    mechanism = sign_in.offered(peer).get(event.mechanism)
    if mechanism is None:
        under_tls = event.mechanism in SERVER_MECHANISMS and event.mechanism in sign_in.offered(replace(peer, tls=True))
        return NEEDS_TLS if under_tls else NO_MECHANISM

    async def ask(challenge: bytes) -> bytes:
        response = await session.ask(Reply(334, "", (base64.b64encode(challenge).decode(),)))
        if isinstance(response, Fault):
            raise _GivenUp(response.reply)
        if not isinstance(response, AuthResponse):
            raise RuntimeError("the engine gave another event than a response")
        if response.data is None:
            raise _GivenUp(CANCELLED)
        return response.data

    try:
        return await sign_in.start(mechanism, event.initial, peer, ask, session.waiter)
    except _GivenUp as end:
        return end.reply
    except SaslError:
        return BAD_RESPONSE
    except MailError as error:
        session.failed_sign_ins += not error.temporary
        if session.failed_sign_ins >= session.ports.config.section(SecuritySettings).max_failures_per_connection:
            return TOO_MANY_SIGN_INS
        return refusal(error)
