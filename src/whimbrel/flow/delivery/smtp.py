"""Sends one message to the recipients of one destination, by the first server that takes it.

Servers are tried in order until one has answered for every recipient; what is said there is final for this attempt.
TLS is used wherever it is offered; if the handshake fails and TLS is not required, the server is tried once more
without.

Standards: RFC 5321 5.1, 4.2.5 (after the content), RFC 7435 (opportunistic), RFC 3463 3.5 (X.4.1), 3.8 (X.7.4, X.7.5),
RFC 6531 3.5 (SMTPUTF8)
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.net import Connector, TlsInfo, TlsMode, TlsPolicy
from whimbrel.core.queue import Queue, QueueItem, QueueRecipient, RecipientState
from whimbrel.flow.delivery.conversation import Conversation, Declined, HandshakeFailed
from whimbrel.flow.delivery.destination import Destination, Finder, Server
from whimbrel.flow.delivery.outcome import Outcome, of_error, status_of
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import HEAD
from whimbrel.protocols.smtp.client_events import TransactionOptions
from whimbrel.protocols.smtp.reply import Reply

PIECE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes to one destination: `recipients` are those of `item` that have this way."""

    item: QueueItem
    way: Destination
    recipients: tuple[QueueRecipient, ...]


class _ContentGone(Exception):
    """The entry was deleted while it was being sent."""


