"""The IMAP service: the life of one connection, from greeting to BYE.

Standards: RFC 3501 3, 5.4 (autologout), 7.1; RFC 5530 3 (response codes)
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from whimbrel.backends.net.driver import Closed, Connection, TimedOut
from whimbrel.core.clock import Clock, Ids
from whimbrel.core.commit import Commit
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import Changes, Folders, Messages
from whimbrel.core.pool import Pool
from whimbrel.core.quota import Quotas
from whimbrel.core.space import Space
from whimbrel.core.spool import Spool
from whimbrel.protocols.imap import PARTS, responses
from whimbrel.protocols.imap.cursor import BadSyntax, UidRequired
from whimbrel.protocols.imap.engine import Bad, Command, Continue, Done, Event, ImapEngine, Limits, LiteralWanted, Reply
from whimbrel.protocols.imap.engine import Status as Answer
from whimbrel.protocols.imap.grammar import Grammar, State
from whimbrel.services.imapd import OFFERS
from whimbrel.services.imapd.offer import Offered
from whimbrel.services.imapd.refusals import refusal_of
from whimbrel.services.imapd.session import PROGRESS, Ports, Session
from whimbrel.services.imapd.settings import ImapSettings
from whimbrel.services.imapd.shared_watch import SharedWatches
from whimbrel.services.session.authenticator import Authenticator

_GRAMMAR = Grammar.of(PARTS)
_OFFERED = Offered(OFFERS)


class ImapServer:
    """One for all IMAP services of a worker; holds no connection itself."""

    def __init__(
        self,
        *,
        folders: Folders,
        messages: Messages,
        changes: Changes,
        spool: Spool,
        commit: Commit,
        pool: Pool,
        config: ConfigStore,
        sign_in: Authenticator,
        log: Log,
        clock: Clock,
        ids: Ids,
        tls: Callable[[], ssl.SSLContext | None],
        space: Space | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        watches = SharedWatches(messages, changes)
        self._ports = Ports(
            folders, messages, changes, spool, commit, pool, config, sign_in, clock, tls, watches, _OFFERED, space,
            quotas,
        )  # fmt: skip
        self._log, self._ids = log, ids

    def engine(self, service: str = "imap") -> ImapEngine:
        """For one connection."""
        return ImapEngine(_GRAMMAR, _limits(int(self._ports.config.section(ImapSettings).max_append_size)))

    async def session(self, connection: Connection[Event, Reply], service: str) -> None:
        """The whole life of one connection of the service called `service`."""
        session_id = self._ids.session_id()
        log = self._log.bind(service=service, session_id=session_id, sender_host=connection.peer[0])
        connection.session_id = session_id
        session = Session(self._ports, connection, service=service, session_id=session_id, log=log)
        # The loop stands here, not in a coroutine of its own: each frame is held by every client that waits.
        ports = self._ports
        try:
            await session.untagged(responses.ok(responses.capability(session.capabilities()), "Whimbrel ready"))
            by: float | None = None
            deadline: float | None = None
            while not session.leaving:
                if session.account is not None:
                    timeout, by = float(session.settings.autologout), None
                else:
                    now = ports.clock.monotonic()
                    if by is None:  # At the start, and again after UNAUTHENTICATE. RFC 8437 3
                        by = now + session.settings.sign_in_time
                    timeout = by - now
                    if timeout <= 0:
                        raise TimedOut
                if deadline is None and session.observer is not None:
                    deadline = connection.deadline_in(timeout)
                session.resting, connection.command = True, None
                event = await connection.event_or_wake(timeout, deadline)
                session.resting = False
                if (signed := session.signed) is not None and signed.outdated:
                    await session.renew(signed)
                    if session.leaving:
                        break
                if event is None:
                    # NOTIFY: something happened while the client says nothing; its time goes on. RFC 5465 3.1
                    await self._push(session)
                    continue
                deadline = None
                if isinstance(event, Command):
                    await self._command(session, event)
                elif isinstance(event, LiteralWanted):
                    await connection.send(Continue(b"Ready for the literal"))
                elif isinstance(event, Bad):
                    if event.fatal:
                        await session.bye("Too many commands that are none")
                    await connection.send(Done(event.status, event.text, event.code))
                else:
                    raise RuntimeError(f"unexpected {type(event).__name__}")
                del event  # A client may be silent for long: what it said last is not kept so long.
        except Closed:
            pass
        except TimedOut:
            await _farewell(session, "Autologout: silent for too long")
        except asyncio.CancelledError:
            if session.resting:  # Else it may be in the middle of a response.
                dismissed = connection.dismissed
                await _farewell(session, "Ended by an administrator" if dismissed else "Server shutting down")
            raise
        except Exception as error:
            session.log.exception("session.crashed", error)
            await _farewell(session, "Internal error")
        finally:
            session.forget()
            connection.end()

    async def _command(self, session: Session, command: Command) -> None:
        arguments = command.arguments
        session.tag = command.tag
        session.silent_until = self._ports.clock.monotonic() + PROGRESS
        session.connection.command = type(arguments)
        handler = _OFFERED.handlers.get(type(arguments))
        if handler is None:
            await session.connection.send(Done(Answer.BAD, "Unknown command"))
            return
        try:
            if arguments.numbered and session.mode.uidonly:
                raise UidRequired
            answer = await handler(session, arguments)
            if answer is None:
                return
        except (MailError, BadSyntax) as error:
            answer = refusal_of(error)
            if isinstance(error, MailError) and error.detail:
                session.log.warning("imap.refused", command=type(arguments).__name__, detail=error.detail)
        except (Closed, TimedOut):
            raise
        except Exception as error:
            session.log.exception("session.crashed", error, command=type(arguments).__name__)
            answer = Done(Answer.NO, "Internal error", b"SERVERBUG")
        try:
            if session.hears or arguments.removes:
                await session.sync(expunge=not arguments.holds_numbers, uid=arguments.by_uid)
            if session.observer is not None:
                await session.observer.report()
        except MailError as error:
            session.log.warning("imap.sync_failed", status=error.text, detail=error.detail)
        await session.connection.send(replace(answer, state=state_of(session)))

    async def _push(self, session: Session) -> None:
        try:
            if session.observer is not None:
                await session.observer.push()
        except MailError as error:
            session.log.warning("imap.sync_failed", status=error.text, detail=error.detail)


@lru_cache(4)
def _limits(bulk: int) -> Limits:
    """The same object for all connections."""
    return Limits(bulk=bulk)


def state_of(session: Session) -> State:
    if session.leaving:
        return State.LOGOUT
    if session.account is None:
        return State.NOT_AUTHENTICATED
    return State.AUTHENTICATED if session.selected is None else State.SELECTED


async def _farewell(session: Session, text: str) -> None:
    try:
        await session.bye(text)
        session.connection.flush()
    except (Closed, TimedOut):
        pass
