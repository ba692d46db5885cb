"""The parts of a message as values: what BODYSTRUCTURE and the offsets in an index row say, read back."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whimbrel.mail.scan import scan
from whimbrel.mail.structure.body_parts import BodyPart, body_parts
from whimbrel.mail.structure.parts import Structure

MAIL = b"""Subject: x
Content-Type: multipart/mixed; boundary=a

--a
Content-Type: multipart/alternative; boundary="b c"

--b c

plain
--b c
Content-Type: TEXT/Html; charset=UTF-8
Content-Transfer-Encoding: Quoted-Printable
Content-ID: <one@example.org>

<b>=C3=A4</b>
--b c--
--a
Content-Type: application/pdf; name="=?utf-8?q?=C3=A4.pdf?="
Content-Disposition: Attachment; filename*=iso-8859-1'de'%E4%20b.pdf
Content-Transfer-Encoding: base64
Content-Description: =?utf-8?q?r=C3=BCck?=
Content-Language: de, en-GB
Content-Location: http://example.org/x

AAAA
--a
Content-Type: message/rfc822

Subject: inner

text
--a
Content-Type: message/rfc822
Content-Disposition: inline

Content-Type: multipart/digest; boundary=d

--d

From: a@example.org

in a digest
--d--
--a--
""".replace(b"\n", b"\r\n")


def parts_of(message: bytes) -> BodyPart:
    found = scan(message)
    return body_parts(found.bodystructure, found.parts)


def test_each_part_has_its_number_type_and_place() -> None:
    root = parts_of(MAIL)
    assert [(part.number, part.type) for part in root.walk()] == [
        ("", "multipart/mixed"),
        ("1", "multipart/alternative"),
        ("1.1", "text/plain"),
        ("1.2", "text/html"),
        ("2", "application/pdf"),
        ("3", "message/rfc822"),
        ("3.1", "text/plain"),
        ("4", "message/rfc822"),
        ("", "multipart/digest"),
        ("4.1", "message/rfc822"),
        ("4.1.1", "text/plain"),
    ]
    structure = Structure.unpack(scan(MAIL).parts)
    for part in root.walk():
        assert part.size == part.body.length
        if part.number and part.type != "text/plain":
            assert structure.locate(part.number) == part.body
            assert structure.locate(part.number + ".MIME") == part.header
    texts = {part.number: MAIL[part.body.start : part.body.stop] for part in root.walk()}
    assert texts["1.1"] == b"plain" and texts["2"] == b"AAAA" and texts["3.1"] == b"text"


def test_what_the_fields_say_is_decoded() -> None:
    parts = {part.number: part for part in parts_of(MAIL).walk() if part.number}
    html, pdf = parts["1.2"], parts["2"]
    assert (html.charset, html.encoding, html.content_id) == ("utf-8", "quoted-printable", "one@example.org")
    assert html.disposition is None and html.filename is None and parts["1.1"].charset == "us-ascii"
    assert (pdf.disposition, pdf.filename, pdf.parameters["name"]) == ("attachment", "ä b.pdf", "ä.pdf")
    assert (pdf.description, pdf.language, pdf.location) == ("rück", ("de", "en-gb"), "http://example.org/x")
    assert pdf.charset is None and parts["4"].disposition == "inline"


def test_a_message_of_one_part_is_number_one() -> None:
    part = parts_of(b"Subject: x\r\n\r\ntext\r\n")
    assert (part.number, part.type, part.body.start, part.size, part.parts) == ("1", "text/plain", 14, 6, ())


def test_a_multipart_without_parts_has_none() -> None:
    assert parts_of(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n").parts == ()


@settings(max_examples=200)
@given(st.lists(st.sampled_from(MAIL.split(b"\r\n")), max_size=40).map(b"\r\n".join))
def test_whatever_a_message_is_its_parts_are_those_of_the_offsets(message: bytes) -> None:
    kinds = [part.body for part in parts_of(message).walk()]
    pending, nodes = [Structure.unpack(scan(message).parts).root], []
    while pending:
        node = pending.pop()
        nodes.append((node.text, node.end - node.text))
        pending.extend(reversed(node.children))
    assert [(span.start, span.length) for span in kinds] == nodes


@given(st.binary(max_size=60) | st.text('()NIL" {}1\\\r\n', max_size=60).map(str.encode), st.binary(max_size=20))
def test_what_is_no_structure_is_a_value_error(structure: bytes, offsets: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        body_parts(structure, offsets)


@pytest.mark.skipif("WHIMBREL_CORPUS" not in os.environ, reason="no corpus")
def test_parts_of_real_mail() -> None:
    for path in sorted(Path(os.environ["WHIMBREL_CORPUS"]).iterdir()):
        message = path.read_bytes()
        assert all(part.type.count("/") >= 1 for part in parts_of(message).walk()), path
