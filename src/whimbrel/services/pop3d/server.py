"""The POP3 service: the life of one connection, from greeting to QUIT.

Standards: RFC 1939 3-7, RFC 2449 5-6 (CAPA), RFC 2595 4 (STLS), RFC 3206 (AUTH-RESP-CODE), RFC 5034 (AUTH),
RFC 2449 6.5 (LOGIN-DELAY), RFC 1939 3 and RFC 2449 8.1.2 (one session at a time)
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from whimbrel.backends.net.driver import Closed, Connection, TimedOut
from whimbrel.core.clock import Clock, Ids
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId, Folders, Messages
from whimbrel.core.state import Counters
from whimbrel.protocols.pop3 import commands
from whimbrel.protocols.pop3.engine import Bad, End, Err, Event, Listing, Message, Ok, Part, Pop3Engine, Reply, Start
from whimbrel.services.pop3d.maildrop import Maildrop, NoSuchMessage
from whimbrel.services.pop3d.settings import Pop3Settings
from whimbrel.services.pop3d.sign_in import Authorization, code_of
from whimbrel.services.session.authenticator import Authenticator
from whimbrel.services.session.identities import SignedIn, SignedOut

_GONE: Final = Err("No such message")
_LOCKED: Final = Err("This mailbox is in use by another POP3 session", "IN-USE")
_TOO_SOON: Final = Err("Mail was fetched a moment ago, try again later", "LOGIN-DELAY")
_SIGNED_OUT: Final = Err("Your sign-in is not valid any more", "AUTH")
_LOCK_WAITS: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between attempts to get the mailbox: who was cut off a moment ago may still have it."""


