"""Handlers of STARTTLS, LOGIN, AUTHENTICATE.

Standards: RFC 3501 6.2, 11.1 (LOGINDISABLED); RFC 4959 (SASL-IR), RFC 4616; RFC 5530 3 (response codes)
"""

import base64
from collections.abc import Awaitable, Iterable
from dataclasses import replace

from whimbrel.core.errors import MailError
from whimbrel.core.values import Secret
from whimbrel.protocols.imap import basic
from whimbrel.protocols.imap.engine import Bad, Continue, Done, SaslResponse, Status
from whimbrel.protocols.sasl import SERVER_MECHANISMS
from whimbrel.protocols.sasl.exchange import SaslError
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, refusal
from whimbrel.services.session.identities import SignedIn
from whimbrel.services.session.peer import plaintext_allowed
from whimbrel.services.session.services import ServicesSettings

PRIVACY = (b"PRIVACYREQUIRED", "Start TLS first")
FAILED = (b"AUTHENTICATIONFAILED", "Wrong user name or password")


def tls_offered(session: Session) -> bool:
    settings = session.ports.config.section(ServicesSettings).named(session.service)
    return session.connection.tls is None and settings.tls == "starttls" and session.ports.tls() is not None


def advertise(session: Session) -> Iterable[bytes]:
    if session.account is not None:
        return
    if tls_offered(session):
        yield b"STARTTLS"
    for name in session.mechanisms():
        yield b"AUTH=" + name.encode()
    if not plaintext_allowed(session.ports.config, session.peer):
        yield b"LOGINDISABLED"


async def start_tls(session: Session, _command: basic.StartTls) -> Done | None:
    context = session.ports.tls() if tls_offered(session) else None
    if context is None:
        return Done(Status.BAD, "TLS is active already" if session.connection.tls else "TLS is not available")
    await session.connection.send(Done(Status.OK, "Begin TLS"))
    await session.connection.start_tls(context)
    return None


async def login(session: Session, command: basic.Login) -> Done:
    if not plaintext_allowed(session.ports.config, session.peer):
        return refusal(*PRIVACY)
    try:
        password = Secret(command.password.decode())
    except UnicodeDecodeError:
        password = Secret("")
    sign_in = session.ports.sign_in
    return await _signed_in(
        session, sign_in.password(command.name, password, session.peer, method="LOGIN", waiter=session.connection)
    )


async def authenticate(session: Session, command: basic.Authenticate) -> Done:
    sign_in, peer = session.ports.sign_in, session.peer
    mechanism = sign_in.offered(peer).get(command.mechanism)
    if mechanism is None:
        if command.mechanism in SERVER_MECHANISMS and command.mechanism in sign_in.offered(replace(peer, tls=True)):
            return refusal(*PRIVACY)
        return refusal(b"CANNOT", "Mechanism not supported")

    async def ask(challenge: bytes) -> bytes:
        await session.connection.send(Continue(base64.b64encode(challenge)))
        event = await session.connection.next_event(session.settings.sign_in_time)
        if isinstance(event, Bad):
            raise _GivenUp(Done(event.status, event.text, event.code))
        if not isinstance(event, SaslResponse):
            raise RuntimeError(f"unexpected {type(event).__name__} within a SASL exchange")
        if event.data is None:
            raise _GivenUp(Done(Status.BAD, "Authentication given up"))
        return event.data

    return await _signed_in(session, sign_in.start(mechanism, command.initial, peer, ask, session.connection))


class _GivenUp(Exception):
    """The client ended the exchange."""

    def __init__(self, answer: Done) -> None:
        super().__init__()
        self.answer = answer


async def _signed_in(session: Session, running: Awaitable[SignedIn]) -> Done:
    try:
        signed = await running
    except _GivenUp as end:
        return end.answer
    except SaslError:
        return await failed(session)
    except MailError as error:
        if error.temporary:
            return refusal(b"UNAVAILABLE", error.text)
        return await failed(session)
    account = signed.account = session.ports.watches.account(signed.account)
    session.signed, session.connection.user = signed, account.id
    session.log = session.log.bind(user=str(account.address))
    try:
        await session.ports.sign_in.furnish(account)
    except MailError as error:
        # Signing in does not depend on them.
        session.log.warning("imap.folders_failed", status=error.text, detail=error.detail)
    return Done(Status.OK, "Signed in", b"CAPABILITY " + session.capabilities())


async def failed(session: Session) -> Done:
    """The same words whatever was wrong."""
    session.failed_sign_ins += 1
    if session.failed_sign_ins >= session.security.max_failures_per_connection:
        await session.bye("Too many failed sign-ins")
    return refusal(*FAILED)


OFFER = Offer(
    handlers=dict(
        (
            serves(basic.StartTls, start_tls),
            serves(basic.Login, login),
            serves(basic.Authenticate, authenticate),
        )
    ),
    capabilities=(b"SASL-IR",),
    advertise=advertise,
)
