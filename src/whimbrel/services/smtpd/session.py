"""One connection with an SMTP, submission or LMTP client: engine events become steps of the reception.

Content is received in `content.py`.

Standards: RFC 5321 3, 4.3.2, 4.5.3.2 (time-outs), RFC 6409 4.3 (530), RFC 2033 4.2, RFC 3207 4, RFC 3848 (protocols),
RFC 8689 2, RFC 9422 5.1, draft-hall-prdr-00.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from whimbrel.backends.net.driver import Closed, TimedOut
from whimbrel.core.address import Address
from whimbrel.core.envelope import Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Client, Origin
from whimbrel.flow.assessment import Assessment
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import Answers
from whimbrel.protocols.smtp.reply import Reply
from whimbrel.protocols.smtp.server import SmtpEngine
from whimbrel.protocols.smtp.server_events import (
    Auth,
    Chunk,
    Data,
    Expn,
    Fault,
    Helo,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    ServerEvent,
    StartTls,
    Vrfy,
)
from whimbrel.protocols.smtp.state import Role, Terms
from whimbrel.services.session.identities import SignedIn
from whimbrel.services.session.peer import SessionPeer
from whimbrel.services.session.services import ServicesSettings
from whimbrel.services.smtpd import replies
from whimbrel.services.smtpd.content import ContentReceiver, SmtpConnection
from whimbrel.services.smtpd.door import Ports
from whimbrel.services.smtpd.help import commands
from whimbrel.services.smtpd.sign_in import authenticate

MAX_IDLE: Final = 100
"""Commands that bring no mail (NOOP, RSET, unknown recipients on port 25) between two messages."""


class SmtpSession(ContentReceiver):
    """From greeting to the end. `run` is the whole life."""

    def __init__(self, ports: Ports, connection: SmtpConnection, engine: SmtpEngine, service: str) -> None:
        self._id = ports.ids.session_id()
        log = ports.log.bind(service=service, session_id=self._id, sender_host=connection.peer[0])
        super().__init__(ports, connection, engine, log)
        connection.session_id = self._id
        self._service = service
        self._smtp = ports.config.section(SmtpSettings)
        self._timeout = float(self._settings.command_timeout)
        self._helo, self._extended = "", False
        self._client = self._describe()
        self._connected: Assessment | None = None
        self._known: Assessment | None = None
        """What filters said of the connection, and of it and its HELO: for all its transactions."""
        self._failures = self.failed_sign_ins = self._messages = 0

    @property
    def peer(self) -> SessionPeer:
        connection = self._connection
        return SessionPeer(
            self._service, connection.peer[0], connection.tls is not None, self._id, connection.channel_binding
        )

    @property
    def waiter(self) -> SmtpConnection:
        """Woken when the sign-in counts no more."""
        return self._connection

    async def ask(self, reply: Reply) -> ServerEvent:
        """Sends `reply`; the event that follows."""
        await self._connection.send(reply)
        return await self._connection.next_event(self._timeout)

    async def run(self) -> None:
        try:
            await self._serve()
        except Closed:
            pass
        except TimedOut:
            await self._farewell(replies.SILENT)
        except asyncio.CancelledError:
            await self._farewell(replies.DISMISSED if self._connection.dismissed else replies.SHUTTING_DOWN)
            raise
        except Exception as error:  # noqa: BLE001  # The top of a session.
            self._log.exception("session.crashed", error)
            await self._farewell(replies.CRASHED if self._engine.waiting else replies.CRASHED_IDLE)
        finally:
            if self._signed is not None:
                self._signed.close()
            self._drop()
            self._connection.end()

    async def _serve(self) -> None:
        connection, timeout, handlers = self._connection, self._timeout, _HANDLERS
        until, monotonic = self._until, self.ports.clock.monotonic
        await self._greet()
        while not self._over:
            event = await connection.event_or_wake(timeout)
            if self._signed is not None and self._signed.outdated and not await self._still_signed_in(self._signed):
                if event is None:
                    await self._farewell(replies.SIGNED_OUT)
                else:
                    await self._close(replies.SIGNED_OUT)
                return
            if event is None:
                continue
            if monotonic() > until:
                await self._close(replies.TOO_LONG_A_SESSION)
                return
            handler = handlers.get(type(event))
            if handler is None:
                raise RuntimeError(f"{type(event).__name__} out of place")
            connection.command = type(event)
            await handler(self, event)
            connection.command = None

    @property
    def _service_tls(self) -> str:
        return self.ports.config.section(ServicesSettings).named(self._service).tls

    @property
    def _origin(self) -> Origin:
        if self._account is not None or self._role is Role.SUBMISSION:
            return Origin.SUBMISSION
        return Origin.LMTP if self._role is Role.LMTP else Origin.INBOUND

    def _describe(self) -> Client:
        connection = self._connection
        secure, signed_in = connection.tls is not None, self._account is not None
        if self._role is Role.LMTP:
            protocol = "LMTP"
        else:  # RFC 3848 knows S and A with ESMTP only.
            protocol = "ESMTP" if self._extended or secure or signed_in else "SMTP"
        protocol += "S" * secure + "A" * signed_in
        return Client(
            ip=connection.peer[0],
            port=connection.peer[1],
            local_ip=connection.local[0],
            local_port=connection.local[1],
            helo=self._helo,
            protocol=protocol,
            tls=connection.tls,
            session_id=self._id,
            service=self._service,
        )

    async def _farewell(self, reply: Reply) -> None:
        with contextlib.suppress(ValueError, Closed, TimedOut):
            await self._connection.send(reply)

    async def _start_tls(self, context: Any) -> None:
        try:
            await self._connection.start_tls(context)
        except Closed as error:
            self._log.debug("smtp.tls_failed", error=str(error))
            raise

    # Commands

    async def _greet(self) -> None:
        name, kind = self._smtp.hostname, "LMTP" if self._role is Role.LMTP else "ESMTP"
        try:
            self._connected = self._known = await self.ports.reception.connect(self._origin, self._client)
        except MailError as error:
            await self._turn_away(replies.refusal(error))
            return
        text = f"{name} {kind} {self._settings.greeting}".rstrip()
        await self._connection.send(Reply(220, "", (text,)))

    async def _turn_away(self, reply: Reply) -> None:
        """RFC 5321 3.1, 3.8: 421 closes at once; after 554 the client says QUIT, and hears 503 until then."""
        if reply.code < 500:
            await self._close(replace(reply, code=421))
            return
        await self._connection.send(replace(reply, code=554))
        while not self._over:
            event = await self._connection.next_event(self._timeout)
            if isinstance(event, Quit):
                await self._close(replies.BYE)
            else:
                await self._fail(replies.TURNED_AWAY)

    async def _on_helo(self, event: Helo) -> None:
        before = self._helo, self._extended
        self._helo, self._extended = event.name, event.extended
        client = self._describe()
        try:
            known = await self.ports.reception.helo(self._origin, client, self._connected)
        except MailError as error:
            self._helo, self._extended = before  # RFC 5321 4.1.4: all stays as it was, the transaction too.
            await self._refuse(error)
            return
        self._drop()
        self._client, self._known = client, known
        lines = self._engine.offer(self._terms())
        await self._chat(Reply(250, "", (self._smtp.hostname, *lines) if event.extended else (self._smtp.hostname,)))

    def _terms(self) -> Terms:
        config, tls = self.ports.config, self._connection.tls
        offers = () if self._signed is not None else tuple(self.ports.sign_in.offered(self.peer))
        return Terms(
            max_size=int(config.section(SmtpSettings).max_message_size),
            starttls=tls is None and self._service_tls == "starttls" and self.ports.tls() is not None,
            mechanisms=offers,
            require_tls=tls is not None,
            prdr=self._role is not Role.LMTP,
            max_recipients=config.section(SmtpSettings).max_recipients,
            max_transactions=self._settings.max_transactions,
        )

    async def _on_mail(self, event: Mail) -> None:
        if self._role is Role.SUBMISSION and self._account is None:
            await self._fail(replies.SIGN_IN_FIRST)
            return
        if self._messages and self._messages == self._settings.max_transactions:
            await self._close(replies.TOO_MANY_MESSAGES)
            return
        # LMTP has an answer for each, signed in or not. RFC 2033 4.2
        answers = Answers.EACH if event.prdr or self._role is Role.LMTP else Answers.ONE
        try:
            self._tx = await self.ports.reception.mail(
                self._origin, self._client, self._account, event.sender, event.options, answers, self._known
            )
        except MailError as error:
            await self._refuse(error)
            return
        self._messages += 1
        await self._connection.send(replies.SENDER_OK)

    async def _on_rcpt(self, event: Rcpt) -> None:
        tx, address = self._transaction, event.address
        try:
            if address is None:
                address = Address("postmaster", (await self.ports.directory.primary()).name)
            await self.ports.reception.rcpt(tx, Recipient(address, event.notify, event.orcpt))
        except MailError as error:
            # Dictionary attacks come to port 25; the list of a user or of a local program may be full of old addresses.
            tell = self._connection.send if error.temporary or tx.origin is not Origin.INBOUND else self._chat
            await tell(replies.refusal(error))
            return
        await self._connection.send(replies.RECIPIENT_OK)

    async def _on_auth(self, event: Auth) -> None:
        signed = await authenticate(self, event)
        if isinstance(signed, SignedIn):
            self._signed, self._connection.user = signed, signed.account.id
            self._client = self._describe()
            self._log = self._log.bind(user=str(signed.account.address))
            await self._connection.send(replies.SIGNED_IN)
        else:
            await self._fail(signed)

    async def _on_starttls(self, _event: StartTls) -> None:
        context = self.ports.tls()
        if self._service_tls != "starttls":  # Asked before EHLO told what is offered.
            await self._fail(replies.NO_STARTTLS)
            return
        if context is None:
            await self._connection.send(replies.NO_TLS)
            return
        await self._connection.send(replies.GO_TLS)
        self._drop()
        self._helo, self._extended = "", False
        self._known = self._connected  # RFC 3207 4.2
        await self._start_tls(context)
        self._client = self._describe()

    async def _on_rset(self, _event: Rset) -> None:
        self._drop()
        await self._chat(replies.DONE)

    async def _on_noop(self, _event: Noop) -> None:
        await self._chat(replies.DONE)

    async def _on_vrfy(self, _event: Vrfy) -> None:
        await self._chat(replies.CANNOT_VERIFY)

    async def _on_expn(self, _event: Expn) -> None:
        await self._fail(replies.NO_EXPANSION)

    async def _on_help(self, _event: Help) -> None:
        await self._chat(commands(self._role, self._terms()))

    async def _on_quit(self, _event: Quit) -> None:
        # With more behind it QUIT must not close at once: a reset could take our answer away from the client.
        self._connection.asked = not self._engine.more
        await self._close(replies.BYE)

    async def _on_fault(self, event: Fault) -> None:
        if event.counts:
            await self._fail(event.reply)
        else:
            await self._connection.send(event.reply)

    # Refusing

    async def _refuse(self, error: MailError) -> None:
        await self._fail(replies.refusal(error))

    async def _chat(self, reply: Reply) -> None:
        """A command that is well formed and brings no mail: beyond `MAX_IDLE` each counts as one that went wrong."""
        self._idle += 1
        if self._idle > MAX_IDLE:
            await self._fail(reply)
        else:
            await self._connection.send(reply)

    async def _fail(self, reply: Reply) -> None:
        """A command that went wrong; after too many of them the session ends."""
        await self._connection.send(reply)
        self._failures += 1
        if reply.code == 421:
            self._over = True
        elif self._failures >= self._settings.max_failed_commands:
            self._log.warning("session.too_many_errors", failures=self._failures)
            await self._close(replies.TOO_MANY_ERRORS)


Handler = Callable[[SmtpSession, Any], Awaitable[None]]

_HANDLERS: Final[dict[type[object], Handler]] = {
    Helo: SmtpSession._on_helo,
    Mail: SmtpSession._on_mail,
    Rcpt: SmtpSession._on_rcpt,
    Data: SmtpSession._on_data,
    Chunk: SmtpSession._on_chunk,
    Rset: SmtpSession._on_rset,
    Noop: SmtpSession._on_noop,
    Quit: SmtpSession._on_quit,
    Vrfy: SmtpSession._on_vrfy,
    Expn: SmtpSession._on_expn,
    Help: SmtpSession._on_help,
    StartTls: SmtpSession._on_starttls,
    Auth: SmtpSession._on_auth,
    Fault: SmtpSession._on_fault,
}
