"""SEARCH and its conditions.

Standards: RFC 3501 6.4.4, 9 (search-key); RFC 5032 (WITHIN), RFC 5182 (`$`), RFC 8474 4 (EMAILID, THREADID),
RFC 8514 4 (SAVEDBEFORE ...), RFC 7162 3.1.5 (MODSEQ)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from whimbrel.core.mailbox import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from whimbrel.protocols.imap.cursor import BadSyntax, Cursor, Refused
from whimbrel.protocols.imap.dates import read_date
from whimbrel.protocols.imap.grammar import IN_MAILBOX, Arguments, Part, Reader, Rule, SearchKey
from whimbrel.protocols.imap.returns import Returns, optional_returns
from whimbrel.protocols.imap.sequence import SequenceSet

MAX_DEPTH = 96
"""OR, NOT and parentheses within each other: clients write long chains of OR."""
MAX_KEYS = 4096
MAX_CONTENTS = 64
"""Conditions for which a message may have to be read and decoded, each anew."""
CHARSETS = ("US-ASCII", "UTF-8")


class Clock(Enum):
    """Which date of a message is meant."""

    INTERNAL = "internal date"
    SENT = "Date field"
    SAVED = "save date"


class Order(Enum):
    BEFORE = "before"
    ON = "on"
    SINCE = "since"


@dataclass(frozen=True, slots=True)
class All(SearchKey):
    pass


@dataclass(frozen=True, slots=True)
class Flagged(SearchKey):
    """Has (or has not) a system flag, by its bit."""

    flag: int
    wanted: bool


@dataclass(frozen=True, slots=True)
class Keyword(SearchKey):
    name: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Recent(SearchKey):
    wanted: bool


@dataclass(frozen=True, slots=True)
class Numbers(SearchKey):
    """Sequence numbers, or UIDs."""

    sequence: SequenceSet
    uid: bool


@dataclass(frozen=True, slots=True)
class Dated(SearchKey):
    """`day` counts from 1970-01-01."""

    order: Order
    day: int
    clock: Clock


@dataclass(frozen=True, slots=True)
class Within(SearchKey):
    """RFC 5032: the internal date lies less than so many `seconds` back (`younger`), or at least so many."""

    seconds: int
    younger: bool


@dataclass(frozen=True, slots=True)
class ModSeq(SearchKey):
    """RFC 7162 3.1.5: changed since, `least` included. We keep one modseq for all of a message: which flag is named
    plays no part."""

    least: int


@dataclass(frozen=True, slots=True)
class ObjectIdentifier(SearchKey):
    """RFC 8474 4: EMAILID, or `thread` THREADID."""

    value: str
    thread: bool


@dataclass(frozen=True, slots=True)
class Sized(SearchKey):
    size: int
    larger: bool


@dataclass(frozen=True, slots=True)
class Field(SearchKey):
    """A header field holds `value` (case-folded); empty: has the field at all. `name` is in lower case."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Content(SearchKey):
    """The text holds `value` (case-folded); `header`: the header too."""

    value: str
    header: bool


@dataclass(frozen=True, slots=True)
class Not(SearchKey):
    key: SearchKey


@dataclass(frozen=True, slots=True)
class Or(SearchKey):
    first: SearchKey
    second: SearchKey


@dataclass(frozen=True, slots=True)
class And(SearchKey):
    keys: tuple[SearchKey, ...]


@dataclass(frozen=True, slots=True)
class Search(Arguments):
    """`returns` is None without RETURN."""

    key: SearchKey
    uid: bool
    returns: Returns | None = None

    @property
    def holds_numbers(self) -> bool:
        return not self.uid or by_number(self.key)


