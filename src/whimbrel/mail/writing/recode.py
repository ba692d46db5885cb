"""Encodings for the body of a part, piece by piece: what goes in is any octets, what comes out is ASCII in short lines.

Each keeps a line at most. A line that an encoding begins anew never begins with two hyphens: it could be taken for a
delimiter.

Standards: RFC 2045 6.7 (quoted-printable), 6.8 (base64), RFC 5322 2.2.3 (folding)
"""

import binascii
import re
from typing import Final, Protocol

from whimbrel.mail.structure.octets import LONGEST

_HELD: Final = 16 * 1024
"""Octets of a line that are waited for."""
_SOFT: Final = b"=\r\n"
_HYPHENS: Final = re.compile(rb"(?<==\r\n)-{2,}")
_EIGHT: Final = re.compile(rb"[\x80-\xff]")
_SHORT: Final = re.compile(rb"(?:=[0-9A-Fa-f]{2}|.){1,25}", re.DOTALL)
_NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_QUESTION: Final = bytes(range(128)) + b"?" * 128


class Recoder(Protocol):
    def feed(self, piece: bytes) -> bytes: ...

    def end(self) -> bytes: ...


class _ByLine:
    """Whole lines, and of very long ones as much as there is, with a soft line break."""

    def __init__(self) -> None:
        self._held = b""
        self._soft = False  # What comes next continues a line.

    def feed(self, piece: bytes) -> bytes:
        data = self._held + piece
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) > _HELD:
            cut = self._cut(data)
            self._held = data[cut:]
            return self._out(data[:cut], soft=True)
        self._held = data[cut:]
        return self._out(data[:cut], soft=False) if cut else b""

    def end(self) -> bytes:
        data, self._held = self._held, b""
        return self._out(data, soft=False)

    def _out(self, data: bytes, *, soft: bool) -> bytes:
        before = _SOFT if self._soft else b""
        wire = before + self._encode(data) + (_SOFT if soft else b"")
        self._soft = soft
        return _HYPHENS.sub(_spelt, wire)[len(before) :]

    def _cut(self, data: bytes) -> int:
        """A place in a line without end where it may be broken."""
        return len(data) - data.endswith(b"\r")

    def _encode(self, data: bytes) -> bytes:
        raise NotImplementedError


def _spelt(match: re.Match[bytes]) -> bytes:
    """Hyphens encoded, in lines of their own, as the line they stand in may have no room for more."""
    count = len(match[0])
    return b"".join(b"=2D" * min(24, count - at) + _SOFT for at in range(0, count, 24))


class QuotedPrintable(_ByLine):
    """Of text: bare CR and bare LF are line ends like CRLF, as they are on the wire."""

    def _encode(self, data: bytes) -> bytes:
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return binascii.b2a_qp(lines, istext=True).replace(b"\n", b"\r\n")


class MendedQuotedPrintable(_ByLine):
    """Of what is quoted-printable but for some octets above 127, and lines that are too long."""

    def _encode(self, data: bytes) -> bytes:
        return b"".join(map(_mended, data.splitlines(keepends=True)))

    def _cut(self, data: bytes) -> int:
        """Not within "=XX"."""
        cut = super()._cut(data)
        equals = data.rfind(b"=", cut - 2, cut)
        return cut if equals < 0 else equals


def _mended(line: bytes) -> bytes:
    text = line.rstrip(b"\r\n")
    wire = _EIGHT.sub(lambda match: b"=%02X" % ord(match[0]), text)
    if len(wire) > 76:
        wire = _SOFT.join(_SHORT.findall(wire))
    return wire + line[len(text) :]


class _ByGroup:
    """So many octets a line; nothing hangs on the line ends."""

    group = 76

    def __init__(self) -> None:
        self._held = b""
        self._end = b""  # Of the line before.

    def feed(self, piece: bytes) -> bytes:
        data = self._held + piece
        whole = len(data) - len(data) % self.group
        self._held = data[whole:]
        return self._lines(data[:whole])

    def end(self) -> bytes:
        return self._lines(self._held)

    def _lines(self, data: bytes) -> bytes:
        out = []
        for at in range(0, len(data), self.group):
            out.append(self._end + self._encode(data[at : at + self.group]))
            self._end = b"\r\n"
        return b"".join(out)

    def _encode(self, octets: bytes) -> bytes:
        return octets


class Base64(_ByGroup):
    """Of any octets."""

    group = 57

    def _encode(self, octets: bytes) -> bytes:
        return binascii.b2a_base64(octets, newline=False)


class RewrappedBase64(_ByGroup):
    """Of base64 whose lines are too long, or that has octets which are not of it."""

    def feed(self, piece: bytes) -> bytes:
        return super().feed(piece.translate(None, _NOT_BASE64))


class Ascii:
    """Of what has no encoding and ought to be ASCII: question marks for what is not, long lines folded."""

    def __init__(self) -> None:
        self._line = 0

    def feed(self, piece: bytes) -> bytes:
        out: list[bytes] = []
        for line in piece.translate(_QUESTION).split(b"\n"):
            if out:
                out.append(b"\n")
                self._line = 0
            while self._line + len(line) > LONGEST:
                room = max(LONGEST - 2 - self._line, 0)
                out.append(line[:room] + b"\r\n ")
                line, self._line = line[room:], 1
            out.append(line)
            self._line += len(line)
        return b"".join(out)

    def end(self) -> bytes:
        return b""