class Pop3Server:
    """One for all POP3 services of a worker; holds no connection itself."""

    def __init__(
        self,
        *,
        folders: Folders,
        messages: Messages,
        counters: Counters,
        config: ConfigStore,
        sign_in: Authenticator,
        log: Log,
        clock: Clock,
        ids: Ids,
        tls: Callable[[], ssl.SSLContext | None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._pause = pause
        self._folders, self._messages, self._config = folders, messages, config
        self._sign_in, self._log, self._clock, self._ids, self._tls = sign_in, log, clock, ids, tls
        self._counters = counters

    def engine(self, service: str = "pop3") -> Pop3Engine:
        """For one connection."""
        return Pop3Engine()

    async def session(self, connection: Connection[Event, Reply], service: str) -> None:
        """The whole life of one connection of the service called `service`."""
        session_id = self._ids.session_id()
        log = self._log.bind(service=service, session_id=session_id, sender_host=connection.peer[0])
        connection.session_id = session_id
        try:
            await self._serve(connection, service, session_id, log)
        except (Closed, TimedOut):
            # RFC 1939 3: nothing is said to a client that was silent, and nothing is deleted.
            pass
        except Exception as error:
            log.exception("session.crashed", error)
            await _apologise(connection)
        finally:
            connection.end()

    async def _serve(self, connection: Connection[Event, Reply], service: str, session_id: str, log: Log) -> None:
        await connection.send(Ok("Whimbrel POP3 ready"))
        door = Authorization(connection, service, session_id, self._config, self._sign_in, self._clock, self._tls)
        signed = await door.signed_in()
        if signed is None:
            return
        try:
            await self._signed_in(connection, signed, door, log)
        finally:
            signed.close()

    async def _signed_in(
        self, connection: Connection[Event, Reply], signed: SignedIn, door: Authorization, log: Log
    ) -> None:
        account = signed.account
        connection.user = account.id
        log = log.bind(user=str(account.address))
        settings = self._config.section(Pop3Settings)
        if settings.login_delay:
            # The window begins with the sign-in that was granted; those refused within it do not lengthen it.
            name = f"pop3.delay:{account.id}"
            if self._counters.add(name, window=float(settings.login_delay)) > 1:
                await door.say(_TOO_SOON)
                return
        async with self._held(account.id, exclusive=settings.exclusive) as held:
            if not held:
                await door.say(_LOCKED)
                return
            try:
                drop = await Maildrop.open(self._folders, self._messages, account.id)
            except MailError as error:
                log.warning("pop3.refused", status=error.text, detail=error.detail)
                await door.say(Err(error.text, code_of(error)))
                return
            await door.say(Ok("Signed in", commands.State.TRANSACTION))
            await _Transaction(connection, drop, self._config, door, signed, log).run()

    @contextlib.asynccontextmanager
    async def _held(self, account: AccountId, *, exclusive: bool) -> AsyncIterator[bool]:
        """The maildrop for this session alone, over all workers. What a worker that dies held is free again."""
        if not exclusive:
            yield True
            return
        name = f"pop3.session:{account}"
        held = self._counters.add(name) == 1
        for wait in _LOCK_WAITS:
            if held:
                break
            self._counters.add(name, -1)
            await self._pause(wait)
            held = self._counters.add(name) == 1
        try:
            yield held
        finally:
            self._counters.add(name, -1)


class _Transaction:
    """RFC 1939 5: a signed-in client and its maildrop."""

    def __init__(
        self,
        connection: Connection[Event, Reply],
        drop: Maildrop,
        config: ConfigStore,
        door: Authorization,
        signed: SignedIn,
        log: Log,
    ) -> None:
        self._connection, self._drop, self._config, self._door, self._log = connection, drop, config, door, log
        self._signed = signed

    async def run(self) -> None:
        next_event, send, signed = self._connection.event_or_wake, self._connection.send, self._signed
        at_hand, worded = self._drop.at_hand, self._door.worded
        while True:
            settings = self._config.section(Pop3Settings)
            self._connection.command = None
            event = await next_event(settings.autologout)
            if signed.outdated and not await self._still_signed_in():
                if event is not None:
                    await self._door.say(_SIGNED_OUT)
                return  # RFC 1939 6: without QUIT nothing is deleted.
            if event is None:
                continue
            if type(event) is commands.Retr and (message := at_hand(event.number)) is not None:
                await send(worded(message))  # By far the most, thousands in a row.
                continue
            self._connection.command = type(event)
            if isinstance(event, commands.Quit):
                self._connection.asked = True
                await self._door.say(await self._quit(mark_seen=settings.mark_seen))
                return
            try:
                answer = await self._answer(event)
            except NoSuchMessage:
                answer = _GONE
            except MailError as error:
                self._log.warning("pop3.refused", status=error.text, detail=error.detail)
                answer = Err(error.text, code_of(error))
            if answer is not None:
                await self._door.say(answer)
            if isinstance(event, Bad) and event.fatal:
                return

    async def _still_signed_in(self) -> bool:
        try:
            await self._signed.renew()
        except SignedOut as reason:
            self._log.info("signin.ended", reason=str(reason))
            return False
        return True

    async def _answer(self, event: Event) -> Reply | None:
        """None: it has been sent."""
        drop = self._drop
        if isinstance(event, commands.Retr):
            return await self._retrieve(event.number)
        match event:
            case commands.Stat():
                count, octets = drop.stat()
                return Ok(f"{count} {octets}")
            case commands.List(None):
                count, octets = drop.stat()
                return Listing(f"{count} messages ({octets} octets)", drop.listing())
            case commands.List(int(number)):
                return Ok(f"{number} {drop.size(number)}")
            case commands.Uidl(None):
                return Listing("Unique ids follow", drop.unique_ids())
            case commands.Uidl(int(number)):
                return Ok(f"{number} {drop.unique_id(number)}")
            case commands.Top(number, lines):
                return await self._top(number, lines)
            case commands.Dele(number):
                drop.delete(number)
                return Ok("Marked to be deleted")
            case commands.Rset():
                drop.reset()
                return Ok("Nothing is marked to be deleted")
            case commands.Noop():
                return Ok("Done")
            case commands.Capa():
                return self._door.capabilities()
            case commands.Lang(tag):
                return self._door.language(tag)
            case Bad(text):
                return Err(text)
        raise RuntimeError(f"unexpected {type(event).__name__}")

    async def _retrieve(self, number: int) -> Reply | None:
        small = await self._drop.small(number)
        if small is not None:
            return small
        return await self._in_pieces("Message follows", self._drop.pieces(number))

    async def _in_pieces(self, text: str, pieces: AsyncIterator[bytes]) -> Reply:
        connection, started = self._connection, False
        try:
            async for piece in pieces:
                if not started:
                    await self._door.say(Start(text))
                    started = True
                await connection.send(Part(piece))
        except (EOFError, MailError) as error:
            if not started:
                raise
            # Half a message must not look like a whole one.
            self._log.error("pop3.broken", detail=repr(error))
            connection.abort()
            raise Closed from None
        return End()

    async def _top(self, number: int, lines: int) -> Reply:
        data = await self._drop.top(number, lines)
        if data is not None:
            return Message("Top of the message follows", data)
        return await self._in_pieces("Top of the message follows", self._drop.top_pieces(number, lines))

    async def _quit(self, *, mark_seen: bool) -> Reply:
        try:
            removed = await self._drop.update(mark_seen=mark_seen)
        except MailError as error:
            self._log.warning("pop3.refused", status=error.text, detail=error.detail)
            return Err("Some messages could not be deleted", code_of(error))
        if removed:
            self._log.info("pop3.deleted", messages=removed)
        return Ok("Goodbye")


async def _apologise(connection: Connection[Event, Reply]) -> None:
    """-ERR, if a command waits for its answer; within a message there is no way to say it."""
    try:
        await connection.send(Err("Internal error", "SYS/TEMP"))
        connection.flush()
    except ValueError:
        connection.abort()
    except (Closed, TimedOut):
        pass
