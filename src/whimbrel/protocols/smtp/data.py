"""Mail data after DATA: finding its end and undoing dot-stuffing.

Sans-IO: `feed` takes bytes in pieces of any size; the caller owns socket and spool. Data ends at CRLF.CRLF and at
nothing else: a server that ends it at LF.LF or LF.CRLF takes mail that another server never sent (SMTP smuggling).
What a bare CR or LF means is up to the role: mail from servers is refused (`DataEnd.bare`); in a signed-in user's,
or one from a program beside us (`mend`), it becomes CRLF, and CRs before an LF belong to that line end. Who ends lines
in LF has doubled the dots behind them too (Python's smtplib given bytes), so two of them become one; a lone dot behind
a bare LF is text and stays.

BDAT has no dots: a chunk ends where its length says. Its line ends are held to the same rules, or it would be the way
round them: what a message by BDAT holds is sent on by DATA to servers that do not know BDAT.

Standards: RFC 5321 4.1.1.4 (DATA), 4.5.2 (transparency), 2.3.8 (lines), RFC 6409 8 (submission may mend), RFC 3030 2
(BDAT).
"""

import re

from whimbrel.protocols.smtp.server_events import ChunkEnd, DataEnd

END = b"\r\n.\r\n"
_DOT = b"\r\n."
_MAX_CRS = 64
"""CRs before an LF that belong to its line end; of more the first ones are line ends of their own."""
_LINE_END = re.compile(rb"\r{1,%d}\n" % _MAX_CRS)
_BARE_DOTS = re.compile(rb"(?<!\r)\n\.\.")


def _bare(block: bytes) -> bool:
    """A CR or LF that is not of a pair. In a third less time than counting all three."""
    lines = block.replace(b"\r\n", b"\n")
    return b"\r" in lines or lines.count(b"\n") != len(block) - len(lines)


def _mended(block: bytes) -> bytes:
    """Each line end as CRLF.

    Quirk (programs that write CRLF through a text file of Windows): CR CR LF, one line end as for Postfix and Exim. Two
    of them would be an empty line, which ends the header: Bcc would stay in the text, for all to read.
    """
    return _LINE_END.sub(b"\n", block).replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def _crs(data: bytes, stop: int) -> int:
    """How many CRs right before `stop` an LF may still follow."""
    tail = data[max(0, stop - _MAX_CRS) : stop]
    return len(tail) - len(tail.rstrip(b"\r"))


class DataReceiver:
    """After `DataEnd`, `rest` holds the bytes that followed (pipelining)."""

    def __init__(self, max_size: int, *, mend: bool = False) -> None:
        self._max_size, self._mend = max_size, mend
        self._size, self._bare = -2, False
        self._held = b"\r\n"  # Data begins at the start of a line; this CRLF is never handed out.
        self.rest = b""

    def feed(self, data: bytes) -> list[bytes | DataEnd]:
        """Blocks of content, of which the last may be followed by DataEnd; then it must not be called again."""
        data = self._held + data
        dotted = b"." in data and _DOT in data  # Large content is base64, which has no dots.
        end = data.find(END) if dotted else -1
        if end < 0:
            hold = next(n for n in range(4, -1, -1) if data.endswith(END[:n]))
            if not hold and self._mend:
                hold = 1 if data.endswith(b"\n") else 2 if data.endswith(b"\n.") else 0
            elif hold and self._mend:
                hold += _crs(data, len(data) - hold + 1) - 1
            block, self._held = data[: len(data) - hold], data[len(data) - hold :]
            return self._block(block, dotted=dotted)
        self.rest = data[end + 5 :]
        blocks = self._block(data[: end + 2], dotted=dotted)
        return [*blocks, DataEnd(self._size, self._size > self._max_size, self._bare and not self._mend)]

    def _block(self, block: bytes, *, dotted: bool) -> list[bytes | DataEnd]:
        # Whole pairs only: a CR at the end is held back by `feed`.
        bare = _bare(block)
        if bare and self._mend:
            block = _BARE_DOTS.sub(b"\n.", block)
        text = block.replace(_DOT, b"\r\n") if dotted else block  # RFC 5321 4.5.2
        if bare:
            self._bare = True
            if self._mend:
                text = _mended(text)
        start = 2 if self._size == -2 and text else 0
        self._size += len(text)
        if self._size > self._max_size:
            return [b""]  # Read on, or the rest would be taken for commands; the session sees that the peer is alive.
        return [text[start:]] if len(text) > start else []


class ChunkReceiver:
    """The content of one message by BDAT. `begin` at each chunk; then `feed` until it has given the chunk's end, after
    which `rest` holds the bytes that followed."""

    def __init__(self, max_size: int, *, mend: bool = False) -> None:
        self._max_size, self._mend = max_size, mend
        self._size, self._bare, self._last, self._left = 0, False, False, 0
        self._held = b""  # CRs: their LF may be the first octet of the next piece, or of the next chunk.
        self.rest = b""

    def begin(self, size: int, *, last: bool) -> None:
        self._left, self._last, self.rest = size, last, b""

    def feed(self, data: bytes) -> list[bytes | DataEnd | ChunkEnd]:
        """Blocks of content, the last of which may be followed by the end of the chunk."""
        block, self.rest = (data, b"") if len(data) <= self._left else (data[: self._left], data[self._left :])
        self._left -= len(block)
        out: list[bytes | DataEnd | ChunkEnd] = []
        self._take(block, out, final=self._last and not self._left)
        if not self._left:
            oversize = self._size > self._max_size
            bare = self._bare and not self._mend
            out.append(DataEnd(self._size, oversize, bare) if self._last else ChunkEnd(self._size, oversize))
        return out

    def _take(self, block: bytes, out: list[bytes | DataEnd | ChunkEnd], *, final: bool) -> None:
        if self._held:
            block, self._held = self._held + block, b""
        if not final and block.endswith(b"\r"):
            held = _crs(block, len(block)) if self._mend else 1
            block, self._held = block[:-held], block[-held:]
        if _bare(block):
            self._bare = True
            if self._mend:
                block = _mended(block)
        self._size += len(block)
        if block:
            out.append(block if self._size <= self._max_size else b"")
