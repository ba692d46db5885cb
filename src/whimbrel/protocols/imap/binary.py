"""BINARY: parts of the content without their transfer encoding.

Standards: RFC 3516 4.2 (FETCH), 7 (formal syntax)
"""

from collections.abc import Callable
from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor
from whimbrel.protocols.imap.fetch import section_part
from whimbrel.protocols.imap.grammar import FetchItem, Part


@dataclass(frozen=True, slots=True)
class BinarySection(FetchItem):
    """`part` numbers; none: the whole message, as it is. `size`: only how many octets it has."""

    part: tuple[int, ...]
    peek: bool = False
    size: bool = False
    partial: tuple[int, int] | None = None
    """First octet, and how many."""
    label: bytes = b""
    """How the answer names it: `BINARY[1.2]<0>`."""


def _section(*, peek: bool, size: bool) -> Callable[[Cursor], BinarySection]:
    def read(cursor: Cursor) -> BinarySection:
        cursor.expect(b"[", "Expected a section")
        part = ""
        if not cursor.next_is(b"]"):
            part, what = section_part(cursor.word("Expected a section"))
            if what or not part:
                raise BadSyntax("No such section")
        cursor.expect(b"]", "Expected the end of the section")
        label = (b"BINARY.SIZE[" if size else b"BINARY[") + part.encode() + b"]"
        partial = None
        if not size and cursor.take(b"<"):
            first = cursor.number(most=(1 << 63) - 1)
            cursor.expect(b".", "Expected a partial such as <0.2048>")
            partial = first, cursor.number(least=1, most=(1 << 63) - 1)
            cursor.expect(b">", "Expected a partial such as <0.2048>")
            label += b"<%d>" % first
        numbers = tuple(int(number) for number in part.split(".")) if part else ()
        return BinarySection(numbers, peek or size, size, partial, label)

    return read


PART = Part(
    fetch_items={
        b"BINARY": _section(peek=False, size=False),
        b"BINARY.PEEK": _section(peek=True, size=False),
        b"BINARY.SIZE": _section(peek=True, size=True),
    }
)