class SmtpAgent:
    def __init__(self, *, queue: Queue, finder: Finder, connector: Connector, config: ConfigStore, log: Log) -> None:
        self._queue, self._finder, self._connector = queue, finder, connector
        self._config, self._log = config, log

    async def deliver(self, parcel: Parcel) -> list[Outcome]:
        """One for each recipient, in order. Never raises MailError or OSError."""
        count = len(parcel.recipients)
        try:
            servers = await self._finder.servers(parcel.way, f"{parcel.item.id}/{parcel.item.attempts}")
        except MailError as error:
            return [of_error(error)] * count
        head = await self._queue.content(parcel.item.id, 0, HEAD)
        if head is None:
            return [Outcome(RecipientState.WAITING, "4.3.0 The content of the message cannot be read")] * count
        options = TransactionOptions(
            size=parcel.item.size,
            body_8bit=parcel.item.body_8bit or not head.isascii(),
            utf8=parcel.item.utf8 and not _header(head).isascii(),
        )
        last: list[Outcome] = []
        for server in servers:
            outcomes, done = await self._try(server, parcel, options)
            if done:
                return outcomes
            if not last or last[0].state is RecipientState.FAILED:
                last = outcomes  # Final only if every server says so.
        return last

    async def _try(self, server: Server, parcel: Parcel, options: TransactionOptions) -> tuple[list[Outcome], bool]:
        """False: another server may do better."""
        mode = self._mode(parcel.way)
        try:
            return await self._converse(server, parcel, options, mode)
        except HandshakeFailed as error:
            self._log.warning(
                "delivery.tls-failed", queue_id=parcel.item.id, remote=str(server), status=str(error), tls=mode.value
            )
            if mode is not TlsMode.OPPORTUNISTIC or self._secret(parcel.way):
                return self._all(parcel, server, f"4.7.5 TLS handshake failed: {error}"), False
        except OSError as error:
            return self._all(parcel, server, f"4.4.2 Connection lost: {_words(error)}"), False
        try:  # RFC 7435 3: better in the clear than not at all; only here, and only now.
            return await self._converse(server, parcel, options, TlsMode.NONE)
        except (HandshakeFailed, OSError) as error:
            return self._all(parcel, server, f"4.4.2 Connection lost: {_words(error)}"), False

    async def _converse(
        self, server: Server, parcel: Parcel, options: TransactionOptions, mode: TlsMode
    ) -> tuple[list[Outcome], bool]:
        settings = self._config.section(DeliverySettings)
        policy = TlsPolicy(mode, server.name)
        try:
            async with asyncio.timeout(settings.connect_timeout):
                link = await self._connector.open(server.address, server.port, settings.source_address, policy)
        except OSError as error:
            return self._all(parcel, server, f"4.4.1 Cannot connect to remote host: {_words(error)}"), False
        conversation = Conversation(
            link, command_timeout=settings.command_timeout, final_timeout=settings.final_timeout
        )
        try:
            await self._prepare(conversation, parcel.way, mode)
            replies, unknown = await self._send(conversation, parcel, options)
        except Declined as declined:
            # RFC 5321 5.1: the next server may be of another mind. Only if this is the last one does it count.
            return self._answer(parcel, server, conversation, [declined.reply] * len(parcel.recipients)), False
        except _ContentGone:
            return self._all(parcel, server, "4.3.0 The content of the message cannot be read"), True
        finally:
            await conversation.leave()
        # A server that closes in the middle may have an heir; after the content none may be asked (RFC 1047).
        closed = all(reply.code == 421 for reply in replies) and not unknown
        return self._answer(parcel, server, conversation, replies), not closed

    async def _prepare(self, conversation: Conversation, way: Destination, mode: TlsMode) -> None:
        hostname = self._config.section(SmtpSettings).hostname
        await conversation.greet(hostname)
        if way.relay is None and conversation.name == hostname != "localhost":
            raise Declined(Reply(554, "5.4.6", (f"Mail for {way.domain} comes back to us: the server is this one",)))
        if mode in (TlsMode.OPPORTUNISTIC, TlsMode.REQUIRED, TlsMode.VERIFIED):
            offered = conversation.client.extensions.has("STARTTLS")
            started = offered and await conversation.start_tls(hostname)
            if not started and (mode is not TlsMode.OPPORTUNISTIC or self._secret(way)):
                raise Declined(Reply(451, "4.7.4", ("TLS is required and the server does not offer it",)))
        if way.relay is not None and way.relay.user:
            try:
                await conversation.sign_in(way.relay.user, way.relay.password)
            except Declined as declined:
                # A wrong password is ours to mend; no sender gets his mail back for it.
                self._log.error("delivery.sign-in-failed", remote=conversation.link.peer, status=str(declined.reply))
                raise Declined(Reply(454, "4.7.0", (f"The relay host refused our sign-in: {declined}",))) from None

    async def _send(
        self, conversation: Conversation, parcel: Parcel, options: TransactionOptions
    ) -> tuple[Sequence[Reply], bool]:
        if tls := conversation.tls:
            self._log.debug(
                "delivery.tls",
                queue_id=parcel.item.id,
                remote=conversation.link.peer,
                tls=tls_words(tls),
                verified=tls.verified,
            )
        addresses = [recipient.recipient.address for recipient in parcel.recipients]
        return await conversation.send(parcel.item.sender, addresses, options, self._content(parcel.item.id))

    async def _content(self, queue_id: str) -> AsyncIterator[bytes]:
        start = 0
        while True:
            piece = await self._queue.content(queue_id, start, PIECE)
            if piece is None:
                raise _ContentGone
            if piece:
                yield piece
            if len(piece) < PIECE:
                return
            start += len(piece)

    def _mode(self, way: Destination) -> TlsMode:
        return way.relay.tls if way.relay else TlsMode(self._config.section(DeliverySettings).tls)

    @staticmethod
    def _secret(way: Destination) -> bool:
        """A password will be sent: never in the clear, unless TLS is switched off for this relay host."""
        return way.relay is not None and bool(way.relay.user) and way.relay.tls is not TlsMode.NONE

    @staticmethod
    def _all(parcel: Parcel, server: Server, status: str) -> list[Outcome]:
        return [Outcome(RecipientState.WAITING, status[:512], str(server))] * len(parcel.recipients)

    @staticmethod
    def _answer(parcel: Parcel, server: Server, conversation: Conversation, replies: Sequence[Reply]) -> list[Outcome]:
        assert len(replies) == len(parcel.recipients)
        tls = tls_words(conversation.tls)
        return [
            Outcome(
                _state(reply),
                status_of(reply.code, reply.enhanced, reply.text),
                str(server),
                str(reply)[:1024],
                tls,
            )
            for reply in replies
        ]


def tls_words(tls: TlsInfo | None) -> str:
    """`TLSv1.3 TLS_AES_256_GCM_SHA384`, as logs show it."""
    return f"{tls.version} {tls.cipher}{' verified' if tls.verified else ''}" if tls else ""


def _state(reply: Reply) -> RecipientState:
    if reply.ok:
        return RecipientState.RELAYED
    return RecipientState.FAILED if reply.permanent else RecipientState.WAITING


def _header(head: bytes) -> bytes:
    end = head.find(b"\r\n\r\n")
    return head if end < 0 else head[:end]


def _words(error: Exception) -> str:
    return str(error) or "timed out" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
