"""East Asian charsets that Python's codecs read in part only: those that switch by escape sequences or shifts; EUC-JP.

Row 13 (circled digits, Roman numerals) and the IBM rows of Windows code page 932 are in daily use in all three Japanese
charsets, so all are read as browsers and cp50221 read them: JIS X 0208 means what code page 932 has in its place.
What cannot be decoded becomes U+FFFD. Linear in the input; nothing here raises.

Standards: RFC 1468 (ISO-2022-JP), RFC 1554 (ISO-2022-JP-2), RFC 2237 (ISO-2022-JP-1), RFC 1557 (ISO-2022-KR),
RFC 1922 (ISO-2022-CN; CNS 11643 is not decoded: no codec for it exists), WHATWG Encoding 12 (EUC-JP, ISO-2022-JP)
"""

import codecs
import re

_HIGH = bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in range(256))
_DESIGNATIONS = re.compile(rb"\x1b(\$[@AB]|\$\([@ABCD]|\([BJIH])")
_SHIFTED = re.compile(rb"\x1b\$[)*+]([A-Z])|\x0e([^\x0f\n\x1b]*)\x0f?")
_WINDOWS = str.maketrans("\u301c\u2016\u2212\xa2\xa3\xac", "\uff5e\u2225\uff0d\uffe0\uffe1\uffe2")
"""Six signs of JIS X 0208 for which Python's EUC-JP and code page 932 disagree."""
_ROMAN = str.maketrans("\\~", "\xa5\u203e")
_CNS = {b"G": None, b"H": None}
_SETS = {b"A": "gb18030", b"C": "cp949", b"E": "gb18030", **_CNS}
_ERRORS = "whimbrel.jis"


def _windows_rows(error: UnicodeError) -> tuple[str, int]:
    """A pair that Python's EUC-JP does not have, by code page 932."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    data, at = error.object, error.start
    row, cell = (*data[at : at + 2], 0, 0)[:2]
    if not (0xA1 <= row <= 0xFE and 0xA1 <= cell <= 0xFE):
        return "\ufffd", at + 1
    row, cell = row & 0x7F, cell & 0x7F
    lead = ((row - 1) >> 1) + (0x71 if row <= 0x5E else 0xB1)
    trail = cell + (0x7E if row % 2 == 0 else 0x20 if cell >= 0x60 else 0x1F)
    return bytes((lead, trail)).decode("cp932", "replace"), at + 2


codecs.register_error(_ERRORS, _windows_rows)


def euc_jp(data: bytes) -> str:
    return data.decode("euc_jp", _ERRORS).translate(_WINDOWS)


def iso2022_jp(data: bytes) -> str:
    """Each line begins in ASCII (RFC 1468), whatever its sender forgot. Octets above 127 in it are EUC-JP or
    Shift_JIS under a wrong name."""
    text, *rest = _DESIGNATIONS.split(data)
    out = [_unescaped(text)]
    for designation, text in zip(rest[::2], rest[1::2], strict=True):
        line, newline, after = text.partition(b"\n")
        out.append(_designated(designation, line))
        out.append(_unescaped(newline + after))
    return "".join(out)


def _designated(designation: bytes, text: bytes) -> str:
    if designation in (b"$B", b"$@", b"$(B", b"$(@"):
        return euc_jp(text.translate(_HIGH))
    if designation == b"$(D":  # JIS X 0212: in EUC-JP behind a single shift.
        high = text.translate(_HIGH)
        return euc_jp(b"".join([b"\x8f" + high[at : at + 2] for at in range(0, len(high), 2)]))
    if designation in (b"$A", b"$(A", b"$(C"):
        return text.translate(_HIGH).decode(_SETS[designation[-1:]] or "", "replace")
    if designation == b"(I":  # Half-width katakana.
        return text.translate(_HIGH).decode("cp932", "replace")
    return _unescaped(text).translate(_ROMAN) if designation == b"(J" else _unescaped(text)


def _unescaped(text: bytes) -> str:
    if text.isascii():
        return text.decode("ascii")
    for name in ("utf_8", "euc_jp"):
        try:
            return text.decode(name)
        except UnicodeDecodeError:
            pass
    return text.decode("cp932", "replace")


def shifted(data: bytes, charset: str) -> str:
    """ISO-2022-KR and ISO-2022-CN: what stands between SO and SI is of the set last designated, at first `charset`."""
    chosen: str | None = charset
    out, at = [], 0
    for match in _SHIFTED.finditer(data):
        out.append(data[at : match.start()].decode(charset, "replace"))
        at = match.end()
        if match[1]:
            chosen = _SETS.get(match[1], chosen)
        elif chosen:
            out.append(match[2].translate(_HIGH).decode(chosen, "replace"))
        else:
            out.append("\ufffd" * (len(match[2]) // 2))
    out.append(data[at:].decode(charset, "replace"))
    return "".join(out)
