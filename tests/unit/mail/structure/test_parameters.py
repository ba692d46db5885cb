import pytest

from whimbrel.mail.structure.parameters import disposition, encoding, media_type, tokens


@pytest.mark.parametrize(
    ("raw", "parameters"),
    [
        (b"text/plain; charset=utf-8", [(b"charset", b"utf-8")]),
        (b"text / plain ; Name = x", [(b"Name", b"x")]),
        (b'text/plain;name="a\\"b;c"; x=y', [(b"name", b'a"b;c'), (b"x", b"y")]),
        (b"text/plain (a (nested) comment); a=b (c)", [(b"a", b"b")]),
        (b"text/plain;; charset; a=b;", [(b"a", b"b")]),
        (b"image/gif; name=my photo.gif", [(b"name", b"my photo.gif")]),  # quotes forgotten
        (b"image/gif; name=a\tserver=b; x=y", [(b"name", b"a"), (b"x", b"y")]),  # semicolon forgotten
        (b"multipart/mixed; boundary=----=_x", [(b"boundary", b"----=_x")]),
        (b'a/b; n*0="one "; n*1=two', [(b"n", b"one two")]),  # RFC 2231 3
        (b"a/b; n*=utf-8'de'a%20b", [(b"n*", b"utf-8'de'a%20b")]),
        (b"a/b; n*1*=%20x; n*0*=utf-8''a; n*2=%", [(b"n*", b"utf-8''a%20x%25")]),
        (b"a/b; n*0=a; n*2=c", [(b"n", b"a")]),
    ],
)
def test_parameters_are_read(raw: bytes, parameters: list[tuple[bytes, bytes]]) -> None:
    found = media_type(raw)
    assert found and list(found.parameters) == parameters


@pytest.mark.parametrize("raw", [b"", b"text", b"/plain", b"; charset=x", b"text/", b"multipart/mixed x; boundary=b"])
def test_a_type_that_cannot_be_read_is_none(raw: bytes) -> None:
    assert media_type(raw) is None


def test_extended_parameters_are_decoded() -> None:
    found = disposition(b"attachment; filename*0*=iso-8859-1''%e4%20; filename*1=\"b.txt\"")
    assert found and found.main == b"attachment" and found.text(b"filename") == "ä b.txt"


def test_encoded_words_in_parameters_are_read_too() -> None:
    found = disposition(b'attachment; filename="=?utf-8?q?=C3=A4?=.txt"')
    assert found and found.text(b"filename") == "ä.txt"
    assert found.text(b"absent") is None


def test_transfer_encodings() -> None:
    for raw, word in ((b"base64", b"base64"), (b" 8BIT (c)", b"8BIT"), (b"quoted-printable;", b"quoted-printable"),
                      (b"x-own", b"x-own"), (b"8 bit", b""), (b"", b"")):  # fmt: skip
        assert encoding(raw) == word


def test_lists_of_words() -> None:
    assert tokens(b"en, de (German) ,fr,,") == [b"en", b"de", b"fr"]
