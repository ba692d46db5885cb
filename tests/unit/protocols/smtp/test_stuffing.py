"""Content on its way out. RFC 5321 4.5.2"""

import pytest

from whimbrel.protocols.smtp.stuffing import Stuffing


def wire(*pieces: bytes) -> bytes:
    stuffing = Stuffing()
    return b"".join([*map(stuffing.encode, pieces), stuffing.end()])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", b".\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r", b"a\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\n.\r\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"\xff\0\xe4\r\n", b"\xff\0\xe4\r\n.\r\n"),
    ],
)
def test_content_cannot_end_the_data_and_ends_in_crlf(content: bytes, expected: bytes) -> None:
    assert wire(content) == expected
    assert wire(*(bytes([octet]) for octet in content)) == expected
    assert wire(b"", content, b"") == expected
