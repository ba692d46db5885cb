"""Takes fields out of the header of a message while it passes by in pieces; every other octet stays as it is.

The header ends at the first empty line, and nothing after it is looked at. Lines end in CRLF or LF. A field goes with
all its folded lines. What is held back is the beginning of a line, never more than `LONGEST` octets.

Standards: RFC 5322 2.2 (fields), 2.2.3 (folding), 4.5 (white space before the colon)
"""

from collections.abc import Iterable
from typing import Final

LONGEST: Final = 256
"""Octets in which a field's name, the white space behind it and its colon are looked for."""


class FieldDropper:
    """`feed` takes pieces of any size and gives what is left of them; `end` the rest."""

    def __init__(self, names: Iterable[bytes]) -> None:
        """`names` in lower case."""
        self._names = frozenset(names)
        self._held = b""
        """The beginning of a line of which nobody can say yet what it is."""
        self._inside = False
        """Within a line whose fate is known."""
        self._dropping = False
        self._body = False

    def feed(self, data: bytes) -> bytes:
        if self._body:
            return data
        data, self._held = self._held + data, b""
        out: list[bytes] = []
        at, stop = 0, len(data)
        while at < stop:
            if not self._inside and not self._begin(data, at, out):
                if not self._body:
                    self._held = data[at:]
                    return b"".join(out)
                out.append(data[at:])
                return b"".join(out)
            end = data.find(b"\n", at) + 1
            self._inside = not end
            end = end or stop
            if not self._dropping:
                out.append(data[at:end])
            at = end
        return b"".join(out)

    def end(self) -> bytes:
        """The message has ended."""
        held, self._held = self._held, b""
        return b"" if (self._dropping and held[:1] in (b" ", b"\t")) or self._named(held) else held

    def _begin(self, data: bytes, at: int, out: list[bytes]) -> bool:
        """Whether the fate of the line that begins here is known, and it is one of the header."""
        first = data[at : at + 1]
        if first in (b" ", b"\t"):
            return True  # Folded: it goes where its field went.
        if first == b"\n" or data.startswith(b"\r\n", at):
            self._body = True
            return False
        window = data[at : at + LONGEST]
        if first == b"\r" and len(window) == 1:
            return False
        colon, line_end = window.find(b":"), window.find(b"\n")
        if colon < 0 and line_end < 0 and len(window) < LONGEST:
            return False
        self._dropping = colon >= 0 and not 0 <= line_end < colon and self._named(window[: colon + 1])
        return True

    def _named(self, line: bytes) -> bool:
        """It begins with one of the fields."""
        name, colon, _ = line.partition(b":")
        return bool(colon) and name.rstrip(b" \t").lower() in self._names
