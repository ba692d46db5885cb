"""Mailbox names on the wire: modified UTF-7, strictly, both ways.

Standards: RFC 3501 5.1.3, RFC 2152
"""

import binascii
import re
from functools import lru_cache

_PLAIN = re.compile(r"[\x20-\x25\x27-\x7e]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SHIFTED = re.compile(rb"[A-Za-z0-9+,]*")


@lru_cache(4096)
def encode(name: str) -> bytes:
    """`Entwürfe` -> `Entw&APw-rfe`. ValueError for a lone surrogate."""
    if name.isascii() and name.isprintable() and "&" not in name:
        return name.encode("ascii")
    out: list[bytes] = []
    at, size = 0, len(name)
    while at < size:
        plain = _PLAIN.match(name, at)
        if plain:
            out.append(plain[0].encode("ascii"))
            at = plain.end()
        elif name[at] == "&":
            out.append(b"&-")
            at += 1
        else:
            end = at
            while end < size and not "\x20" <= name[end] <= "\x7e":
                end += 1
            packed = binascii.b2a_base64(name[at:end].encode("utf-16-be"), newline=False)
            out.append(b"&" + packed.rstrip(b"=").replace(b"/", b",") + b"-")
            at = end
    return b"".join(out)


@lru_cache(4096)
def decode(wire: bytes) -> str:
    """The name that `wire` encodes. ValueError unless it is the one encoding of that name."""
    if b"&" not in wire and wire.isascii():
        name = wire.decode("ascii")
        if name.isprintable() or not name:
            return name
        raise ValueError("a mailbox name has no control characters")
    out: list[str] = []
    at = 0
    while at < len(wire):
        shift = wire.find(b"&", at)
        if shift < 0:
            shift = len(wire)
        out.append(wire[at:shift].decode("ascii"))
        if shift == len(wire):
            break
        match = _SHIFTED.match(wire, shift + 1)
        end = match.end() if match else shift + 1
        if wire[end : end + 1] != b"-":
            raise ValueError("a shift in modified UTF-7 ends with -")
        out.append(_shifted(wire[shift + 1 : end]) if end > shift + 1 else "&")
        at = end + 1
    name = "".join(out)
    if encode(name) != wire:  # Superfluous shifts, set padding bits, ASCII in base64: RFC 3501 5.1.3 forbids them all.
        raise ValueError("not the modified UTF-7 form of a name")
    if _CONTROL.search(name):
        raise ValueError("a mailbox name has no control characters")
    return name


def _shifted(packed: bytes) -> str:
    padded = packed.replace(b",", b"/") + b"=" * (-len(packed) % 4)
    try:
        return binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be")
    except binascii.Error:
        raise ValueError("not base64") from None
