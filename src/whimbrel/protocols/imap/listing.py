"""LIST with all its extensions, and LSUB.

Standards: RFC 3501 6.3.8, 6.3.9; RFC 5258 (LIST-EXTENDED), RFC 5819 (LIST-STATUS), RFC 6154 5.2 (SPECIAL-USE),
RFC 9590 (LIST-METADATA)
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor
from whimbrel.protocols.imap.folders import status_items
from whimbrel.protocols.imap.grammar import SIGNED_IN, Arguments, Part, Reader, Rule
from whimbrel.protocols.imap.metadata import entry_names

MAX_PATTERNS = 100
_SELECT = frozenset({b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE"})
_RETURN = frozenset({b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE"})


@dataclass(frozen=True, slots=True)
class List(Arguments):
    """`select` and `returns` are options in capitals; `status` and `metadata` what RETURN asks for besides.
    `extended`: some option or several patterns were given, which changes what names are shown."""

    reference: str
    patterns: tuple[str, ...]
    select: frozenset[bytes] = frozenset()
    returns: frozenset[bytes] = frozenset()
    status: tuple[bytes, ...] = ()
    metadata: tuple[str, ...] = ()
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Lsub(Arguments):
    reference: str
    pattern: str


def _select(cursor: Cursor) -> frozenset[bytes]:
    options: set[bytes] = set()
    for _ in cursor.items():
        option = cursor.word("Expected a selection option")
        if option not in _SELECT:
            raise BadSyntax("Unknown selection option")
        options.add(option)
    if b"RECURSIVEMATCH" in options and not options & {b"SUBSCRIBED", b"SPECIAL-USE"}:
        raise BadSyntax("RECURSIVEMATCH goes with another selection option")  # RFC 5258 3.1
    return frozenset(options)


def _patterns(cursor: Cursor) -> tuple[str, ...]:
    if not cursor.take(b"("):
        return (cursor.pattern(),)
    patterns: list[str] = []
    for _ in cursor.items("Expected a pattern"):
        patterns.append(cursor.pattern())
        if len(patterns) > MAX_PATTERNS:
            raise BadSyntax("Too many patterns")
    return tuple(patterns)


def _list(cursor: Reader) -> List:
    cursor.space()
    select, extended = frozenset[bytes](), False
    if cursor.take(b"("):
        select, extended = _select(cursor), True
        cursor.space()
    reference = cursor.mailbox()
    cursor.space()
    extended |= cursor.next_is(b"(")
    patterns = _patterns(cursor)
    if not (cursor.another() and cursor.keyword(b"RETURN")):
        return List(reference, patterns, select, extended=extended)
    cursor.expect(b"(", "Expected a list of return options")
    returns: set[bytes] = set()
    status: tuple[bytes, ...] = ()
    metadata: tuple[str, ...] = ()
    for _ in cursor.items():
        option = cursor.word("Expected a return option")
        if option == b"STATUS":
            cursor.space()
            status = status_items(cursor)
        elif option == b"METADATA":
            cursor.space()
            metadata = entry_names(cursor)
        elif option in _RETURN:
            returns.add(option)
        else:
            raise BadSyntax("Unknown return option")
    return List(reference, patterns, select, frozenset(returns), status, metadata, extended=True)


def _lsub(cursor: Cursor) -> Lsub:
    cursor.space()
    reference = cursor.mailbox()
    cursor.space()
    return Lsub(reference, cursor.pattern())


PART = Part(commands={b"LIST": Rule(_list, SIGNED_IN), b"LSUB": Rule(_lsub, SIGNED_IN)})
