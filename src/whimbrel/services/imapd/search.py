"""Handler of SEARCH: conditions become functions over index rows; content is read only for messages that are still
undecided, in bounded batches, and looked through off the loop.

Standards: RFC 3501 6.4.4, 7.2.5
"""

import asyncio
from collections.abc import Iterator, Sequence

from whimbrel.core.mailbox import FlagRow, SearchRow
from whimbrel.protocols.imap import search as grammar
from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.grammar import SearchKey
from whimbrel.services.imapd.conditions import Condition, Need, compile_key, numbers_of
from whimbrel.services.imapd.fetch import batches
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.searchtext import MessageText
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.session import Session, done

ROW_BATCH = 2_000
FLAG_BATCH = 20_000
READ_AT_ONCE = 4 << 20
"""Bytes of content read in one hop; one message may be larger."""
MAX_SEARCHED = 16 << 20
"""Of a larger message only so much is looked through."""


async def search(session: Session, command: grammar.Search) -> Done:
    found = await matching(session, command.key)
    numbers = found if command.uid else session.view.numbered(found)
    await session.untagged(b" ".join([b"SEARCH", *(b"%d" % number for number in numbers if number)]))
    return done(command)


async def matching(session: Session, key: SearchKey) -> list[int]:
    """The UIDs of the view that meet `key`, ascending."""
    view = session.view
    condition = compile_key(key, view)
    wanted = narrowed(key, view)
    found: list[int] = []
    for piece, uids in batches(view, wanted, ROW_BATCH if condition.need >= Need.ROWS else FLAG_BATCH):
        if condition.need is Need.NOTHING:
            nothing: list[FlagRow] = [(uid, 0, "", 0) for uid in piece]
            found += [row[0] for row in nothing if condition.test(row, None)]
        elif condition.need is Need.FLAGS:
            flag_rows = await session.ports.messages.flags(view.ref, uids)
            found += [row[0] for row in flag_rows if condition.test(row, None)]
        else:
            rows = await session.ports.messages.search_rows(view.ref, uids)
            found += await _of_rows(session, condition, rows)
        await asyncio.sleep(0)
    return found


def narrowed(key: SearchKey, view: Selected) -> Sequence[int]:
    """The UIDs that can meet `key` at all, by the sets of numbers it demands."""
    keys = key.keys if isinstance(key, grammar.And) else (key,)
    wanted: Sequence[int] = view.uids
    for one in keys:
        if isinstance(one, grammar.Numbers):
            wanted = numbers_of(one, view).within(wanted)
    return wanted


async def _of_rows(session: Session, condition: Condition, rows: Sequence[SearchRow]) -> list[int]:
    verdicts = [condition.test(row, None) for row in rows]
    undecided = [row for row, verdict in zip(rows, verdicts, strict=True) if verdict is None]
    found = {row[0] for row, verdict in zip(rows, verdicts, strict=True) if verdict}
    for group in _groups(undecided):
        contents = await _contents(session, group)
        found.update(await session.ports.pool.run(_look_through, condition, group, contents))
    return sorted(found)


def _look_through(condition: Condition, rows: Sequence[SearchRow], contents: Sequence[bytes | None]) -> list[int]:
    """Runs in a thread: touches only its arguments."""
    return [
        row[0]
        for row, content in zip(rows, contents, strict=True)
        if content is not None and condition.test(row, MessageText(content))
    ]


def _groups(rows: Sequence[SearchRow]) -> Iterator[list[SearchRow]]:
    group: list[SearchRow] = []
    size = 0
    for row in rows:
        if group and size + row[5] > READ_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(row)
        size += row[5]
    if group:
        yield group


async def _contents(session: Session, group: Sequence[SearchRow]) -> list[bytes | None]:
    messages, ref = session.ports.messages, session.view.ref
    if len(group) == 1 and group[0][5] > READ_AT_ONCE:
        return [await messages.content(ref, group[0][0], 0, MAX_SEARCHED)]
    return await messages.contents(ref, [row[0] for row in group])


OFFER = Offer(handlers=dict((serves(grammar.Search, search),)))
