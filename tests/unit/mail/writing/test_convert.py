"""What is changed in a message for servers that do not take it as it is, and what is not."""

import binascii
import email
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whimbrel.mail.scan import scan
from whimbrel.mail.structure import header, mime
from whimbrel.mail.structure.octets import plain
from whimbrel.mail.structure.outline import MAX_HEADER, Outline, TooComplex
from whimbrel.mail.writing.convert import Unconvertible, edits, outline_of
from whimbrel.mail.writing.edit import Rewriter
from whimbrel.mail.writing.header_ascii import ascii_field
from whimbrel.mail.writing.recode import Base64, MendedQuotedPrintable, QuotedPrintable

LINE = b"x" * 999


def adapted(message: bytes, *, seven_bit: bool = True) -> bytes:
    return Rewriter(edits(outline_of([message]), seven_bit=seven_bit)).feed(message)


def entity(fields: str, body: str = "") -> bytes:
    return (fields.replace("\n", "\r\n") + "\r\n\r\n" + body.replace("\n", "\r\n")).encode()


def test_what_is_seven_bit_in_short_lines_stays_as_it_is() -> None:
    message = entity("Subject: x\nContent-Transfer-Encoding: 8bit", "a\n--b\n" + "y" * 998 + "\n")
    assert adapted(message, seven_bit=False) == message
    assert adapted(message) == message.replace(b"Content", b"MIME-Version: 1.0\r\nContent").replace(b"8bit", b"7bit")


def test_text_becomes_quoted_printable_and_says_so_where_the_old_label_stood() -> None:
    message = entity("MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\nSubject: x", "Grüße, =\n.\n")
    assert adapted(message) == (
        b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\nSubject: x\r\n\r\n"
        b"Gr=C3=BC=C3=9Fe, =3D\r\n=2E\r\n"
    )


def test_a_message_without_mime_fields_gets_those_that_the_encoding_needs() -> None:
    assert adapted(entity("Subject: x", "ü\n")) == (
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n"
    )
    assert adapted("\r\nü".encode()).startswith(b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: q")


def test_other_types_become_base64_and_keep_every_octet() -> None:
    message = b"MIME-Version: 1.0\r\nContent-Type: application/x\r\n\r\n" + bytes(range(256)) * 2
    body = adapted(message)
    assert email.message_from_bytes(body).get_payload(decode=True) == bytes(range(256)) * 2
    assert max(map(len, body.split(b"\r\n"))) <= 76


def test_binary_text_keeps_its_bare_line_ends() -> None:
    message = b"MIME-Version: 1.0\r\nContent-Type: text/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\xff\n\x00\r\x00"
    assert email.message_from_bytes(adapted(message)).get_payload(decode=True) == b"\xff\n\x00\r\x00"


TREE = entity(
    'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\nContent-Transfer-Encoding: 8bit',
    "pré\n--b\nContent-Type: text/plain\nContent-Transfer-Encoding: 8bit\n\nü\n"
    "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n"
    "Subject: inner\nMIME-Version: 1.0\nContent-Type: text/html\n\nß\n--b\n\nplain\n--b--\népi\n",
)


def test_encodings_stand_in_leaves_and_what_holds_them_says_7bit() -> None:
    body = adapted(TREE)
    assert body.isascii()
    root = email.message_from_bytes(body)
    assert [part["Content-Transfer-Encoding"] for part in root.walk()] == [
        "7bit",
        "quoted-printable",
        "7bit",
        "quoted-printable",
        None,
    ]
    assert body.startswith(b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed") and b"pr??\r\n--b\r\n" in body


def test_only_parts_with_too_long_lines_are_changed_for_a_server_with_8bitmime() -> None:
    message = TREE.replace(b"plain\r\n--b--", LINE + b"\r\n--b--")
    body = adapted(message, seven_bit=False)
    head = message.index(b"\r\n" + LINE)
    assert body.startswith(message[:head] + b"Content-Transfer-Encoding: quoted-printable\r\n\r\nxxxx")
    assert body.endswith("\r\n--b--\r\népi\r\n".encode())
    assert list(email.message_from_bytes(body).walk())[-1].get_payload(decode=True) == LINE


def test_a_signed_part_is_never_changed() -> None:
    signed = entity(
        "MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=s",
        "--s\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nü\n--s--\n",
    )
    with pytest.raises(Unconvertible):
        adapted(signed)
    assert adapted(signed.replace("ü".encode(), LINE)) == signed.replace("ü".encode(), LINE)
    assert adapted(signed, seven_bit=False) == signed
    labelled = signed.replace("ü".encode(), b"u").replace(b"=s\r\n", b"=s\r\nContent-Transfer-Encoding: 8bit\r\n")
    assert adapted(labelled) == labelled  # What is in it still says 8bit too.
    nested = signed.replace(
        b"--s\r\nContent-Type: text/plain; charset=utf-8", b"--s\r\nContent-Type: multipart/mixed; boundary=t"
    )
    with pytest.raises(Unconvertible):
        adapted(nested.replace(b"\r\n\r\n\xc3\xbc", b"\r\n\r\n--t\r\n\r\n\xc3\xbc\r\n--t--"))


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Type: message/partial; id=1; number=1",
        "Content-Type: message/external-body; access-type=x",
        "Content-Type: message/x",
        "Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode",
    ],
)
def test_what_may_not_be_encoded_is_not(fields: str) -> None:
    with pytest.raises(Unconvertible):
        adapted(entity(fields, "ü\n"))
    message = entity(fields, "y" * 2000)
    assert adapted(message) == message


