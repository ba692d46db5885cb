"""Content on its way out: lines end in CRLF; for DATA leading dots are doubled and the end is a lone dot.

Sans-IO: `encode` takes content in pieces of any size. Eight-bit octets are kept.
Standards: RFC 5321 4.5.2 (transparency), 2.3.8 (lines), 4.1.1.4 (end of data), RFC 3030 2 (BDAT).
"""


class Stuffing:
    """For one message. Content may hold bare CR or LF (APPEND and JMAP bring them): each becomes a CRLF here, or it
    would be an SMTP smuggling vector at the next server. Without `dots` it is for BDAT, whose end is counted."""

    def __init__(self, *, dots: bool = True) -> None:
        self._dots = dots
        self._held = b""  # A CR at the end of a piece: its LF may follow.
        self._line_start = True

    def encode(self, piece: bytes) -> bytes:
        if not piece:
            return b""
        if self._held:
            piece, self._held = b"\r" + piece, b""
        if piece.endswith(b"\r"):
            piece, self._held = piece[:-1], b"\r"
            if not piece:
                return b""
        pairs = piece.count(b"\r\n")
        if piece.count(b"\n") != pairs or piece.count(b"\r") != pairs:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
        wire = piece
        if self._dots:
            wire = piece.replace(b"\r\n.", b"\r\n..")
            if self._line_start and wire.startswith(b"."):
                wire = b"." + wire
        self._line_start = wire.endswith(b"\r\n")
        return wire

    def end(self) -> bytes:
        """What is left, and the lone dot."""
        dot = b".\r\n" if self._dots else b""
        if self._held or not self._line_start:
            self._held, self._line_start = b"", True
            return b"\r\n" + dot
        return dot
