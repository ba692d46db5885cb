"""One connection to one server: drives the sans-IO client over a Link.

Every wait has a deadline. OSError (time-outs are one) means that the connection is gone.

Standards: RFC 5321 4.5.3.2 (time-outs), RFC 3207 (STARTTLS), RFC 4954 (AUTH)
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from whimbrel.core.address import ReversePath
from whimbrel.core.engine import Pause
from whimbrel.core.envelope import MailOptions, Recipient
from whimbrel.core.net import Link, TlsInfo
from whimbrel.core.values import Secret
from whimbrel.flow.delivery.patience import Patience
from whimbrel.flow.delivery.progress import Phase, Progress
from whimbrel.protocols.smtp.client import SmtpClient
from whimbrel.protocols.smtp.client_events import (
    ClientEvent,
    Finished,
    Greeting,
    Lost,
    NeedContent,
    Ready,
    Refused,
    SignedIn,
    TlsReady,
    WasReset,
)
from whimbrel.protocols.smtp.reply import Reply

GOODBYE: Final = 5.0
"""Seconds that QUIT may take; nothing depends on its answer."""
PROBE: Final = 5.0
"""Seconds in which a session that idled must answer, or a new one is opened."""
BLOCK: Final = 180.0
"""Seconds for writing one piece of content. RFC 5321 4.5.3.2.5"""


_UNEXPECTED: Final = Reply(451, "4.5.0", ("The server answered what the protocol does not allow here",))


class Declined(Exception):
    """The server will not, or not in this way: before any transaction. `reply` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class HandshakeFailed(Exception):
    """STARTTLS was agreed on and TLS did not come about."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent in each transaction for one message."""

    sender: ReversePath
    options: MailOptions
    whole: bytes | None
    """All of the content, if it is small."""


