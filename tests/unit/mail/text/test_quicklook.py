"""What the quick look denies, the decoded text does not hold either."""

from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whimbrel.mail.structure import header
from whimbrel.mail.text.quicklook import QuickLook
from whimbrel.mail.text.searchable import header_text, searchable

WORDS = ("meeting", "tss", "mass", "fi", "kelvin", "straße", "a b", "re: x", "hi", "=", "&", "\u00fcber", "ab", "7")


def holds_body(content: bytes, value: str) -> bool:
    # TEXT: the fields of inner parts, too. The header of the message comes first.
    return any(value in text for text in (*searchable(content, headers=False), *list(searchable(content))[1:]))


def agree(content: bytes, value: str) -> None:
    look = QuickLook(content)
    if look.lacks_body(value):
        assert not holds_body(content, value), value
    if look.lacks_header(value):
        assert value not in header_text(content[: header.end(content)]), value


HIDDEN: list[tuple[str, bytes, str]] = [
    ("base64", b"Content-Transfer-Encoding: base64\r\n\r\nbWVldGluZw==\r\n", "meeting"),
    ("quoted-printable", b"Content-Transfer-Encoding: quoted-printable\r\n\r\nmeet=\r\ning\r\n", "meeting"),
    ("quoted letters", b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=6Deeting\r\n", "meeting"),
    ("entity", b"Content-Type: text/html\r\n\r\n&#109;eeting\r\n", "meeting"),
    ("ligature entity", b"Content-Type: text/html\r\n\r\n&filig;ne\r\n", "fine"),
    ("utf-7", b"Content-Type: text/plain; charset=utf-7\r\n\r\n+AG0-eeting\r\n", "meeting"),
    ("utf-16", b"Content-Type: text/plain; charset=utf-16le\r\n\r\nm\0e\0e\0t\0", "meet"),
    ("sharp s", "Content-Type: text/plain; charset=utf-8\r\n\r\nMa\u00df\r\n".encode(), "mass"),
    ("sharp s in Latin-1", b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nMa\xdf\r\n", "mass"),
    ("Kelvin", "Content-Type: text/plain; charset=utf-8\r\n\r\n\u212aelvin\r\n".encode(), "kelvin"),
    ("ligature", "Content-Type: text/plain; charset=utf-8\r\n\r\n\ufb01ne\r\n".encode(), "fine"),
    ("EBCDIC", b"Content-Type: text/plain; charset=cp037\r\n\r\n" + "meeting".encode("cp037"), "meeting"),
    ("markup within", b"Content-Type: text/html\r\n\r\n<p>one</p>\r\n<p>two</p>\r\n", "one two"),
    ("numbered charset", b"Content-Type: text/plain; charset*0=utf; charset*1=-7\r\n\r\n+AG0-eeting\r\n", "meeting"),
]


@pytest.mark.parametrize(("name", "content", "value"), HIDDEN, ids=[case[0] for case in HIDDEN])
def test_hidden_text_is_not_denied(name: str, content: bytes, value: str) -> None:
    look = QuickLook(content)
    if holds_body(content, value):
        assert not look.lacks_body(value)
    else:
        assert name == "numbered charset"  # Whether such a name is understood is another's business.


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"Subject: =?utf-8?q?=6Deeting?=\r\n\r\nx", "meeting"),
        (b"Subject: two\r\n words\r\n\r\nx", "two words"),
        (b"Subject :x\r\n\r\nx", "subject: x"),
    ],
)
def test_a_hidden_header_is_not_denied(content: bytes, value: str) -> None:
    assert value in header_text(content[: header.end(content)])
    assert not QuickLook(content).lacks_header(value)


def test_plain_mail_is_denied_without_decoding() -> None:
    plain = b"Subject: hello\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nsome words\r\n"
    assert QuickLook(plain).lacks_body("meeting")
    assert QuickLook(plain).lacks_header("meeting")
    quoted = b"Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n=C3=BC\r\n"
    assert QuickLook(quoted).lacks_body("meeting")
    assert QuickLook(plain).lacks_body("m\u00fcde")


def parts(*heads: bytes) -> bytes:
    top = b"Content-Type: multipart/mixed; boundary=b\r\n\r\nmeet\r\n"
    return top + b"".join([b"--b\r\n" + head + b"\r\nbWVldGluZw==\r\n" for head in heads]) + b"--b--\r\n"


BASE64 = b"Content-Transfer-Encoding: base64\r\n"
PDF = b"Content-Type: application/pdf\r\n"


@pytest.mark.parametrize(
    "content",
    [
        parts(BASE64),
        parts(PDF + BASE64, BASE64),
        parts(BASE64 + b"--x: y\r\n" + PDF),
        parts(b"Content-Type: text/plain\r\n--x: y\r\n" + PDF + BASE64),
        parts(b"Content-Type: text/plain\r\n" + PDF + BASE64),
        parts(PDF + b"Content-Type: text/plain\r\n" + BASE64),
        parts(b"X: y" + PDF + BASE64),
        parts(b"X: y\r\n " + PDF + BASE64),
        parts(b"Content-Type:\r\napplication/pdf\r\n" + BASE64),
        parts(b"Content-Type: application\r\n" + BASE64),
        parts(b"Content-Type: message/rfc822\r\n" + BASE64),
        parts(b"\r\n" + PDF + b"\r\n", BASE64),
        parts(b"\r\n" + PDF[:-2], BASE64),
        BASE64 + b"\r\n" + PDF + b"bWVldGluZw==\r\n",
        PDF.replace(b"\r\n", b"\r") + BASE64 + b"\r\nbWVldGluZw==\r\n",
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n" + BASE64 + b"\r\nbWVldGluZw==\r\n--b--\r\n",
        *(parts(*([PDF + BASE64] * count), BASE64) for count in (1, 15, 16, 17)),
    ],
)
def test_text_in_base64_is_not_denied_whatever_stands_around_it(content: bytes) -> None:
    for eol in (b"\r\n", b"\n"):
        agree(content.replace(b"\r\n", eol), "meeting")


