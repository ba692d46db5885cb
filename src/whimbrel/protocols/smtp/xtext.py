"""xtext, in which parameters of MAIL and RCPT carry any printable ASCII.

What comes out has no control characters: it goes into header fields and logs, where a line end would begin a line of
the client's making.

Standards: RFC 3461 4 (xtext), 4.2 (ORCPT), 4.4 (ENVID); RFC 6533 3 (utf-8-addr-xtext)
"""

import re
from typing import Final

_XTEXT: Final = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
_HEX: Final = re.compile(r"\+([0-9A-F]{2})")
_UTF8: Final = re.compile(r"(?:[^\\]|\\x\{[0-9A-Fa-f]{2,6}\})*\Z")
_ESCAPE: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


def from_xtext(text: str) -> str:
    """ValueError if `text` is not xtext, or stands for more than printable ASCII."""
    if not _XTEXT.match(text):
        raise ValueError("not xtext")
    plain = _HEX.sub(lambda match: chr(int(match[1], 16)), text)
    if not (plain.isascii() and plain.isprintable()):
        raise ValueError("control characters in xtext")
    return plain


def from_utf8_xtext(text: str) -> str:
    r"""An address of the type utf-8: `\x{20AC}` stands for a character, as does UTF-8 itself. ValueError."""
    if not _UTF8.match(text):
        raise ValueError("not utf-8-addr-xtext")
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)  # chr itself raises past U+10FFFF.
    if not plain.isprintable():  # Surrogates are not.
        raise ValueError("control characters in utf-8-addr-xtext")
    return plain
