"""Undoing the encodings of mail: encoded words in headers, base64 and quoted-printable in bodies.

Nothing here raises: what cannot be decoded stays as it is, or becomes U+FFFD.

Standards: RFC 2047 (encoded words), RFC 2045 6.7 (quoted-printable), 6.8 (base64), RFC 2231 5 (language), RFC 6532
"""

import binascii
import re

from whimbrel.mail.decoding.charset import guess, to_text

_WORD = re.compile(rb"=\?([A-Za-z0-9][^?*\s]{0,59})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?]{0,2000})\?=")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_NEITHER = bytes(set(_NOT_BASE64) - {0x3D})
_WHITE = b" \t\r\n"
_MAX_LINE = 1 << 16
_MAX_BLANKS = 998
"""At the end of a line: more of them are text, or a piece of a stream could not be decoded before its end."""
_TRAILING = re.compile(rb"(?<![ \t])[ \t]{1,%d}+(?=\r?\n)" % _MAX_BLANKS)
_BLANK_ENDS = (b" \n", b" \r", b"\t\n", b"\t\r")
_BARE_CR = re.compile(rb"=\r(?!\n)")
_UNDECIDED = re.compile(rb"(?:=[0-9A-Fa-f]?)?[ \t]{0,%d}+\r?\Z" % (_MAX_BLANKS + 1))


def words(value: bytes) -> str:
    """An unfolded header value as text: encoded words decoded, raw 8-bit text as UTF-8 (RFC 6532) or guessed."""
    if b"=?" not in value:
        return value.decode("ascii") if value.isascii() and b"\x1b" not in value else guess(value)
    out: list[str] = []
    end = 0
    run = bytearray()  # RFC 2047 5: senders split characters between words all the same, so bytes are joined first.
    run_charset = ""
    for match in _WORD.finditer(value):
        between = value[end : match.start()]
        charset = match[1].decode("latin-1")
        joined = end > 0 and not between.strip(_WHITE)  # 6.2: space between encoded words is not shown.
        if not (joined and charset == run_charset):
            out.append(to_text(bytes(run), run_charset))
            run, run_charset = bytearray(), charset
        if not joined:
            out.append(guess(between))
        run += base64(match[3]) if match[2] in b"bB" else _q(match[3])
        end = match.end()
    out.append(to_text(bytes(run), run_charset))
    out.append(guess(value[end:]))
    return "".join(out)


def _q(data: bytes) -> bytes:
    """RFC 2047 4.2"""
    return binascii.a2b_qp(data, header=True)


def base64(data: bytes) -> bytes:
    """As much as can be read; foreign characters are skipped (RFC 2045 6.8), padding within ends a run."""
    if b"=" not in data.rstrip(b"=\r\n \t-"):
        return _base64(data)
    return b"".join(_base64(run) for run in re.split(rb"=+", data))


def _base64(data: bytes) -> bytes:
    data = data.translate(None, _NOT_BASE64)
    left = len(data) % 4
    if left == 1:
        data = data[:-1]
        left = 0
    return binascii.a2b_base64(data + b"=" * (-left % 4)) if data else b""


def quoted_printable(data: bytes) -> bytes:
    """Blanks at the end of a line are not part of it, also where they follow the `=` of a soft line break."""
    end = len(data) if data.endswith(b"\n") else len(data.rstrip(b"\r").rstrip(b" \t"))
    return _lines(data[:end] if len(data) - end <= _MAX_BLANKS else data)


def _lines(data: bytes) -> bytes:
    """The same; at the end of `data` there is no line end."""
    if any(map(data.__contains__, _BLANK_ENDS)):
        data = _TRAILING.sub(b"", data)
    if b"=\r" in data:  # binascii takes a CR alone for a line end and drops all up to the next LF.
        data = _BARE_CR.sub(b"=3D\r", data)
    return binascii.a2b_qp(data)


class Decoder:
    """`content` for a body that comes in pieces: the same octets in the end, whatever the pieces."""

    def __init__(self, encoding: bytes) -> None:
        self._name = encoding.strip().lower()
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        if self._name == b"base64":
            return self._base64(data)
        if self._name == b"quoted-printable":
            return self._quoted(data)
        return data

    def finish(self) -> bytes:
        """What was held back."""
        held, self._held = self._held, b""
        return content(held, self._name)

    def _base64(self, data: bytes) -> bytes:
        *runs, last = (self._held + data.translate(None, _NEITHER)).split(b"=")
        whole = len(last) - len(last) % 4
        self._held = last[whole:]
        return b"".join([*map(_base64, runs), _base64(last[:whole])])

    def _quoted(self, data: bytes) -> bytes:
        data = self._held + data
        end = data.rfind(b"\n") + 1
        if not end and len(data) > _MAX_LINE:
            # Not between the characters of =XX, nor between = or blanks and the line end that may follow.
            match = _UNDECIDED.search(data, len(data) - _MAX_BLANKS - 4)
            end = match.start() if match else len(data)
        self._held = data[end:]
        return _lines(data[:end])


def content(data: bytes, encoding: bytes) -> bytes:
    """A body without its Content-Transfer-Encoding (any case). RFC 2045 6"""
    name = encoding.strip().lower()
    if name == b"base64":
        return base64(data)
    if name == b"quoted-printable":
        return quoted_printable(data)
    return data
