"""Every charset of the WHATWG Encoding Standard, under each of its labels, and under wrong ones."""

import base64

import pytest

from whimbrel.mail.decoding.charset import codec, to_text
from whimbrel.mail.decoding.encoded import words
from whimbrel.mail.scan import scan
from whimbrel.mail.text.searchable import searchable

# WHATWG Encoding 4.2: the first label of each line is given as Python's codec for the sample; "-": no sample.
LABELS = """
utf_8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8
cp866 866 cp866 csibm866 ibm866
iso8859_2 csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2
iso8859_3 csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3
iso8859_4 csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4
iso8859_5 csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988
iso8859_6 arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i
iso8859_6 iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987
iso8859_7 csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7
iso8859_7 iso_8859-7:1987 sun_eu_greek
iso8859_8 csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8
iso8859_8 iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical
iso8859_10 csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6
iso8859_13 iso-8859-13 iso8859-13 iso885913
iso8859_14 iso-8859-14 iso8859-14 iso885914
iso8859_15 csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9
iso8859_16 iso-8859-16
koi8_r cskoi8r koi koi8 koi8-r koi8_r
koi8_u koi8-ru koi8-u
mac_roman csmacintosh mac macintosh x-mac-roman
cp874 dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874
cp1250 cp1250 windows-1250 x-cp1250
cp1251 cp1251 windows-1251 x-cp1251
cp1252 ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1
cp1252 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252
cp1253 cp1253 windows-1253 x-cp1253
cp1254 cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 windows-1254
cp1255 cp1255 windows-1255 x-cp1255
cp1256 cp1256 windows-1256 x-cp1256
cp1257 cp1257 windows-1257 x-cp1257
cp1258 cp1258 windows-1258 x-cp1258
mac_cyrillic x-mac-cyrillic x-mac-ukrainian
gbk chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk
gb18030 gb18030
big5hkscs big5 big5-hkscs cn-big5 csbig5 x-x-big5
euc_jp cseucpkdfmtjapanese euc-jp x-euc-jp
iso2022_jp csiso2022jp iso-2022-jp
cp932 csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis
cp949 cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949
iso2022_kr csiso2022kr iso-2022-kr
hz hz-gb-2312
utf_16_be unicodefffe utf-16be
utf_16_le csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le
"""
SAMPLES = {
    "utf_8": "Grüße 日本", "cp866": "Привет", "iso8859_2": "Zażółć", "iso8859_3": "Ĉu vi", "iso8859_4": "Ķēž",
    "iso8859_5": "Привет", "iso8859_6": "مرحبا", "iso8859_7": "Γειά", "iso8859_8": "שלום", "iso8859_10": "Þetta ð",
    "iso8859_13": "Ačiū", "iso8859_14": "Ẁŵ", "iso8859_15": "10 €", "iso8859_16": "Țară", "koi8_r": "Привет",
    "koi8_u": "Привіт", "mac_roman": "Grüße", "cp874": "สวัสดี", "cp1250": "Zażółć", "cp1251": "Привет",
    "cp1252": "Grüße “x”", "cp1253": "Γειά", "cp1254": "Teşekkür", "cp1255": "שלום", "cp1256": "مرحبا",
    "cp1257": "Ačiū", "cp1258": "Tiếng", "mac_cyrillic": "Привет", "gbk": "中文鎔", "gb18030": "中文㐂",
    "big5hkscs": "中文測試", "euc_jp": "日本語", "iso2022_jp": "日本語", "cp932": "日本語①", "cp949": "한국어똠",
    "iso2022_kr": "한국어", "hz": "中文", "utf_16_be": "Grüße 日本", "utf_16_le": "Grüße 日本",
}  # fmt: skip
PAIRS = [(label, line.split()[0]) for line in LABELS.strip().splitlines() for label in line.split()[1:]]


@pytest.mark.parametrize(("label", "name"), PAIRS)
def test_each_label_reads_the_same_in_headers_preview_search_and_sort(label: str, name: str) -> None:
    text = SAMPLES[name]
    if name == "cp1258":  # Vietnamese composes its letters.
        text = "Tiê\u0301ng"
    raw = text.encode(name)
    assert to_text(raw, label) == to_text(raw, label.upper()) == text
    word = f"=?{label}?B?{base64.b64encode(raw).decode()}?="
    head = f'From: {word} <a@example.com>\r\nSubject: {word}\r\nContent-Type: text/plain; charset="{label}"\r\n'
    mail = head.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(raw)
    answer = scan(mail)
    assert answer.preview == text
    assert answer.subject == answer.sort.subject == answer.sort.display_from == text.casefold()
    assert sum(text.casefold() in piece for piece in searchable(mail)) == 2  # Header and text.


