"""Handlers of APPEND and REPLACE: messages go to the spool as they arrive, then into the folder with one commit.

Standards: RFC 3501 6.3.11; RFC 4315 3 (APPENDUID); RFC 3502 (MULTIAPPEND), RFC 7889 (APPENDLIMIT), RFC 8508 (REPLACE)
"""

from collections.abc import Iterable, Sequence

from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.spool import Spooled
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import append as grammar
from whimbrel.protocols.imap import responses
from whimbrel.protocols.imap.cursor import BadSyntax
from whimbrel.protocols.imap.engine import (
    Accept,
    Bad,
    BulkData,
    BulkEnd,
    BulkMore,
    Command,
    Done,
    ImapEngine,
    Late,
    Later,
    Status,
)
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.refusals import refusal_of
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.session import Session, done, refusal
from whimbrel.services.imapd.store import EXPUNGE_ISSUED
from whimbrel.services.session.namespaces import Mailbox, Right, allowed_flags

MAX_MESSAGES = 256
"""In one command, or in one commit: each costs memory or a descriptor until all are there."""
MAX_TOGETHER = 4 << 20
"""Octets after which no further command is taken into a commit."""


class _Refused(Exception):
    """The client broke off, or sent what cannot be: `answer` ends the command."""

    def __init__(self, answer: Done) -> None:
        super().__init__()
        self.answer = answer


class _Arrivals:
    """The messages of one command, as they come. `before`: what earlier commands have brought that is not stored yet
    (messages, octets)."""

    def __init__(self, session: Session, folder: Mailbox, tag: bytes, before: tuple[int, int] = (0, 0)) -> None:
        self._session, self.folder, self.tag = session, folder, tag
        self._before, self._size = before, 0
        self.messages: list[grammar.Message] = []
        self.contents: list[Spooled] = []

    @property
    def total(self) -> tuple[int, int]:
        """Messages and octets, with those before."""
        return self._before[0] + len(self.messages), self._before[1] + self._size

    async def receive(self, first: grammar.Message) -> None:
        """All of them. MailboxError for one that cannot be taken: before the client sends it, if it waits for that."""
        message: grammar.Message | None = first
        while message is not None:
            await self._check(message)
            self.messages.append(message)
            message = await self._one()

    async def _check(self, message: grammar.Message) -> None:
        session = self._session
        if message.size == 0:
            raise MailboxError(Condition.CANNOT, "A message has at least one octet")
        if message.size > session.settings.max_append_size:
            raise MailboxError(Condition.TOOBIG, "Message too big")
        if len(self.messages) >= MAX_MESSAGES:
            raise MailboxError(Condition.LIMIT, f"At most {MAX_MESSAGES} messages in one command")
        self._size += message.size
        count, size = self.total
        await session.check_quota(size, count + 1)

    async def _one(self) -> grammar.Message | None:
        """Lets the client send a literal and spools it; what is said of the next, if there is one."""
        connection, timeout = self._session.connection, self._session.settings.autologout
        writer = self._session.ports.spool.start()
        try:
            await connection.send(Accept())
            while True:
                event = await connection.next_event(timeout)
                if isinstance(event, BulkData):
                    await writer.write(event.data)
                elif isinstance(event, BulkEnd):
                    self.contents.append(await writer.finish())
                    return None
                elif isinstance(event, BulkMore) and isinstance(event.arguments, grammar.AppendMore):
                    self.contents.append(await writer.finish())
                    return event.arguments.message
                elif isinstance(event, Bad):
                    raise _Refused(Done(event.status, event.text, event.code))
                else:
                    raise RuntimeError(f"unexpected {type(event).__name__} within a literal")
        except BaseException:
            writer.discard()
            raise

    def work(self) -> list[Append]:
        session, ref = self._session, self.folder.ref
        view = session.selected if session.selected is not None and session.selected.ref == ref else None
        return [
            Append(
                ref,
                Rendition(b"", content),
                *self._allowed(message, view),
                message.date,
                limit=session.limit,
            )
            for message, content in zip(self.messages, self.contents, strict=True)
        ]

    def _allowed(self, message: grammar.Message, view: Selected | None) -> tuple[int, frozenset[str]]:
        """RFC 4314 4: flags that the user may not set are left out."""
        rights = self.folder.rights
        keywords = view.spelled(message.keywords) if view is not None else message.keywords
        return allowed_flags(message.flags, rights), keywords if Right.WRITE in rights else frozenset()

    async def stored(self, answers: Sequence[Appended | Exception | None]) -> list[Appended]:
        """What became of `work`: all or none. RFC 3502 6.3.11"""
        made = [answer for answer in answers if isinstance(answer, Appended)]
        failed = [answer for answer in answers if isinstance(answer, Exception)]
        if failed:
            if made:
                uids = UidSet.of(sorted(answer.uid for answer in made))
                await self._session.ports.messages.expunge(self.folder.ref, uids, marked=False)
            raise failed[0]
        return made

    async def commit(self) -> list[Appended]:
        answers = await self._session.ports.commit.commit(self.work())
        self._session.changed(self.folder)
        return await self.stored(answers)

    def close(self) -> None:
        for content in self.contents:
            content.close()


def _append_uid(made: Iterable[Appended]) -> bytes:
    answers = [answer for answer in made if answer.uid]
    if not answers:
        return b""
    return responses.append_uid(answers[0].uid_validity, [answer.uid for answer in answers])


