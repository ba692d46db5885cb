"""ENVELOPE, BODYSTRUCTURE and the values beside them."""

import pytest

from tests.support.imap_tree import read
from whimbrel.mail.scan import scan, scan_body
from whimbrel.mail.structure.mime import MAX_DEPTH, MAX_PARTS, MULTIPART, parse
from whimbrel.mail.structure.parts import Span, Structure

PLAIN = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" %d %d NIL NIL NIL NIL)'


def crlf(text: str) -> bytes:
    return text.encode("latin-1").replace(b"\n", b"\r\n")


def structure(text: str) -> bytes:
    return scan(crlf(text)).bodystructure


def test_a_plain_message() -> None:
    mail = crlf(
        'Date: Tue, 24 Nov 2026 10:00:00 +0100\nSubject: "Hi" \\\n there\nFrom: A <a@x>\nTo: b@y\n'
        "Message-ID: <1@x>\nIn-Reply-To: <0@x>\nReferences: <r@x>\n <0@x>\n\nHello\n> quoted\nthere\n"
    )
    found = scan(mail)
    a, b = b'(("A" NIL "a" "x"))', b'((NIL NIL "b" "y"))'
    assert found.envelope == (
        b'("Tue, 24 Nov 2026 10:00:00 +0100" "\\"Hi\\" \\\\ there" %b %b %b %b NIL NIL "<0@x>" "<1@x>")' % (a, a, a, b)
    )
    assert found.bodystructure == PLAIN % (24, 3)
    assert scan_body(mail) == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 24 3)'
    assert (found.message_id, found.in_reply_to, found.references) == ("<1@x>", "<0@x>", ("<r@x>", "<0@x>"))
    assert (found.from_, found.to, found.cc, found.bcc, found.subject) == ("a <a@x>", "b@y", "", "", '"hi" \\ there')
    assert found.sent == 1795514400 and found.preview == "Hello there"


def test_an_empty_message_has_an_envelope_too() -> None:
    assert scan(b"").envelope == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    assert scan(b"").bodystructure == PLAIN % (0, 0)


def test_raw_8bit_goes_into_literals_and_nul_nowhere() -> None:
    found = scan(b"Subject: caf\xe9\r\nFrom: \xc3\xa9\x00 <a@b>\r\n\r\n")
    assert b"{4}\r\ncaf\xe9 " in found.envelope
    assert b"\0" not in found.envelope
    assert found.subject == "café"


def test_long_strings_are_literals() -> None:
    assert b" {2000}\r\nxx" in scan(b"Subject: " + b"x" * 2000 + b"\r\n\r\n").envelope


def test_of_a_doubled_field_the_last_counts_and_addresses_add_up() -> None:
    tree = read(scan(crlf("Subject: 1\nSubject: 2\nTo: a@x\nTo: b@x\n\n")).envelope)
    assert isinstance(tree[0], list)
    assert tree[0][1] == b"2" and len(tree[0][5]) == 2  # type: ignore[arg-type]


def test_all_extension_data_is_shown() -> None:
    assert structure(
        "Content-Type: image/gif; name=a.gif\nContent-Transfer-Encoding: base64\nContent-ID: <i>\n"
        "Content-Description: d\nContent-MD5: m==\nContent-Disposition: inline; filename=a.gif\n"
        "Content-Language: en, de\nContent-Location: http://x/\n\nQUJD\n"
    ) == (
        b'("image" "gif" ("name" "a.gif") "<i>" "d" "base64" 6 "m==" '
        b'("inline" ("filename" "a.gif")) ("en" "de") "http://x/")'
    )


def test_of_a_doubled_content_field_the_first_counts() -> None:
    assert (
        structure("Content-Type: a/b\nContent-Type: text/html\n\n") == b'("a" "b" NIL NIL NIL "7bit" 0 NIL NIL NIL NIL)'
    )


def test_a_multipart_shows_its_parts() -> None:
    text = (
        "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\none\n--b\nContent-Type: text/html\n\n\n--b--\n"
        "epilogue"
    )
    assert structure(text) == (
        b'(%b("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)'
        b' "mixed" ("boundary" "b") NIL NIL NIL)' % (PLAIN % (3, 0))
    )


def test_a_multipart_without_parts_has_an_empty_one() -> None:
    # RFC 9051 9: body-type-mpart = 1*body
    assert structure("Content-Type: multipart/mixed; boundary=b\n\nx") == (
        b'(%b "mixed" ("boundary" "b") NIL NIL NIL)' % (PLAIN % (0, 0))
    )
    assert scan_body(crlf("Content-Type: multipart/x; boundary=b\n\nx")) == (
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "x")'
    )


@pytest.mark.parametrize("kind", ["multipart/mixed", "multipart/mixed x; boundary=b", "nonsense", "", "text/"])
def test_a_type_that_cannot_be_used_means_text(kind: str) -> None:
    # RFC 2045 5.2
    assert structure(f"Content-Type: {kind}\n\nx\n") == PLAIN % (3, 1)


