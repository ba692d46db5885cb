"""Charset names as they stand in mail, and decoding with them.

Names are looked up in a table of ours: Python's own look-up would try to import a module for every unknown name and
remember each, and it knows codecs that are none (punycode, unicode_escape). Wrong and unknown charsets are no error.

Standards: RFC 2045 5.1 (charset parameter), RFC 2047 2, RFC 6532; the superset rules are those of browsers
(iso-8859-1 is read as windows-1252, gb2312 as gb18030 and so on), since that is what senders mean.
"""

import re
from encodings.aliases import aliases
from functools import lru_cache

_NAMED = """
    ascii big5 big5hkscs cp037 cp437 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 cp864 cp865
    cp866 cp869 cp874 cp932 cp949 cp950 cp1006 cp1026 cp1125 cp1140 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256
    cp1257 cp1258 euc_jp euc_jis_2004 euc_jisx0213 euc_kr gb18030 gb2312 gbk hp_roman8 hz iso2022_jp iso2022_jp_1
    iso2022_jp_2 iso2022_jp_3 iso2022_jp_2004 iso2022_jp_ext iso2022_kr iso8859_2 iso8859_3 iso8859_4 iso8859_5
    iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10 iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16 johab
    koi8_r koi8_t koi8_u kz1048 latin_1 mac_cyrillic mac_greek mac_iceland mac_latin2 mac_roman mac_turkish ptcp154
    shift_jis shift_jis_2004 shift_jisx0213 tis_620 utf_8 utf_7 utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le
    """
_CODECS = frozenset(_NAMED.split())
_WIDER = {
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso2022_jp": "iso2022_jp_ext",
}
_PLAIN = re.compile(r"[^a-z0-9]")
_NAMES: dict[str, str] = {}


def _fold(name: str) -> str:
    return _PLAIN.sub("", name.lower())


def _learn() -> None:
    for alias, codec in aliases.items():
        if codec in _CODECS:
            _NAMES[_fold(alias)] = codec
    for codec in _CODECS:
        _NAMES[_fold(codec)] = codec
        if codec[:2] == "cp":  # windows-1252, cp-850, x-cp1251, ibm850
            for form in ("windows", "xcp", "ibm", "xwindows", "win"):
                _NAMES.setdefault(form + codec[2:], codec)
        if codec.startswith("iso8859"):
            _NAMES[codec.replace("_", "") + "i"] = _NAMES[codec.replace("_", "") + "e"] = codec
    for part in (*range(2, 12), 13, 14, 15, 16):
        _NAMES.setdefault(f"iso8859{part}", f"iso8859_{part}")
    _NAMES.update(
        {
            "iso88591": "latin_1", "88591": "latin_1", "xsjis": "shift_jis", "xeucjp": "euc_jp", "windows31j": "cp932",
            "ksc56011987": "euc_kr", "ksc5601": "euc_kr", "ksx1001": "euc_kr", "xgbk": "gbk", "gb231280": "gb2312",
            "macintosh": "mac_roman", "xmacroman": "mac_roman", "xmaccyrillic": "mac_cyrillic",
            "iso88598i": "iso8859_8",
            "unicode11utf8": "utf_8", "utf8mb4": "utf_8", "xunicode20utf7": "utf_7", "unicode11utf7": "utf_7",
            "ansix341968": "ascii", "usascii": "ascii", "iso646us": "ascii", "xbig5": "big5", "cp65001": "utf_8",
        }
    )  # fmt: skip


_learn()


@lru_cache(256)
def codec(name: str) -> str | None:
    """Python's name for the charset `name`, or None if it is not known."""
    found = _NAMES.get(_fold(name[:60]))
    return _WIDER.get(found, found) if found else None


def to_text(data: bytes, charset: str = "") -> str:
    """`data` as text. Undecodable bytes become U+FFFD; an unknown or missing charset is guessed. Never raises."""
    known = codec(charset) if charset else None
    if known is None or known == "ascii":
        return guess(data)
    try:
        return data.decode(known, "replace")
    except (UnicodeError, ValueError, OverflowError):
        return guess(data)


def guess(data: bytes) -> str:
    """Text whose charset nobody named: UTF-8 if it is that (also cut off within a character), else windows-1252."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if error.end == len(data) and error.start > len(data) - 4 and not data[: error.start].isascii():
            return data[: error.start].decode()
        return data.decode("cp1252", "replace")
