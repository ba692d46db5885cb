r"""Handler of FETCH: answers are joined bytes, made from one query for each batch of messages.

Most of the answers of a batch come from one template (`columns`); content is added by `content.py`.

Standards: RFC 3501 6.4.5, 7.4.2; RFC 2180 4.1 (messages that are gone)
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from whimbrel.core.mailbox import SEEN, SIGN, FlagChange, FlagOp, MetaRow
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import fetch as grammar
from whimbrel.protocols.imap.binary import BinarySection
from whimbrel.protocols.imap.body import plain_body
from whimbrel.protocols.imap.condstore import MODSEQ
from whimbrel.protocols.imap.cursor import Refused
from whimbrel.protocols.imap.dates import date_time
from whimbrel.protocols.imap.encode import flag_list, flag_text
from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.grammar import FetchItem
from whimbrel.protocols.imap.objectid import EMAILID, THREADID
from whimbrel.services.imapd.content import ContentReader
from whimbrel.services.imapd.flaglines import flag_lines
from whimbrel.services.imapd.lookups import LOOKUPS, MISSING
from whimbrel.services.imapd.modifiers import modified
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.recent import Recent
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.session import Session, done, refusal
from whimbrel.services.imapd.store import EXPUNGE_ISSUED

FLAG_BATCH = 20_000
META_BATCH = 500
CELL_BATCH = 1_000
CONTENT_BATCH = 1_000
SEEN_BATCH = 250
"""Messages that are marked as read together, before the first of them is sent."""


@dataclass(frozen=True, slots=True)
class Column:
    """How one attribute is written: `form` takes what `get` finds in a row."""

    form: bytes
    get: "Callable[[MetaRow, Selected], object]"
    cell: str | None = None
    """How `Messages.cells` calls it, if it is written as it is."""
    structure: bool = False
    """Only rows that were asked for with `structure` have it."""


COLUMNS: Mapping[FetchItem, Column] = {
    grammar.UID: Column(b"UID %d", lambda row, _: row[0], "uid"),
    grammar.FLAGS: Column(b"FLAGS %b", lambda row, view: flag_list(row[1], row[2], row[0] in shown_recent(view))),
    grammar.INTERNALDATE: Column(b'INTERNALDATE "%b"', lambda row, _: date_time(row[4])),
    MODSEQ: Column(b"MODSEQ (%d)", lambda row, _: row[3]),
    grammar.SIZE: Column(b"RFC822.SIZE %d", lambda row, _: row[5], "size"),
    grammar.ENVELOPE: Column(b"ENVELOPE %b", lambda row, _: row[8], "envelope", structure=True),
    grammar.BODYSTRUCTURE: Column(b"BODYSTRUCTURE %b", lambda row, _: row[9], "bodystructure", structure=True),
    grammar.BODY: Column(b"BODY %b", lambda row, _: plain_body(row[9]), structure=True),
    EMAILID: Column(b"EMAILID (%b)", lambda row, _: row[6].encode()),
    THREADID: Column(b"THREADID %b", lambda row, _: b"(%b)" % row[7].encode() if row[7] else b"NIL"),
}
_OF_FLAGS = frozenset({grammar.UID, grammar.FLAGS, MODSEQ})


def shown_recent(view: Selected) -> Recent | tuple[()]:
    r"""What is called \Recent: nothing for a client of RFC 9051. Appendix E"""
    return () if view.mode.rev2 or not view.recent else view.recent


async def fetch(session: Session, command: grammar.Fetch) -> Done:
    view = session.view
    chosen = view.chosen(command.sequence, uid=command.uid).within(view.uids)
    wanted, items = await modified(session, command, chosen)
    if command.uid and grammar.UID not in items and not view.mode.uidonly:
        items = (grammar.UID, *items)  # RFC 3501 6.4.8
    missing = await answer(session, wanted, items)
    if MODSEQ in items and view.mode.qresync:
        # What changed before the latest MODSEQ that was shown must be told with this command. RFC 7162 6
        view.hints.stale = True
    if missing and not command.uid:
        return refusal(*EXPUNGE_ISSUED)  # RFC 2180 4.1.2
    return done(command)


async def answer(session: Session, wanted: Sequence[int], items: Sequence[FetchItem]) -> int:
    """FETCH responses for the ascending `wanted`. Returns how many are gone."""
    if set(items) <= _OF_FLAGS:
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


async def _fetch_flags(session: Session, wanted: Sequence[int], items: Sequence[FetchItem]) -> int:
    """FLAGS alone, the answer clients ask for most and for all messages at once. Returns how many are gone."""
    view, missing = session.view, 0
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
        missing += len(piece) - len(rows)
        shown = shown_recent(view)
        lines = flag_lines(
            rows,
            view.numbered([row[0] for row in rows]),
            view.verb,
            shown.between(rows[0][0], rows[-1][0]) if shown and rows else (),
            uid=grammar.UID in items and not view.mode.uidonly,
            flags=grammar.FLAGS in items,
            modseq=MODSEQ in items,
            ahead=True,
        )
        await session.write(view.new_keywords({row[2] for row in rows}) + lines)
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


async def _fetch_cells(session: Session, wanted: Sequence[int], columns: Sequence[Column]) -> int:
    """What is written as it is kept. Returns how many are gone."""
    view, missing = session.view, 0
    names = [column.cell or "" for column in columns]
    form = b"* %%d %b (%b)\r\n" % (view.verb.encode(), b" ".join([column.form for column in columns]))
    for piece, left in batches(view, wanted, CELL_BATCH):
        missing += len(piece)
        while left:
            rows = await session.ports.messages.cells(view.ref, left, names)
            missing -= len(rows)
            numbers = view.numbered([row[0] for row in rows])
            lines = [form % (number, *row[1:]) for number, row in zip(numbers, rows, strict=True) if number]
            await session.write(b"".join(lines))
            # Large ones come in several goes.
            left = left & UidSet([(rows[-1][0] + 1, piece[-1])]) if rows else UidSet()
        await session.progress(bisect_left(wanted, piece[-1]) + 1, len(wanted))
    return missing


async def _fetch_rows(session: Session, wanted: Sequence[int], items: Sequence[FetchItem]) -> int:
    view, missing = session.view, 0
    verb, told = view.verb.encode(), MODSEQ in items or not view.mode.condstore
    columns = [COLUMNS[item] for item in items if item in COLUMNS]
    looked_up = [item for item in items if item in LOOKUPS]
    sections = [item for item in items if isinstance(item, grammar.BodySection | BinarySection)]
    template = b" ".join([column.form for column in columns] + [b"%b"] * len(looked_up))
    form = b"* %%d %b (%b" % (verb, template) + (b" " if sections and template else b"" if sections else b")\r\n")
    sees = not view.read_only and any(not section.peek for section in sections)
    structure = any(column.structure for column in columns)
    shown = grammar.FLAGS in items
    reader = ContentReader(session, sections)
    size = SEEN_BATCH if sees else CONTENT_BATCH if sections else META_BATCH
    for piece, left in batches(view, wanted, view.at_once(size)):
        missing += len(piece)
        while left:
            rows = await session.ports.messages.meta(view.ref, left, structure=structure)
            if not rows:
                break
            # Large ones come in several goes.
            missing -= len(rows)
            here, left = left & UidSet([(1, rows[-1][0])]), left & UidSet([(rows[-1][0] + 1, piece[-1])])
            await session.write(view.new_keywords({row[2] for row in rows}))
            seen: frozenset[int] = frozenset()
            if sees:
                rows, seen = await _mark_seen(session, view, rows)
            numbers = view.numbered([row[0] for row in rows])
            if 0 in numbers:
                known = [(number, row) for number, row in zip(numbers, rows, strict=True) if number]
                numbers, rows = [number for number, _ in known], [row for _, row in known]
            values = [[column.get(row, view) for row in rows] for column in columns]
            for item in looked_up:
                texts = await LOOKUPS[item](session.ports.messages, view.ref, here)
                values.append([texts.get(row[0]) or MISSING[item] for row in rows])
            heads = [form % each for each in zip(numbers, *values, strict=True)]
            if seen:
                # The flags changed with this very answer. RFC 3501 6.4.5, RFC 7162 3.1.4.2
                words = [_now_seen(row, view, flags=not shown, modseq=not told) for row in rows]
                heads = [
                    head + word if row[0] in seen else head for head, word, row in zip(heads, words, rows, strict=True)
                ]
            if sections:
                await reader.answer(rows, heads)
            else:
                await session.write(b"".join(heads))
        await session.progress(bisect_left(wanted, piece[-1]) + 1, len(wanted))
    if reader.unknown_encoding:
        raise Refused(b"UNKNOWN-CTE", "A part has an encoding that is not known")  # RFC 3516 4.3
    return missing


async def _mark_seen(session: Session, view: Selected, rows: list[MetaRow]) -> tuple[list[MetaRow], frozenset[int]]:
    """Reading content sets \\Seen. Returns the rows as they are then, and the UIDs that it befell."""
    unseen = [row[0] for row in rows if not row[1] & SEEN]
    if not unseen:
        return rows, frozenset()
    change = FlagChange(FlagOp.ADD, SEEN)
    stored = await session.ports.messages.set_flags(view.ref, UidSet.of(unseen), change)
    view.stored(stored)
    now = {row[0]: row for row in stored.rows}
    return [(*now[row[0]], *row[4:]) if row[0] in now else row for row in rows], frozenset(now)


def _now_seen(row: MetaRow, view: Selected, *, flags: bool, modseq: bool) -> bytes:
    column = COLUMNS[grammar.FLAGS]
    return (column.form % column.get(row, view) + b" " if flags else b"") + (
        b"MODSEQ (%d) " % row[3] if modseq else b""
    )


OFFER = Offer(handlers=dict((serves(grammar.Fetch, fetch),)))
