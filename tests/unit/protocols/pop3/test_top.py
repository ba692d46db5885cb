"""TOP of a message in pieces is TOP of the whole, and holds no more than a piece."""

from hypothesis import given
from hypothesis import strategies as st

from whimbrel.protocols.pop3.octets import Top, top, with_crlf


def cut(data: bytes, lines: int, size: int) -> bytes:
    found = Top(lines)
    return b"".join(found.feed(data[at : at + size]) for at in range(0, len(data), size))


@given(
    st.lists(st.sampled_from([b"a", b".", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"a: b\r\n"])).map(b"".join),
    st.integers(0, 6),
    st.integers(1, 7),
)
def test_any_pieces_give_what_the_whole_gives(data: bytes, lines: int, size: int) -> None:
    assert with_crlf(cut(data, lines, size)) == top(data, lines, whole=True)


def test_it_is_done_with_the_last_line_wanted_and_takes_no_more() -> None:
    found = Top(1)
    assert found.feed(b"a: b\r\n\r") == b"a: b\r\n\r" and not found.done
    assert found.feed(b"\none\r\ntwo\r\n") == b"\none\r\n" and found.done
    assert found.feed(b"three\r\n") == b""
    none = Top(0)
    assert none.feed(b"a: b\r\n\r\nbody") == b"a: b\r\n\r\n" and none.done
