"""The text of a message for SEARCH: header fields and text parts, decoded and case-folded, made when first asked for.

Standards: RFC 3501 6.4.4 (BODY, TEXT, HEADER), RFC 2047, RFC 2045 6 (transfer encodings)
"""

from collections.abc import Iterator
from functools import cached_property

from whimbrel.mail import header
from whimbrel.mail.charset import to_text
from whimbrel.mail.encoded import content as decoded
from whimbrel.mail.mime import LEAF, MESSAGE, TYPE, Part, parse
from whimbrel.mail.parameters import charset_of
from whimbrel.mail.preview import html_text


class MessageText:
    """Used in a thread, by one search at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def field(self, name: str) -> list[str]:
        """The values of the fields called `name` (lower case)."""
        wanted = name.encode()
        return [text for field_name, text in self._fields if field_name == wanted]

    @cached_property
    def header(self) -> str:
        """All fields, a line each."""
        return _header_text(self._header_bytes)

    def body_has(self, value: str) -> bool:
        return any(value in text for text in self._texts())

    @cached_property
    def _header_bytes(self) -> bytes:
        return self._content[: header.end(self._content)]

    @cached_property
    def _fields(self) -> list[tuple[bytes, str]]:
        return [(field.name.lower(), field.text.casefold()) for field in header.fields(self._header_bytes)]

    def _texts(self) -> Iterator[str]:
        """Text parts, of HTML its source, then what a reader sees; and the headers of messages within."""
        stack = [self._root]
        while stack:
            part = stack.pop()
            if part.kind != LEAF:
                stack.extend(reversed(part.children))
                if part.kind == MESSAGE and part.children:
                    inner = part.children[0]
                    yield _header_text(self._content[inner.header : inner.text])
            elif part.main == b"text":
                text = to_text(
                    decoded(self._content[part.text : part.end], part.encoding), charset_of(part.fields[TYPE] or b"")
                )
                yield text.casefold()
                if part.sub == b"html":
                    yield html_text(text).casefold()

    @cached_property
    def _root(self) -> Part:
        return parse(self._content)


def _header_text(octets: bytes) -> str:
    return "\n".join(
        f"{field.name.decode('latin-1')}: {field.text}" if field.name else field.text for field in header.fields(octets)
    ).casefold()
