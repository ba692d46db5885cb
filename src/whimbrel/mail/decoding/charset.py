"""Charset names as they stand in mail, and decoding with them.

Names are looked up in a table of ours (`labels`): Python's own look-up would try to import a module for every unknown
name and remember each, and it knows codecs that are none (punycode). Wrong and unknown charsets are no error.

All readers of mail (PREVIEW, SEARCH, SORT, THREAD) come through `to_text`, so that each sees the same text.

Standards: RFC 2045 5.1 (charset parameter), RFC 2047 2, RFC 6532, WHATWG Encoding 4.2 (labels; iso-8859-1 is read as
windows-1252, gb2312 as gb18030 and so on, since that is what senders mean). Where browsers refuse to decode
(hz-gb-2312, iso-2022-kr, iso-2022-cn) or guess nothing (x-user-defined) old mail is read all the same.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from whimbrel.mail.decoding.labels import NAMES, fold
from whimbrel.mail.decoding.stateful import euc_jp, iso2022_jp, shifted

_WIDER = {
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso2022_jp_1": "iso2022_jp",
    "iso2022_jp_2": "iso2022_jp",
    "iso2022_jp_ext": "iso2022_jp",
}
_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_KOI8_RU = str.maketrans("\u255d\u256c", "\u045e\u040e")


def _big5(data: bytes) -> str:
    """Hong Kong's additions first, then those of Windows."""
    try:
        return data.decode("big5hkscs")
    except UnicodeDecodeError:
        try:
            return data.decode("cp950")
        except UnicodeDecodeError:
            return data.decode("big5hkscs", "replace")


_OWN: Final[dict[str, Callable[[bytes], str]]] = {
    "euc_jp": euc_jp,
    "iso2022_jp": iso2022_jp,
    "iso2022_kr": lambda data: shifted(data, "cp949"),
    "iso2022_cn": lambda data: shifted(data, "gb18030"),
    "big5hkscs": _big5,
    "hz": lambda data: data.decode("hz" if data.isascii() else "gb18030", "replace"),
    "utf_16": lambda data: data.decode("utf_16" if data[:2] in _MARKS else "utf_16_le", "replace"),
    "utf_32": lambda data: data.decode("utf_32" if data[:4] in _MARKS else "utf_32_le", "replace"),
    "koi8_u": lambda data: data.decode("koi8_u", "replace").translate(_KOI8_RU),
}
"""Charsets that Python's codec of that name reads otherwise than senders write them."""
_NOT_ASCII: Final = frozenset(
    ("cp037", "cp1026", "cp1140", "hz", "iso2022_jp", "iso2022_jp_3", "iso2022_jp_2004", "iso2022_kr", "iso2022_cn",
     "utf_7", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le")
)  # fmt: skip
"""Octets below 128 are not ASCII in these."""
_SINGLE: Final = re.compile(r"cp12|cp8|iso8859|latin|koi8|mac|kz|ptcp|hp")
"""Codecs of one octet a character: text of theirs beyond ASCII is hardly ever valid UTF-8."""
_ESCAPES: Final = (
    (b"\x1b$)C", "iso2022_kr"),
    (b"\x1b$)A", "iso2022_cn"),
    (b"\x1b$", "iso2022_jp"),
    (b"\x1b(I", "iso2022_jp"),
)
_CHANCE: Final = 6
"""Three characters of three octets each: less can be valid UTF-8 and East Asian text alike."""
_SAMPLE: Final = 10_000
"""Characters that are looked at for a guess."""


@lru_cache(256)
def codec(name: str) -> str | None:
    """Python's name for the charset `name`, or None if it is not known."""
    known = NAMES.get(fold(name[:60]))
    return _WIDER.get(known, known) if known else None


def to_text(data: bytes, charset: str = "") -> str:
    """`data` as text. Undecodable bytes become U+FFFD; a charset that is unknown, missing or plainly wrong is guessed.
    Never raises."""
    known = codec(charset) if charset else None
    if data.isascii() and known not in _NOT_ASCII:
        return _seven_bit(data)
    if known is None or known == "ascii":
        return guess(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _broken_utf8(data) if known == "utf_8" else _decoded(data, known)
    # UTF-8 under a wrong name, unless it is so short that it may be chance.
    surplus = 0 if known == "utf_8" or _SINGLE.match(known) else _CHANCE
    return text if len(data) - len(text) >= surplus and known not in _NOT_ASCII else _decoded(data, known)


def _decoded(data: bytes, known: str) -> str:
    decode = _OWN.get(known)
    try:
        return decode(data) if decode else data.decode(known, "replace")
    except (UnicodeError, ValueError, OverflowError):  # Some codecs raise in spite of "replace".
        return guess(data)


def guess(data: bytes) -> str:
    """Text whose charset nobody named: UTF-8 if it is that (also cut off within a character), else windows-1252; what
    escape sequences of ISO-2022 tell otherwise."""
    if data.isascii():
        return _seven_bit(data)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if error.end == len(data) and error.start > len(data) - 4 and not data[: error.start].isascii():
            return data[: error.start].decode()
        return data.decode("cp1252", "replace")


def _seven_bit(data: bytes) -> str:
    """Whatever its label says: nothing else has escape sequences that designate a charset."""
    if b"\x1b" in data:
        for mark, known in _ESCAPES:
            if mark in data:
                return _OWN[known](data)
    return data.decode("ascii")


def _broken_utf8(data: bytes) -> str:
    """UTF-8 with faults if most of it is that, else windows-1252 under a wrong name."""
    text = data.decode("utf_8", "replace")
    beyond = sum(not char.isascii() for char in text[:_SAMPLE])
    return data.decode("cp1252", "replace") if 2 * text.count("\ufffd", 0, _SAMPLE) > beyond else text
