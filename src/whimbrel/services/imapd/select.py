"""Handlers of SELECT, EXAMINE, CLOSE, UNSELECT.

Standards: RFC 3501 6.3.1, 6.3.2, 6.4.2; RFC 3691; RFC 9051 6.3.2 (LIST, no RECENT); RFC 7162 3.1.2, 3.2.5, 3.2.11
(CLOSED); RFC 8474 4.2 (MAILBOXID); RFC 9586 3.4
"""

from whimbrel.core.errors import MailboxError
from whimbrel.core.mailbox import DELIMITER, Folder, Snapshot
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import select as grammar
from whimbrel.protocols.imap.condstore import Condstore
from whimbrel.protocols.imap.cursor import BadSyntax, UidRequired
from whimbrel.protocols.imap.engine import Done, Status
from whimbrel.protocols.imap.mode import CONDSTORE
from whimbrel.protocols.imap.qresync import Qresync
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.resync import missed
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.session import Session


async def select(session: Session, command: grammar.Select) -> Done:
    known = next((one for one in command.parameters if isinstance(one, Qresync)), None)
    if known is not None and not session.mode.qresync:
        raise BadSyntax("QRESYNC was not enabled")  # RFC 7162 3.2.5
    if known is not None and known.matched is not None and session.mode.uidonly:
        raise UidRequired
    if session.selected is not None:
        session.leave()  # Even if this SELECT fails. RFC 3501 6.3.1
        await session.untagged(b"OK [CLOSED] The mailbox before is closed")
    if any(isinstance(one, Condstore) for one in command.parameters):
        await session.enable((CONDSTORE,))
    folder = await session.folder(command.mailbox)
    hints = session.ports.circles.join(folder.ref)
    try:
        recent = not command.read_only and not session.mode.rev2
        snapshot = await session.ports.messages.snapshot(folder.ref, take_recent=recent)
    except BaseException:
        hints.end()
        raise
    view = session.selected = Selected(folder.ref, snapshot, hints, read_only=command.read_only, mode=session.mode)
    if session.observer is not None and session.hears:
        hints.wake = session.connection.wake
    await session.write(b"".join(b"* %b\r\n" % line for line in _opened(session, folder, view, snapshot)))
    if known is not None and known.uid_validity == snapshot.status.uid_validity:
        try:
            await session.write(await missed(session.ports.messages, view, known))
        except MailboxError:
            session.leave()
            raise
    if command.read_only:
        return Done(Status.OK, "Examine completed", b"READ-ONLY")
    return Done(Status.OK, "Select completed", b"READ-WRITE")


def _opened(session: Session, folder: Folder, view: Selected, snapshot: Snapshot) -> list[bytes]:
    mode, status = session.mode, snapshot.status
    lines = [b"FLAGS " + view.flag_names(), b"%d EXISTS" % len(view.uids)]
    if mode.rev2:
        lines.append(b'LIST () "%b" %b' % (DELIMITER.encode(), session.mailbox(folder.name)))
    else:
        lines.append(b"%d RECENT" % len(view.recent))
        if snapshot.first_unseen and not mode.uidonly:
            (number,) = view.numbered([snapshot.first_unseen])
            if number:
                lines.append(b"OK [UNSEEN %d] First unseen" % number)
    lines += [
        b"OK [PERMANENTFLAGS %b] Flags permitted" % view.permanent_flags(),
        b"OK [UIDVALIDITY %d] UIDs valid" % status.uid_validity,
        b"OK [UIDNEXT %d] Predicted next UID" % status.uid_next,
        b"OK [HIGHESTMODSEQ %d] Highest" % status.highest_modseq,
        b"OK [MAILBOXID (%b)] Ok" % folder.ref.mailbox.encode("ascii", "replace"),
    ]
    return lines


async def close(session: Session, command: grammar.Close) -> Done:
    view = session.view
    if command.expunge and not view.read_only and view.uids:
        # Only what the client was shown: a message that came marked since then is not its to remove.
        await session.ports.messages.expunge(view.ref, UidSet([(1, view.last)]))
    session.leave()
    return Done(Status.OK, "Close completed" if command.expunge else "Unselect completed")


OFFER = Offer(
    handlers=dict((serves(grammar.Select, select), serves(grammar.Close, close))),
    capabilities=(b"UNSELECT",),
)
