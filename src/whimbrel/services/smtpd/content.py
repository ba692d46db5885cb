"""The content of a message: DATA and BDAT, from the first octet to the answers of the reception.

What the reception has accepted is answered for: a shutdown waits for `complete` and sends its reply.

Standards: RFC 5321 4.1.1.4 (DATA), 4.5.3.2.5 (time-out), RFC 3030 2 (BDAT), RFC 2033 4.2 (LMTP), RFC 1047,
draft-hall-prdr-00 (PRDR).
"""

import asyncio

from whimbrel.backends.net.driver import Connection
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.spool import Spooled, SpoolWriter
from whimbrel.flow.transaction import Result, Transaction
from whimbrel.protocols.smtp.reply import Reply
from whimbrel.protocols.smtp.server import SmtpEngine
from whimbrel.protocols.smtp.server_events import Chunk, ChunkEnd, Data, DataEnd, ServerEvent
from whimbrel.protocols.smtp.state import Role
from whimbrel.services.session.identities import SignedIn, SignedOut
from whimbrel.services.smtpd import replies
from whimbrel.services.smtpd.door import Ports
from whimbrel.services.smtpd.settings import SmtpServerSettings

SmtpConnection = Connection[ServerEvent, Reply]


class ContentReceiver:
    """The part of a session that receives content. The session makes the transaction."""

    def __init__(self, ports: Ports, connection: SmtpConnection, engine: SmtpEngine, log: Log) -> None:
        self.ports, self._connection, self._engine, self._log = ports, connection, engine, log
        self._role = engine.state.role
        self._settings = ports.config.section(SmtpServerSettings)
        self._until = ports.clock.monotonic() + self._settings.max_session_time
        self._signed: SignedIn | None = None
        self._tx: Transaction | None = None
        self._writer: SpoolWriter | None = None
        self._idle = 0
        """Commands since the last message that brought none."""
        self._over = False

    @property
    def _account(self) -> Account | None:
        return None if self._signed is None else self._signed.account

    async def _still_signed_in(self, signed: SignedIn) -> bool:
        """False: the session ends."""
        try:
            await signed.renew()
        except SignedOut as reason:
            self._log.info("signin.ended", reason=str(reason))
            return False
        return True

    @property
    def _transaction(self) -> Transaction:
        """The engine lets nothing that needs one pass without."""
        if self._tx is None:
            raise RuntimeError("no transaction")
        if self._signed is not None:
            self._tx.account = self._signed.account  # As it is now.
        return self._tx

    def _drop(self) -> None:
        """Forgets the transaction."""
        self._tx = None
        if self._writer is not None:
            self._writer.discard()
            self._writer = None

    async def _on_data(self, _event: Data) -> None:
        tx = self._transaction
        self._writer = self.ports.reception.data(tx)
        await self._connection.send(replies.GO_AHEAD)
        await self._receive(tx, self._writer)

    async def _on_chunk(self, _event: Chunk) -> None:
        tx = self._transaction
        if self._writer is None:
            self._writer = self.ports.reception.data(tx)
        await self._receive(tx, self._writer)

    async def _receive(self, tx: Transaction, writer: SpoolWriter) -> None:
        """All of the content by DATA, or one chunk."""
        connection = self._connection
        failure: Reply | None = None
        timeout = float(self._settings.data_timeout)
        while True:
            block = await connection.next_event(timeout)
            if type(block) is not bytes:
                break
            if failure is None and block:
                try:
                    await writer.write(block)
                except MailError as error:
                    failure = replies.refusal(error)  # Read on to the end, then say so.
            if self.ports.clock.monotonic() > self._until:
                await self._close(replies.TOO_LONG_A_SESSION)
                return
        if isinstance(block, ChunkEnd):
            refused = replies.TOO_BIG if block.oversize else failure
            if refused is None:
                await connection.send(replies.CHUNK_OK)
                return
        elif isinstance(block, DataEnd):
            refused = replies.TOO_BIG if block.oversize else replies.BARE if block.bare else failure
            if refused is None:
                await self._complete(tx)
                return
        else:
            raise RuntimeError(f"{type(block).__name__} within data")
        # What the reception refuses it logs itself.
        to = ", ".join(str(addressee.recipient.address) for addressee in tx.addressees[:10])
        self._log.info("message.refused", queue_id=tx.queue_id, from_=str(tx.sender or ""), to=to, status=str(refused))
        await self._reject(refused)

    async def _reject(self, reply: Reply) -> None:
        """The message as a whole, for everybody."""
        self._drop()
        while self._engine.waiting:  # LMTP: one for each recipient.
            await self._connection.send(reply)

    async def _complete(self, tx: Transaction) -> None:
        assert self._writer is not None
        connection = self._connection
        if self._signed is not None and self._signed.outdated and not await self._still_signed_in(self._signed):
            self._over = True
            await self._reject(replies.SIGNED_OUT)
            return
        tx.account = self._account
        content: Spooled | None = None
        connection.busy = True  # What is accepted must be answered, or it comes twice: a shutdown waits.
        try:
            content = await self._writer.finish(crlf=True)  # The engine takes no other, or has mended them.
            self._writer = None
            result = await self.ports.reception.complete(tx, content)
        except MailError as error:
            await self._reject(replies.refusal(error))
        else:
            self._idle = 0
            if connection.ended and not any(result.outcomes):  # Perhaps nobody hears the answer.
                await self.ports.reception.unanswered(tx)
            await self._answer(tx, result)
        finally:
            connection.busy = False
            if content is not None:
                content.close()
        if connection.stopping:
            raise asyncio.CancelledError

    async def _answer(self, tx: Transaction, result: Result) -> None:
        self._drop()
        outcomes = result.outcomes
        text = f"Ok: queued as {result.queue_id}"
        each = self._role is Role.LMTP
        if not each:
            refused = next((error for error in outcomes if error is not None), None)
            if refused is not None and None not in outcomes:
                await self._reject(replies.refusal(refused))
                return
            if refused is None or not tx.per_recipient:
                await self._connection.send(Reply(250, "2.0.0", (text,)))
                return
            await self._connection.send(replies.EACH)
        if len(outcomes) != len(tx.addressees):
            raise RuntimeError("an outcome for each recipient is needed")
        for outcome in outcomes:
            await self._connection.send(Reply(250, "2.1.5", (text,)) if outcome is None else replies.refusal(outcome))
        if not each:
            await self._connection.send(Reply(250, "2.0.0", (text,)))

    async def _close(self, reply: Reply) -> None:
        self._over = True
        await self._connection.send(reply)
