"""PREVIEW: the first words of a message.

Standards: RFC 8970 3 (PREVIEW, LAZY)
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor
from whimbrel.protocols.imap.grammar import FetchItem, Part


@dataclass(frozen=True, slots=True)
class Preview(FetchItem):
    """`lazy`: only if it is at hand. Ours always is."""

    lazy: bool = False


def _preview(cursor: Cursor) -> Preview:
    if not cursor.another(b"("):
        return Preview()
    cursor.open("Expected modifiers of PREVIEW")
    if cursor.word("Expected a modifier of PREVIEW") != b"LAZY":
        raise BadSyntax("Unknown modifier of PREVIEW")
    cursor.close("Expected the end of the modifiers")
    return Preview(lazy=True)


PART = Part(fetch_items={b"PREVIEW": _preview})