def test_a_message_in_a_message_shows_its_envelope() -> None:
    text = "Content-Type: message/rfc822\n\nSubject: in\n\nbody\nmore\n"
    envelope = b'(NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL)'
    expected = b'("message" "rfc822" NIL NIL NIL "7bit" 27 %b %b 4 NIL NIL NIL NIL)' % (envelope, PLAIN % (12, 2))
    assert structure(text) == expected
    # RFC 9051 9: media-message
    assert structure(text.replace("rfc822", "global")) == expected.replace(b"rfc822", b"global")


def test_parts_of_a_digest_are_messages_unless_they_say_otherwise() -> None:
    text = (
        "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\n1\n--b\n"
        "Content-Type: text/plain\n\n2\n--b--\n"
    )
    assert structure(text).startswith(b'(("message" "rfc822" NIL NIL NIL "7bit" 15 (NIL "x"')


def test_an_outer_delimiter_ends_all_inner_parts() -> None:
    text = (
        "Content-Type: multipart/mixed; boundary=out\n\n--out\n"
        "Content-Type: multipart/mixed; boundary=in\n\n--in\n\n1\n"
        "--out\n\n2\n--in\n\n--out--\n"
    )
    assert structure(text) == (
        b'((%b "mixed" ("boundary" "in") NIL NIL NIL)%b "mixed" ("boundary" "out") NIL NIL NIL)'
        % (PLAIN % (1, 0), PLAIN % (9, 2))
    )


def test_a_boundary_need_only_begin_the_line_and_the_longest_is_meant() -> None:
    # RFC 2046 5.1.1
    text = (
        "Content-Type: multipart/mixed; boundary=b\n\n--b \nContent-Type: multipart/mixed; boundary=bb\n\n--bb x\n\n1\n"
        "--bb--\n--b\n\n2\n--b--\n"
    )
    assert structure(text).startswith(b'((%b "mixed" ("boundary" "bb")' % (PLAIN % (1, 0)))


def test_depth_is_bounded() -> None:
    mail = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d-\r\n\r\n--b%d-\r\n" % (n, n) for n in range(2 * MAX_DEPTH)
    )
    assert scan(mail).bodystructure.count(b'"application" "octet-stream" NIL') == 1
    node, depth = Structure.unpack(scan(mail).parts).root, 1
    while node.children:
        node, depth = node.children[0], depth + 1
    assert depth == MAX_DEPTH + 1


def test_the_number_of_parts_is_bounded_and_the_rest_stays_in_the_last() -> None:
    mail = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * (2 * MAX_PARTS) + b"--b--\r\n"
    root = parse(mail)
    assert root.kind == MULTIPART and len(root.children) == MAX_PARTS - 1
    assert root.children[-1].end == len(mail)


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_sections_are_located(end: str) -> None:
    lines = [
        "Subject: top", "Content-Type: multipart/mixed; boundary=b", "", "--b", "X: 1", "", "one", "--b",
        "Content-Type: message/rfc822", "", "Subject: inner", "", "inner text", "--b--", "",
    ]  # fmt: skip
    mail = end.join(lines).encode()
    found = Structure.unpack(scan(mail).parts)

    def text(spec: str) -> str | None:
        span = found.locate(spec)
        return None if span is None else mail[span.start : span.stop].decode().replace("\r\n", "\n")

    whole = mail.decode().replace("\r\n", "\n")
    head = "Subject: top\nContent-Type: multipart/mixed; boundary=b\n\n"
    assert text("") == whole
    assert text("HEADER") == text("header.fields") == text("HEADER.FIELDS.NOT") == head
    assert text("TEXT") == whole[len(head) :]
    assert (text("1"), text("1.MIME"), text("1.mime")) == ("one", "X: 1\n\n", "X: 1\n\n")
    assert text("2") == "Subject: inner\n\ninner text"
    assert text("2.MIME") == "Content-Type: message/rfc822\n\n"
    assert (text("2.HEADER"), text("2.TEXT"), text("2.1")) == ("Subject: inner\n\n", "inner text", "inner text")
    assert text("2.1.MIME") == "Subject: inner\n\n"
    absences = "3 0 01 1.1 1.HEADER 1.TEXT 2.2 MIME 2.1.1 1. .1 x 2TEXT 1..1 TEXT.FIELDS HEADER.FIELDS.X HEADER.NOT"
    for absent in absences.split():
        assert text(absent) is None, absent


def test_a_message_of_one_part_has_a_part_1() -> None:
    # RFC 9051 6.4.5.1
    found = Structure.unpack(scan(b"A: 1\r\n\r\nbody").parts)
    assert found.locate("1") == found.locate("TEXT") == Span(8, 4)
    assert found.locate("1.MIME") == Span(0, 8)
    assert found.locate("2") is None


def test_the_bytes_searched_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 multiparts that never end, and much text behind them: once the budget is used up the rest is one part."""
    monkeypatch.setattr("whimbrel.mail.structure.mime._FREE_SEARCH", 0)
    mail = b"".join(b"Content-Type: multipart/mixed; boundary=b%d-\r\n\r\n--b%d-\r\n" % (n, n) for n in range(60))
    node, depth = parse(mail + b"\n" * 200_000), 1
    while node.children:
        node, depth = node.children[0], depth + 1
    assert 2 < depth < 20
