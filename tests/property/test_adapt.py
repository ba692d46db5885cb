"""Whatever a message is made of: adapted to seven bits, it is the same message."""

import email
from email.message import Message

from hypothesis import given, settings
from hypothesis import strategies as st

from whimbrel.mail.structure import mime
from whimbrel.mail.structure.mime import Part
from whimbrel.mail.structure.outline import TooComplex
from whimbrel.mail.writing.convert import Unconvertible, edits, outline_of
from whimbrel.mail.writing.edit import Rewriter

from .test_mail import MAILS

LEAVES = st.sampled_from(["text/plain", "text/html; charset=utf-8", "application/pdf", "image/png", "text/x", ""])
ENCODINGS = st.sampled_from(["", "7bit", "8bit", "binary", "8BIT (x)", "8bits"])
WORDS = st.sampled_from(
    [
        b"word",
        b" ",
        b"\t",
        b"=",
        b".",
        b"-",
        b"--",
        b"--b",
        b"From ",
        b"\xc3\xbc",
        b"\xff",
        b"\xfc",
        b"x" * 70,
        b"y" * 998,
        b"\0",
    ]
)
LINES = st.lists(WORDS, max_size=12).map(b"".join)
TEXTS = st.lists(LINES, max_size=6).map(b"\r\n".join)
FIELDS = st.sampled_from([b"", b"MIME-Version: 1.0\r\n", b"X: " + b"word " * 300 + b"\r\n"])


def _leaf(parts: tuple[bytes, str, str, bytes]) -> bytes:
    fields, kind, encoding, body = parts
    head = fields + (f"Content-Type: {kind}\r\n".encode() if kind else b"")
    head += f"Content-Transfer-Encoding: {encoding}\r\n".encode() if encoding else b""
    return head + b"\r\n" + body


def _multipart(parts: tuple[bytes, int, list[bytes], bytes, bytes]) -> bytes:
    fields, number, children, before, behind = parts
    mark = b"--=_%d" % number
    body = b"".join(b"\r\n%b\r\n%b" % (mark, child) for child in children)
    head = b'%bContent-Type: multipart/mixed; boundary="%b"\r\n\r\n' % (fields, mark[2:])
    return b"%b%b%b\r\n%b--%b" % (head, before, body, mark, behind)


def _nested(children: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    several = st.lists(children, min_size=1, max_size=3)
    rest = st.sampled_from([b"", b"\r\n\xfcepilogue", b"\r\nz" * 600])
    return st.tuples(FIELDS, st.integers(10, 10**9), several, LINES, rest).map(_multipart) | children.map(
        lambda child: b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + child
    )


TREES = st.recursive(st.tuples(FIELDS, LEAVES, ENCODINGS, TEXTS).map(_leaf), _nested, max_leaves=6)


def adapted(message: bytes, size: int = 1 << 18, *, seven_bit: bool = True) -> bytes:
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    rewriter = Rewriter(edits(outline_of(pieces), seven_bit=seven_bit))
    return b"".join(map(rewriter.feed, pieces))


def leaves(message: Message) -> list[tuple[str, bytes]]:
    """Type and content of each entity; of a binary one every octet, of others line ends are line ends."""
    out = []
    for part in message.walk():
        content = (
            part.get_payload(decode=True)
            if not (part.is_multipart() or part.get_content_maintype() == "multipart")
            else b""
        )
        assert isinstance(content, bytes)
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        out.append((part.get_content_type(), content))
    return out


@settings(max_examples=300, deadline=None)
@given(TREES, st.integers(1, 3000))
def test_every_leaf_is_the_same_and_the_wire_is_seven_bit_in_short_lines(message: bytes, size: int) -> None:
    wire = adapted(message, size)
    assert wire.isascii()
    assert max(len(line.removesuffix(b"\r")) for line in wire.split(b"\n")) <= 998
    assert leaves(email.message_from_bytes(wire)) == leaves(email.message_from_bytes(message))
    assert adapted(wire, size) == wire
    mended = adapted(message, size, seven_bit=False)
    assert leaves(email.message_from_bytes(mended)) == leaves(email.message_from_bytes(message))
    assert max(len(line.removesuffix(b"\r")) for line in mended.split(b"\n")) <= 998


@settings(max_examples=400, deadline=None)
@given(MAILS | st.binary(max_size=300), st.integers(1, 50))
def test_hostile_octets_in_pieces_are_read_as_when_they_are_whole(message: bytes, size: int) -> None:
    try:
        whole = adapted(message)
    except (Unconvertible, TooComplex):
        return
    assert adapted(message, size) == whole
    body = whole.replace(b"\n\r\n", b"\n\n")
    assert body.partition(b"\n\n")[2].isascii() or not message.isascii()


@settings(max_examples=400, deadline=None)
@given(TREES | MAILS, st.integers(1, 3000))
def test_entities_are_those_of_the_scan(message: bytes, size: int) -> None:
    outline = outline_of(message[at : at + size] for at in range(0, len(message), size))
    scanned = walk(mime.parse(message))
    if any((part.main, part.sub) == (b"message", b"global") or part.encoding for part in scanned):
        return  # What is encoded is not looked into here.
    assert [(one.start, one.kind, one.main, one.sub) for one in outline.entities] == [
        (part.header, part.kind, part.main, part.sub) for part in scanned
    ]


def walk(part: Part) -> list[Part]:
    return [part, *(below for child in part.children for below in walk(child))]
