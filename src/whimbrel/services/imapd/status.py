"""Handler of STATUS, and what it and LIST say of a mailbox without opening it.

Standards: RFC 3501 6.3.10, 7.2.4; RFC 7162 3.1.7 (HIGHESTMODSEQ), RFC 7889 4 (APPENDLIMIT), RFC 8438 (SIZE),
RFC 8474 4.3 (MAILBOXID), RFC 9208 4.1.4 (DELETED, DELETED-STORAGE)
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from whimbrel.core.mailbox import DELETED, FolderStatus
from whimbrel.core.rows import FLAGS, PARTS_SIZE, UID
from whimbrel.core.uids import MAX_UID, UidSet
from whimbrel.protocols.imap import folders as grammar
from whimbrel.protocols.imap import responses
from whimbrel.protocols.imap.engine import Done
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, done
from whimbrel.services.session.namespaces import Mailbox, Right


async def _recent(session: Session, folder: Mailbox, status: FolderStatus) -> int:
    if status.first_recent >= status.uid_next:
        return 0
    return len(await session.ports.messages.flags(folder.ref, UidSet([(max(1, status.first_recent), MAX_UID)])))


async def _deleted_storage(session: Session, folder: Mailbox, status: FolderStatus) -> int:
    """Octets that EXPUNGE would free."""
    if not status.deleted:
        return 0
    messages = session.ports.messages
    every = await messages.flags(folder.ref, UidSet([(1, MAX_UID)]))
    marked = UidSet.of(row[UID] for row in every if row[FLAGS] & DELETED)
    return sum(row[PARTS_SIZE] for row in await messages.parts(folder.ref, marked))


async def _size(session: Session, folder: Mailbox, status: FolderStatus) -> int:
    """Not what is stored: messages with bare LFs are shown longer than they are, and RFC 8438 3 wants no less than the
    sum of RFC822.SIZE."""
    return await session.ports.messages.shown_size(folder.ref, status) if status.messages else 0


async def _value(value: int | bytes) -> int | bytes:
    return value


StatusItem = Callable[[Session, Mailbox, FolderStatus], Awaitable[int | bytes]]

STATUS_ITEMS: Mapping[bytes, StatusItem] = {
    b"MESSAGES": lambda _session, _folder, status: _value(status.messages),
    b"RECENT": _recent,
    b"UIDNEXT": lambda _session, _folder, status: _value(status.uid_next),
    b"UIDVALIDITY": lambda _session, _folder, status: _value(status.uid_validity),
    b"UNSEEN": lambda _session, _folder, status: _value(status.unseen),
    b"SIZE": _size,
    b"DELETED": lambda _session, _folder, status: _value(status.deleted),
    b"DELETED-STORAGE": _deleted_storage,
    b"HIGHESTMODSEQ": lambda _session, _folder, status: _value(status.highest_modseq),
    b"MAILBOXID": lambda _session, folder, _status: _value(b"(%b)" % folder.ref.mailbox.encode()),
    b"APPENDLIMIT": lambda session, _folder, _status: _value(int(session.settings.max_append_size)),
}


async def status_line(session: Session, folder: Mailbox, status: FolderStatus, items: Sequence[bytes]) -> bytes:
    """The response behind `* `."""
    values = [(item, await STATUS_ITEMS[item](session, folder, status)) for item in items]
    return responses.status(session.mailbox(folder.name), values)


async def status(session: Session, command: grammar.Status) -> Done:
    folder = await session.named(command.mailbox, Right.READ)
    now = await session.ports.folders.status(folder.ref)
    if b"HIGHESTMODSEQ" in command.items:
        await session.enable((b"CONDSTORE",))  # RFC 7162 3.1
    await session.untagged(await status_line(session, folder, now, command.items))
    return done(command)


OFFER = Offer(handlers=dict((serves(grammar.Status, status),)), capabilities=(b"STATUS=SIZE", b"OBJECTID"))
