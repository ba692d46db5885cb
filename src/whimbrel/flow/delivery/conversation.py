"""One connection to one server: drives the sans-IO client over a Link.

Every wait has a deadline. OSError (time-outs are one) means that the connection is gone.

Standards: RFC 5321 4.5.3.2 (time-outs), RFC 3207 (STARTTLS), RFC 4954 (AUTH)
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from whimbrel.core.address import Address, ReversePath
from whimbrel.core.engine import Pause
from whimbrel.core.net import Link, TlsInfo
from whimbrel.core.values import Secret
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
    TransactionOptions,
)
from whimbrel.protocols.smtp.reply import Reply

GOODBYE: Final = 5.0
"""Seconds that QUIT may take; nothing depends on its answer."""
BLOCK: Final = 180.0
"""Seconds for writing one piece of content. RFC 5321 4.5.3.2.5"""


class Declined(Exception):
    """The server will not, or not in this way: before any transaction. `reply` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class HandshakeFailed(Exception):
    """STARTTLS was agreed on and TLS did not come about."""


class Conversation:
    """From greeting to QUIT. Every method may raise OSError."""

    def __init__(self, link: Link, *, command_timeout: float, final_timeout: float) -> None:
        self.link = link
        self.client = SmtpClient()
        self.name = ""
        """How the server calls itself in its greeting."""
        self._command, self._final = command_timeout, final_timeout

    @property
    def tls(self) -> TlsInfo | None:
        return self.link.tls

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
            raise HandshakeFailed(_words(error)) from None
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
        self,
        sender: ReversePath,
        recipients: Sequence[Address],
        options: TransactionOptions,
        content: AsyncIterator[bytes],
    ) -> tuple[tuple[Reply, ...], bool]:
        """The final reply for each recipient, and whether all content had been sent when the connection was lost:
        then nobody knows what became of it (RFC 1047)."""
        self.client.transaction(sender, recipients, options)
        event = await self._event(self._command)
        sent = False
        if isinstance(event, NeedContent):
            await self._content(content)
            sent = True
            try:
                event = await self._event(self._final)
            except OSError:
                self.client.receive(b"")
                event = await self._event(self._final)  # Lost, with the answers so far.
        if isinstance(event, Finished):
            return event.results, False
        if isinstance(event, Lost) and event.results:
            return event.results, sent
        raise _declined(event)

    async def leave(self) -> None:
        """QUIT if that makes sense, and close. Never raises OSError."""
        try:
            if self.client.reusable:
                self.client.quit()
                await self._event(GOODBYE)
        except OSError:
            pass
        finally:
            await self.link.close()

    async def _hello(self, hostname: str) -> None:
        self.client.hello(hostname)
        event = await self._event(self._command)
        if not isinstance(event, Ready):
            raise _declined(event)

    async def _content(self, content: AsyncIterator[bytes]) -> None:
        try:
            async for piece in content:
                await self._write(self.client.content(piece))
            await self._write(self.client.content_end())
        except OSError:
            # The server may have said why before it closed, and that may be final.
            try:
                async with asyncio.timeout(GOODBYE):
                    self.client.receive(await self.link.read())
            except OSError:
                self.client.receive(b"")

    async def _write(self, data: bytes) -> None:
        async with asyncio.timeout(BLOCK):
            await self.link.write(data)

    async def _event(self, seconds: float) -> ClientEvent:
        async with asyncio.timeout(seconds):
            while isinstance(event := self.client.next_event(), Pause):
                if out := self.client.outgoing():
                    await self.link.write(out)
                self.client.receive(await self.link.read())
            return event


def _declined(event: ClientEvent) -> Declined:
    return Declined(event.reply if isinstance(event, Refused | Lost) else Reply(451, "4.5.0", ("Protocol error",)))


def _words(error: OSError) -> str:
    return str(error) or type(error).__name__
