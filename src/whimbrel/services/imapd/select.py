"""Handlers of SELECT, EXAMINE, CLOSE, UNSELECT.

Standards: RFC 3501 6.3.1, 6.3.2, 6.4.2; RFC 3691
"""

from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import select as grammar
from whimbrel.protocols.imap.engine import Done, Status
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.selected import Hints, Selected
from whimbrel.services.imapd.session import Session


async def select(session: Session, command: grammar.Select) -> Done:
    session.leave()  # Even if this SELECT fails. RFC 3501 6.3.1
    folder = await session.folder(command.mailbox)
    hints = Hints(folder.ref.mailbox)
    hints.end = session.ports.changes.watch(folder.ref.account, hints)
    try:
        snapshot = await session.ports.messages.snapshot(folder.ref, take_recent=not command.read_only)
    except BaseException:
        hints.end()
        raise
    view = session.selected = Selected(folder.ref, snapshot, hints, read_only=command.read_only)
    status = snapshot.status
    lines = [
        b"FLAGS " + view.flag_names(),
        b"%d EXISTS" % len(view.uids),
        b"%d RECENT" % len(view.recent),
        b"OK [PERMANENTFLAGS %b] Flags permitted" % view.permanent_flags(),
        b"OK [UIDVALIDITY %d] UIDs valid" % status.uid_validity,
        b"OK [UIDNEXT %d] Predicted next UID" % status.uid_next,
    ]
    if snapshot.first_unseen:
        (number,) = view.numbered([snapshot.first_unseen])
        if number:
            lines.insert(3, b"OK [UNSEEN %d] First unseen" % number)
    await session.write(b"".join(b"* %b\r\n" % line for line in lines))
    if command.read_only:
        return Done(Status.OK, "Examine completed", b"READ-ONLY")
    return Done(Status.OK, "Select completed", b"READ-WRITE")


async def close(session: Session, command: grammar.Close) -> Done:
    view = session.view
    if command.expunge and not view.read_only and view.uids:
        await session.ports.messages.expunge(view.ref, UidSet([(1, view.uids[-1])]))
    session.leave()
    return Done(Status.OK, "Close completed" if command.expunge else "Unselect completed")


OFFER = Offer(
    handlers=dict((serves(grammar.Select, select), serves(grammar.Close, close))),
    capabilities=(b"UNSELECT",),
)
