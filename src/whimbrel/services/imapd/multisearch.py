"""Handler of ESEARCH: one search over many mailboxes, an answer for each that has something.

Standards: RFC 7377 2, 2.1, 2.2
"""

from collections.abc import Iterable

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import multisearch as grammar
from whimbrel.protocols.imap.cursor import BadSyntax
from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.returns import esearch
from whimbrel.services.imapd.named import below, delivered_to, spelled
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.search import highest_modseq, matching
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.session import Session, done
from whimbrel.services.imapd.shared_watch import Hints
from whimbrel.services.session.namespaces import Kind, Mailbox

MAX_FOLDERS = 1000
"""Searched by one command."""


async def esearch_(session: Session, command: grammar.MultiSearch) -> Done:
    if session.selected is None and command.selected:
        raise BadSyntax("No mailbox is selected")  # RFC 7377 2.2
    chosen = await _chosen(session, command.sources)
    if len(chosen) > MAX_FOLDERS:
        raise MailboxError(Condition.LIMIT, f"At most {MAX_FOLDERS} mailboxes are searched at once")
    for folder in chosen:
        try:
            view = await _view(session, folder)
            await _search(session, command, folder, view)
        except MailboxError as error:
            if error.condition is not Condition.NONEXISTENT:
                raise
            # It was deleted while others were searched. RFC 7377 2: the search goes on.
    return done(command, text="Search completed")


async def _view(session: Session, folder: Mailbox) -> Selected:
    if session.selected is not None and session.selected.ref == folder.ref:
        return session.selected
    snapshot = await session.ports.messages.snapshot(folder.ref)
    return Selected(folder.ref, snapshot, Hints(), read_only=True, mode=session.mode)


async def _search(session: Session, command: grammar.MultiSearch, folder: Mailbox, view: Selected) -> None:
    uids = await matching(session, view, command.key)
    modseq = await highest_modseq(session, view, command.key, uids, command.returns)
    if b"SAVE" in command.returns.options:
        view.saved = UidSet.of(command.returns.shown(uids))
    if not uids or command.returns.silent:
        return  # RFC 7377 2.1: no answer for a mailbox in which nothing was found.
    status = await session.ports.folders.status(folder.ref)
    mailbox = b"MAILBOX %b UIDVALIDITY %d" % (session.mailbox(folder.name), status.uid_validity)
    await session.untagged(esearch(session.tag, uids, command.returns, uid=True, modseq=modseq, mailbox=mailbox))


async def _chosen(session: Session, sources: Iterable[grammar.Source]) -> list[Mailbox]:
    """Each folder once, in the order of LIST; those that cannot be opened are passed over."""
    folders = await session.mailboxes.list()
    return [
        folder for folder in folders if folder.selectable and any(_names(session, source, folder) for source in sources)
    ]


def _names(session: Session, source: grammar.Source, folder: Mailbox) -> bool:
    kind = source.kind
    if kind == b"SELECTED":
        return session.selected is not None and folder.ref == session.selected.ref
    if kind == b"INBOXES":
        return delivered_to(folder)
    if kind == b"SUBSCRIBED":
        return folder.subscribed
    if kind == b"MAILBOXES":
        return folder.name in map(spelled, source.names)
    if kind == b"PERSONAL":
        return folder.kind is Kind.PERSONAL
    return below(folder.name, source.names, deep=kind == b"SUBTREE")


OFFER = Offer(handlers=dict((serves(grammar.MultiSearch, esearch_),)), capabilities=(b"MULTISEARCH",))