def test_attachments_do_not_hinder_the_quick_look() -> None:
    for count in (1, 3):
        text = b"Content-Type: text/plain\r\n\r\nhello"
        content = parts(text, *([PDF + BASE64 + b"\r\n"] * count))
        assert QuickLook(content).lacks_body("meeting")
        assert QuickLook(content).lacks_body("meeting of all")
        assert QuickLook(b"Subject: a\r\n b\r\n" + content).lacks_header("nobody is there")


@settings(max_examples=600, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [BASE64, PDF, b"Content-Type: text/plain\r\n", b"\r\n", b"--b\r\n", b"--x: y\r\n", b"bWVldGluZw==\r\n",
             b" folded\r\n", b"Content-Type:\r\n image/png\r\n", b"Content-Type: message/rfc822\r\n", b"\n",
             b"--b--\r\n", b"Content-Type: multipart/mixed; boundary=c\r\n", b"--c\r\n", b"X: y\r\n",
             b"Content-Type: text/html\r\n", b"<b>mee</b>ting\r\n", b"mee<!-- x -->ting\r\n", b"mee&shy;ting\r\n",
             b"Content-Transfer-Encoding: quoted-printable\r\n", b"mee= \r\nting\r\n", b"mee=74ing\r\n",
             b"mee<b\r\n>ting"]
        ),
        max_size=14,
    )
)  # fmt: skip
def test_never_denies_what_is_in_any_heap_of_lines(lines: list[bytes]) -> None:
    agree(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + b"".join(lines), "meeting")
    agree(b"".join(lines), "meeting")


TEXTS = st.text(st.sampled_from("ab kKsS\u00df\ufb01\u212a\u00fc=&<>?;#109\r\n\u0130"), max_size=40)


@settings(max_examples=300, deadline=None)
@given(
    TEXTS,
    TEXTS.map(str.casefold).filter(bool),
    st.sampled_from(["plain", "html"]),
    st.sampled_from(["base64", "quoted-printable", "8bit"]),
    st.sampled_from(["utf-8", "iso-8859-1"]),
)
def test_never_denies_what_is_there(text: str, value: str, sub: str, encoding: str, charset: str) -> None:
    message = EmailMessage()
    body = text.encode(charset, "ignore").decode(charset).replace("\r", " ")
    message.set_content(body, subtype=sub, charset=charset, cte=encoding)
    content = message.as_bytes()
    agree(content, value)
    for size in (1, 2, 3):
        agree(content, text.casefold()[:size] or "a")


MARKUP = st.lists(
    st.sampled_from(
        (
            "wo", "rd", "w", "o", "r", "d", " ", "\n", ">", "<", '"', "'", "=", '="', "='", "<b>", "</b>", "<p>", "<b ",
            '<b x="', '">', "'>", "<x:y z='a>b'>", "<!-- ", " -->", "-->", "<!", "<![if x]>", "<?xml ", "/>", "<style>",
            "</style>", "<style ", "<script>", "</script>", "<title>", "</title>", "<head>", "</head>", "<STYLE",
            "<sp\u0131n>",
        )
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(MARKUP, st.sampled_from(["8bit", "quoted-printable"]))
@settings(max_examples=1500, deadline=None)
def test_words_that_any_markup_splits_are_not_denied(text: str, encoding: str) -> None:
    head = f"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    body = text.replace("=", "=3D") if encoding == "quoted-printable" else text
    for value in ("word", "wo", "ord", "rd"):
        agree((head + body).encode(), value)


@pytest.mark.corpus
def test_never_denies_what_a_real_mail_holds(corpus: dict[str, bytes]) -> None:
    for content in corpus.values():
        if len(content) <= 200_000:
            for value in WORDS:
                agree(content, value)


@pytest.mark.corpus
def test_most_real_mails_are_denied_quickly_or_not_at_all(corpus: dict[str, bytes]) -> None:
    assert any(QuickLook(content).lacks_body("zzqzzqzz") for content in corpus.values())


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Transfer-Encoding: base64\r\nbWVldGluZw==\r\n--b\r\nContent-Type: application/pdf\r\n",
        b"Content-Transfer-Encoding: base64\r\nbWVldGluZw==\r\n\r\n--b\r\nContent-Type: application/pdf\r\n\r\n",
        b"Content-Type: text/html\r\nme<b>et</b>ing\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\nmee= \r\nting\r\n",
    ],
)
def test_text_without_an_empty_line_before_it_is_not_denied(lines: bytes) -> None:
    agree(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + lines, "meeting")