@pytest.mark.parametrize("kind", ["delivery-status", "disposition-notification", "feedback-report"])
def test_reports_are_fields_in_ascii(kind: str) -> None:
    fields = f"MIME-Version: 1.0\nContent-Type: message/{kind}\nContent-Transfer-Encoding: 8bit"
    message = entity(fields, f"Status: 5.1.1\nDiagnostic-Code: smtp; 550 Zut{'é' * 2}\n" + "X: " + "y" * 1200 + "\n")
    body = adapted(message)
    assert b"\r\n\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 Zut????\r\n" in body
    assert max(map(len, body.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("name", ["8bits", "plain", "8 bit", ""])
def test_an_encoding_that_nobody_knows_encodes_nothing(name: str) -> None:
    body = adapted(entity(f"MIME-Version: 1.0\nContent-Transfer-Encoding: {name}", "ü\n"))
    assert body.endswith(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n")


def test_a_second_encoding_field_does_not_stay() -> None:
    body = adapted(entity("Content-Transfer-Encoding: 8bit\nX: y\nContent-Transfer-Encoding: 7bit", "ü\n"))
    assert body.lower().count(b"content-transfer-encoding") == 1 and b"\r\nX: y\r\n\r\n" in body


def test_message_global_is_encoded_as_a_whole() -> None:
    body = adapted(entity("MIME-Version: 1.0\nContent-Type: message/global", "Subject: Grüße\n\nü\n"))
    assert body.endswith(b"quoted-printable\r\n\r\nSubject: Gr=C3=BC=C3=9Fe\r\n\r\n=C3=BC\r\n")


def test_base64_in_long_lines_is_wrapped_anew() -> None:
    fields = "MIME-Version: 1.0\nContent-Type: image/png\nContent-Transfer-Encoding: base64"
    body = adapted(entity(fields, "QUJD" * 1000), seven_bit=False)
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert email.message_from_bytes(body).get_payload(decode=True) == b"ABC" * 1000


def test_quoted_printable_that_is_not_quite_that_is_mended() -> None:
    fields = "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable"
    message = entity(fields, "ü=C3=BC=\n=3D" + "=41" * 400 + "\nshort = line\n")
    body = adapted(message)
    assert body.isascii() and max(map(len, body.split(b"\r\n"))) <= 76 and b"\r\nshort = line\r\n" in body
    expected = email.message_from_bytes(message).get_payload(decode=True)
    assert email.message_from_bytes(body).get_payload(decode=True) == expected


def test_long_header_fields_are_folded_at_white_space_and_cut_where_there_is_none() -> None:
    words = b"X-Words: " + b"word " * 500 + b"end\r\n"
    solid = b"X-Solid:" + b"y" * 2000 + b"\r\nX-Mixed: " + b"y" * 1500 + b" end\r\nX-U: " + "ü".encode() * 900 + b"\r\n"
    body = adapted(words + solid + b"\r\nhello\r\n", seven_bit=False)
    assert max(len(line) for line in body.split(b"\r\n")) <= 998
    assert header.unfold(body.replace(b"\r\n y", b"y").replace("\r\n ü".encode(), "ü".encode())) == header.unfold(
        (words + solid + b"\r\nhello\r\n").replace(b": y", b":y").replace(": ü".encode(), ":ü".encode())
    )
    assert [line.decode() for line in body.split(b"\r\n")]  # No character is cut in two.


@pytest.mark.parametrize(
    ("field", "wire"),
    [
        ("Subject: Grüße aus =?utf-8?q?K=C3=B6ln?=", b"Subject: =?utf-8?B?R3LDvMOfZSBhdXMgS8O2bG4=?=\r\n"),
        ("From: Jürgen <j@example.org>", b"From: =?utf-8?B?SsO8cmdlbg==?= <j@example.org>\r\n"),
        ('To: "Müller, J." <j@x>, b@y, Pals: c@z;', b"To: =?utf-8?B?TcO8bGxlciwgSi4=?= <j@x>, b@y, Pals: c@z;\r\n"),
        ("To: Grüße: a@x, b@y;", b"To: =?utf-8?B?R3LDvMOfZQ==?=: a@x, b@y;\r\n"),
        ("Cc: jü@example.org", b"Cc: j??@example.org\r\n"),
        ("To: Jü", b"To: J??\r\n"),
        ('Content-Type: image/gif; name="ü x.gif"', b"Content-Type: image/gif; name*=utf-8''%C3%BC%20x.gif\r\n"),
        (
            "Content-Disposition: attachment; filename=ü",
            b"Content-Disposition: attachment; filename*=utf-8''%C3%BC\r\n",
        ),
        ("Message-ID: <ü@x>", b"Message-ID: <??@x>\r\n"),
    ],
)
def test_raw_octets_in_header_fields_become_ascii_for_a_server_without_8bitmime(field: str, wire: bytes) -> None:
    message = field.encode() + b"\r\n\r\nhello\r\n"
    assert adapted(message) == wire + b"\r\nhello\r\n"
    assert adapted(message, seven_bit=False) == message


def test_a_subject_in_latin_1_stays_legible() -> None:
    wire = adapted(b"Subject: Gr\xfc\xdfe\r\n\r\nhello\r\n")
    assert wire.isascii() and scan(wire).subject == "grüsse"


@given(st.binary(max_size=300), st.sampled_from([b"Subject", b"From", b"Content-Type", b"X", b"Date", b"\xff"]))
def test_any_field_becomes_one_field_in_ascii(value: bytes, name: bytes) -> None:
    raw = name + b": " + value.replace(b"\r", b"").replace(b"\n", b"\r\n ") + b"\r\n"
    wire = ascii_field(raw)
    assert wire.isascii() and wire.endswith(b"\r\n")
    assert len([line for line in wire.split(b"\r\n")[1:-1] if line[:1] not in (b" ", b"\t")]) == 0


def test_no_line_of_white_space_alone_is_made_in_a_header() -> None:
    body = adapted(b"X: a" + b" " * 3000 + b"b\r\nY: " + b" " * 3000 + b"\r\n\r\nhello\r\n", seven_bit=False)
    assert all(line.strip() for line in body[: body.index(b"\r\n\r\n")].split(b"\r\n"))


def test_a_line_that_an_encoding_begins_is_no_delimiter() -> None:
    for dashes in (b"--b", b"--" * 100 + b"b", b"--b--"):
        for before in range(30, 110):
            text = b"\xc3\xbc" + b"x" * before + dashes
            body = adapted(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + text + b"\r\n--b--\r\n")
            assert max(map(len, body.split(b"\r\n"))) <= 76
            assert len(mime.parse(body).children) == 1
            _, part = email.message_from_bytes(body).walk()
            assert part.get_payload(decode=True) == text


def test_nor_is_one_that_is_continued_after_a_long_wait() -> None:
    recoder = QuotedPrintable()
    wire = recoder.feed(b"y" * 20_000) + recoder.feed(b"--b") + recoder.end()
    assert not any(line.startswith(b"--") for line in wire.split(b"\r\n"))
    assert binascii.a2b_qp(wire) == b"y" * 20_000 + b"--b"


@pytest.mark.parametrize("shift", range(3))
def test_a_quoted_printable_line_without_end_is_not_broken_within_an_octet(shift: int) -> None:
    line = b"x" * shift + b"=C3=BC" * 9000 + b"\xfc"
    recoder = MendedQuotedPrintable()
    wire = b"".join(recoder.feed(line[at : at + 1]) for at in range(len(line))) + recoder.end()
    assert wire.isascii() and binascii.a2b_qp(wire) == binascii.a2b_qp(line)


def test_a_line_without_end_is_encoded_within_bounds() -> None:
    for recoder in (QuotedPrintable(), Base64()):
        most = 0
        for _ in range(100):
            recoder.feed(b"\xfc" * 10_000)
            most = max(most, len(recoder._held))
        assert most < 30_000


def test_what_is_too_deep_too_many_or_too_long_is_not_followed() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(100, 200))
    many = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 1100
    for message in (deep, many, b"X: " + b"y" * MAX_HEADER + b"\r\n", b"X: y\r\n" * MAX_HEADER):
        with pytest.raises(TooComplex):
            outline_of([message])


@pytest.mark.parametrize(
    ("content", "answer"),
    [(b"", True), (b"y" * 998, True), (b"y" * 999, False), (b"a\r\n" * 999, True), (b"a\n" + b"y" * 997 + b"\n", True),
     (b"a\r\n" + b"y" * 999 + b"\r\na\r\n", False), (b"\xfc", False)],
)  # fmt: skip
def test_content_is_plain_only_if_nothing_in_it_could_need_a_change(content: bytes, answer: bool) -> None:
    assert plain(content) is answer


@pytest.mark.parametrize(("line", "long"), [(998, False), (999, True)])
@pytest.mark.parametrize("end", [b"\r\n", b"\n", b""])
def test_a_line_is_too_long_from_999_octets_without_its_end(line: int, long: bool, end: bytes) -> None:
    for before in (b"", b"a\r\n", b"b" * 998 + b"\r\n", b"b" * 500 + b"\n"):
        message = b"\r\n" + before + b"y" * line + end
        for size in (1, 333, 1000, 5000):
            (entity,) = outline_of(message[at : at + size] for at in range(0, len(message), size)).entities
            assert entity.runs[0].octets.long_line is long, (before[:9], size)
        assert not (plain(message) and long)


def test_a_delimiter_line_need_not_end() -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xfc\r\n--b--" + b"z" * 5000
    assert re.search(rb"=FC\r\n--b--z{5000}\Z", adapted(message))


@pytest.mark.corpus
def test_every_real_mail_is_the_same_in_seven_bits(corpus: dict[str, bytes]) -> None:
    changed = 0
    for name, message in corpus.items():
        try:
            wire = adapted(message)
        except Unconvertible:
            continue
        before, after = (list(email.message_from_bytes(one).walk()) for one in (message, wire))
        assert len(before) == len(after), name
        for old, new in zip(before, after, strict=True):
            assert old.get_content_type() == new.get_content_type(), name
            if not old.is_multipart():
                assert new.as_bytes().isascii(), name
                assert lines(new.get_payload(decode=True)) == lines(old.get_payload(decode=True)), name
        assert adapted(wire) == wire, name
        changed += wire != message
    assert changed >= 10


def lines(content: object) -> bytes:
    """A line end more or less at the end of a message is its way over the wire."""
    assert isinstance(content, bytes)
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n")


def test_what_an_outline_holds_of_a_message_is_bounded() -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
    for start, piece in ((b"", b"y"), (b"", b"\r\n"), (b"", b"\r\n--"), (b"", b"--"), (b"x\r\n--b", b"z")):
        outline = Outline()
        outline.feed(head + start)
        for _ in range(200):
            outline.feed(piece * 2000)
            assert len(outline._data) < 100


def test_parts_one_after_the_other_are_not_nested() -> None:
    one = b"\r\n--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"
    outline = outline_of([b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + one * 100 + b"--a--\r\n"])
    assert len(outline.entities) == 201


def test_what_comes_behind_the_last_delimiter_is_no_part() -> None:
    message = entity("Content-Type: multipart/mixed; boundary=b", "--b\n\nx\n--b--\n--b\n\nü\n")
    assert len(outline_of([message]).entities) == 2
    assert adapted(message).endswith(b"--b--\r\n--b\r\n\r\n??\r\n")


def test_an_encoding_field_that_is_replaced_is_not_folded() -> None:
    message = entity("MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit (" + "c " * 600 + ")\nX: y", "ü\n")
    assert max(map(len, adapted(message, seven_bit=False).split(b"\r\n"))) <= 998
    assert adapted(message) == (
        b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\nX: y\r\n\r\n=C3=BC\r\n"
    )
