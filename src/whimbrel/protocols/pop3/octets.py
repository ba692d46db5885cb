"""A message as POP3 sends it: lines end in CRLF, a line that begins with a dot gets another, a lone dot ends all.

Pieces may be of any size and are worked on whole, never line by line. A bare LF becomes CRLF, since POP3 knows no
other line end; a bare CR stays. `added` says by how much that makes a message longer: sizes told by STAT and LIST are
those of what is sent (RFC 1939 11), dots that were doubled and the end not counted.

Standards: RFC 1939 3 (byte-stuffing), 5 (RETR), 7 (TOP), 11
"""

from whimbrel.mail.structure.lines import with_crlf

END = b".\r\n"


class Sender:
    """For one message."""

    def __init__(self) -> None:
        self._held = b""  # A CR at the end of a piece: its LF may follow.
        self._line_start = True

    def feed(self, piece: bytes) -> bytes:
        if self._held:
            piece, self._held = self._held + piece, b""
        if piece.endswith(b"\r"):
            piece, self._held = piece[:-1], b"\r"
        if not piece:
            return b""
        wire = with_crlf(piece).replace(b"\r\n.", b"\r\n..")
        if self._line_start and wire.startswith(b"."):
            wire = b"." + wire
        self._line_start = wire.endswith(b"\r\n")
        return wire

    def end(self) -> bytes:
        """What is left, and the lone dot."""
        held, self._held = self._held, b""
        return held + END if self._line_start and not held else held + b"\r\n" + END


def sent_whole(message: bytes, *, after: bytes = b"", lines: bool = False) -> bytes:
    """A message that is at hand, as `Sender` would send it, `after` something else. `lines`: it is known to consist of
    lines that end in CRLF."""
    wire = message if lines else with_crlf(message)
    wire = wire.replace(b"\r\n.", b"\r\n..")
    dot = b"." if wire.startswith(b".") else b""
    end = END if lines or wire.endswith(b"\r\n") or not wire else b"\r\n" + END
    return b"%b%b%b%b" % (after, dot, wire, end)


class Added:
    """Counts what a message, fed in pieces, gains on its way: an octet for each bare LF, two for a missing end."""

    def __init__(self) -> None:
        self._bare = 0
        self._last = b""

    def feed(self, piece: bytes) -> None:
        if piece:
            self._bare += piece.count(b"\n") - piece.count(b"\r\n")
            if self._last == b"\r" and piece.startswith(b"\n"):
                self._bare -= 1
            self._last = piece[-1:]

    @property
    def octets(self) -> int:
        return self._bare + (2 if self._last not in (b"", b"\n") else 0)


def added(message: bytes) -> int:
    count = Added()
    count.feed(message)
    return count.octets


def top(data: bytes, lines: int, *, whole: bool) -> bytes | None:
    """The header of a message, the empty line after it, and `lines` lines of its body.

    `data` are its first octets, or all of them if `whole`. None: more are needed.
    """
    text = with_crlf(data)
    body = 2 if text.startswith(b"\r\n") else text.find(b"\r\n\r\n") + 4
    if body == 3:
        return text if whole else None
    # The last of the pieces is what comes after so many lines.
    pieces = text[body:].split(b"\r\n", lines)
    if len(pieces) <= lines:
        return text if whole else None
    return text[: len(text) - len(pieces[-1])]


class Top:
    """The same for a message fed in pieces: as much of each as belongs to it, as it is stored; `done`: no more does.

    Splitting a large message into its lines would take twenty times its size."""

    def __init__(self, lines: int) -> None:
        self._left = lines
        self._header = True
        self._last = b"\n"  # The end of what was fed: an empty line may be cut in two.
        self.done = False

    def feed(self, piece: bytes) -> bytes:
        body = self._body(piece) if self._header else 0
        if self.done or body < 0:
            return b"" if self.done else piece
        count = piece.count(b"\n", body) if self._left else 0
        if count < self._left:
            self._left -= count
            return piece
        self.done = True
        for _ in range(self._left):
            body = piece.index(b"\n", body) + 1
        return piece[:body]

    def _body(self, piece: bytes) -> int:
        """Where the body begins in `piece`; -1: not in it."""
        text = self._last + piece
        places = [at for at in (text.find(b"\n\n"), text.find(b"\n\r\n")) if at >= 0]
        if not places:
            self._last = text[-2:]
            return -1
        self._header = False
        at = min(places)
        return text.index(b"\n", at + 1) + 1 - len(self._last)