class _Conditions:
    """Reads conditions, counting them and their depth."""

    def __init__(self, cursor: Reader) -> None:
        self._cursor, self._count, self._contents = cursor, 0, 0

    def keys(self, depth: int) -> SearchKey:
        """One or more, all of which must hold."""
        cursor = self._cursor
        cursor.blanks()
        keys = [self.key(depth)]
        while cursor.another():
            keys.append(self.key(depth))
        return keys[0] if len(keys) == 1 else And(tuple(keys))

    def key(self, depth: int) -> SearchKey:
        cursor = self._cursor
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_KEYS:
            raise BadSyntax("Search too complex")
        if cursor.take(b"("):
            inside = self.keys(depth + 1)
            cursor.close("Expected a closing parenthesis")
            return inside
        if cursor.data[cursor.at : cursor.at + 1] in _SET_STARTS:
            return Numbers(cursor.sequence_set(), uid=False)
        name = cursor.word("Expected a search key")
        if name == b"NOT":
            cursor.space()
            return Not(self.key(depth + 1))
        if name == b"OR":
            cursor.space()
            first = self.key(depth + 1)
            cursor.space()
            return Or(first, self.key(depth + 1))
        read = cursor.grammar.search_keys.get(name)
        if read is None:
            raise BadSyntax("Unknown search key")
        condition = read(cursor)
        self._contents += isinstance(condition, Content)
        if self._contents > MAX_CONTENTS:
            raise BadSyntax("Search too complex")
        return condition


_SET_STARTS = frozenset(bytes([char]) for char in b"0123456789*$")


def criteria(cursor: Reader) -> SearchKey:
    """Everything up to the end of the command, or of the parenthesis it stands in."""
    return _Conditions(cursor).keys(0)


def charset(cursor: Cursor) -> None:
    """`CHARSET name`, the name just read. We take US-ASCII and UTF-8, and read both as UTF-8."""
    name = cursor.astring().decode("ascii", "replace").upper()
    if name not in CHARSETS:
        raise Refused(b"BADCHARSET (%b)" % " ".join(CHARSETS).encode(), "Charset not supported")


def _search(cursor: Reader, *, uid: bool) -> Search:
    cursor.space()
    returns = optional_returns(cursor)
    return Search(program(cursor), uid, returns)


def program(cursor: Reader) -> SearchKey:
    """search-program: `CHARSET name`, if it is there, and the conditions."""
    if cursor.keyword(b"CHARSET"):
        charset(cursor)
        cursor.space()
    return criteria(cursor)


def conditions(key: SearchKey) -> Iterator[SearchKey]:
    """Every condition in `key`, and what joins them."""
    pending = [key]
    while pending:
        condition = pending.pop()
        yield condition
        if isinstance(condition, And):
            pending += condition.keys
        elif isinstance(condition, Or):
            pending += (condition.first, condition.second)
        elif isinstance(condition, Not):
            pending.append(condition.key)


def uses(key: SearchKey, kind: type[SearchKey]) -> bool:
    """A condition of `kind` is somewhere in `key`."""
    return any(isinstance(condition, kind) for condition in conditions(key))


def uses_saved(key: SearchKey) -> bool:
    """`$` is somewhere in `key`. RFC 5182 2.1"""
    return any(isinstance(condition, Numbers) and condition.sequence.saved for condition in conditions(key))


def by_number(key: SearchKey) -> bool:
    """Messages are named by sequence number: none may change meanwhile, not even for UID SEARCH. RFC 7162 3.2.10.2"""
    numbers = (condition for condition in conditions(key) if isinstance(condition, Numbers))
    return any(not (each.uid or each.sequence.saved) for each in numbers)


def _folded(cursor: Cursor) -> str:
    cursor.space()
    return cursor.text().casefold()


def _day(cursor: Cursor) -> int:
    cursor.space()
    try:
        return read_date(cursor.astring())
    except ValueError as error:
        raise BadSyntax(str(error)) from None


def _number(cursor: Cursor) -> int:
    """number64. RFC 9051 9"""
    cursor.space()
    return cursor.number(most=(1 << 63) - 1)


def _keyword(cursor: Cursor, *, wanted: bool) -> Keyword:
    cursor.space()
    return Keyword(cursor.atom("Expected a keyword").decode("ascii"), wanted)


def _uids(cursor: Cursor) -> Numbers:
    cursor.space()
    return Numbers(cursor.sequence_set(), uid=True)


def _header(cursor: Cursor) -> Field:
    cursor.space()
    name = cursor.text().lower()
    return Field(name, _folded(cursor))


def _field(name: str) -> Callable[[Cursor], SearchKey]:
    return lambda cursor: Field(name, _folded(cursor))


