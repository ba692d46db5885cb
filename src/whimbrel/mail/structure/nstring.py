"""Text of messages as IMAP strings, in the very bytes that a FETCH response carries.

What is 7-bit and harmless becomes a quoted string, everything else a literal: raw 8-bit header text may stand in no
quoted string, and a client reads literals whatever they hold.

Standards: RFC 9051 4.3 (string), 9 (nstring, quoted, literal, QUOTED-CHAR)
"""

from typing import Final

NIL: Final = b"NIL"
_MAX_QUOTED = 1000
_NUL_SIGN = "\ufffd".encode()
"""RFC 9051 9: CHAR8 excludes NUL, in literals too."""


def string(value: bytes) -> bytes:
    """`value` as quoted string or literal. CR and LF are left out: unfolding a field means dropping its line ends."""
    if value.isalnum() and value.isascii() and len(value) <= _MAX_QUOTED:  # Most values are such words.
        return b'"%b"' % value
    if b"\n" in value or b"\r" in value:
        value = value.replace(b"\r", b"").replace(b"\n", b"")
    if b"\0" in value:
        value = value.replace(b"\0", _NUL_SIGN)
    if not value.isascii() or len(value) > _MAX_QUOTED:
        return b"{%d}\r\n%b" % (len(value), value)
    if b"\\" in value or b'"' in value:
        return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%b"' % value


def nstring(value: bytes | None) -> bytes:
    return NIL if value is None else string(value)
