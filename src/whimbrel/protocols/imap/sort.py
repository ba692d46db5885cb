"""SORT and THREAD.

Standards: RFC 5256 3 (SORT, THREAD), RFC 5957 (DISPLAYFROM, DISPLAYTO), RFC 5267 3 (ESORT)
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Refused
from whimbrel.protocols.imap.grammar import IN_MAILBOX, Arguments, Part, Reader, Rule, SearchKey
from whimbrel.protocols.imap.returns import Returns, optional_returns
from whimbrel.protocols.imap.search import by_number, charset, criteria

KEYS = frozenset({b"ARRIVAL", b"CC", b"DATE", b"FROM", b"SIZE", b"SUBJECT", b"TO", b"DISPLAYFROM", b"DISPLAYTO"})
MAX_KEYS = 32
ALGORITHMS = frozenset({b"ORDEREDSUBJECT", b"REFERENCES", b"REFS"})


@dataclass(frozen=True, slots=True)
class SortKey:
    name: bytes
    reverse: bool


@dataclass(frozen=True, slots=True)
class Sort(Arguments):
    keys: tuple[SortKey, ...]
    key: SearchKey
    uid: bool
    returns: Returns | None = None

    @property
    def holds_numbers(self) -> bool:
        return not self.uid or by_number(self.key)


@dataclass(frozen=True, slots=True)
class Thread(Arguments):
    algorithm: bytes
    key: SearchKey
    uid: bool

    @property
    def holds_numbers(self) -> bool:
        return not self.uid or by_number(self.key)


def _sort(cursor: Reader, *, uid: bool) -> Sort:
    cursor.space()
    returns = optional_returns(cursor)
    cursor.expect(b"(", "Expected a list of sort keys")
    keys: list[SortKey] = []
    for _ in cursor.items("Expected a sort key"):
        name = cursor.word("Expected a sort key")
        reverse = name == b"REVERSE"
        if reverse:
            cursor.space()
            name = cursor.word("Expected a sort key")
        if name not in KEYS:
            raise BadSyntax("Unknown sort key")
        keys.append(SortKey(name, reverse))
        if len(keys) > MAX_KEYS:
            raise BadSyntax("Too many sort keys")
    return Sort(tuple(keys), _conditions(cursor), uid, returns)


def _thread(cursor: Reader, *, uid: bool) -> Thread:
    cursor.space()
    algorithm = cursor.atom("Expected a threading algorithm").upper()
    if algorithm not in ALGORITHMS:
        raise Refused(b"CANNOT", "Unknown threading algorithm")
    return Thread(algorithm, _conditions(cursor), uid)


def _conditions(cursor: Reader) -> SearchKey:
    """The charset is no option here, as it is with SEARCH. RFC 5256 3"""
    cursor.space()
    charset(cursor)
    cursor.space()
    return criteria(cursor)


PART = Part(
    commands={
        b"SORT": Rule(lambda cursor: _sort(cursor, uid=False), IN_MAILBOX),
        b"UID SORT": Rule(lambda cursor: _sort(cursor, uid=True), IN_MAILBOX),
        b"THREAD": Rule(lambda cursor: _thread(cursor, uid=False), IN_MAILBOX),
        b"UID THREAD": Rule(lambda cursor: _thread(cursor, uid=True), IN_MAILBOX),
    }
)
