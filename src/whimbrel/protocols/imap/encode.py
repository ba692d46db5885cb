"""Responses as bytes: strings, flags, mailbox names, human-readable text.

Standards: RFC 3501 4 (data formats), 7 (responses), 9 (formal syntax)
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from whimbrel.core.mailbox import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from whimbrel.protocols.imap import utf7

_ATOM = re.compile(rb"""[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+\Z""")
_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_MAX_QUOTED = 1024

FLAG_NAMES: tuple[tuple[int, str], ...] = (
    (ANSWERED, "\\Answered"),
    (FLAGGED, "\\Flagged"),
    (DELETED, "\\Deleted"),
    (SEEN, "\\Seen"),
    (DRAFT, "\\Draft"),
)


def literal(data: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(data), data)


def string(data: bytes) -> bytes:
    """Quoted where it can be, else a literal."""
    if len(data) <= _MAX_QUOTED and _QUOTABLE.match(data):
        return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return literal(data)


def astring(data: bytes) -> bytes:
    """An atom where it can be. `NIL` is quoted: some clients take it for nothing."""
    return data if _ATOM.match(data) and data.upper() != b"NIL" else string(data)


def nstring(data: bytes | None) -> bytes:
    return b"NIL" if data is None else string(data)


def mailbox(name: str, *, utf8: bool = False) -> bytes:
    """A mailbox name as it goes on the wire: modified UTF-7, or UTF-8. RFC 3501 5.1.3, RFC 6855 3"""
    if not utf8 or name.isascii():
        return astring(name.encode() if utf8 else utf7.encode(name))
    return b'"' + name.encode("utf-8", "replace").replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def mailbox_text(name: str, *, utf8: bool = False) -> bytes:
    """The same without quotes, for where a string always stands."""
    return name.encode("utf-8", "replace") if utf8 else utf7.encode(name)


@lru_cache(8192)
def flag_text(flags: int, keywords: str, recent: bool) -> str:
    r"""`\Seen $Forwarded`: what stands between the parentheses. `keywords` have one space between."""
    names = [name for bit, name in FLAG_NAMES if flags & bit]
    if recent:
        names.append("\\Recent")
    if keywords:
        names.append(keywords)
    return " ".join(names)


@lru_cache(8192)
def flag_list(flags: int, keywords: str, recent: bool) -> bytes:
    """With its parentheses."""
    return f"({flag_text(flags, keywords, recent)})".encode("ascii", "replace")


def text(words: str) -> bytes:
    """Words for people, as resp-text: never empty, never more than a line."""
    return _CONTROL.sub(" ", words).strip().encode("ascii", "replace") or b"-"


def parenthesised(items: Iterable[bytes]) -> bytes:
    return b"(" + b" ".join(items) + b")"
