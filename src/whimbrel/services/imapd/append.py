"""Handlers of APPEND and REPLACE: messages go to the spool as they arrive, then into the folder with one commit.

Standards: RFC 3501 6.3.11; RFC 4315 3 (APPENDUID); RFC 3502 (MULTIAPPEND), RFC 7889 (APPENDLIMIT), RFC 8508 (REPLACE)
"""

from collections.abc import Iterable

from whimbrel.core.commit import Append, Appended, Rendition, Spooled
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import Folder
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import append as grammar
from whimbrel.protocols.imap.engine import Accept, Bad, BulkData, BulkEnd, BulkMore, Done
from whimbrel.protocols.imap.sequence import uid_set
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, done, refusal
from whimbrel.services.imapd.store import EXPUNGE_ISSUED, writable

MAX_MESSAGES = 256
"""In one command: each costs memory or a descriptor until all are there."""


class _Refused(Exception):
    """The client broke off, or sent what cannot be: `answer` ends the command."""

    def __init__(self, answer: Done) -> None:
        super().__init__()
        self.answer = answer


class _Arrivals:
    """The messages of one command, as they come."""

    def __init__(self, session: Session, folder: Folder) -> None:
        self._session, self._folder = session, folder
        self._size = 0
        self.messages: list[grammar.Message] = []
        self.contents: list[Spooled] = []

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
        await session.check_quota(self._size, len(self.messages) + 1)

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

    async def commit(self) -> list[Appended]:
        """All or none. RFC 3502 6.3.11"""
        session, ref = self._session, self._folder.ref
        view = session.selected if session.selected is not None and session.selected.ref == ref else None
        work = [
            Append(
                ref,
                Rendition(b"", content),
                message.flags,
                view.spelled(message.keywords) if view is not None else message.keywords,
                message.date,
            )
            for message, content in zip(self.messages, self.contents, strict=True)
        ]
        answers = await session.ports.commit.commit(work)
        session.changed(self._folder)
        made = [answer for answer in answers if isinstance(answer, Appended)]
        failed = [answer for answer in answers if isinstance(answer, Exception)]
        if failed:
            if made:
                uids = UidSet.of(sorted(answer.uid for answer in made))
                await session.ports.messages.expunge(ref, uids, marked=False)
            raise failed[0]
        return made

    def close(self) -> None:
        for content in self.contents:
            content.close()


def _append_uid(made: Iterable[Appended]) -> bytes:
    answers = [answer for answer in made if answer.uid]
    if not answers:
        return b""
    return b"APPENDUID %d %b" % (answers[0].uid_validity, uid_set([answer.uid for answer in answers]))


async def append(session: Session, command: grammar.Append) -> Done:
    folder = await session.folder(command.mailbox, target=True)
    arrivals = _Arrivals(session, folder)
    try:
        await arrivals.receive(command.message)
        return done(command, _append_uid(await arrivals.commit()))
    except _Refused as refused:
        return refused.answer
    finally:
        arrivals.close()


async def replace(session: Session, command: grammar.Replace) -> Done:
    """RFC 8508 3: the new one is there, durable, before the old one goes; after a crash there may be both."""
    view = writable(session)
    uids = view.chosen(command.sequence, uid=command.uid).within(view.uids)
    if len(uids) > 1:
        return refusal(b"CLIENTBUG", "One message is replaced at a time")
    if not uids:
        return refusal(*EXPUNGE_ISSUED) if not command.uid else refusal(b"NONEXISTENT", "No such message")
    folder = await session.folder(command.mailbox, target=True)
    if not await session.ports.messages.flags(view.ref, UidSet.of(uids)):
        return refusal(*EXPUNGE_ISSUED)
    arrivals = _Arrivals(session, folder)
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
        await session.untagged(b"OK [%b] Replacement stored" % code)
    return done(command)


def advertise(session: Session) -> Iterable[bytes]:
    yield b"APPENDLIMIT=%d" % int(session.settings.max_append_size)


OFFER = Offer(
    handlers=dict((serves(grammar.Append, append), serves(grammar.Replace, replace))),
    capabilities=(b"MULTIAPPEND", b"REPLACE"),
    advertise=advertise,
)
