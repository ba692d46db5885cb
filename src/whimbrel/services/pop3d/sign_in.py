"""The AUTHORIZATION state: capabilities, STLS, and who the client is.

Standards: RFC 1939 4, 7 (USER, PASS); RFC 2449 6 (capabilities); RFC 2595 4 (STLS); RFC 5034 (AUTH); RFC 3206;
RFC 8314 3 (no passwords without TLS); RFC 6856 2 and 3 (UTF8, LANG).
RFC 1939 7 APOP: not done, it needs the password itself on the server.
"""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace

from whimbrel.backends.net.driver import Connection, TimedOut
from whimbrel.core.cleanout import INBOX, days_for
from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.protocols.pop3 import commands
from whimbrel.protocols.pop3.engine import Bad, Challenge, Err, Event, Listing, Ok, Reply, Response
from whimbrel.protocols.sasl import SERVER_MECHANISMS
from whimbrel.protocols.sasl.exchange import SaslError
from whimbrel.services.pop3d.phrases import DEFAULT, LANGUAGES, known, said
from whimbrel.services.pop3d.settings import Pop3Settings
from whimbrel.services.session.authenticator import Authenticator
from whimbrel.services.session.identities import SignedIn
from whimbrel.services.session.peer import SessionPeer, plaintext_allowed
from whimbrel.services.session.services import ServicesSettings
from whimbrel.services.session.settings import SecuritySettings

FAILED = Err("Wrong user name or password", "AUTH")
PRIVACY = Err("Start TLS first (STLS)")


def code_of(error: MailError) -> str:
    """The response code that tells a client whether to try again. RFC 2449 8.1, RFC 3206 3"""
    if isinstance(error, MailboxError) and error.condition is Condition.INUSE:
        return "IN-USE"
    return "SYS/TEMP" if error.temporary else "SYS/PERM"


