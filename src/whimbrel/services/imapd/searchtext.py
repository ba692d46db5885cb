"""The text of a message for SEARCH: header fields and text parts, decoded and case-folded, made when first asked for.

Standards: RFC 3501 6.4.4 (BODY, TEXT, HEADER)
"""

from functools import cached_property

from whimbrel.mail.structure import header
from whimbrel.mail.text.quicklook import QuickLook
from whimbrel.mail.text.searchable import header_text, searchable


class MessageText:
    """Used in a thread, by one search at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._look = QuickLook(content)

    def field(self, name: str) -> list[str]:
        """The values of the fields called `name` (lower case)."""
        wanted = name.encode()
        return [text for field_name, text in self._fields if field_name == wanted]

    def header_has(self, value: str) -> bool:
        """Any field, its name included."""
        return not self._look.lacks_header(value) and value in self._header

    def body_has(self, value: str, *, fields: bool = False) -> bool:
        """The text of the parts; `fields`: or the header fields of parts."""
        if self._look.lacks_body(value):
            return False
        return any(value in text for text in searchable(self._content, headers=fields))

    @cached_property
    def _header(self) -> str:
        return header_text(self._header_bytes)

    @cached_property
    def _header_bytes(self) -> bytes:
        return self._content[: header.end(self._content)]

    @cached_property
    def _fields(self) -> list[tuple[bytes, str]]:
        return [(field.name.lower(), field.text.casefold()) for field in header.fields(self._header_bytes)]