class Conversation:
    """From greeting to QUIT. Every method may raise OSError."""

    def __init__(
        self,
        link: Link,
        *,
        command_timeout: float,
        final_timeout: float,
        lmtp: bool = False,
        chunking: bool = True,
    ) -> None:
        self.link = link
        self.client = SmtpClient(lmtp=lmtp, chunking=chunking)
        self.name = ""
        """How the server calls itself in its greeting."""
        self.count = 0
        """Transactions."""
        self._command, self._final = command_timeout, final_timeout
        self._patience = Patience()

    @property
    def tls(self) -> TlsInfo | None:
        return self.link.tls

    def bound(self, seconds: float) -> None:
        """All that follows has so much time in all."""
        self._patience.deadline = asyncio.get_running_loop().time() + seconds

    async def greet(self, hostname: str) -> None:
        """Greeting and EHLO. Declined if the server does not want us."""
        event = await self._event(self._command)
        if not isinstance(event, Greeting):
            raise _declined(event)
        self.name = event.reply.text.partition(" ")[0].rstrip(".").lower()
        await self._hello(hostname)

    async def start_tls(self, hostname: str) -> bool:
        """False if the server refused STARTTLS and the connection may go on without. HandshakeFailed."""
        self.client.start_tls()
        event = await self._event(self._command)
        if isinstance(event, Refused) and self.client.reusable:
            return False
        if not isinstance(event, TlsReady):
            raise _declined(event)
        try:
            async with asyncio.timeout(self._command):
                await self.link.start_tls()
        except OSError as error:
            raise HandshakeFailed(words(error)) from None
        self.client.tls_started()
        await self._hello(hostname)
        return True

    async def sign_in(self, user: str, password: Secret) -> None:
        """Declined if the server does not let us in."""
        self.client.sign_in(user, password)
        event = await self._event(self._command)
        if not isinstance(event, SignedIn):
            raise _declined(event)

    async def send(
        self, letter: Letter, recipients: Sequence[Recipient], content: AsyncIterator[bytes], progress: Progress
    ) -> tuple[tuple[Reply, ...], bool]:
        """The final reply for each recipient, and whether all content had been sent when the connection was lost:
        then nobody knows what became of it (RFC 1047). `content` is read where `letter` has not the whole."""
        client = self.client
        self.count += 1
        progress.phase, progress.sent = Phase.ENVELOPE, 0
        taken = client.transaction(letter.sender, recipients, letter.options, letter.whole)
        if taken:
            progress.phase, progress.sent = Phase.ANSWER, len(letter.whole or b"")
        event = await self._settled(self._final if taken else self._command)
        if isinstance(event, NeedContent):
            progress.phase = Phase.CONTENT
            if letter.whole is None:
                await self._stream(content, progress)
            else:
                await self._write(client.content(letter.whole) + client.content_end())
                progress.sent = len(letter.whole)
            progress.phase = Phase.ANSWER
            event = await self._settled(self._final)
        if isinstance(event, Finished):
            return event.results, False
        if isinstance(event, Lost) and event.results:
            return event.results, event.unknown
        raise _declined(event)

    async def probe(self) -> bool:
        """Does the server still answer?"""
        if not self.client.reusable:
            return False
        self.bound(PROBE)
        self.client.reset()
        try:
            event = await self._event(PROBE)
        except OSError:
            return False
        return isinstance(event, WasReset) and event.reply.ok and self.client.reusable

    async def leave(self) -> None:
        """QUIT if that makes sense, and close. Never raises OSError."""
        try:
            if self.client.reusable:
                self.bound(GOODBYE)
                self.client.quit()
                await self._event(GOODBYE)
        except OSError:
            pass
        finally:
            await self.close()

    async def close(self) -> None:
        """Without a word."""
        self._patience.close()
        await self.link.close()

    async def _hello(self, hostname: str) -> None:
        self.client.hello(hostname)
        event = await self._event(self._command)
        if not isinstance(event, Ready):
            raise _declined(event)

    async def _stream(self, content: AsyncIterator[bytes], progress: Progress) -> None:
        async for piece in content:
            if not await self._write(self.client.content(piece)):
                return
            progress.sent += len(piece)
        await self._write(self.client.content_end())

    async def _write(self, data: bytes) -> bool:
        """False if the connection is gone; the client was told."""
        if not data:
            return True
        try:
            with self._patience as limit:
                limit.set(BLOCK)
                await self.link.write(data)
        except OSError as error:
            # The server may have said why before it closed, and that may be final.
            try:
                async with asyncio.timeout(GOODBYE):
                    self.client.receive(await self.link.read())
            except OSError:
                pass
            self.client.lost(words(error))
            return False
        return True

    async def _settled(self, seconds: float) -> ClientEvent:
        """The next event of a transaction: a connection that fails ends it with Lost and the answers so far."""
        try:
            return await self._event(seconds)
        except OSError as error:
            self.client.lost(words(error))
            return await self._event(seconds)

    async def _event(self, seconds: float) -> ClientEvent:
        client = self.client
        if not isinstance(event := client.next_event(), Pause):
            return event
        answers = client.answers
        with self._patience as limit:
            limit.set(seconds)
            while isinstance(event, Pause):
                if out := client.outgoing():
                    await self.link.write(out)
                client.receive(await self.link.read())
                event = client.next_event()
                if client.answers != answers and isinstance(event, Pause):
                    # RFC 5321 4.5.3.2: the time is that of one reply, not of a thousand recipients.
                    answers = client.answers
                    limit.set(seconds)
        return event


def _declined(event: ClientEvent) -> Declined:
    reply = event.reply if isinstance(event, Refused | Lost) else _UNEXPECTED
    # A greeting of "250 ok" is no consent, and above all no delivery.
    return Declined(_UNEXPECTED if reply.ok else reply)


def words(error: Exception) -> str:
    """An error in words for a status."""
    return str(error) or ("timed out" if isinstance(error, TimeoutError) else type(error).__name__)
