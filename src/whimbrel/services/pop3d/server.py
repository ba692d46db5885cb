"""The POP3 service: the life of one connection, from greeting to QUIT.

Standards: RFC 1939 3-7, RFC 2449 5-6 (CAPA), RFC 2595 4 (STLS), RFC 3206 (AUTH-RESP-CODE), RFC 5034 (AUTH)
"""

import ssl
from collections.abc import Callable

from whimbrel.backends.net.driver import Closed, Connection, TimedOut
from whimbrel.core.clock import Clock, Ids
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import Folders, Messages
from whimbrel.protocols.pop3 import commands
from whimbrel.protocols.pop3.engine import Bad, End, Err, Event, Listing, Ok, Part, Pop3Engine, Reply, Start
from whimbrel.services.pop3d.maildrop import Maildrop, NoSuchMessage
from whimbrel.services.pop3d.settings import Pop3Settings
from whimbrel.services.pop3d.sign_in import Authorization, code_of
from whimbrel.services.pop3d.sizes import WireSizes
from whimbrel.services.session.sign_in import SignIn

_GONE = Err("No such message")


class Pop3Server:
    """One for all POP3 services of a worker; holds no connection itself."""

    def __init__(
        self,
        *,
        folders: Folders,
        messages: Messages,
        config: ConfigStore,
        sign_in: SignIn,
        log: Log,
        clock: Clock,
        ids: Ids,
        tls: Callable[[], ssl.SSLContext | None],
    ) -> None:
        self._folders, self._messages, self._config = folders, messages, config
        self._sign_in, self._log, self._clock, self._ids, self._tls = sign_in, log, clock, ids, tls
        self._sizes = WireSizes(messages)

    def engine(self) -> Pop3Engine:
        """For one connection."""
        return Pop3Engine()

    async def session(self, connection: Connection[Event, Reply], service: str) -> None:
        """The whole life of one connection of the service called `service`."""
        session_id = self._ids.session_id()
        log = self._log.bind(service=service, session_id=session_id, sender_host=connection.peer[0])
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
        account = await door.account()
        if account is None:
            return
        log = log.bind(user=str(account.address))
        try:
            drop = await Maildrop.open(self._folders, self._messages, self._sizes, account.id)
        except MailError as error:
            log.warning("pop3.refused", status=error.text, detail=error.detail)
            await connection.send(Err(error.text, code_of(error)))
            return
        await connection.send(Ok("Signed in", commands.State.TRANSACTION))
        await _Transaction(connection, drop, self._config, door, log).run()


class _Transaction:
    """RFC 1939 5: a signed-in client and its maildrop."""

    def __init__(
        self,
        connection: Connection[Event, Reply],
        drop: Maildrop,
        config: ConfigStore,
        door: Authorization,
        log: Log,
    ) -> None:
        self._connection, self._drop, self._config, self._door, self._log = connection, drop, config, door, log

    async def run(self) -> None:
        while True:
            settings = self._config.section(Pop3Settings)
            event = await self._connection.next_event(settings.autologout)
            if isinstance(event, commands.Quit):
                await self._connection.send(await self._quit(mark_seen=settings.mark_seen))
                return
            try:
                answer = await self._answer(event)
            except NoSuchMessage:
                answer = _GONE
            except MailError as error:
                self._log.warning("pop3.refused", status=error.text, detail=error.detail)
                answer = Err(error.text, code_of(error))
            if answer is not None:
                await self._connection.send(answer)
            if isinstance(event, Bad) and event.fatal:
                return

    async def _answer(self, event: Event) -> Reply | None:
        """None: it has been sent."""
        drop = self._drop
        match event:
            case commands.Stat():
                count, octets = await drop.stat()
                return Ok(f"{count} {octets}")
            case commands.List(None):
                count, octets = await drop.stat()
                return Listing(f"{count} messages ({octets} octets)", await drop.listing())
            case commands.List(int(number)):
                return Ok(f"{number} {await drop.size(number)}")
            case commands.Uidl(None):
                return Listing("Unique ids follow", drop.unique_ids())
            case commands.Uidl(int(number)):
                return Ok(f"{number} {drop.unique_id(number)}")
            case commands.Retr(number):
                return await self._retrieve(number)
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
            case Bad(text):
                return Err(text)
        raise RuntimeError(f"unexpected {type(event).__name__}")

    async def _retrieve(self, number: int) -> Reply | None:
        connection, started = self._connection, False
        try:
            async for piece in self._drop.pieces(number):
                if not started:
                    await connection.send(Start("Message follows"))
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
        await self._connection.send(Start("Top of the message follows"))
        await self._connection.send(Part(data))
        return End()

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
