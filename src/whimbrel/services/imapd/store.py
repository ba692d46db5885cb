"""Handlers of STORE, EXPUNGE, COPY, MOVE.

Standards: RFC 3501 6.4.3, 6.4.6-6.4.8; RFC 4315, RFC 6851; RFC 5530 (EXPUNGEISSUED)
"""

from dataclasses import replace

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import FlagOp
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import store as grammar
from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.sequence import uid_set
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.session import Session, done, refusal

EXPUNGE_ISSUED = (b"EXPUNGEISSUED", "Some of the messages no longer exist")


def writable(session: Session) -> Selected:
    """The selected mailbox. CANNOT if it was opened by EXAMINE."""
    view = session.view
    if view.read_only:
        raise MailboxError(Condition.CANNOT, "Mailbox was opened read-only")
    return view


async def store(session: Session, command: grammar.Store) -> Done:
    view = writable(session)
    uids = view.chosen(command.sequence, uid=command.uid)
    change = command.change
    if not change.flags and not change.keywords and change.op is not FlagOp.REPLACE:
        return done(command)
    change = replace(change, keywords=view.spelled(change.keywords))
    stored = await session.ports.messages.set_flags(view.ref, uids, change)
    await session.write(view.new_keywords({row[2] for row in stored.rows}))
    if command.silent:
        view.told(row for row in stored.rows if row[0] in stored.changed)
    else:
        rows = sorted(stored.rows)
        view.told(rows)
        await session.write(view.flag_lines(rows, uid=command.uid))
    view.hints.stale = True
    if not command.uid and len(stored.rows) < len(uids.within(view.uids)):
        return refusal(*EXPUNGE_ISSUED)  # RFC 2180 4.2.1
    return done(command)


async def expunge(session: Session, command: grammar.Expunge) -> Done:
    view = writable(session)
    # Never what the client has not yet been told of.
    uids = view.chosen(command.uids, uid=True) if command.uids else UidSet([(1, view.uids[-1])] if view.uids else ())
    uids = UidSet.of(uids.within(view.uids)) if command.uids else uids
    if uids:
        await session.ports.messages.expunge(view.ref, uids)
        view.hints.stale = True
    return done(command)


async def copy(session: Session, command: grammar.Copy) -> Done:
    view = writable(session) if command.move else session.view
    uids = view.chosen(command.sequence, uid=command.uid)
    target = await session.folder(command.mailbox, target=True)
    uids = UidSet.of(uids.within(view.uids))
    text = "Move completed" if command.move else "Copy completed"
    if not uids:
        return done(command, text=text)
    if command.move:
        made = await session.ports.messages.move(view.ref, uids, target.ref)
        view.hints.stale = True
    else:
        await _check_quota(session, view, uids)
        made = await session.ports.messages.copy(view.ref, uids, target.ref)
    session.changed(target)
    if not made.source:
        return done(command, text=text) if command.uid else refusal(*EXPUNGE_ISSUED)
    code = b"COPYUID %d %b %b" % (made.uid_validity, uid_set(made.source), uid_set(made.target))
    if command.move:
        # RFC 6851 4.3: before the EXPUNGE responses.
        await session.untagged(b"OK [%b] Moved" % code)
        return done(command, text=text)
    return done(command, code, text)


async def _check_quota(session: Session, view: Selected, uids: UidSet) -> None:
    if session.account is not None and (session.account.quota_bytes or session.account.quota_messages):
        sizes = [row[1] for row in await session.ports.messages.parts(view.ref, uids)]
        await session.check_quota(sum(sizes), len(sizes))


OFFER = Offer(
    handlers=dict((serves(grammar.Store, store), serves(grammar.Expunge, expunge), serves(grammar.Copy, copy))),
    capabilities=(b"UIDPLUS", b"MOVE"),
)
