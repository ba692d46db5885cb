"""Handlers of SORT and THREAD.

Standards: RFC 5256 2, 3, 4; RFC 5957 (SORT=DISPLAY), RFC 5267 3.1 (ESORT)
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from unicodedata import normalize

from whimbrel.core.rows import (
    BASE_SUBJECT,
    SHOWN_FROM,
    SHOWN_TO,
    SORT_CC,
    SORT_DATE,
    SORT_FROM,
    SORT_SENT,
    SORT_SIZE,
    SORT_TO,
    UID,
    SortRow,
)
from whimbrel.core.uids import UidSet
from whimbrel.mail.sorting.threads import Threads, ordered_subject, references, refs
from whimbrel.protocols.imap import responses
from whimbrel.protocols.imap import sort as grammar
from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.grammar import SearchKey
from whimbrel.protocols.imap.returns import ALL
from whimbrel.services.imapd.fetch import batches
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.search import answer, highest_modseq, matching
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.session import Session, done

ROW_BATCH = 5_000
_COLUMNS: Mapping[bytes, int] = {
    b"ARRIVAL": SORT_DATE,
    b"SIZE": SORT_SIZE,
    b"DATE": SORT_SENT,
    b"FROM": SORT_FROM,
    b"TO": SORT_TO,
    b"CC": SORT_CC,
    b"DISPLAYFROM": SHOWN_FROM,
    b"DISPLAYTO": SHOWN_TO,
    b"SUBJECT": BASE_SUBJECT,
}


async def _rows(session: Session, key: SearchKey) -> tuple[list[int], list[SortRow]]:
    """What `key` finds, and the rows of those messages, by UID."""
    view = session.view
    matched = await matching(session, view, key)
    rows: list[SortRow] = []
    for _, uids in batches(view, matched, ROW_BATCH):
        rows += await session.ports.messages.sort_rows(view.ref, uids)
        await asyncio.sleep(0)
    return matched, rows


def collated(cell: int | str) -> int | str:
    """What strings are compared by: i;unicode-casemap, as RFC 5256 2 and RFC 5255 3 (I18NLEVEL=1) ask. RFC 5051 2"""
    if isinstance(cell, int):
        return cell
    return cell.upper() if cell.isascii() else normalize("NFKD", "".join(map(str.title, cell)))


def ordered(rows: Sequence[SortRow], keys: Sequence[grammar.SortKey]) -> list[int]:
    """UIDs; messages that are equal in all keys stay as they were. RFC 5256 3"""
    pending = list(rows)
    for key in reversed(keys):
        column = _COLUMNS[key.name]
        # `reverse` keeps the order of equals, as reversing the list would not.
        pending.sort(key=lambda row: collated(row[column]), reverse=key.reverse)
    return [row[UID] for row in pending]


async def sort(session: Session, command: grammar.Sort) -> Done:
    view, returns = session.view, command.returns
    matched, rows = await _rows(session, command.key)
    uids = await session.ports.pool.run(ordered, rows, command.keys)
    modseq = await highest_modseq(session, view, command.key, matched, returns or ALL)
    if returns is not None and b"SAVE" in returns.options:
        view.saved = UidSet.of(sorted(returns.shown(uids)))
    numbers = uids if command.uid else _numbered(view, uids)
    if returns is not None:
        await answer(session, numbers, returns, uid=command.uid, modseq=modseq)
    else:
        await session.untagged(responses.numbers("SORT", numbers, modseq))
    return done(command)


def _numbered(view: Selected, uids: Sequence[int]) -> list[int]:
    """Sequence numbers in the order of `uids`."""
    ascending = sorted(uids)
    numbers = dict(zip(ascending, view.numbered(ascending), strict=True))
    return [number for uid in uids if (number := numbers[uid])]


_ALGORITHMS: Mapping[bytes, Callable[[Sequence[SortRow]], Threads]] = {
    b"ORDEREDSUBJECT": ordered_subject,
    b"REFERENCES": references,
    b"REFS": refs,
}


async def thread(session: Session, command: grammar.Thread) -> Done:
    view = session.view
    matched, rows = await _rows(session, command.key)
    threads = await session.ports.pool.run(_ALGORITHMS[command.algorithm], rows)
    names: Mapping[int, int] = {uid: uid for uid in matched}
    if not command.uid:
        names = dict(zip(matched, view.numbered(matched), strict=True))
    out = threads.written(names)
    await session.untagged(responses.thread(out))
    return done(command)


OFFER = Offer(
    handlers=dict((serves(grammar.Sort, sort), serves(grammar.Thread, thread))),
    capabilities=(
        b"SORT",
        b"SORT=DISPLAY",
        b"ESORT",
        b"THREAD=ORDEREDSUBJECT",
        b"THREAD=REFERENCES",
        b"THREAD=REFS",
    ),
)
