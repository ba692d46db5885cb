"""Handlers of SELECT, EXAMINE, CLOSE, UNSELECT.

Standards: RFC 3501 6.3.1, 6.3.2, 6.4.2; RFC 3691; RFC 9051 6.3.2 (LIST, no RECENT); RFC 7162 3.1.2, 3.2.5, 3.2.11
(CLOSED); RFC 8474 4.2 (MAILBOXID); RFC 9586 3.4
"""

from whimbrel.core.errors import MailboxError
from whimbrel.core.mailbox import Snapshot
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import responses
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
from whimbrel.services.session.namespaces import CHANGING, Mailbox, Right


async def select(session: Session, command: grammar.Select) -> Done:
    known = next((parameter for parameter in command.parameters if isinstance(parameter, Qresync)), None)
    if known is not None and not session.mode.qresync:
        raise BadSyntax("QRESYNC was not enabled")  # RFC 7162 3.2.5
    if known is not None and known.matched is not None and session.mode.uidonly:
        raise UidRequired
    if session.selected is not None:
        session.leave()  # Even if this SELECT fails. RFC 3501 6.3.1
        await session.untagged(responses.ok(b"CLOSED", "The mailbox before is closed"))
    if any(isinstance(parameter, Condstore) for parameter in command.parameters):
        await session.enable((CONDSTORE,))
    folder = await session.named(command.mailbox, Right.READ)
    hints = session.ports.watches.join(folder.ref)
    try:
        read_only = command.read_only or not folder.rights & CHANGING  # RFC 4314 5.2
        recent = not read_only and not session.mode.rev2
        snapshot = await session.ports.messages.snapshot(folder.ref, take_recent=recent)
    except BaseException:
        hints.end()
        raise
    view = session.selected = Selected(
        folder.ref, snapshot, hints, read_only=read_only, mode=session.mode, rights=folder.rights
    )
    if session.observer is not None and session.hears:
        hints.wake = session.connection.wake
    await session.write(b"".join(b"* %b\r\n" % line for line in _opened(session, folder, view, snapshot)))
    if known is not None and known.uid_validity == snapshot.status.uid_validity:
        try:
            await session.write(await missed(session.ports.messages, view, known))
        except MailboxError:
            session.leave()
            raise
    name = "Examine" if command.read_only else "Select"
    return Done(Status.OK, f"{name} completed", b"READ-ONLY" if read_only else b"READ-WRITE")


def _opened(session: Session, folder: Mailbox, view: Selected, snapshot: Snapshot) -> list[bytes]:
    mode, status = session.mode, snapshot.status
    lines = [b"FLAGS " + view.flag_names(), responses.exists(len(view.uids))]
    if mode.rev2:
        lines.append(responses.listed(b"LIST", (), session.mailbox(folder.name)))
    else:
        lines.append(responses.recent(len(view.recent)))
        if snapshot.first_unseen and not mode.uidonly:
            (number,) = view.numbered([snapshot.first_unseen])
            if number:
                lines.append(responses.ok(b"UNSEEN %d" % number, "First unseen"))
    lines += [
        responses.ok(b"PERMANENTFLAGS %b" % view.permanent_flags(), "Flags permitted"),
        responses.ok(b"UIDVALIDITY %d" % status.uid_validity, "UIDs valid"),
        responses.ok(b"UIDNEXT %d" % status.uid_next, "Predicted next UID"),
        responses.ok(b"HIGHESTMODSEQ %d" % status.highest_modseq, "Highest"),
        responses.ok(b"MAILBOXID (%b)" % folder.ref.mailbox.encode("ascii", "replace"), "Ok"),
    ]
    return lines


async def close(session: Session, command: grammar.Close) -> Done:
    view = session.view
    if command.expunge and not view.read_only and view.uids and Right.EXPUNGE in view.rights:
        # Only what the client was shown: a message that came marked since then is not its to remove.
        await session.ports.messages.expunge(view.ref, UidSet([(1, view.last)]))
    session.leave()
    return Done(Status.OK, "Close completed" if command.expunge else "Unselect completed")


OFFER = Offer(
    handlers=dict((serves(grammar.Select, select), serves(grammar.Close, close))),
    capabilities=(b"UNSELECT",),
)
