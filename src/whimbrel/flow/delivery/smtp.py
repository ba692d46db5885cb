"""Sends one message to the recipients of one destination, by the first server that takes it.

Servers are tried in order until one has answered for every recipient; what is said there is final for this attempt.
TLS is used wherever it is offered; if the handshake fails and TLS is not required, the server is tried once more
without. A session is kept for the next message to the same server (`sessions.py`). If one turns out to have ended
meanwhile, before it took the sender, a new one is opened: that is no failure.

A delivery may be cancelled at any await: its connection is closed then, and nothing else is left behind.

Standards: RFC 5321 5.1, 4.2.5 (after the content), 4.5.3.1.10 (too many recipients), RFC 7435 (opportunistic),
RFC 3463 3.5 (X.4.1), 3.8 (X.7.4, X.7.5), RFC 6531 3.5 (SMTPUTF8), RFC 3461 5.2 (passing on DSN), RFC 9422 (LIMITS),
RFC 8689 4.2.1 (REQUIRETLS)
"""

# RFC 8689 4.2.1 (1): not done, MX names are not proved by DNSSEC or MTA-STS yet; the certificate is checked.

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile
from typing import Final
from zlib import crc32

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.net import Connector, Link, TlsInfo, TlsMode, TlsPolicy
from whimbrel.core.queue import Queue, RecipientState
from whimbrel.flow.delivery.content import Content
from whimbrel.flow.delivery.conversation import Conversation, Declined, HandshakeFailed, Letter, words
from whimbrel.flow.delivery.destination import Finder, Server
from whimbrel.flow.delivery.dial import Dialer, Dialled
from whimbrel.flow.delivery.outcome import UNREADABLE, Outcome, of_error, status_of, without_content
from whimbrel.flow.delivery.parcel import ContentGone, ContentLost, Job, Parcel, damaged, pieces_of
from whimbrel.flow.delivery.progress import Phase, Progress
from whimbrel.flow.delivery.sessions import Sessions
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.slots import Slot
from whimbrel.flow.delivery.source import sources
from whimbrel.flow.delivery.tracing import traced
from whimbrel.flow.delivery.transactions import Stale, transactions
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import HEAD
from whimbrel.protocols.smtp.reply import Reply

ATTEMPT: Final = 3600.0
"""Seconds that one message may take with one server in all, whatever it answers and how often: RFC 5321 4.5.3.2 bounds
each wait alone. To these comes its size over MIN_RATE."""
MIN_RATE: Final = 1000
"""Octets a second."""

_STARTED: Final = (TlsMode.OPPORTUNISTIC, TlsMode.REQUIRED, TlsMode.VERIFIED)


