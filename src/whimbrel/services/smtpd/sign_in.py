"""AUTH: a SASL exchange with the client, then SignIn.

Standards: RFC 4954 4 (AUTH), 6 (replies).
"""

import base64
from typing import TYPE_CHECKING, Final

from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.protocols.sasl import SERVER_MECHANISMS
from whimbrel.protocols.sasl.exchange import Credentials, SaslError
from whimbrel.protocols.sasl.start import start
from whimbrel.protocols.smtp.reply import Reply
from whimbrel.protocols.smtp.server_events import Auth, AuthResponse, Fault
from whimbrel.services.session.peer import mechanisms
from whimbrel.services.session.settings import SecuritySettings
from whimbrel.services.smtpd.replies import (
    BAD_RESPONSE,
    CANCELLED,
    NEEDS_TLS,
    NO_MECHANISM,
    TOO_MANY_SIGN_INS,
    refusal,
)

if TYPE_CHECKING:
    from whimbrel.services.smtpd.session import SmtpSession

MAX_STEPS: Final = 8


async def authenticate(session: "SmtpSession", event: Auth) -> Account | Reply:
    """Who has signed in, or the reply that says why nobody has."""
    ports = session.ports
    settings = ports.config.section(SecuritySettings)
    if event.mechanism not in SERVER_MECHANISMS:
        return NO_MECHANISM
    if event.mechanism not in mechanisms(settings, session.peer):
        return NEEDS_TLS
    try:
        exchange = start(event.mechanism, event.initial)
        state = exchange.first
        for _ in range(MAX_STEPS):
            if isinstance(state, Credentials):
                return await ports.sign_in.check(state.name, state.password, session.peer, method=event.mechanism)
            response = await session.ask(Reply(334, "", (base64.b64encode(state.data).decode(),)))
            if isinstance(response, Fault):
                return response.reply
            if not isinstance(response, AuthResponse):
                raise RuntimeError("the engine gave another event than a response")
            if response.data is None:
                return CANCELLED
            state = exchange.step(response.data)
    except SaslError:
        ports.sign_in.unreadable(session.peer, method=event.mechanism)
        return BAD_RESPONSE
    except MailError as error:
        session.failed_sign_ins += not error.temporary
        if session.failed_sign_ins >= settings.max_failures_per_connection:
            return TOO_MANY_SIGN_INS
        return refusal(error)
    return BAD_RESPONSE
