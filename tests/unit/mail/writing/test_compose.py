from whimbrel.mail.structure import header
from whimbrel.mail.writing.compose import crlf, field, fold, mailbox, multipart, text_part


def test_a_long_field_is_folded_at_spaces() -> None:
    raw = field("Subject", "word " * 60)
    assert all(len(line) <= 78 for line in raw.split(b"\r\n"))
    assert header.unfold(raw) == b"Subject: " + b" ".join([b"word"] * 60)


def test_what_cannot_be_folded_is_cut_at_the_hard_limit() -> None:
    raw = fold("X: " + "y" * 3000)
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.count(b"y") == 3000


def test_line_ends_in_a_value_become_spaces() -> None:
    assert field("Subject", "a\r\nBcc: b\0c\u2028d") == b"Subject: a Bcc: b c d\r\n"


def test_text_beyond_ascii_is_encoded_or_kept() -> None:
    assert field("Subject", "Grüße") == b"Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n"
    assert field("Subject", "Grüße", utf8=True) == "Subject: Grüße\r\n".encode()
    long = "ü" * 100
    raw = field("Subject", long)
    assert all(len(word) <= 75 for word in raw[9:].split())  # RFC 2047 2
    assert header.decode(raw[9:]) == long


def test_display_names_are_quoted_where_they_must_be() -> None:
    assert mailbox("Bob", "b@x") == "Bob <b@x>"
    assert mailbox('B. "o", b\\', "b@x") == '"B. \\"o\\", b\\\\" <b@x>'
    assert mailbox("Bö", "b@x") == "=?utf-8?B?QsO2?= <b@x>"
    assert mailbox("", "b@x") == "<b@x>"


def test_line_ends_are_made_crlf() -> None:
    assert crlf(b"a\nb\rc\r\n\n") == b"a\r\nb\r\nc\r\n\r\n"
    assert crlf(b"a\r\n") == b"a\r\n"


def test_text_is_7bit_if_it_can_be() -> None:
    assert (
        text_part("hi") == b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nhi\r\n"
    )
    assert text_part("ü", language="de").endswith(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n")
    assert b"quoted-printable" in text_part("x" * 100)


def test_a_boundary_stands_in_no_part() -> None:
    first = multipart("mixed", [b"\r\nx"], seed="<1@x>")
    boundary = first.split(b'"')[1]
    second = multipart("mixed", [b"\r\n--" + boundary], seed="<1@x>")
    assert second.split(b'"')[1] != boundary
