"""A message on its way out: line ends, dots, size, top."""

import pytest

from whimbrel.protocols.pop3.octets import Added, Sender, added, top, with_crlf

CASES = {
    b"": b".\r\n",
    b"a": b"a\r\n.\r\n",
    b"a\r\n": b"a\r\n.\r\n",
    b"a\n": b"a\r\n.\r\n",
    b"a\r": b"a\r\r\n.\r\n",
    b"\n": b"\r\n.\r\n",
    b"\r": b"\r\r\n.\r\n",
    b"\r\r\n": b"\r\r\n.\r\n",
    b".": b"..\r\n.\r\n",
    b".\r\n": b"..\r\n.\r\n",
    b"a\n.b\n..c\n": b"a\r\n..b\r\n...c\r\n.\r\n",
    b"a\r.b\r\n": b"a\r.b\r\n.\r\n",
    b"a.b\r\n. c": b"a.b\r\n.. c\r\n.\r\n",
    b"\n\n\r\n\n": b"\r\n\r\n\r\n\r\n.\r\n",
}


@pytest.mark.parametrize("message", CASES)
def test_messages_are_sent_with_crlf_and_doubled_dots(message: bytes) -> None:
    sender = Sender()
    assert sender.feed(message) + sender.end() == CASES[message]
    sender = Sender()
    pieces = [sender.feed(message[at : at + 1]) for at in range(len(message))]
    assert b"".join(pieces) + sender.end() == CASES[message]


@pytest.mark.parametrize("message", CASES)
def test_the_size_told_is_that_of_what_is_sent_without_dots_and_end(message: bytes) -> None:
    wire = CASES[message][:-3]
    dots = sum(line.startswith(b".") for line in wire.split(b"\r\n"))
    assert len(message) + added(message) == len(wire) - dots
    count = Added()
    for at in range(len(message)):
        count.feed(message[at : at + 1])
        count.feed(b"")
    assert count.octets == added(message)


@pytest.mark.parametrize(
    ("message", "lines", "want"),
    [
        (b"A: 1\r\nB: 2\r\n\r\none\r\ntwo\r\n", 0, b"A: 1\r\nB: 2\r\n\r\n"),
        (b"A: 1\r\nB: 2\r\n\r\none\r\ntwo\r\n", 1, b"A: 1\r\nB: 2\r\n\r\none\r\n"),
        (b"A: 1\r\n\r\none\r\ntwo\r\n", 2, b"A: 1\r\n\r\none\r\ntwo\r\n"),
        (b"A: 1\r\n\r\none\r\ntwo", 2, b"A: 1\r\n\r\none\r\ntwo"),
        (b"A: 1\r\n\r\none\r\ntwo", 9, b"A: 1\r\n\r\none\r\ntwo"),
        (b"A: 1\n\none\ntwo\n", 1, b"A: 1\r\n\r\none\r\n"),
        (b"\r\none\r\n\r\ntwo\r\n", 1, b"\r\none\r\n"),
        (b"\none\ntwo", 0, b"\r\n"),
        (b"A: 1\r\n", 3, b"A: 1\r\n"),
        (b"", 3, b""),
        (b"A: 1\r\n\r\n", 3, b"A: 1\r\n\r\n"),
    ],
)
def test_top_is_the_header_and_so_many_lines(message: bytes, lines: int, want: bytes) -> None:
    assert top(message, lines, whole=True) == want
    # With less than the message it is the same, or more is asked for.
    for length in range(len(message)):
        assert top(message[:length], lines, whole=False) in (None, want)


def test_top_asks_for_more_than_it_was_given() -> None:
    assert top(b"A: 1\r\n", 0, whole=False) is None
    assert top(b"A: 1\r\n\r\none\r\ntw", 2, whole=False) is None
    assert top(b"A: 1\r\n\r\none\r\ntw", 1, whole=False) == b"A: 1\r\n\r\none\r\n"


def test_line_ends_that_are_right_are_not_copied() -> None:
    message = b"a\r\nb\r\n" * 1000
    assert with_crlf(message) is message
