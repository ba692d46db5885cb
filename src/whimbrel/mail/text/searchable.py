"""The text of a message for SEARCH: decoded headers and text parts, case-folded.

Bounded: long parts are searched up to a limit, and a message gives a limited amount in all.

Standards: RFC 9051 6.4.4 (TEXT, BODY: decoded from transfer encoding and charset, case does not matter)
"""

from collections.abc import Iterator

from whimbrel.mail.decoding.charset import to_text
from whimbrel.mail.decoding.encoded import content, words
from whimbrel.mail.structure import header
from whimbrel.mail.structure.mime import LEAF, TYPE, Part, parse
from whimbrel.mail.structure.parameters import charset_of
from whimbrel.mail.text.preview import html_text

MAX_PART = 4 << 20
MAX_HEADER = 1 << 18
MAX_TOTAL = 32 << 20
"""Bytes of a message that are decoded."""


def searchable(message: bytes, *, headers: bool = True) -> Iterator[str]:
    """Pieces of text, the first ones first; what is looked for must be within one of them, folded the same way
    (`str.casefold`). With `headers`: for TEXT, with all header and MIME fields; without: for BODY, which "doesn't match
    any header fields", be it those of parts or of messages within the message."""
    left = MAX_TOTAL
    for part in _walk(parse(message)):
        if headers:
            head = message[part.header : min(part.text, part.header + MAX_HEADER)]
            if head:
                left -= len(head)
                yield header_text(head)
        if part.kind == LEAF and part.main in (b"text", b"message"):
            size = min(part.end - part.text, MAX_PART, left)
            if size > 0:
                left -= size
                yield from _texts(part, message[part.text : part.text + size])
        if left <= 0:
            return


def header_text(head: bytes) -> str:
    """All fields decoded, one a line, case-folded."""
    lines = []
    for field in header.fields(head):
        value = field.value
        lines.append(f"{words(field.name)}: {words(value)}" if field.name else words(field.raw.strip()))
    return "\n".join(lines).casefold()


def _texts(part: Part, data: bytes) -> Iterator[str]:
    text = to_text(content(data, part.encoding), charset_of(part.fields[TYPE] or b""))
    yield text.casefold()
    if part.sub == b"html":  # Also as it is read, so that words with markup between them are found.
        yield " ".join(html_text(text).split()).casefold()


def _walk(root: Part) -> Iterator[Part]:
    stack = [root]
    while stack:
        part = stack.pop()
        yield part
        stack.extend(reversed(part.children))
