"""Handler of APPEND: the message goes to the spool as it arrives, then into the folder with one commit.

Standards: RFC 3501 6.3.11; RFC 4315 3 (APPENDUID)
"""

from whimbrel.core.commit import Append, Rendition, Spooled
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import Folder
from whimbrel.protocols.imap import append as grammar
from whimbrel.protocols.imap.engine import Accept, Bad, BulkData, BulkEnd, Done
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, done


async def append(session: Session, command: grammar.Append) -> Done:
    folder = await session.folder(command.mailbox, target=True)
    if command.size == 0:
        raise MailboxError(Condition.CANNOT, "A message has at least one octet")
    if command.size > session.settings.max_append_size:
        raise MailboxError(Condition.TOOBIG, "Message too big")
    await session.check_quota(command.size)
    content = await receive(session)
    if isinstance(content, Bad):
        return Done(content.status, content.text, content.code)
    try:
        return await _commit(session, command, folder, content)
    finally:
        content.close()


async def receive(session: Session) -> Spooled | Bad:
    """Lets the client send the literal and spools it."""
    connection, timeout = session.connection, session.settings.autologout
    writer = session.ports.spool.start()
    try:
        await connection.send(Accept())
        while True:
            event = await connection.next_event(timeout)
            if isinstance(event, BulkData):
                await writer.write(event.data)
            elif isinstance(event, BulkEnd):
                return await writer.finish()
            elif isinstance(event, Bad):
                writer.discard()
                return event
            else:
                raise RuntimeError(f"unexpected {type(event).__name__} within a literal")
    except BaseException:
        writer.discard()
        raise


async def _commit(session: Session, command: grammar.Append, folder: Folder, content: Spooled) -> Done:
    keywords = command.keywords
    if session.selected is not None and session.selected.ref == folder.ref:
        keywords = session.selected.spelled(keywords)
    work = Append(folder.ref, Rendition(b"", content), command.flags, keywords, command.date)
    (answer,) = await session.ports.commit.commit([work])
    if isinstance(answer, Exception):
        raise answer
    session.changed(folder)
    if answer is None or not answer.uid:
        return done(command)
    return done(command, b"APPENDUID %d %d" % (answer.uid_validity, answer.uid))


OFFER = Offer(handlers=dict((serves(grammar.Append, append),)))
