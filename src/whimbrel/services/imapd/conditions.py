"""Search keys as functions over index rows.

A test answers True, False, or None: the row alone does not tell, the message must be read. With the message's text at
hand it never answers None.

Standards: RFC 3501 6.4.4; RFC 5032 (OLDER, YOUNGER), RFC 8474 4, RFC 8514 4, RFC 7162 3.1.5
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import cast

from whimbrel.core.rows import (
    EMAIL_ID,
    FLAGS,
    FROM,
    HELD,
    INTERNAL_DATE,
    KEYWORDS,
    MESSAGE_ID,
    MODSEQ,
    SAVE_DATE,
    SENT,
    SIZE,
    SUBJECT,
    THREAD_ID,
    TO,
    UID,
    FlagRow,
    Holding,
    SearchRow,
)
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import search as grammar
from whimbrel.protocols.imap.cursor import UidRequired
from whimbrel.protocols.imap.dates import DAY
from whimbrel.protocols.imap.grammar import SearchKey
from whimbrel.services.imapd.searchtext import MessageText
from whimbrel.services.imapd.selected import Selected


class Need(IntEnum):
    """What a condition must have to be tested; each includes those before."""

    NOTHING = 0
    """The UID is enough."""
    FLAGS = 1
    ROWS = 2


Test = Callable[[FlagRow | SearchRow, MessageText | None], bool | None]


@dataclass(frozen=True, slots=True)
class Condition:
    need: Need
    test: Test


_DATES = {grammar.Clock.INTERNAL: INTERNAL_DATE, grammar.Clock.SENT: SENT, grammar.Clock.SAVED: SAVE_DATE}
_COLUMNS = {**HELD, "message-id": MESSAGE_ID}


@dataclass(frozen=True, slots=True)
class Scene:
    """The messages that are searched, and the second in which it happens."""

    view: Selected
    now: float


def compile_key(key: SearchKey, scene: Scene) -> Condition:
    """`key` for the messages of the view as it is now."""
    return _COMPILERS[type(key)](key, scene)


def numbers_of(key: grammar.Numbers, view: Selected) -> UidSet:
    if not key.uid and not key.sequence.saved and view.mode.uidonly:
        raise UidRequired
    return view.chosen(key.sequence, uid=True) if key.uid else view.by_number(key.sequence)


def held(key: SearchKey) -> list[Holding]:
    """What a row must hold to meet `key` at all: the store leaves out the others."""
    keys = key.keys if isinstance(key, grammar.And) else (key,)
    fields = (condition for condition in keys if isinstance(condition, grammar.Field))
    return [(field.name, field.value) for field in fields if field.value and field.name in HELD]


def _all(_key: SearchKey, _scene: Scene) -> Condition:
    return Condition(Need.NOTHING, lambda _row, _text: True)


def _flagged(key: grammar.Flagged, _scene: Scene) -> Condition:
    flag = key.flag
    if key.wanted:
        return Condition(Need.FLAGS, lambda row, _: bool(row[FLAGS] & flag))
    return Condition(Need.FLAGS, lambda row, _: not row[FLAGS] & flag)


def _keyword(key: grammar.Keyword, _scene: Scene) -> Condition:
    name, wanted = key.name.lower(), key.wanted

    def test(row: FlagRow | SearchRow, _text: MessageText | None) -> bool:
        words = row[KEYWORDS]
        return (name in words.lower().split()) is wanted if words else not wanted

    return Condition(Need.FLAGS, test)


def _recent(key: grammar.Recent, scene: Scene) -> Condition:
    recent, wanted = frozenset(scene.view.recent), key.wanted
    return Condition(Need.NOTHING, lambda row, _: (row[UID] in recent) is wanted)


def _numbers(key: grammar.Numbers, scene: Scene) -> Condition:
    uids = numbers_of(key, scene.view)
    return Condition(Need.NOTHING, lambda row, _: row[UID] in uids)


def _dated(key: grammar.Dated, _scene: Scene) -> Condition:
    column, start = _DATES[key.clock], key.day * DAY
    end = start + DAY
    low, high = {
        grammar.Order.BEFORE: (-(1 << 62), start),
        grammar.Order.ON: (start, end),
        grammar.Order.SINCE: (start, 1 << 62),
    }[key.order]
    if key.clock is grammar.Clock.SENT:
        # 0: there is no Date field. It is then neither before nor after anything.
        return _rows(lambda row, _: row[SENT] != 0 and low <= row[SENT] < high)
    return _rows(lambda row, _: low <= cast(int, row[column]) < high)


def _within(key: grammar.Within, scene: Scene) -> Condition:
    start = scene.now - key.seconds
    if key.younger:
        return _rows(lambda row, _: row[INTERNAL_DATE] >= start)
    return _rows(lambda row, _: row[INTERNAL_DATE] <= start)


def _modseq(key: grammar.ModSeq, _scene: Scene) -> Condition:
    least = key.least
    return Condition(Need.FLAGS, lambda row, _: row[MODSEQ] >= least)


def _object(key: grammar.ObjectIdentifier, _scene: Scene) -> Condition:
    column, value = (THREAD_ID if key.thread else EMAIL_ID), key.value
    return _rows(lambda row, _: row[column] == value)


def _sized(key: grammar.Sized, _scene: Scene) -> Condition:
    size = key.size
    return _rows((lambda row, _: row[SIZE] > size) if key.larger else (lambda row, _: row[SIZE] < size))


def _field(key: grammar.Field, _scene: Scene) -> Condition:
    name, value = key.name, key.value
    column = _COLUMNS.get(name)

    def read(text: MessageText | None) -> bool | None:
        if text is None:
            return None
        return any(value in field for field in text.field(name))

    if column is None:
        return _rows(lambda _, text: read(text))
    if value and name == "message-id":
        return _rows(lambda row, _: value in row[MESSAGE_ID].casefold())
    if value:
        return _rows(lambda row, _: value in cast(str, row[column]))
    return _rows(lambda row, text: True if row[column] else read(text))


def _content(key: grammar.Content, _scene: Scene) -> Condition:
    value, header = key.value, key.header
    if not value:
        return _all(key, _scene)

    def test(row: SearchRow, text: MessageText | None) -> bool | None:
        if text is not None:
            return (header and text.header_has(value)) or text.body_has(value, fields=header)
        if header and (value in row[SUBJECT] or value in row[FROM] or value in row[TO]):
            return True
        return None

    return _rows(test)


def _not(key: grammar.Not, scene: Scene) -> Condition:
    inner = compile_key(key.key, scene)
    test = inner.test

    def negated(row: FlagRow | SearchRow, text: MessageText | None) -> bool | None:
        verdict = test(row, text)
        return None if verdict is None else not verdict

    return Condition(inner.need, negated)


def _or(key: grammar.Or, scene: Scene) -> Condition:
    first, second = _cheapest_first((compile_key(key.first, scene), compile_key(key.second, scene)))
    former, latter = first.test, second.test

    def either(row: FlagRow | SearchRow, text: MessageText | None) -> bool | None:
        verdict = former(row, text)
        if verdict:
            return True
        last = latter(row, text)
        return last if last or verdict is False else None

    return Condition(max(first.need, second.need), either)


def _and(key: grammar.And, scene: Scene) -> Condition:
    inner = _cheapest_first(compile_key(answer, scene) for answer in key.keys)
    tests = [answer.test for answer in inner]

    def every(row: FlagRow | SearchRow, text: MessageText | None) -> bool | None:
        verdict: bool | None = True
        for test in tests:
            answer = test(row, text)
            if answer is False:
                return False
            if answer is None:
                verdict = None
        return verdict

    return Condition(max(answer.need for answer in inner), every)


def _cheapest_first(conditions: Iterable[Condition]) -> list[Condition]:
    return sorted(conditions, key=lambda condition: condition.need)


def _rows(test: Callable[[SearchRow, MessageText | None], bool | None]) -> Condition:
    return Condition(Need.ROWS, cast(Test, test))


_COMPILERS: Mapping[type[SearchKey], Callable[..., Condition]] = {
    grammar.All: _all,
    grammar.Flagged: _flagged,
    grammar.Keyword: _keyword,
    grammar.Recent: _recent,
    grammar.Numbers: _numbers,
    grammar.Dated: _dated,
    grammar.Within: _within,
    grammar.ModSeq: _modseq,
    grammar.ObjectIdentifier: _object,
    grammar.Sized: _sized,
    grammar.Field: _field,
    grammar.Content: _content,
    grammar.Not: _not,
    grammar.Or: _or,
    grammar.And: _and,
}
