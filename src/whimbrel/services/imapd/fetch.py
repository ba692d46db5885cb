r"""Handler of FETCH: answers are joined bytes, made from one query for each batch of messages.

Most of the answers of a batch come from one template (`columns`); content is added by `content.py`.

Standards: RFC 3501 6.4.5, 7.4.2; RFC 2180 4.1 (messages that are gone)
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from whimbrel.core.mailbox import SEEN, SIGN, FlagChange, FlagOp
from whimbrel.core.rows import FLAGS, KEYWORDS, MODSEQ, UID, CellRow, FlagRow, MetaRow, with_flags, with_modseq
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import condstore
from whimbrel.protocols.imap import fetch as grammar
from whimbrel.protocols.imap.encode import flag_text
from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.flaglines import flag_lines
from whimbrel.protocols.imap.grammar import FetchItem
from whimbrel.services.imapd.columns import COLUMNS, OF_FLAGS, Column, RowWriter, shown_recent
from whimbrel.services.imapd.modifiers import modified
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.session import Session, done, refusal
from whimbrel.services.imapd.store import EXPUNGE_ISSUED
from whimbrel.services.session.namespaces import Right

FLAG_BATCH = 20_000
META_BATCH = 500
CELL_BATCH = 1_000
CONTENT_BATCH = 1_000
EXPUNGED_BATCH = 50
SEEN_BATCH = 250
"""Messages that are marked as read together, before the first of them is sent."""


async def fetch(session: Session, command: grammar.Fetch) -> Done:
    view = session.view
    chosen = view.chosen(command.sequence, uid=command.uid).within(view.uids)
    wanted, items = await modified(session, command, chosen)
    if command.uid and grammar.UID not in items and not view.mode.uidonly:
        items = (grammar.UID, *items)  # RFC 3501 6.4.8
    missing = await answer(session, wanted, items)
    if missing:
        missing = await answer_expunged(session, missing, items)
    if condstore.MODSEQ in items and view.mode.qresync:
        # What changed before the latest MODSEQ that was shown must be reported with this command. RFC 7162 6
        view.hints.stale = True
    if missing and not command.uid:
        return refusal(*EXPUNGE_ISSUED)  # RFC 2180 4.1.2
    return done(command)


async def answer(session: Session, wanted: Sequence[int], items: Sequence[FetchItem]) -> list[int]:
    """FETCH responses for the ascending `wanted`. Returns the UIDs of those that are gone."""
    if set(items) <= OF_FLAGS:
        return await _fetch_flags(session, wanted, items)
    if all(item in COLUMNS and COLUMNS[item].cell for item in items):
        return await _fetch_cells(session, wanted, [COLUMNS[item] for item in items])
    return await _fetch_rows(session, wanted, items)


def batches(view: Selected, wanted: Sequence[int], size: int) -> Iterator[tuple[Sequence[int], UidSet]]:
    """The ascending `wanted` in pieces: UIDs, and the same as a set; a single range where they are neighbours."""
    for start in range(0, len(wanted), size):
        piece = wanted[start : start + size]
        at = bisect_left(view.uids, piece[0])
        neighbours = at + len(piece) <= len(view.uids) and view.uids[at + len(piece) - 1] == piece[-1]
        yield piece, UidSet([(piece[0], piece[-1])]) if neighbours else UidSet.of(piece)


async def answer_expunged(session: Session, wanted: Sequence[int], items: Sequence[FetchItem]) -> list[int]:
    """FETCH responses for messages that others have expunged, while this session still shows them. Returns the UIDs of
    those that cannot be served any more. RFC 2180 4.1.1"""
    view, left = session.view, set(wanted)
    writer = RowWriter(session, items)
    whole = bool(writer.structure or writer.sections)
    for start in range(0, len(wanted), EXPUNGED_BATCH):
        uids = UidSet.of(wanted[start : start + EXPUNGED_BATCH])
        kept = [
            message
            for message in await session.ports.messages.expunged(view.ref, uids, structure=whole)
            if not whole or message.parts is not None
        ]
        # The modseq of the expunge is for the responses that report it.
        rows = [with_modseq(message.row, min(message.row[MODSEQ], view.modseq)) for message in kept]
        if rows:
            await session.write(view.new_keywords({row[KEYWORDS] for row in rows}))
            parts = {message.row[UID]: message.parts for message in kept if message.parts is not None}
            await writer.write(rows, uids, parts=parts)
            left.difference_update(row[UID] for row in rows)
        await session.progress(min(start + EXPUNGED_BATCH, len(wanted)), len(wanted))
    writer.close()
    return sorted(left)


def lacking(wanted: Sequence[int], rows: Sequence[FlagRow | MetaRow | CellRow]) -> list[int]:
    """Those of `wanted` that have no row."""
    if len(rows) == len(wanted):
        return []
    present = {row[UID] for row in rows}
    return [uid for uid in wanted if uid not in present]


async def _fetch_flags(session: Session, wanted: Sequence[int], items: Sequence[FetchItem]) -> list[int]:
    """FLAGS alone, the answer clients ask for most and for all messages at once."""
    view, missing = session.view, list[int]()
    for piece, uids in batches(view, wanted, view.at_once(FLAG_BATCH)):
        if set(items) == {grammar.UID}:
            numbers = zip(view.numbered(piece), piece, strict=True)
            await session.write("".join([f"* {pair[0]} {view.verb} (UID {pair[1]})\r\n" for pair in numbers]).encode())
            continue
        if list(items) == [grammar.FLAGS] and len(uids.ranges) == 1:
            lines = await _alike(session, view, piece)
            if lines:
                await session.write(lines)
                await session.progress(bisect_left(wanted, piece[-1]) + 1, len(wanted))
                continue
        rows = await session.ports.messages.flags(view.ref, uids)
        missing += lacking(piece, rows)
        shown = shown_recent(view)
        lines = flag_lines(
            rows,
            view.numbered([row[UID] for row in rows]),
            view.verb,
            shown.between(rows[0][UID], rows[-1][UID]) if shown and rows else (),
            uid=grammar.UID in items and not view.mode.uidonly,
            flags=grammar.FLAGS in items,
            modseq=condstore.MODSEQ in items,
            ahead=True,
        )
        await session.write(view.new_keywords({row[KEYWORDS] for row in rows}) + lines)
        await session.progress(bisect_left(wanted, piece[-1]) + 1, len(wanted))
    return missing


async def _alike(session: Session, view: Selected, piece: Sequence[int]) -> bytes:
    """FLAGS of neighbours without keywords that are all there, and either all or none of them recent: a letter of each
    is enough. Nothing if they are not so."""
    recent = shown_recent(view)
    known = recent.count(piece[0], piece[-1]) if recent else 0
    if known not in (0, len(piece)):
        return b""
    signs = await session.ports.messages.signs(view.ref, piece[0], piece[-1])
    if signs is None or len(signs) != len(piece):
        return b""
    at = bisect_left(view.uids, piece[0])
    numbers = piece if view.mode.uidonly else range(at + 1, at + 1 + len(piece))
    tails = {sign: f"FLAGS ({flag_text(ord(sign) - SIGN, '', bool(known))}))\r\n" for sign in set(signs)}
    verb = view.verb
    if len(tails) == 1:
        form = f"* %d {verb} ({tails[signs[0]]}".encode("ascii")
        return b"".join([form % number for number in numbers])
    pairs = zip(numbers, signs, strict=True)
    return "".join([f"* {number} {verb} ({tails[sign]}" for number, sign in pairs]).encode("ascii")


async def _fetch_cells(session: Session, wanted: Sequence[int], columns: Sequence[Column]) -> list[int]:
    """What is written as it is kept."""
    view, missing = session.view, list[int]()
    names = [column.cell or "" for column in columns]
    form = b"* %%d %b (%b)\r\n" % (view.verb.encode(), b" ".join([column.form for column in columns]))
    for piece, left in batches(view, wanted, CELL_BATCH):
        while left:
            rows = await session.ports.messages.cells(view.ref, left, names)
            last = rows[-1][UID] if rows else piece[-1]
            missing += lacking((left & UidSet([(1, last)])).within(piece), rows)
            numbers = view.numbered([row[UID] for row in rows])
            lines = [form % (number, *row[1:]) for number, row in zip(numbers, rows, strict=True) if number]
            await session.write(b"".join(lines))
            # Large ones come in several goes.
            left = left & UidSet([(last + 1, piece[-1])])
        await session.progress(bisect_left(wanted, piece[-1]) + 1, len(wanted))
    return missing


async def _fetch_rows(session: Session, wanted: Sequence[int], items: Sequence[FetchItem]) -> list[int]:
    view, missing = session.view, list[int]()
    writer = RowWriter(session, items)
    sees = not view.read_only and Right.SEEN in view.rights and any(not section.peek for section in writer.sections)
    size = SEEN_BATCH if sees else CONTENT_BATCH if writer.sections else META_BATCH
    for piece, left in batches(view, wanted, view.at_once(size)):
        there = 0
        while left:
            rows = await session.ports.messages.meta(view.ref, left, structure=writer.structure)
            if not rows:
                break
            # Large ones come in several goes.
            there += len(rows)
            here, left = left & UidSet([(1, rows[-1][UID])]), left & UidSet([(rows[-1][UID] + 1, piece[-1])])
            if there < len(piece):
                missing += lacking(here.within(piece), rows)
            await session.write(view.new_keywords({row[KEYWORDS] for row in rows}))
            seen: frozenset[int] = frozenset()
            if sees:
                rows, seen = await _mark_seen(session, view, rows)
            await writer.write(rows, here, seen)
        missing += left.within(piece)
        await session.progress(bisect_left(wanted, piece[-1]) + 1, len(wanted))
    writer.close()
    return missing


async def _mark_seen(session: Session, view: Selected, rows: list[MetaRow]) -> tuple[list[MetaRow], frozenset[int]]:
    """Reading content sets \\Seen. Returns the rows as they are then, and the UIDs that it befell."""
    unseen = [row[UID] for row in rows if not row[FLAGS] & SEEN]
    if not unseen:
        return rows, frozenset()
    change = FlagChange(FlagOp.ADD, SEEN)
    stored = await session.ports.messages.set_flags(view.ref, UidSet.of(unseen), change)
    view.stored(stored)
    now = {row[UID]: row for row in stored.rows}
    return [with_flags(row, now[row[UID]]) if row[UID] in now else row for row in rows], frozenset(now)


OFFER = Offer(handlers=dict((serves(grammar.Fetch, fetch),)))
