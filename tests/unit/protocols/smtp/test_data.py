"""The end of data, dot-stuffing, bare CR and LF. RFC 5321 2.3.8, 4.1.1.4, 4.5.2"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whimbrel.protocols.smtp.data import ChunkReceiver, DataReceiver
from whimbrel.protocols.smtp.server_events import DataEnd


def collect(pieces: list[bytes], max_size: int = 10_000, *, mend: bool = False) -> tuple[bytes, DataEnd | None, bytes]:
    receiver, blocks = DataReceiver(max_size, mend=mend), list[bytes | DataEnd]()
    for piece in pieces:
        blocks += receiver.feed(piece)
        if blocks and isinstance(blocks[-1], DataEnd):
            break
    end = blocks.pop() if blocks and isinstance(blocks[-1], DataEnd) else None
    assert end is None or isinstance(end, DataEnd)
    return b"".join(block for block in blocks if isinstance(block, bytes)), end, receiver.rest


def test_oversize_data_is_read_to_its_end() -> None:
    out, end, rest = collect([b"x" * 99 + b"\r\n.\r\nQUIT\r\n"], max_size=10)
    assert (out, end, rest) == (b"", DataEnd(101, oversize=True, bare=False), b"QUIT\r\n")


def test_a_peer_that_sends_too_much_is_seen_to_be_alive() -> None:
    """Or a slow one would be told 421, and send all of it again, where 552 is the answer."""
    receiver = DataReceiver(10)
    receiver.feed(b"x" * 100)
    assert receiver.feed(b"y" * 100) == [b""]


def test_a_message_of_exactly_the_limit_is_taken() -> None:
    assert collect([b"x" * 8 + b"\r\n.\r\n"], max_size=10)[:2] == (b"x" * 8 + b"\r\n", DataEnd(10, False, False))
    assert collect([b"x" * 9 + b"\r\n.\r\n"], max_size=10)[1] == DataEnd(11, True, False)


def test_an_empty_message_is_a_message() -> None:
    assert collect([b".\r\n"]) == (b"", DataEnd(0, False, False), b"")


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"..\r\n.\r\n", b".\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a\r\n..\r\n..b\r\n.\r\n", b"a\r\n.\r\n.b\r\n"),
        (b"a.\r\n\r\n.\r\n", b"a.\r\n\r\n"),
    ],
)
def test_the_dot_of_transparency_is_taken_off(wire: bytes, text: bytes) -> None:
    out, end, rest = collect([wire])
    assert (out, rest) == (text, b"")
    assert end == DataEnd(len(text), False, False)


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\r\r\n.\r\r\n"]
)
@pytest.mark.parametrize("mend", [False, True])
def test_nothing_but_crlf_dot_crlf_ends_data(end: bytes, mend: bool) -> None:
    out, found, rest = collect([b"a" + end + b"RSET\r\n"], mend=mend)
    assert found is None
    out, found, rest = collect([b"a" + end + b"RSET\r\n.\r\nQUIT\r\n"], mend=mend)
    assert found is not None
    assert found.bare is not mend
    assert b"RSET\r\n" in out
    assert rest == b"QUIT\r\n"


def test_bare_line_ends_are_mended_for_our_own_users() -> None:
    out, end, _ = collect([b"a\nb\rc\r\n\n.\nd\r", b"\ne\r", b"f\r\n.\r\n"], mend=True)
    assert out == b"a\r\nb\r\nc\r\n\r\n.\r\nd\r\ne\r\nf\r\n"
    assert end == DataEnd(len(out), False, False)


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"a\n..b\r\n.\r\n", b"a\r\n.b\r\n"),  # The sender doubled the dots behind its own line ends.
        (b"a\n.b\r\n.\r\n", b"a\r\n.b\r\n"),  # This one doubles behind CRLF alone.
        (b"a\n...b\n.\n..\n\r\n.\r\n", b"a\r\n..b\r\n.\r\n.\r\n\r\n"),
        (b"..a\n..b\r\n..c\r\n.\r\n", b".a\r\n.b\r\n.c\r\n"),
        (b"a\r..b\r\n.\r\n", b"a\r\n..b\r\n"),  # Nobody doubles dots behind a bare CR.
    ],
)
def test_dots_behind_bare_line_feeds_are_unstuffed_for_our_own_users(wire: bytes, text: bytes) -> None:
    for size in (1, 2, 3, 100):
        pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
        assert collect(pieces, mend=True) == (text, DataEnd(len(text), False, False), b"")


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"a\r\r\nb\r\r\n\r\r\nc\r\n.\r\n", b"a\r\nb\r\n\r\nc\r\n"),
        (b"a\r\r\r\r\nb\r\r\n.\r\n", b"a\r\nb\r\n"),
        (b"a\r\r\n..b\r\r\n..\r\r\n\r\n.\r\n", b"a\r\n.b\r\n.\r\n\r\n"),
        (b"a\r\r\n.\rb\n\r\nc\r\rd\r\n.\r\n", b"a\r\n\r\nb\r\n\r\nc\r\n\r\nd\r\n"),
        (b"a" + b"\r" * 66 + b"\nb\r\n.\r\n", b"a\r\n\r\n\r\nb\r\n"),  # No end to what is held back.
    ],
)
def test_crs_before_a_line_feed_belong_to_one_line_end_for_our_own_users(wire: bytes, text: bytes) -> None:
    """As with Postfix and Exim. Two line ends would be an empty line, behind which Bcc is text."""
    for size in (1, 2, 3, 5, 1000):
        pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
        assert collect(pieces, mend=True) == (text, DataEnd(len(text), False, False), b"")
        end = collect(pieces)[1]
        assert end is not None
        assert end.bare  # Port 25 stays strict.


def test_chunks_are_mended_like_data() -> None:
    wire = b"a\r\r\nb\r\rc\n" + b"\r" * 66 + b"\nd\r\r"
    for size in (1, 2, 3, 7, 1000):
        receiver, out = ChunkReceiver(1000, mend=True), b""
        for at in range(0, len(wire), size):
            piece = wire[at : at + size]
            receiver.begin(len(piece), last=at + size >= len(wire))
            out += b"".join(block for block in receiver.feed(piece) if isinstance(block, bytes))
        assert out == b"a\r\nb\r\n\r\nc\r\n\r\n\r\n\r\nd\r\n\r\n"


@given(
    st.lists(st.sampled_from([b".", b"a", b"\r\n", b"\r", b"\n", b"\r\r\n", b"\r" * 63])).map(b"".join),
    st.integers(1, 70),
)
def test_mending_does_not_depend_on_chunks(data: bytes, size: int) -> None:
    data += b"\r\n.\r\n"
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert collect([data], mend=True)[:2] == collect(pieces, mend=True)[:2]


def test_mended_octets_count_against_the_limit() -> None:
    assert collect([b"\n" * 6 + b"\r\n.\r\n"], max_size=10, mend=True)[1] == DataEnd(14, True, False)


def test_octets_are_kept() -> None:
    body = bytes(octet for octet in range(256) if octet not in b"\r\n") + b"\r\n"
    assert collect([body + b".\r\n"])[0] == body
