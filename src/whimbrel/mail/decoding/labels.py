"""Names of charsets as they stand in mail, and the codecs of Python that read them.

Standards: IANA Character Sets, WHATWG Encoding 4.2 (labels)
"""

import re
from encodings.aliases import aliases

_CODECS = """
    ascii big5 big5hkscs cp037 cp437 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 cp864 cp865
    cp866 cp869 cp874 cp932 cp949 cp950 cp1006 cp1026 cp1125 cp1140 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256
    cp1257 cp1258 euc_jp euc_jis_2004 euc_jisx0213 euc_kr gb18030 gb2312 gbk hp_roman8 hz iso2022_cn iso2022_jp
    iso2022_jp_1 iso2022_jp_2 iso2022_jp_3 iso2022_jp_2004 iso2022_jp_ext iso2022_kr iso8859_2 iso8859_3 iso8859_4
    iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10 iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16
    johab koi8_r koi8_t koi8_u kz1048 latin_1 mac_cyrillic mac_greek mac_iceland mac_latin2 mac_roman mac_turkish
    ptcp154 shift_jis shift_jis_2004 shift_jisx0213 tis_620 utf_8 utf_7 utf_16 utf_16_be utf_16_le utf_32 utf_32_be
    utf_32_le
    """
_LABELS = """
    ascii: ansix341968 iso646us usascii
    big5: cnbig5 xbig5 xxbig5
    cp874: dos874
    cp932: windows31j
    euc_jp: cp51932 cseucpkdfmtjapanese eucjpms xeucjp
    euc_kr: cseuckr csksc56011987 isoir149 korean ksc5601 ksc56011987 ksc56011989 ksx1001
    gb2312: chinese cngb csgb2312 csiso58gb231280 gb231280 isoir58
    gbk: xgbk
    iso2022_cn: iso2022cnext
    iso2022_jp: cp50220 cp50221 cp50222 csiso2022jp
    iso2022_kr: csiso2022kr
    iso8859_10: csisolatin6
    iso8859_15: csisolatin9 l9
    iso8859_6: asmo708 csiso88596e csiso88596i ecma114
    iso8859_7: ecma118 elot928 greek8 suneugreek
    iso8859_8: csiso88598e csiso88598i iso88598i logical visual
    koi8_r: cskoi8r koi koi8
    koi8_u: koi8ru
    latin_1: 88591 iso88591
    mac_cyrillic: xmaccyrillic xmacukrainian
    mac_roman: csmacintosh mac macintosh xmacroman
    shift_jis: shiftjisx xsjis
    utf_16: csunicode iso10646ucs2 ucs2 unicode
    utf_16_be: unicodefffe
    utf_16_le: unicodefeff
    utf_7: unicode11utf7 xunicode20utf7
    utf_8: cp65001 unicode11utf8 unicode20utf8 utf8mb4 xunicode20utf8
    """
"""What Python's own aliases lack, folded."""
_OTHERS = re.compile(r"[^a-z0-9]")
_YEAR = re.compile(r":(?:19|20)\d\d\Z")


def fold(name: str) -> str:
    """Letters and digits alone, in lower case, without the year of a registration (`ISO_8859-1:1987`)."""
    return _OTHERS.sub("", _YEAR.sub("", name.lower()))


def _all_names() -> dict[str, str]:
    codecs = frozenset(_CODECS.split())
    names = {fold(alias): codec for alias, codec in aliases.items() if codec in codecs}
    for codec in codecs:
        names[fold(codec)] = codec
        if codec[:2] == "cp":  # windows-1252, cp-850, x-cp1251, ibm850
            for form in ("windows", "xcp", "ibm", "xwindows", "win"):
                names.setdefault(form + codec[2:], codec)
        if codec.startswith("iso8859"):
            names[fold(codec) + "i"] = names[fold(codec) + "e"] = codec
    for line in re.sub(r"\n {8}", " ", _LABELS).strip().splitlines():
        codec, _, labels = line.strip().partition(": ")
        names.update(dict.fromkeys(labels.split(), codec))
    return names


NAMES = _all_names()
"""Codecs by folded names; `iso2022_cn` is one of ours."""
