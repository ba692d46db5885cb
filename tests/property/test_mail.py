"""No bytes from outside can make the scan raise, lie about places, or break an answer."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.imap_tree import Tree, read
from whimbrel.core.address import Address
from whimbrel.core.intake import Client
from whimbrel.core.net import TlsInfo
from whimbrel.mail.decoding.charset import to_text
from whimbrel.mail.decoding.encoded import content, words
from whimbrel.mail.report.dsn import Action, RecipientReport, Report, compose
from whimbrel.mail.scan import scan, scan_body
from whimbrel.mail.sorting.subject import base_subject
from whimbrel.mail.structure import address_list, date, header
from whimbrel.mail.structure.header import pick
from whimbrel.mail.structure.mime import LEAF, MESSAGE, MULTIPART
from whimbrel.mail.structure.parameters import disposition, media_type, tokens
from whimbrel.mail.structure.parts import Node, Structure
from whimbrel.mail.text.preview import html_text
from whimbrel.mail.text.searchable import searchable
from whimbrel.mail.writing.compose import clean, crlf, field, mailbox, multipart, text_part
from whimbrel.mail.writing.trace import received

FRAGMENTS = [
    b"--a\r\n", b"--a--\r\n", b"--ab\r\n", b"--ab--\n", b"--c\r\n", b"--", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"text",
    b"Content-Type: multipart/mixed; boundary=a\r\n", b'Content-Type: multipart/alternative; boundary="ab"\n',
    b"Content-Type: multipart/digest; boundary*0=c\r\n", b"Content-Type: message/rfc822\r\n", b"Subject: \xe9\x00\r\n",
    b"Content-Type: text/html; charset=utf-7\r\n", b"Content-Transfer-Encoding: base64\r\n", b"QUJD=\r\n", b" f\r\n",
    b"From: a <b@c>, d: e@f;\r\n", b"=?utf-8?b?w6k=?= =?x?q?=00?=", b"Date: Tue, 1 Jan 2030 00:00:00 +0100\r\n", b":",
    b"Content-Disposition: attachment; filename*0*=utf-8''a%20; filename*1=b\r\n", b"<style>", b"&amp;",
    b"References: <a",
]  # fmt: skip
MAILS = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=8), max_size=40).map(b"".join)


def walk(node: Node) -> list[Node]:
    return [node, *(below for child in node.children for below in walk(child))]


def sections(node: Node, prefix: str) -> list[str]:
    """Every section there is below a message."""
    numbered = node.children if node.kind == MULTIPART else (node,)
    out = []
    for number, part in enumerate(numbered, 1):
        here = f"{prefix}{number}"
        out.append(here)
        if part.kind == MESSAGE:
            out += sections(part.children[0], f"{here}.")
        elif part.kind == MULTIPART and part is not node:
            out += sections(part, f"{here}.")
    return out


@settings(max_examples=400, deadline=None)
@given(MAILS | st.binary(max_size=300))
@example(b"")
@example(b"\n")
@example(b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a")
def test_any_bytes_are_a_message(mail: bytes) -> None:
    found = scan(mail)
    for wire in (found.envelope, found.bodystructure, scan_body(mail)):
        assert len(read(wire)) == 1
    assert len(found.preview) <= 256
    root = Structure.unpack(found.parts).root
    assert (root.header, root.end) == (0, len(mail))
    for node in walk(root):
        assert 0 <= node.header <= node.text <= node.end <= len(mail)
        ends = [node.text]
        for child in node.children:
            assert ends[-1] <= child.header and child.end <= node.end
            ends.append(child.end)


@settings(max_examples=200, deadline=None)
@given(MAILS)
def test_every_section_is_found_and_inside(mail: bytes) -> None:
    structure = Structure.unpack(scan(mail).parts)
    for spec in sections(structure.root, ""):
        span = structure.locate(spec)
        assert span is not None and 0 <= span.start <= span.stop <= len(mail)
        mime = structure.locate(f"{spec}.MIME")
        assert mime is not None and mime.stop == span.start
        head, text = structure.locate(f"{spec}.HEADER"), structure.locate(f"{spec}.TEXT")
        assert (head is None) == (text is None)
        if head and text:
            assert (head.start, head.stop, text.stop) == (span.start, text.start, span.stop)


@settings(max_examples=200, deadline=None)
@given(MAILS)
def test_the_tree_and_the_bodystructure_have_the_same_shape(mail: bytes) -> None:
    found = scan(mail)

    def shape(tree: Tree, node: Node) -> None:
        assert isinstance(tree, list)
        if node.kind == MULTIPART:
            children = [one for one in tree[: max(len(node.children), 1)] if isinstance(one, list)]
            assert len(children) == max(len(node.children), 1) and isinstance(tree[len(children)], bytes)
            for one, child in zip(children, node.children, strict=False):
                shape(one, child)
        else:
            assert tree[6] == node.end - node.text
            if node.kind == MESSAGE:
                assert tree[9] == mail.count(b"\n", node.text, node.end)
                shape(tree[8], node.children[0])

    shape(read(found.bodystructure)[0], Structure.unpack(found.parts).root)


@given(st.text(max_size=30))
def test_any_section_name_is_answered(spec: str) -> None:
    Structure.unpack(scan(b"Subject: x\r\n\r\nbody").parts).locate(spec)


@given(st.binary(max_size=100))
def test_a_damaged_row_is_refused_not_believed(packed: bytes) -> None:
    try:
        Structure.unpack(packed)
    except ValueError:
        pass


@settings(max_examples=300, deadline=None)
@given(MAILS | st.binary(max_size=200), st.text(max_size=20))
def test_reading_values_never_raises(data: bytes, charset: str) -> None:
    words(data), to_text(data, charset), date.read(data), media_type(data), disposition(data), tokens(data)
    for encoding in (b"base64", b"quoted-printable", b"", b"x"):
        content(data, encoding)
    base_subject(words(data)), html_text(words(data)), list(searchable(data))
    for entry in address_list.entries(data):
        assert (entry.host is None) <= (entry.name is None and entry.route is None)
    for one in header.fields(data):
        assert one.raw in data
    assert pick(data, [b"subject"]).endswith(b"\r\n")


LINES = re.compile(rb"\A(?:[^\r\n\0]{1,998}\r\n)+\Z")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=2500), st.booleans())
def test_text_cannot_leave_its_field(text: str, utf8: bool) -> None:
    for raw in (field("Subject", text, utf8=utf8), field("X", mailbox(text, text), utf8=utf8)):
        assert LINES.match(raw)
        _first, *rest = raw.split(b"\r\n")[:-1]
        assert all(line[:1] == b" " for line in rest)
        assert utf8 or raw.isascii()


@given(st.text(max_size=400))
def test_a_written_subject_reads_as_it_was(text: str) -> None:
    text = " ".join(clean(text).split())
    raw = field("Subject", text)
    if "=?" not in text and all(ord(char) < 0xD800 or ord(char) > 0xDFFF for char in text):
        assert " ".join(header.decode(raw[9:]).split()) == text


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=50), st.booleans())
def test_a_peer_cannot_write_into_received(helo: str, host: str, protocol: str, utf8: bool) -> None:
    tls = TlsInfo(protocol, helo[:40], 256)
    client = Client("192.0.2.1", 1, "192.0.2.2", 25, helo=helo, host=host, protocol=protocol, tls=tls)
    raw = received(client, by="mx.example.test", queue_id="q-1", date="Tue, 24 Nov 2026 10:00:00 +0100", utf8=utf8)
    assert LINES.match(raw)
    fields = header.fields(raw)
    assert [one.name for one in fields] == [b"Received"]
    assert raw.count(b";") == 1 and raw.count(b"(") == raw.count(b")")


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=80),
    st.text(max_size=80),
    st.text(max_size=40),
    MAILS,
    st.booleans(),
    st.sampled_from(list(Action)),
)
def test_a_report_is_a_report_whatever_is_told(
    diagnostic: str, remote: str, orcpt: str, original: bytes, full: bool, action: Action
) -> None:
    report = Report(
        to=Address("a", "example.org"),
        reporting_mta="mx.example.test",
        postmaster=Address("postmaster", "example.test"),
        message_id="<1@example.test>",
        date="Tue, 24 Nov 2026 10:00:00 +0100",
        recipients=(RecipientReport(Address("b", "example.net"), action, orcpt, diagnostic, remote, orcpt),),
        original=original,
        ret_full=full,
        envid=orcpt,
        language="de",
    )
    built = compose(report)
    assert built.content.count(b"\n") == built.content.count(b"\r\n") == built.content.count(b"\r")
    assert built.utf8 or built.body_8bit or built.content.isascii()
    root = Structure.unpack(scan(built.content).parts).root
    assert root.kind == MULTIPART and len(root.children) == 3
    assert [child.kind for child in root.children[:2]] == [LEAF, LEAF]


@given(st.lists(st.text(max_size=60), max_size=4))
def test_what_is_put_into_a_multipart_comes_out(texts: list[str]) -> None:
    parts = [text_part(text) for text in texts]
    mail = multipart("mixed", parts, seed="<1@x>")
    root = Structure.unpack(scan(mail).parts).root
    assert [mail[child.header : child.end] for child in root.children] == parts
    for text, child in zip(texts, root.children, strict=True):
        body = content(
            mail[child.text : child.end], b"quoted-printable" if b"quoted" in mail[child.header : child.text] else b""
        )
        expected = crlf(text.encode("utf-8", "replace"))
        assert body.decode().rstrip("\r\n") == expected.decode().rstrip("\r\n")
