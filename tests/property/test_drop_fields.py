"""Fields are taken out of a header and nothing else is touched, in whatever pieces a message comes. RFC 5322 2.2"""

from hypothesis import given, settings
from hypothesis import strategies as st

from whimbrel.mail.writing.drop_fields import LONGEST, FieldDropper

NAMES = (b"bcc", b"resent-bcc")
KEPT = st.sampled_from([
    b"To: a@b.test\r\n", b"Bccx: 1\r\n", b"X-Bcc: 1\r\n", b"Subject: Bcc: no\r\n folded\r\n", b"broken line\r\n",
    b"From a@b.test\n", b"X: 1\n", b"Bcc\r\n", b":\r\n", b"\rBcc: 1\r\n", b"X" * (LONGEST + 9) + b": 1\r\n",
    b"Y: " + b"y" * 3000 + b"\r\n",
])  # fmt: skip
DROPPED = st.sampled_from([
    b"Bcc: c@d.test\r\n", b"BCC:\r\n", b"bcc \t: x,\r\n\ty\r\n  z\r\n", b"Resent-Bcc: x\n \t\n",
    b"Bcc:" + b"b" * 999 + b"\n",
])  # fmt: skip
BODY = st.sampled_from([b"", b"\r\nBcc: body\r\n", b"\n\r\nBcc: x", b"\r\n" + bytes(range(256))])


def drop(message: bytes, sizes: list[int]) -> bytes:
    dropper, out, at = FieldDropper(NAMES), b"", 0
    for size in sizes:
        out += dropper.feed(message[at : at + size])
        at += size
        assert len(dropper._held) <= LONGEST
    return out + dropper.feed(message[at:]) + dropper.end()


@given(
    st.lists(st.tuples(KEPT, st.just(True)) | st.tuples(DROPPED, st.just(False)), max_size=8),
    BODY,
    st.lists(st.integers(0, 40), max_size=60),
)
@settings(max_examples=1000, deadline=None)
def test_only_the_named_fields_go(lines: list[tuple[bytes, bool]], body: bytes, sizes: list[int]) -> None:
    message = b"".join(line for line, _ in lines) + body
    assert drop(message, sizes) == b"".join(line for line, kept in lines if kept) + body


@given(st.binary(max_size=600), st.lists(st.integers(0, 40), max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_pieces_of_any_octets_give_the_same(message: bytes, sizes: list[int]) -> None:
    assert drop(message, sizes) == drop(message, [len(message)])


@given(
    st.sampled_from([b"Bcc: a", b"Bcc: a\r\n b", b"Bcc:", b"To: x\r\nBcc: a"]), st.lists(st.integers(0, 9), max_size=9)
)
@settings(deadline=None)
def test_a_message_may_end_within_a_field(message: bytes, sizes: list[int]) -> None:
    assert drop(message, sizes) == (b"To: x\r\n" if message.startswith(b"To") else b"")