class SmtpAgent:
    def __init__(
        self, *, queue: Queue, finder: Finder, connector: Connector, config: ConfigStore, log: Log, clock: Clock
    ) -> None:
        self._queue, self._finder = queue, finder
        self._config, self._log, self._clock = config, log, clock
        self._dialer = Dialer(connector, config, clock)
        self._sessions = Sessions(config, clock)

    async def deliver(
        self, parcel: Parcel, progress: Progress | None = None, slot: Slot | None = None
    ) -> list[Outcome]:
        """One for each recipient, in order. Once a server has greeted it waits for its `slot` to transfer. Never raises
        MailError or OSError."""
        item, count = parcel.item, len(parcel.recipients)
        if progress is None:
            progress = Progress(item.id, parcel.way.key, count, item.size, self._clock.now())
        progress.phase = Phase.RESOLVING
        try:
            servers = await self._finder.servers(parcel.way, f"{item.id}/{item.attempts}")
            head = await self._queue.content(item.id, 0, HEAD)
        except MailError as error:
            return [of_error(error)] * count
        if head is None or len(head) < min(item.size, HEAD) or (len(head) == item.size and damaged(item, crc32(head))):
            return without_content(parcel.recipients)
        job = self._job(parcel, head, progress, slot)
        last: list[Outcome] = []
        while servers:
            outcomes, done, servers = await self._try(job, servers)
            if done:
                return outcomes
            if not last or last[0].state is RecipientState.FAILED:
                last = outcomes  # Final only if every server says so.
        return last

    async def close(self) -> None:
        """Takes leave of the servers whose sessions were kept."""
        await self._sessions.close()
        await self._dialer.close()

    def _job(self, parcel: Parcel, head: bytes, progress: Progress, slot: Slot | None) -> Job:
        item, settings, relay = parcel.item, self._config.section(DeliverySettings), parcel.way.relay
        options = replace(
            item.options,
            size=item.size,
            body_8bit=item.options.body_8bit or not head.isascii(),
            utf8=item.options.utf8 and not _header(head).isascii(),
        )
        mode = relay.tls if relay else TlsMode(settings.tls)
        if options.require_tls and mode is not TlsMode.IMPLICIT:
            mode = TlsMode.VERIFIED
        whole = head if item.size <= len(head) < HEAD else None
        recipients = tuple(row.recipient for row in parcel.recipients)
        return Job(
            parcel,
            Content(Letter(item.sender, options, whole), partial(pieces_of, self._queue, item)),
            recipients,
            settings,
            mode,
            sources(settings, item.sender),
            progress,
            slot,
        )

    async def _try(self, job: Job, servers: Sequence[Server]) -> tuple[list[Outcome], bool, list[Server]]:
        """How it went at the first server of `servers` that could be reached; whether that is final; who is left."""
        name = servers[0].name
        group = list(takewhile(lambda other: other.name == name, servers))
        try:
            for server in group:
                conversation = await self._sessions.take(job.key(server))
                if conversation is not None:
                    outcomes, done = await self._converse(job, server, conversation, reused=True)
                    return outcomes, done, [other for other in servers if other != server]
        except Stale:
            self._sessions.forget(job.key(server))
        job.progress.phase = Phase.CONNECTING
        if job.slot:
            job.slot.connect()
        job.progress.server, job.progress.tls = name, None
        policy = TlsPolicy(job.mode, name)
        crowded = job.slot is not None and job.slot.crowded
        dialled = await self._dialer.open(group, policy, job.sources, anew=job.parcel.item.urgent, crowded=crowded)
        left = [other for other in servers if other not in dialled.failed and other != dialled.server]
        if self._log.debugs("delivery"):
            self._tell_dialled(job, group, policy, dialled)
        if dialled.link is None or dialled.server is None:
            at, why = next(iter(dialled.failed.items()))
            return self._all(job, at, f"4.4.1 Cannot connect to remote host: {why}"), False, left
        outcomes, done = await self._fresh(job, dialled.server, self._conversation(job, dialled.link))
        return outcomes, done, left

    def _tell_dialled(self, job: Job, group: Sequence[Server], policy: TlsPolicy, dialled: Dialled) -> None:
        """What was decided about a connection, and how that went."""
        self._log.debug(
            "delivery.dialled",
            queue_id=job.parcel.item.id,
            servers=", ".join(f"{each.name} [{each.address}]:{each.port}" for each in group),
            tls=policy.mode.value,
            connected=dialled.server.address if dialled.server is not None else "",
            failed="; ".join(f"{each.address}: {why}" for each, why in dialled.failed.items()),
        )

    async def _fresh(self, job: Job, server: Server, conversation: Conversation) -> tuple[list[Outcome], bool]:
        """Over a new connection, and one more in the clear where that may be."""
        try:
            return await self._converse(job, server, conversation, reused=False)
        except HandshakeFailed as error:
            self._log.warning(
                "delivery.tls-failed",
                queue_id=job.parcel.item.id,
                remote=str(server),
                status=str(error),
                tls=job.mode.value,
            )
            if job.parcel.item.options.require_tls:
                return [_no_require_tls(server, f"TLS handshake failed: {error}")] * len(job.recipients), False
            if not (job.plaintext_will_do and job.settings.tls_fallback):
                return self._all(job, server, f"4.7.5 TLS handshake failed: {error}"), False
        # RFC 7435 3: better in the clear than not at all; only here, and only now.
        dialled = await self._dialer.open([server], TlsPolicy(TlsMode.NONE, server.name), job.sources)
        if dialled.link is None:
            return self._all(job, server, f"4.4.1 Cannot connect to remote host: {dialled.failed[server]}"), False
        return await self._converse(job, server, self._conversation(job, dialled.link), reused=False, clear=True)

    def _conversation(self, job: Job, link: Link) -> Conversation:
        relay = job.parcel.way.relay
        return Conversation(
            traced(link, self._log),
            command_timeout=job.settings.command_timeout,
            final_timeout=job.settings.final_timeout,
            lmtp=relay is not None and relay.lmtp,
            chunking=job.settings.chunking,
        )

    async def _converse(
        self, job: Job, server: Server, conversation: Conversation, *, reused: bool, clear: bool = False
    ) -> tuple[list[Outcome], bool]:
        """The outcomes, and whether they are final for this attempt. HandshakeFailed, Stale."""
        progress, kept = job.progress, False
        progress.server = str(server)
        conversation.bound(ATTEMPT + job.parcel.item.size / MIN_RATE)
        try:
            if not reused:
                progress.phase = Phase.GREETING
                await self._prepare(job, conversation, clear=clear)
            progress.tls = conversation.tls
            if job.slot:
                await job.slot.transfer()
            replies, unknown = await transactions(job, conversation, reused=reused)
            kept = not clear
        except Declined as declined:
            # RFC 5321 5.1: the next server may be of another mind. Only if this is the last one does it count.
            kept = reused
            return self._answer(job, server, conversation, [declined.reply] * len(job.recipients)), False
        except ContentLost:
            return without_content(job.parcel.recipients), True
        except ContentGone:
            return self._all(job, server, UNREADABLE), True
        except OSError as error:
            return self._all(job, server, f"4.4.2 Connection lost: {words(error)}"), False
        finally:
            if kept:
                self._sessions.give(job.key(server), conversation)
            elif conversation.client.reusable:
                self._sessions.leave(conversation)
            else:
                self._sessions.drop(conversation)
        # A server that closes in the middle may have an heir; after the content none may be asked (RFC 1047).
        closed = all(reply.code == 421 for reply in replies) and not unknown
        return self._answer(job, server, conversation, replies), not closed

    async def _prepare(self, job: Job, conversation: Conversation, *, clear: bool) -> None:
        hostname = self._config.section(SmtpSettings).hostname
        way = job.parcel.way
        await conversation.greet(hostname)
        if way.relay is None and conversation.name == hostname != "localhost":
            raise Declined(Reply(554, "5.4.6", (f"Mail for {way.domain} comes back to us: the server is this one",)))
        if job.mode in _STARTED and not clear:
            offered = conversation.client.extensions.has("STARTTLS")
            started = offered and await conversation.start_tls(hostname)
            if not started and job.parcel.item.options.require_tls:
                raise Declined(Reply(550, "5.7.10", ("REQUIRETLS: the server does not offer TLS",)))
            if not started and not job.plaintext_will_do:
                raise Declined(Reply(451, "4.7.4", ("TLS is required and the server does not offer it",)))
        offered = conversation.client.extensions.has("REQUIRETLS")
        # RFC 8689 5: a report is not thrown away for want of it.
        if job.parcel.item.options.require_tls and job.parcel.item.sender is not None and not offered:
            raise Declined(Reply(550, "5.7.30", ("REQUIRETLS support required",)))
        if tls := conversation.tls:
            self._log.debug(
                "delivery.tls",
                queue_id=job.parcel.item.id,
                remote=conversation.link.peer,
                tls=f"{tls.version} {tls.cipher}",
                verified=tls.verified,
            )
        if way.relay is not None and way.relay.user:
            try:
                await conversation.sign_in(way.relay.user, way.relay.password)
            except Declined as declined:
                # A wrong password is ours to mend; no sender gets his mail back for it.
                self._log.error("delivery.sign-in-failed", remote=conversation.link.peer, status=str(declined.reply))
                raise Declined(Reply(454, "4.7.0", (f"The relay host refused our sign-in: {declined}",))) from None

    @staticmethod
    def _all(job: Job, server: Server, status: str) -> list[Outcome]:
        return [Outcome(RecipientState.WAITING, status[:512], str(server))] * len(job.recipients)

    @staticmethod
    def _answer(job: Job, server: Server, conversation: Conversation, replies: Sequence[Reply]) -> list[Outcome]:
        assert len(replies) == len(job.recipients)
        tls, remote = conversation.tls or _CLEAR, str(server)
        dsn = conversation.client.extensions.has("DSN")
        known: dict[int, Outcome] = {}  # Nearly always one reply is that of all.
        outcomes = []
        for reply in replies:
            outcome = known.get(id(reply))
            if outcome is None:
                outcome = known[id(reply)] = Outcome(
                    _state(reply),
                    status_of(reply.code, reply.enhanced, reply.text),
                    remote,
                    str(reply)[:1024],
                    tls.version,
                    tls.cipher,
                    tls.verified,
                    dsn,
                )
            outcomes.append(outcome)
        return outcomes


_CLEAR: Final = TlsInfo("", "", 0)


def _no_require_tls(server: Server, why: str) -> Outcome:
    """RFC 8689 4.2.1: that it may have been an accident does not help who asked for it."""
    return Outcome(RecipientState.FAILED, f"5.7.10 REQUIRETLS: {why}"[:512], str(server))


def _state(reply: Reply) -> RecipientState:
    if reply.ok:
        return RecipientState.RELAYED
    return RecipientState.FAILED if reply.permanent else RecipientState.WAITING


def _header(head: bytes) -> bytes:
    end = head.find(b"\r\n\r\n")
    return head if end < 0 else head[:end]