class Authorization:
    """One connection before, and what it may say of itself at any time."""

    def __init__(
        self,
        connection: Connection[Event, Reply],
        service: str,
        session_id: str,
        config: ConfigStore,
        sign_in: Authenticator,
        clock: Clock,
        tls: Callable[[], ssl.SSLContext | None],
    ) -> None:
        self._connection, self._service, self._id = connection, service, session_id
        self._config, self._sign_in, self._clock, self._tls = config, sign_in, clock, tls
        self._name = ""
        self._language = DEFAULT
        self._signed: SignedIn | None = None
        self._failures = 0
        self._over = False
        self._deadline = 0.0

    @property
    def _peer(self) -> SessionPeer:
        """The other end, as it is now (TLS may have begun)."""
        connection = self._connection
        return SessionPeer(
            self._service, connection.peer[0], connection.tls is not None, self._id, connection.channel_binding
        )

    @property
    def _security(self) -> SecuritySettings:
        return self._config.section(SecuritySettings)

    def _tls_offered(self) -> bool:
        settings = self._config.section(ServicesSettings).named(self._service)
        return self._connection.tls is None and settings.tls == "starttls" and self._tls() is not None

    def capabilities(self) -> Listing:
        lines = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "LANG"]
        # RFC 6856 2.1: not done, downgrading for clients that did not say UTF8: all get a message as it is stored.
        lines.append("UTF8 USER")
        if delay := int(self._config.section(Pop3Settings).login_delay):
            lines.append(f"LOGIN-DELAY {delay}")
        if self._signed is not None:
            # Before sign-in nobody can say: it is for each user.
            days = days_for(self._signed.account.clean_out, INBOX)
            lines.append(f"EXPIRE {days}" if days else "EXPIRE NEVER")
        if self._tls_offered():
            lines.append("STLS")
        if plaintext_allowed(self._config, self._peer):
            lines.append("USER")
        if names := self._sign_in.offered(self._peer):
            lines.append("SASL " + " ".join(names))
        lines.append("IMPLEMENTATION Whimbrel")
        return Listing("Capabilities follow", "".join(f"{line}\r\n" for line in lines).encode("ascii"))

    async def signed_in(self) -> SignedIn | None:
        """Serves the AUTHORIZATION state. Returns the sign-in, its command not answered yet; None: the session ends."""
        self._deadline = self._clock.monotonic() + self._config.section(Pop3Settings).sign_in_time
        while True:
            event = await self._next()
            answer = await self._answer(event)
            if isinstance(answer, SignedIn):
                self._signed = answer
                return answer
            if answer is not None:
                await self.say(answer)
            if self._over or self._failures >= self._security.max_failures_per_connection:
                return None

    async def say(self, reply: Reply) -> None:
        """Sends it, in the client's language."""
        await self._connection.send(said(reply, self._language))

    def worded(self, reply: Reply) -> Reply:
        """In the client's language."""
        return said(reply, self._language)

    def language(self, tag: str) -> Reply:
        """RFC 6856 3.2"""
        if not tag:
            names = "".join(f"{each} {name}\r\n" for each, name in LANGUAGES.items())
            return Listing("Languages follow", names.encode("utf-8"))
        language = known(tag)
        if language is None:
            return Err(f"No such language; there are {', '.join(LANGUAGES)}")
        self._language = language
        return Ok(f"{language} {LANGUAGES[language]}", unicode=True)

    async def _next(self) -> Event:
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimedOut
        event = await self._connection.next_event(left)
        self._over = isinstance(event, commands.Quit) or (isinstance(event, Bad) and event.fatal)
        return event

    async def _answer(self, event: Event) -> Reply | SignedIn | None:
        """None: it has been sent."""
        match event:
            case commands.Capa():
                return self.capabilities()
            case commands.Quit():
                self._connection.asked = True
                return Ok("Goodbye")
            case commands.Utf8():
                return Ok("UTF-8 it is")  # Nothing changes: messages always are as they are stored.
            case commands.Lang(tag):
                return self.language(tag)
            case commands.Stls():
                return await self._start_tls()
            case commands.User(name):
                if not plaintext_allowed(self._config, self._peer):
                    return PRIVACY
                self._name = name
                return Ok("Send the password")  # Whatever the name: it must not reveal who exists.
            case commands.Pass(password):
                if not plaintext_allowed(self._config, self._peer):
                    return PRIVACY
                if not self._name:
                    return Err("USER comes first")
                name, self._name = self._name, ""
                return await self._signing_in(
                    self._sign_in.password(name, password, self._peer, method="USER", waiter=self._connection)
                )
            case commands.Auth("", _):
                offered = self._sign_in.offered(self._peer)
                return Listing("Mechanisms follow", "".join(f"{name}\r\n" for name in offered).encode("ascii"))
            case commands.Auth(mechanism, initial):
                return await self._authenticate(mechanism, initial)
            case Bad(text):
                return Err(text)
        raise RuntimeError(f"unexpected {type(event).__name__}")

    async def _start_tls(self) -> Reply | None:
        context = self._tls() if self._tls_offered() else None
        if context is None:
            return Err("TLS is active already" if self._connection.tls else "TLS is not available")
        await self.say(Ok("Begin TLS"))
        await self._connection.start_tls(context)
        self._name, self._language = "", DEFAULT
        return None

    async def _authenticate(self, name: str, initial: bytes | None) -> Reply | SignedIn:
        sign_in, peer = self._sign_in, self._peer
        mechanism = sign_in.offered(peer).get(name)
        if mechanism is None:
            under_tls = name in SERVER_MECHANISMS and name in sign_in.offered(replace(peer, tls=True))
            return PRIVACY if under_tls else Err("Mechanism not supported")

        async def ask(challenge: bytes) -> bytes:
            await self._connection.send(Challenge(challenge))
            event = await self._next()
            if isinstance(event, Bad):
                raise _GivenUp(event.text)
            if not isinstance(event, Response):
                raise RuntimeError(f"unexpected {type(event).__name__} within a SASL exchange")
            if event.data is None:
                raise _GivenUp("Authentication given up")
            return event.data

        return await self._signing_in(sign_in.start(mechanism, initial, peer, ask, self._connection))

    async def _signing_in(self, running: Awaitable[SignedIn]) -> Reply | SignedIn:
        try:
            return await running
        except _GivenUp as end:
            return Err(str(end))
        except SaslError:
            return self._failed()
        except MailError as error:
            if error.temporary:
                return Err(error.text, "SYS/TEMP")
            return self._failed()

    def _failed(self) -> Err:
        """The same words whatever was wrong."""
        self._failures += 1
        return FAILED


class _GivenUp(Exception):
    """The client ended the exchange."""