def _flagged(flag: int, *, wanted: bool) -> Callable[[Cursor], SearchKey]:
    return lambda _: Flagged(flag, wanted)


def _dated(order: Order, clock: Clock) -> Callable[[Cursor], SearchKey]:
    return lambda cursor: Dated(order, _day(cursor), clock)


def _within(cursor: Cursor, *, younger: bool) -> Within:
    cursor.space()
    return Within(cursor.number(least=1), younger)


def _modseq(cursor: Cursor) -> ModSeq:
    cursor.space()
    if cursor.next_is(b'"'):
        if not cursor.string().lower().startswith(b"/flags/"):
            raise BadSyntax("Expected a name such as /flags/\\\\seen")
        cursor.space()
        if cursor.word() not in (b"PRIV", b"SHARED", b"ALL"):
            raise BadSyntax("Expected priv, shared or all")
        cursor.space()
    return ModSeq(cursor.number(most=(1 << 63) - 1))


def _object(cursor: Cursor, *, thread: bool) -> ObjectIdentifier:
    cursor.space()
    return ObjectIdentifier(cursor.atom("Expected an object identifier").decode("ascii"), thread)


PART = Part(
    commands={
        b"SEARCH": Rule(lambda cursor: _search(cursor, uid=False), IN_MAILBOX),
        b"UID SEARCH": Rule(lambda cursor: _search(cursor, uid=True), IN_MAILBOX),
    },
    search_keys={
        b"ALL": lambda _: All(),
        b"ANSWERED": _flagged(ANSWERED, wanted=True),
        b"DELETED": _flagged(DELETED, wanted=True),
        b"DRAFT": _flagged(DRAFT, wanted=True),
        b"FLAGGED": _flagged(FLAGGED, wanted=True),
        b"SEEN": _flagged(SEEN, wanted=True),
        b"UNANSWERED": _flagged(ANSWERED, wanted=False),
        b"UNDELETED": _flagged(DELETED, wanted=False),
        b"UNDRAFT": _flagged(DRAFT, wanted=False),
        b"UNFLAGGED": _flagged(FLAGGED, wanted=False),
        b"UNSEEN": _flagged(SEEN, wanted=False),
        b"RECENT": lambda _: Recent(wanted=True),
        b"OLD": lambda _: Recent(wanted=False),
        b"NEW": lambda _: And((Recent(wanted=True), Flagged(SEEN, wanted=False))),
        b"KEYWORD": lambda cursor: _keyword(cursor, wanted=True),
        b"UNKEYWORD": lambda cursor: _keyword(cursor, wanted=False),
        b"UID": _uids,
        b"BEFORE": _dated(Order.BEFORE, Clock.INTERNAL),
        b"ON": _dated(Order.ON, Clock.INTERNAL),
        b"SINCE": _dated(Order.SINCE, Clock.INTERNAL),
        b"SENTBEFORE": _dated(Order.BEFORE, Clock.SENT),
        b"SENTON": _dated(Order.ON, Clock.SENT),
        b"SENTSINCE": _dated(Order.SINCE, Clock.SENT),
        b"SAVEDBEFORE": _dated(Order.BEFORE, Clock.SAVED),
        b"SAVEDON": _dated(Order.ON, Clock.SAVED),
        b"SAVEDSINCE": _dated(Order.SINCE, Clock.SAVED),
        b"SAVEDATESUPPORTED": lambda _: All(),
        b"OLDER": lambda cursor: _within(cursor, younger=False),
        b"YOUNGER": lambda cursor: _within(cursor, younger=True),
        b"MODSEQ": _modseq,
        b"EMAILID": lambda cursor: _object(cursor, thread=False),
        b"THREADID": lambda cursor: _object(cursor, thread=True),
        b"LARGER": lambda cursor: Sized(_number(cursor), larger=True),
        b"SMALLER": lambda cursor: Sized(_number(cursor), larger=False),
        b"FROM": _field("from"),
        b"TO": _field("to"),
        b"CC": _field("cc"),
        b"BCC": _field("bcc"),
        b"SUBJECT": _field("subject"),
        b"HEADER": _header,
        b"BODY": lambda cursor: Content(_folded(cursor), header=False),
        b"TEXT": lambda cursor: Content(_folded(cursor), header=True),
    },
)
