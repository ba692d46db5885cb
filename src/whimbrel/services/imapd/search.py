"""Handler of SEARCH: conditions become functions over index rows; content is read only for messages that are still
undecided, in bounded batches, and looked through off the loop.

Standards: RFC 3501 6.4.4, 7.2.5; RFC 4731 (ESEARCH), RFC 5182 (SEARCHRES), RFC 5032 (WITHIN), RFC 9394 3 (PARTIAL),
RFC 7162 3.1.5 (MODSEQ)
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from whimbrel.core.errors import MailboxError
from whimbrel.core.rows import MODSEQ, SIZE, UID, FlagRow, SearchRow
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import responses
from whimbrel.protocols.imap import search as grammar
from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.grammar import SearchKey
from whimbrel.protocols.imap.mode import CONDSTORE
from whimbrel.protocols.imap.returns import ALL, Returns, esearch
from whimbrel.services.imapd.conditions import Condition, Need, Scene, compile_key, held, numbers_of
from whimbrel.services.imapd.fetch import batches
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.searchtext import MessageText
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.session import Session, done

Content = bytes | MailboxError | None

ROW_BATCH = 2_000
FLAG_BATCH = 20_000
HELD_BATCH = 10_000
"""Of rows that the store looks through: few of them come out."""
READ_AT_ONCE = 4 << 20
"""Bytes of content read in one hop; one message may be larger."""
MAX_READ = 512
"""Messages read in one hop."""
MAX_SEARCHED = 16 << 20
"""Of a larger message only so much is looked through."""


async def search(session: Session, command: grammar.Search) -> Done:
    view, returns = session.view, command.returns
    saves = returns is not None and b"SAVE" in returns.options
    if saves and not grammar.uses(command.key, grammar.Numbers):
        view.saved = UidSet()  # RFC 5182 2.1: and so it stays if this search fails.
    uids = await matching(session, view, command.key)
    modseq = await highest_modseq(session, view, command.key, uids, returns or ALL)
    if returns is not None and saves:
        view.saved = UidSet.of(returns.shown(uids))
    numbers = uids if command.uid else [number for number in view.numbered(uids) if number]
    if returns is not None or view.mode.rev2:
        await answer(session, numbers, returns or ALL, uid=command.uid, modseq=modseq)
    else:
        await session.untagged(responses.numbers("SEARCH", numbers, modseq))
    return done(command)


async def answer(session: Session, numbers: Sequence[int], returns: Returns, *, uid: bool, modseq: int = 0) -> None:
    """The ESEARCH response, unless SAVE alone was asked for."""
    if not returns.silent:
        await session.untagged(esearch(session.tag, numbers, returns, uid=uid, modseq=modseq))


async def highest_modseq(
    session: Session, view: Selected, key: SearchKey, uids: Sequence[int], returns: Returns
) -> int:
    """RFC 7162 3.1.5, RFC 4731 3.2: of the messages the answer is about; 0 if modseqs were not asked for."""
    if not grammar.uses(key, grammar.ModSeq):
        return 0
    await session.enable((CONDSTORE,))  # RFC 7162 3.1
    shown = UidSet.of(returns.shown(uids))
    return max((row[MODSEQ] for row in await session.ports.messages.flags(view.ref, shown)), default=0) if shown else 0


async def matching(session: Session, view: Selected, key: SearchKey) -> list[int]:
    """The UIDs of `view` that meet `key`, ascending."""
    condition = compile_key(key, Scene(view, session.ports.clock.now()))
    wanted = narrowed(key, view)
    matched: list[int] = []
    if condition.need is Need.NOTHING and isinstance(key, grammar.All | grammar.Numbers):
        return list(wanted)
    holding = held(key)
    size = FLAG_BATCH if condition.need < Need.ROWS else HELD_BATCH if holding else ROW_BATCH
    for piece, uids in batches(view, wanted, size):
        if condition.need is Need.NOTHING:
            nothing: list[FlagRow] = [(uid, 0, "", 0) for uid in piece]
            matched += [row[UID] for row in nothing if condition.test(row, None)]
        elif condition.need is Need.FLAGS:
            flag_rows = await session.ports.messages.flags(view.ref, uids)
            matched += [row[UID] for row in flag_rows if condition.test(row, None)]
        else:
            rows = await session.ports.messages.search_rows(view.ref, uids, holding)
            matched += await _of_rows(session, view, condition, rows)
        await session.progress(bisect_left(wanted, piece[-1]) + 1, len(wanted))
    return matched


def narrowed(key: SearchKey, view: Selected) -> Sequence[int]:
    """The UIDs that can meet `key` at all, by the sets of numbers it demands."""
    keys = key.keys if isinstance(key, grammar.And) else (key,)
    wanted: Sequence[int] = view.uids
    for condition in keys:
        if isinstance(condition, grammar.Numbers):
            wanted = numbers_of(condition, view).within(wanted)
    return wanted


async def _of_rows(session: Session, view: Selected, condition: Condition, rows: Sequence[SearchRow]) -> list[int]:
    verdicts = [condition.test(row, None) for row in rows]
    matched = [row[UID] for row, verdict in zip(rows, verdicts, strict=True) if verdict]
    if None not in verdicts:
        return matched
    undecided = [row for row, verdict in zip(rows, verdicts, strict=True) if verdict is None]
    for group in _groups(undecided):
        contents = await _contents(session, view, group)
        pairs = zip(group, contents, strict=True)
        session.report_unreadable(view.ref, [row[UID] for row, content in pairs if isinstance(content, MailboxError)])
        matched += await session.ports.pool.run(_look_through, condition, group, contents)
    return sorted(matched)


def _look_through(condition: Condition, rows: Sequence[SearchRow], contents: Sequence[Content]) -> list[int]:
    """Runs in a thread: touches only its arguments. What cannot be read meets no condition that needs its text, be it
    negated."""
    return [
        row[UID]
        for row, content in zip(rows, contents, strict=True)
        if isinstance(content, bytes) and condition.test(row, MessageText(content))
    ]


def _groups(rows: Sequence[SearchRow]) -> Iterator[list[SearchRow]]:
    group: list[SearchRow] = []
    size = 0
    for row in rows:
        if group and (size + row[SIZE] > READ_AT_ONCE or len(group) >= MAX_READ):
            yield group
            group, size = [], 0
        group.append(row)
        size += row[SIZE]
    if group:
        yield group


async def _contents(session: Session, view: Selected, group: Sequence[SearchRow]) -> list[Content]:
    messages, ref = session.ports.messages, view.ref
    if len(group) == 1 and group[0][SIZE] > READ_AT_ONCE:
        try:
            return [await messages.content(ref, group[0][UID], 0, MAX_SEARCHED)]
        except MailboxError as error:
            if error.condition is not error.condition.UNAVAILABLE:
                raise
            return [error]
    return await messages.contents(ref, [row[UID] for row in group])


OFFER = Offer(handlers=dict((serves(grammar.Search, search),)), capabilities=(b"ESEARCH", b"SEARCHRES", b"WITHIN"))