def jis(text: str) -> bytes:
    """Characters of code page 932 as pairs of JIS X 0208, its additions included."""
    out = bytearray()
    for lead, trail in (char.encode("cp932") for char in text):
        row = ((lead - (0x71 if lead < 0xA0 else 0xB1)) << 1) + 1
        if trail >= 0x9F:
            row, cell = row + 1, trail - 0x7E
        else:
            cell = trail - (0x20 if trail >= 0x80 else 0x1F)
        out += bytes((row, cell))
    return bytes(out)


ADDITIONS = "①⑳Ⅳ㎜㈱纊黑～－￠"


def test_what_windows_adds_to_japanese_is_read_in_all_three_charsets() -> None:
    pairs = jis(ADDITIONS)
    for label, raw in (
        ("iso-2022-jp", b"\x1b$B" + pairs + b"\x1b(B"),
        ("cp50221", b"\x1b$@" + pairs + b"\x1b(J"),
        ("euc-jp", bytes(byte | 0x80 for byte in pairs)),
        ("shift_jis", ADDITIONS.encode("cp932")),
    ):
        assert to_text(raw, label) == ADDITIONS, label


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a\x1b$B" + jis("日本") + b"\x1b(Bz", "a日本z"),
        (b"\x1b$B" + jis("日") + b"\r\nplain", "日\r\nplain"),  # The way back to ASCII was forgotten.
        (b"\x1b(I1\x1b(B", "ｱ"),
        (b"\x1b(J\\~\x1b(B\\~", "¥‾\\~"),
        (b"\x1b$(D0!\x1b(B", "丂"),
        (b"\x1b$A<R\x1b(B", "家"),
        (b"\x1b$B%", "\ufffd"),
        (b"\x1b$B%\x1b(Bab", "\ufffdab"),
        ("日本".encode("cp932"), "日本"),
        ("日本".encode("euc_jp"), "日本"),
        ("日本".encode(), "日本"),
        (b"\x1b\x1b$", "\x1b\x1b$"),
    ],
)
def test_iso_2022_jp_and_what_is_sent_under_its_name(raw: bytes, text: str) -> None:
    assert to_text(raw, "iso-2022-jp") == text


def test_escape_sequences_are_understood_under_any_name_and_none() -> None:
    raw = b"\x1b$B" + jis("日本①") + b"\x1b(B"
    for label in ("", "us-ascii", "utf-8", "shift_jis", "nonsense", "iso-8859-1"):
        assert to_text(raw, label) == "日本①", label
    assert words(raw) == "日本①"
    assert scan(b"A: 1\r\n\r\n" + raw).preview == "日本①"
    assert to_text("한국".encode("iso2022_kr")) == "한국"


def test_shift_out_and_in() -> None:
    assert to_text(b"\x1b$)A\x0eVPND\x0f ok", "iso-2022-cn") == "中文 ok"
    assert to_text(b"\x0eGQ19\x0f", "iso-2022-kr") == "한국"  # The designation stands elsewhere.
    assert to_text(b"\x1b$)G\x0eabcd\x0f!", "iso-2022-cn") == "\ufffd\ufffd!"


@pytest.mark.parametrize("label", ["us-ascii", "iso-8859-1", "windows-1251", "koi8-r", "x-user-defined", "x-unknown"])
def test_utf8_under_the_name_of_a_single_octet_charset(label: str) -> None:
    assert to_text("Grüße".encode(), label) == "Grüße"


def test_utf8_under_an_east_asian_name_once_it_is_no_chance() -> None:
    for label in ("gb2312", "euc-kr", "shift_jis", "big5", "iso-2022-jp"):
        assert to_text("中文測試".encode(), label) == "中文測試", label
    assert to_text("小".encode("gbk"), "gb2312") == "小"


def test_latin_under_the_name_of_utf8() -> None:
    assert to_text(b"Gr\xfc\xdfe", "utf-8") == "Grüße"
    assert to_text("Grüße, 日".encode()[:-1], "utf-8") == "Grüße, \ufffd"  # Cut off, not wrong.


def test_byte_order_marks_and_none() -> None:
    for raw in (b"\xfe\xff\x00A", b"\xff\xfeA\x00", b"A\x00"):
        assert to_text(raw, "utf-16") == "A"


def test_additions_to_big5_of_hong_kong_and_of_windows() -> None:
    assert to_text("\u5605\u569f".encode("big5hkscs"), "big5") == "\u5605\u569f"
    assert to_text(b"\xa3\xe1", "big5") == "€"


def test_hostile_escapes_cost_linear_time_and_never_raise() -> None:
    for raw in (b"\x1b$B" * 200_000, b"\x0e" * 400_000, b"\x1b$)C\x0e" * 100_000, b"\x1b$(D" + b"0" * 400_001,
                b"\x1b$B" + b"\xff" * 400_000, b"\x1b$B" + b"!\n" * 200_000):  # fmt: skip
        for label in ("iso-2022-jp", "iso-2022-kr", "euc-jp"):
            to_text(raw, label)


def test_each_label_names_a_codec() -> None:
    assert all(codec(label) for label, _ in PAIRS)
    assert codec("x-user-defined") is None and codec("replacement") is None  # Guessed.
