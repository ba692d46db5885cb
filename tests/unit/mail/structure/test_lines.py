"""What clients get ends its lines in CRLF; only the octets of binary parts are left alone. Decision 0011"""

import pytest

from whimbrel.mail.structure.lines import for_clients

LABEL = b"Content-Transfer-Encoding: binary"
IMAGE = b"Content-Type: image/x\n%b\n\n" % LABEL


def crlf(text: bytes) -> bytes:
    return text.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: x\n\n%b\n\ntext\n" % LABEL,  # In the text.
        b"Subject: x\n%b\n\none\ntwo\n" % LABEL,  # Text has lines whatever its label. RFC 2046 4.1.1
        b"Subject: x\nContent-Type: text/html\n%b\n\n<p>\n" % LABEL,
        b"Subject: x\nX: y\n %b\n\n\0\n" % LABEL,  # In another field; NULs alone make nothing binary.
        b"Content-Type: multipart/mixed; boundary=b\n%b\n\n--b\n\none\n--b--\n" % LABEL,  # Of the whole, not of a leaf.
        b"Content-Type: multipart/mixed; boundary=b\n\n%b\n--b\n\none\n--b--\n%b\n" % (LABEL, LABEL),
        b"Content-Type: message/rfc822\n%b\n\nSubject: y\n\none\n" % LABEL,
    ],
)
def test_the_label_anywhere_else_changes_nothing(content: bytes) -> None:
    assert for_clients(content) == crlf(content)


@pytest.mark.parametrize("octets", [b"\n\n", b"a\nb\0\n", b"\r\n\n\r"])
def test_octets_of_binary_parts_stay_as_they_came(octets: bytes) -> None:
    assert for_clients(IMAGE + octets) == crlf(IMAGE) + octets
    wide = b"Content-Type: text/plain; charset=utf-16\n%b\n\n" % LABEL
    assert for_clients(wide + b"\0a\0\n") == crlf(wide) + b"\0a\0\n"
    head, tail = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n", b"\n--b\n\nmore\n--b--\n"
    assert for_clients(head + IMAGE + octets.rstrip(b"\r") + tail) == crlf(head + IMAGE) + octets.rstrip(b"\r") + crlf(
        tail
    )
