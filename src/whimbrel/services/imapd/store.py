"""Handlers of STORE, EXPUNGE, COPY, MOVE.

Standards: RFC 3501 6.4.3, 6.4.6-6.4.8; RFC 4315, RFC 6851; RFC 5530 (EXPUNGEISSUED); RFC 7162 3.1.3, 3.2.7
"""

from dataclasses import replace

from whimbrel.core.mailbox import FlagOp
from whimbrel.core.rows import KEYWORDS
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import responses
from whimbrel.protocols.imap import store as grammar
from whimbrel.protocols.imap.condstore import UnchangedSince
from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.mode import CONDSTORE
from whimbrel.protocols.imap.sequence import uid_set
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.session import DOMAIN_ROOT, Session, done, refusal
from whimbrel.services.session.namespaces import Right, for_flags

EXPUNGE_ISSUED = (b"EXPUNGEISSUED", "Some of the messages no longer exist")
"""RFC 5530 3. In a NO: of a message that cannot be served any more; in an OK: it is done for all that are there."""


async def store(session: Session, command: grammar.Store) -> Done:
    change, view = command.change, session.view
    view.demand(for_flags(change.flags, others=bool(change.keywords) or change.op is FlagOp.REPLACE))
    uids = view.chosen(command.sequence, uid=command.uid)
    unchanged_since = next((each.modseq for each in command.modifiers if isinstance(each, UnchangedSince)), None)
    if unchanged_since is not None:
        await session.enable((CONDSTORE,))  # RFC 7162 3.1
    if not change.flags and not change.keywords and change.op is not FlagOp.REPLACE:
        return done(command)
    others = (
        await session.ports.messages.changes(view.ref, view.modseq) if command.silent and view.hints.stale else None
    )
    change = replace(change, keywords=view.spelled(change.keywords))
    stored = await session.ports.messages.set_flags(view.ref, uids, change, unchanged_since)
    rows = stored.rows
    out = [view.new_keywords({row[KEYWORDS] for row in rows})]
    if not command.silent:
        out.append(view.flag_lines(rows, uid=command.uid))
    elif view.mode.condstore:
        # RFC 7162 3.1.3: the new modseq is reported even so.
        out.append(view.flag_lines(rows, uid=command.uid, flags=False))
    view.stored(stored, silent=command.silent, others=others)
    await session.write(b"".join(out))
    code = b""
    if stored.modified:
        # Why it was refused: the flags as they are now. RFC 7162 3.1.3
        await session.sync(expunge=not command.holds_numbers, always=True, uid=command.uid)
        refused = stored.modified.within(view.uids)
        code = b"MODIFIED " + uid_set(refused if command.uid else [n for n in view.numbered(refused) if n])
    if not command.uid and len(stored.rows) + len(stored.modified) < len(uids.within(view.uids)):
        if code:
            return refusal(code, EXPUNGE_ISSUED[1])  # RFC 7162 3.1.3, example 10
        # RFC 2180 4.2.1. Also without SILENT (4.2.3 would permit NO): clients take NO for "no flag was set".
        return done(command, *EXPUNGE_ISSUED)
    return done(command, code, "Conditional store: some were changed by others" if code else "")


async def expunge(session: Session, command: grammar.Expunge) -> Done:
    view = session.view.demand(Right.EXPUNGE)
    # Never what the client has not been notified of.
    uids = view.chosen(command.uids, uid=True) if command.uids else UidSet([(1, view.uids[-1])] if view.uids else ())
    uids = UidSet.of(uids.within(view.uids)) if command.uids else uids
    if uids:
        gone = await session.ports.messages.expunge(view.ref, uids)
        view.hints.stale = True
        if gone.uids and session.mode.condstore:
            # RFC 7162 3.2.7, 3.2.8: what the client was notified up to, so after the changes.
            await session.sync(expunge=True)
            return done(command, b"HIGHESTMODSEQ %d" % view.modseq)
    return done(command)


async def copy(session: Session, command: grammar.Copy) -> Done:
    view = session.view.demand(Right.MARK | Right.EXPUNGE) if command.move else session.view
    uids = view.chosen(command.sequence, uid=command.uid)
    target = await session.named(command.mailbox, Right.INSERT, target=True)
    uids = UidSet.of(uids.within(view.uids))
    text = "Move completed" if command.move else "Copy completed"
    if not uids:
        return done(command, text=text)
    if command.move:
        made = await session.ports.messages.move(view.ref, uids, target.ref)
        view.hints.stale = True
    else:
        session.check_room()
        await _check_domain(session, view, uids)
        made = await session.ports.messages.copy(view.ref, uids, target.ref, session.limit)
    session.changed(target)
    if not made.source:
        return done(command, text=text) if command.uid else refusal(*EXPUNGE_ISSUED)
    code = responses.copy_uid(made.uid_validity, made.source, made.target)
    if command.move:
        # RFC 6851 4.3: before the EXPUNGE responses.
        await session.untagged(responses.ok(code, "Moved"))
        return done(command, text=text)
    return done(command, code, text)


async def _check_domain(session: Session, view: Selected, uids: UidSet) -> None:
    """OVERQUOTA. What the account may hold, the store sees to."""
    if DOMAIN_ROOT in await session.quotas():
        rows = await session.ports.messages.cells(view.ref, uids, ("size",))
        await session.check_quota(sum(int(size) for _, *sizes in rows for size in sizes), len(rows))


OFFER = Offer(
    handlers=dict((serves(grammar.Store, store), serves(grammar.Expunge, expunge), serves(grammar.Copy, copy))),
    capabilities=(b"UIDPLUS", b"MOVE"),
)
