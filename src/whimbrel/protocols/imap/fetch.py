"""FETCH and what it can be asked for.

Standards: RFC 3501 6.4.5, 6.4.8, 9 (fetch-att, section)
"""

from dataclasses import dataclass
from typing import Final

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor
from whimbrel.protocols.imap.encode import astring
from whimbrel.protocols.imap.grammar import IN_MAILBOX, Arguments, FetchItem, Parameter, Part, Reader, Rule, parameters
from whimbrel.protocols.imap.sequence import SequenceSet

MAX_ITEMS = 256
MAX_DEPTH = 64
"""Numbers in a section such as 1.2.3: no message is nested deeper."""
MAX_FIELDS = 512


@dataclass(frozen=True, slots=True)
class Attribute(FetchItem):
    """Something known of a message without reading it: FLAGS, ENVELOPE ..."""

    name: bytes


@dataclass(frozen=True, slots=True)
class BodySection(FetchItem):
    """A part of the content. `part` is `1.2` or empty; `what` is HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME
    or empty."""

    part: str = ""
    what: str = ""
    fields: tuple[bytes, ...] = ()
    peek: bool = False
    partial: tuple[int, int] | None = None
    """First octet, and how many."""
    label: bytes = b""
    """How the answer names it: `BODY[TEXT]<0>`, or `RFC822`."""

    @property
    def spec(self) -> str:
        """The section in which this lies, as `mail.structure` names it."""
        what = "HEADER" if self.what.startswith("HEADER") else self.what
        return f"{self.part}.{what}" if self.part and what else self.part or what


FLAGS: Final = Attribute(b"FLAGS")
UID: Final = Attribute(b"UID")
INTERNALDATE: Final = Attribute(b"INTERNALDATE")
SIZE: Final = Attribute(b"RFC822.SIZE")
ENVELOPE: Final = Attribute(b"ENVELOPE")
BODY: Final = Attribute(b"BODY")
BODYSTRUCTURE: Final = Attribute(b"BODYSTRUCTURE")

_WHATS = frozenset({"", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"})

_MACROS: dict[bytes, tuple[FetchItem, ...]] = {
    b"FAST": (FLAGS, INTERNALDATE, SIZE),
    b"ALL": (FLAGS, INTERNALDATE, SIZE, ENVELOPE),
    b"FULL": (FLAGS, INTERNALDATE, SIZE, ENVELOPE, BODY),
}


@dataclass(frozen=True, slots=True)
class Fetch(Arguments):
    sequence: SequenceSet
    items: tuple[FetchItem, ...]
    uid: bool
    modifiers: tuple[Parameter, ...] = ()

    @property
    def holds_numbers(self) -> bool:
        return not self.uid

    @property
    def by_uid(self) -> bool:
        return self.uid


def section_part(text: bytes) -> tuple[str, str]:
    """`1.2.HEADER` -> ("1.2", "HEADER")."""
    words = text.split(b".")
    count = 0
    for word in words:
        if not word.isdigit():
            break
        if len(word) > 5 or not int(word) or count >= MAX_DEPTH:
            raise BadSyntax("No such section")
        count += 1
    part = ".".join(str(int(word)) for word in words[:count])
    return part, b".".join(words[count:]).decode("ascii")


def _body_section(cursor: Cursor, *, peek: bool) -> BodySection:
    part, what = "", ""
    fields: list[bytes] = []
    if not cursor.next_is(b"]"):
        part, what = section_part(cursor.word("Expected a section"))
    if what not in ("", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME") or (
        what == "MIME" and not part
    ):
        raise BadSyntax("No such section")
    label = b"BODY[" + f"{part}{'.' if part and what else ''}{what}".encode()
    if what.startswith("HEADER.FIELDS"):
        cursor.space()
        cursor.expect(b"(", "Expected a list of field names")
        for _ in cursor.items("No field names"):
            fields.append(cursor.astring())
            if len(fields) > MAX_FIELDS:
                raise BadSyntax("Too many field names")
        label += b" (" + b" ".join(astring(name) for name in fields) + b")"
    cursor.expect(b"]", "Expected the end of the section")
    label += b"]"
    partial = None
    if cursor.take(b"<"):
        first = cursor.number(most=(1 << 63) - 1)
        cursor.expect(b".", "Expected a partial such as <0.2048>")
        partial = first, cursor.number(least=1, most=(1 << 63) - 1)
        cursor.expect(b">", "Expected a partial such as <0.2048>")
        label += b"<%d>" % first
    return BodySection(part, what, tuple(fields), peek, partial, label)


def _body(cursor: Cursor) -> FetchItem:
    return _body_section(cursor, peek=False) if cursor.take(b"[") else BODY


def _body_peek(cursor: Cursor) -> FetchItem:
    cursor.expect(b"[", "Expected a section")
    return _body_section(cursor, peek=True)


def _item(cursor: Reader) -> FetchItem:
    read = cursor.grammar.fetch_items.get(cursor.word("Expected something to fetch"))
    if read is None:
        raise BadSyntax("Unknown item of FETCH")
    return read(cursor)


def items(cursor: Reader) -> tuple[FetchItem, ...]:
    """A macro, one item, or a list; what is asked for twice is answered once."""
    if not cursor.take(b"("):
        start = cursor.at
        macro = _MACROS.get(cursor.word("Expected something to fetch"))
        if macro:
            return macro
        cursor.at = start
        return (_item(cursor),)
    wanted: dict[FetchItem, None] = {}
    for _ in cursor.items("Expected something to fetch"):
        wanted[_item(cursor)] = None
        if len(wanted) > MAX_ITEMS:
            raise BadSyntax("Too many items")
    return tuple(wanted)


def _fetch(cursor: Reader, *, uid: bool) -> Fetch:
    cursor.space()
    sequence = cursor.sequence_set()
    cursor.space()
    wanted = items(cursor)
    if not cursor.another():
        return Fetch(sequence, wanted, uid)
    return Fetch(sequence, wanted, uid, parameters(cursor, cursor.grammar.fetch_modifiers))


PART = Part(
    commands={
        b"FETCH": Rule(lambda cursor: _fetch(cursor, uid=False), IN_MAILBOX),
        b"UID FETCH": Rule(lambda cursor: _fetch(cursor, uid=True), IN_MAILBOX),
    },
    fetch_items={
        b"FLAGS": lambda _: FLAGS,
        b"UID": lambda _: UID,
        b"INTERNALDATE": lambda _: INTERNALDATE,
        b"RFC822.SIZE": lambda _: SIZE,
        b"ENVELOPE": lambda _: ENVELOPE,
        b"BODYSTRUCTURE": lambda _: BODYSTRUCTURE,
        b"BODY": _body,
        b"BODY.PEEK": _body_peek,
        b"RFC822": lambda _: BodySection(label=b"RFC822"),
        b"RFC822.HEADER": lambda _: BodySection(what="HEADER", peek=True, label=b"RFC822.HEADER"),
        b"RFC822.TEXT": lambda _: BodySection(what="TEXT", label=b"RFC822.TEXT"),
    },
)
