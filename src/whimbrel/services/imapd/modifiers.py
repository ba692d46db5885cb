"""What the modifiers of FETCH choose: a page, what has changed in it, and the UIDs that vanished.

Standards: RFC 7162 3.1.4.1 (CHANGEDSINCE), 3.2.6 (VANISHED); RFC 9394 3.3, 3.4 (PARTIAL)
"""

from collections.abc import Sequence

from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap.condstore import MODSEQ, ChangedSince
from whimbrel.protocols.imap.cursor import BadSyntax
from whimbrel.protocols.imap.fetch import UID, Fetch
from whimbrel.protocols.imap.grammar import FetchItem
from whimbrel.protocols.imap.mode import CONDSTORE
from whimbrel.protocols.imap.partial import Partial
from whimbrel.protocols.imap.qresync import Vanished
from whimbrel.services.imapd.resync import changed_of, earlier, vanished
from whimbrel.services.imapd.session import Session


async def modified(
    session: Session, command: Fetch, wanted: Sequence[int]
) -> tuple[Sequence[int], tuple[FetchItem, ...]]:
    """What is left of `wanted`, and what is fetched of it."""
    items, modifiers, view = command.items, command.modifiers, session.view
    if view.mode.uidonly and len(items) > 1:
        items = tuple(item for item in items if item is not UID)  # UIDFETCH names it already. RFC 9586 3.3
    if MODSEQ in items:
        await session.enable((CONDSTORE,))
    since = next((modifier.modseq for modifier in modifiers if isinstance(modifier, ChangedSince)), None)
    gone = any(isinstance(modifier, Vanished) for modifier in modifiers)
    if gone and (since is None or not command.uid or not session.mode.qresync):
        raise BadSyntax("VANISHED needs UID FETCH, CHANGEDSINCE and ENABLE QRESYNC")  # RFC 7162 3.2.6
    page = next((modifier for modifier in modifiers if isinstance(modifier, Partial)), None)
    if page is not None:
        if not command.uid:
            raise BadSyntax("PARTIAL needs UID FETCH")  # RFC 9394 3.3
        wanted = page.of(wanted)  # Of all messages, of which those that changed are answered then. RFC 9394 3.4
    if since is not None:
        await session.enable((CONDSTORE,))
        items = items if MODSEQ in items else (*items, MODSEQ)
        delta = await session.ports.messages.changes(view.ref, since)
        if gone:
            asked = command.sequence.resolve(view.last) & UidSet([(1, view.last)])
            await session.write(earlier(vanished(view, delta, asked)))
        wanted = changed_of(delta, wanted)
    return wanted, items