async def append(session: Session, command: grammar.Append) -> Done:
    """What the client has sent already of further APPENDs, without waiting for answers, goes into one commit with this
    one; the answers keep their order. RFC 3501 5.5"""
    waiting: list[_Arrivals] = []
    try:
        refused = await _gather(session, command, waiting)
        return await _conclude(session, waiting, refused)
    finally:
        for arrivals in waiting:
            arrivals.close()


Refusal = Done | Bad | MailError | BadSyntax


async def _gather(session: Session, command: grammar.Append, waiting: list[_Arrivals]) -> Refusal | None:
    """Receives this command and those that follow it, into `waiting`. What came of the last, if it is none of those."""
    connection, engine = session.connection, session.connection.engine
    while True:
        before = waiting[-1].total if waiting else (0, 0)
        try:
            mailbox = await session.named(command.mailbox, Right.INSERT, target=True)
            arrivals = _Arrivals(session, mailbox, session.tag, before)
            try:
                await arrivals.receive(command.message)
            except BaseException:
                arrivals.close()
                raise
        except _Refused as refused:
            return refused.answer
        except (MailError, BadSyntax) as error:
            return error
        waiting.append(arrivals)
        more = isinstance(engine, ImapEngine) and engine.follows(b"APPEND")
        if not more or arrivals.total[0] >= MAX_MESSAGES or arrivals.total[1] >= MAX_TOGETHER:
            return None
        await connection.send(Later())
        event = await connection.next_event(session.settings.autologout)
        if isinstance(event, Bad):
            return event
        if not isinstance(event, Command) or not isinstance(event.arguments, grammar.Append):
            raise RuntimeError(f"unexpected {type(event).__name__} instead of APPEND")
        command, session.tag = event.arguments, event.tag


async def _conclude(session: Session, waiting: Sequence[_Arrivals], refused: Refusal | None) -> Done:
    """Stores what waits, answers all but the last command, and returns (or raises) the answer to that."""
    outcomes = await _outcomes(session, waiting)
    last = outcomes.pop()[1] if refused is None else refused
    if outcomes:
        if session.hears:
            await session.sync(expunge=True)
        for tag, outcome in outcomes:
            await session.connection.send(Late(tag, _worded(session, outcome)))
    if isinstance(last, Bad):
        if last.fatal:
            await session.bye("Too many commands that are none")
        return Done(last.status, last.text, last.code)
    if isinstance(last, Exception):
        raise last
    return last


async def _outcomes(session: Session, waiting: Sequence[_Arrivals]) -> "list[tuple[bytes, Done | Exception]]":
    work = [item for arrivals in waiting for item in arrivals.work()]
    answers: Sequence[Appended | Exception | None]
    try:
        answers = await session.ports.commit.commit(work) if work else ()
    except Exception as error:  # noqa: BLE001 - each of the commands is to have its answer.
        answers = [error] * len(work)
    outcomes: list[tuple[bytes, Done | Exception]] = []
    at = 0
    for arrivals in waiting:
        session.changed(arrivals.folder)
        own, at = answers[at : at + len(arrivals.messages)], at + len(arrivals.messages)
        try:
            outcomes.append(
                (arrivals.tag, Done(Status.OK, "Append completed", _append_uid(await arrivals.stored(own))))
            )
        except Exception as error:  # noqa: BLE001 - as above; the last one is raised by the caller.
            outcomes.append((arrivals.tag, error))
    return outcomes


def _worded(session: Session, outcome: Done | Exception) -> Done:
    if isinstance(outcome, Done):
        return outcome
    if isinstance(outcome, MailError):
        if outcome.detail:
            session.log.warning("imap.refused", command="Append", detail=outcome.detail)
        return refusal_of(outcome)
    session.log.exception("session.crashed", outcome, command="Append")
    return Done(Status.NO, "Internal error", b"SERVERBUG")


async def replace(session: Session, command: grammar.Replace) -> Done:
    """RFC 8508 3: the new one is there, durable, before the old one goes; after a crash there may be both."""
    view = session.view.demand(Right.MARK | Right.EXPUNGE)
    uids = view.chosen(command.sequence, uid=command.uid).within(view.uids)
    if len(uids) > 1:
        return refusal(b"CLIENTBUG", "One message is replaced at a time")
    if not uids:
        return refusal(*EXPUNGE_ISSUED) if not command.uid else refusal(b"NONEXISTENT", "No such message")
    folder = await session.named(command.mailbox, Right.INSERT, target=True)
    if not await session.ports.messages.flags(view.ref, UidSet.of(uids)):
        return refusal(*EXPUNGE_ISSUED)
    arrivals = _Arrivals(session, folder, session.tag)
    try:
        await arrivals.receive(command.message)
        code = _append_uid(await arrivals.commit())
    except _Refused as refused:
        return refused.answer
    finally:
        arrivals.close()
    await session.ports.messages.expunge(view.ref, UidSet.of(uids), marked=False)
    view.hints.stale = True
    if code:
        # RFC 8508 3.2: before the EXPUNGE response, so that the client can connect the two.
        await session.untagged(responses.ok(code, "Replacement stored"))
    return done(command)


def advertise(session: Session) -> Iterable[bytes]:
    yield b"APPENDLIMIT=%d" % int(session.settings.max_append_size)


OFFER = Offer(
    handlers=dict((serves(grammar.Append, append), serves(grammar.Replace, replace))),
    capabilities=(b"MULTIAPPEND", b"REPLACE"),
    advertise=advertise,
)
