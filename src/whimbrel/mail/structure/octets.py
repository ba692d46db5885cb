"""What the wire may not take: octets above 127, and lines that are too long.

`plain` is for a message at hand, `Octets` for pieces of any size. Both cost a look or two at each thousand octets, so
that every message can be looked at.

Standards: RFC 5321 4.5.3.1.6 (1000 octets with CRLF), RFC 2045 2.7, 2.8 (7bit, 8bit)
"""

from typing import Final

LONGEST: Final = 998
"""Octets of a line without its CRLF."""
_WINDOW: Final = LONGEST + 2
"""The LF of a line that is short enough lies in so many octets."""


def plain(content: bytes) -> bool:
    """ASCII, in lines that are short beyond doubt: nothing more needs to be known of most messages."""
    if not content.isascii():
        return False
    start, size = 0, len(content)
    while size - start > LONGEST:
        start = content.rfind(b"\n", start, start + LONGEST + 1) + 1  # The line before it has 997 octets at most.
        if not start:
            return False
    return True


class Octets:
    """Looks at one run of octets, which begins at the start of a line."""

    __slots__ = ("_cr", "_line", "eight_bit", "long_line")

    def __init__(self) -> None:
        self.eight_bit = False
        self.long_line = False
        self._line = 0  # Octets of the line that the last piece left unfinished,
        self._cr = False  # and whether the last of them is a CR.

    def feed(self, piece: bytes) -> None:
        if not self.eight_bit:
            self.eight_bit = not piece.isascii()
        if not self.long_line:
            self._lines(piece)

    def end(self) -> None:
        """The last line has no line end of its own."""
        self.long_line |= self._line > LONGEST

    def _lines(self, piece: bytes) -> None:
        start, size = -self._line, len(piece)  # Where the line began; before this piece perhaps.
        while size - start >= _WINDOW:
            # The last LF in the window: of several lines that end in it all but the first are short.
            line_feed = piece.rfind(b"\n", max(start, 0), start + _WINDOW)
            if line_feed == start + LONGEST + 1 and not (piece[line_feed - 1] == 0x0D if line_feed else self._cr):
                line_feed = piece.rfind(b"\n", max(start, 0), line_feed)  # It will be a CRLF, one octet longer.
            if line_feed < 0:
                self.long_line = True
                return
            start = line_feed + 1
        line_feed = piece.rfind(b"\n", max(start, 0))
        self._line = size - (start if line_feed < 0 else line_feed + 1)
        self._cr = piece.endswith(b"\r")
