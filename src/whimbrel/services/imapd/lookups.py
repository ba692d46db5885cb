"""Answers to FETCH that are not among the columns of every row: each is asked for a whole batch at once.

Standards: RFC 8970 3 (PREVIEW), RFC 8514 4.1 (SAVEDATE)
"""

from collections.abc import Awaitable, Callable, Mapping

from whimbrel.core.mailbox import FolderRef, Messages
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import encode
from whimbrel.protocols.imap.dates import date_time
from whimbrel.protocols.imap.grammar import FetchItem
from whimbrel.protocols.imap.preview import Preview
from whimbrel.protocols.imap.savedate import SAVEDATE
from whimbrel.services.imapd.offer import Offer

Lookup = Callable[[Messages, FolderRef, UidSet], Awaitable[Mapping[int, bytes]]]


async def _previews(messages: Messages, ref: FolderRef, uids: UidSet) -> Mapping[int, bytes]:
    return {
        uid: b"PREVIEW " + encode.string(preview.encode("utf-8", "replace"))
        for uid, preview in await messages.previews(ref, uids)
    }


async def _save_dates(messages: Messages, ref: FolderRef, uids: UidSet) -> Mapping[int, bytes]:
    return {uid: b'SAVEDATE "%b"' % date_time(saved) for uid, saved in await messages.save_dates(ref, uids)}


LOOKUPS: Mapping[FetchItem, Lookup] = {
    Preview(): _previews,
    Preview(lazy=True): _previews,
    SAVEDATE: _save_dates,
}
MISSING: Mapping[FetchItem, bytes] = {
    Preview(): b"PREVIEW NIL",
    Preview(lazy=True): b"PREVIEW NIL",
    SAVEDATE: b"SAVEDATE NIL",
}
"""What is said of a message that went away in between."""

OFFER = Offer(handlers={}, capabilities=(b"PREVIEW", b"SAVEDATE"))
