"""METADATA: annotations of mailboxes and of the account.

Standards: RFC 5464 3.2 (entry names), 4.2 (GETMETADATA), 4.3 (SETMETADATA), 5 (formal syntax)
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor, Refused
from whimbrel.protocols.imap.encode import astring, literal, string
from whimbrel.protocols.imap.grammar import SIGNED_IN, Arguments, Part, Rule

MAX_ENTRIES = 100
MAX_NAME = 255
INFINITY = 1 << 16
_NAME = re.compile(r"/(?:private|shared)(?:/[^/*%\x00-\x1f\x7f-\U0010ffff]+)*\Z")

_OPTIONS = re.compile(rb"\( *(?:MAXSIZE|DEPTH) ", re.I)


@dataclass(frozen=True, slots=True)
class GetMetadata(Arguments):
    """`mailbox` empty: the server's (here: the account's). `entries` in lower case."""

    mailbox: str
    entries: tuple[str, ...]
    max_size: int | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class SetMetadata(Arguments):
    """None removes an entry."""

    mailbox: str
    values: tuple[tuple[str, bytes | None], ...]


def entry_name(cursor: Cursor) -> str:
    """In lower case: names do not depend on it. RFC 5464 3.2"""
    name = cursor.astring()
    text = name.decode("ascii", "replace").lower()
    if len(name) > MAX_NAME or not _NAME.match(text):
        raise BadSyntax("An entry begins with /private/ or /shared/, without *, % and empty levels")
    return text


def entry_names(cursor: Cursor) -> tuple[str, ...]:
    """One, or a list."""
    if not cursor.take(b"("):
        return (entry_name(cursor),)
    names: dict[str, None] = {}
    for count, _ in enumerate(cursor.items("Expected an entry")):
        names[entry_name(cursor)] = None
        if count >= MAX_ENTRIES:
            raise BadSyntax("Too many entries")
    return tuple(names)


def _options(cursor: Cursor) -> tuple[int | None, int]:
    """MAXSIZE and DEPTH, their space included."""
    cursor.expect(b"(", "Expected a list of options")
    max_size, depth = None, 0
    for _ in cursor.items():
        option = cursor.word("Expected an option")
        cursor.space()
        if option == b"MAXSIZE":
            max_size = cursor.number()
        elif option == b"DEPTH":
            depths = {b"0": 0, b"1": 1, b"INFINITY": INFINITY}
            wanted = depths.get(cursor.word("Expected a depth"))
            if wanted is None:
                raise BadSyntax("A depth is 0, 1 or infinity")
            depth = wanted
        else:
            raise BadSyntax("Unknown option of GETMETADATA")
    cursor.space()
    return max_size, depth


def _get(cursor: Cursor) -> GetMetadata:
    cursor.space()
    max_size, depth = _options(cursor) if cursor.next_is(b"(") else (None, 0)
    mailbox = cursor.mailbox()
    cursor.space()
    if _OPTIONS.match(cursor.data, cursor.at):
        # Quirk (clients written by the examples of RFC 5464 4.2, which its grammar contradicts): options come second.
        max_size, depth = _options(cursor)
    return GetMetadata(mailbox, entry_names(cursor), max_size, depth)


def _value(cursor: Cursor) -> bytes | None:
    if cursor.take(b"~"):
        return cursor.octets()
    return cursor.nstring()


def _set(cursor: Cursor) -> SetMetadata:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    cursor.expect(b"(", "Expected entries and values")
    values: dict[str, bytes | None] = {}
    for _ in cursor.items("Expected entries and values"):
        name = entry_name(cursor)
        if name.count("/") < 2:
            raise BadSyntax("Only what lies below /private and /shared has a value")
        cursor.space()
        values[name] = _value(cursor)
        if len(values) > MAX_ENTRIES:
            raise Refused(b"METADATA TOOMANY", "Too many entries")
    return SetMetadata(mailbox, tuple(values.items()))


def response(mailbox: bytes, values: list[tuple[str, bytes | None]]) -> bytes:
    """METADATA behind `* `; `mailbox` as it goes on the wire."""
    cells: list[bytes] = []
    for name, value in values:
        cells.append(astring(name.encode("ascii", "replace")))
        if value is None:
            cells.append(b"NIL")
        elif b"\0" in value:
            cells.append(b"~" + literal(value))
        else:
            cells.append(string(value))
    return b"METADATA %b (%b)" % (mailbox, b" ".join(cells))


def changed(mailbox: bytes, names: Iterable[str]) -> bytes:
    """METADATA without values, behind `* `; `mailbox` as it goes on the wire. RFC 5464 4.4.2"""
    return b"METADATA %b %b" % (mailbox, b" ".join(astring(name.encode("ascii", "replace")) for name in names))


PART = Part(
    commands={b"GETMETADATA": Rule(_get, SIGNED_IN), b"SETMETADATA": Rule(_set, SIGNED_IN)},
)
