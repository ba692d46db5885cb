import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whimbrel.mail.decoding.charset import codec, guess, to_text
from whimbrel.mail.decoding.encoded import Decoder, base64, content, words


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"=?iso-8859-1?Q?Keld_J=F8rn?= <x>", "Keld Jørn <x>"),
        (b"=?UTF-8?B?4pya?=", "♚"[:0] + "✚"),
        (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),  # RFC 2047 8
        (b"(=?ISO-8859-1?Q?a?= b)", "(a b)"),
        (b"=?utf-8*en?q?x?=", "x"),  # RFC 2231 5
        (b"=?utf-8?B?w6k?= =?utf-8?B?w6k=?=", "éé"),  # padding forgotten
        (b"=?utf-8?Q?=C3?= =?utf-8?Q?=A9?=", "é"),  # a character cut in two
        (b"=?nonsense?Q?=C3=A9?=", "é"),
        (b"=?zlib?B?eJwDAAAAAAE=?=", guess(b"x\x9c\x03\x00\x00\x00\x00\x01")),
        (b"=?utf-8?X?y?=", "=?utf-8?X?y?="),
        (b"=?utf-8?Q?unfinished", "=?utf-8?Q?unfinished"),
        ("Grüße".encode(), "Grüße"),
        (b"Gr\xfc\xdfe", "Grüße"),
        (b"=?gb2312?B?0KHH2g==?=", "小勤"),
        (b"=?ks_c_5601-1987?B?x9GxuQ==?=", "한국"),
    ],
)
def test_header_text_is_decoded(raw: bytes, text: str) -> None:
    assert words(raw) == text


def test_charset_names_of_all_kinds_are_known() -> None:
    for name in ("UTF8", "utf-8", "unicode-1-1-utf-8", "us-ascii", "ANSI_X3.4-1968", "latin1", "iso_8859-15",
                 "Windows-1251", "cp-850", "x-sjis", "KOI8-R", "euc-jp", "iso-2022-jp", "big5-hkscs", "macintosh",
                 "iso-8859-8-i", "ISO-8859-11", "hz-gb-2312", "utf-16le", "tis-620"):  # fmt: skip
        assert codec(name), name


def test_codecs_that_are_no_charsets_are_unknown() -> None:
    for name in ("punycode", "idna", "unicode_escape", "raw_unicode_escape", "zlib", "base64", "rot13", "mbcs",
                 "undefined", "../x", "utf-8-sig\0", ""):  # fmt: skip
        assert codec(name) is None, name


def test_undecodable_bytes_become_replacement_characters() -> None:
    assert to_text("äöü".encode() + b"\xffb", "utf-8") == "äöü\ufffdb"


def test_text_cut_within_a_character_is_still_utf8() -> None:
    assert guess("éé".encode()[:-1]) == "é"
    assert guess(b"caf\xe9") == "café"


def test_base64_skips_what_is_foreign_and_reads_on_after_padding() -> None:
    assert base64(b"QU\r\nJD!\r\n") == b"ABC"
    assert base64(b"QQ==QkM=") == b"ABC"
    assert base64(b"QUJDR") == b"ABC"
    assert base64(b"") == b""


def test_content_knows_its_encodings_in_any_case() -> None:
    assert content(b"=41=\r\nB", b"Quoted-Printable ") == b"AB"
    assert content(b"QQ==", b"BASE64") == b"A"
    assert content(b"QQ==", b"x-unknown") == b"QQ=="


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"one  \r\ntwo\t\r\n", b"one\r\ntwo\r\n"),  # RFC 2045 6.7 rule 3
        (b"one \ntwo \t ", b"one\ntwo"),
        (b"one=20 \r\ntwo=09", b"one \r\ntwo\t"),
        (b"wo= \r\nrd", b"word"),  # rule 5; transport padding behind the soft line break
        (b"wo=\t \nrd=", b"word"),
        (b"  kept  inside  \r\n", b"  kept  inside\r\n"),
        (b"a=\rb\r\nc", b"a=\rb\r\nc"),  # A CR alone is no line end.
        (b"a \r b \r\n", b"a \r b\r\n"),
        (b"=G0 =4", b"=G0 =4"),
        (b" " * 2000 + b"\r\nx", b" " * 2000 + b"\r\nx"),
    ],
)
def test_blanks_at_the_end_of_a_quoted_printable_line_are_none(raw: bytes, text: bytes) -> None:
    assert content(raw, b"quoted-printable") == text


PIECES = st.sampled_from(
    [b" ", b"\t", b"=", b"=4", b"1", b"\r", b"\n", b"\r\n", b" " * 997, b"x" * 70_000, b"=41", b"b"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=12), st.integers(1, 99_000), st.sampled_from([b"quoted-printable", b"base64"]))
def test_a_stream_decodes_to_what_the_whole_does(pieces: list[bytes], size: int, encoding: bytes) -> None:
    data = b"".join(pieces)
    for step in (size, 1 if len(data) < 3000 else 997):
        decoder = Decoder(encoding)
        out = b"".join(decoder.feed(data[at : at + step]) for at in range(0, len(data), step))
        assert out + decoder.finish() == content(data, encoding)


def test_what_a_stream_holds_back_is_bounded() -> None:
    decoder = Decoder(b"quoted-printable")
    out = sum(len(decoder.feed(b" " * 50_000)) for _ in range(40))
    assert out > 1_900_000
