"""Replies read and written. RFC 5321 4.2"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whimbrel.protocols.smtp.reply import MAX_LINE, MAX_LINES, MAX_REPLY, BadReply, Reply, ReplyReader, encode


def read(data: bytes) -> list[Reply]:
    reader, found = ReplyReader(), list[Reply]()
    reader.feed(data)
    while (answer := reader.next()) is not None:
        found.append(answer)
    return found


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        (b"250 2.1.0 Ok\r\n", Reply(250, "2.1.0", ("Ok",))),
        (b"250 Ok\r\n", Reply(250, "", ("Ok",))),
        (b"250\r\n", Reply(250, "", ("",))),
        (b"354 \r\n", Reply(354, "", ("",))),
        (b"250 2.1.0\r\n", Reply(250, "2.1.0", ("",))),
        (b"250 Ok\n", Reply(250, "", ("Ok",))),
        (b"550-5.1.1 no\r\n550 5.1.1 such user\r\n", Reply(550, "5.1.1", ("no", "such user"))),
        (b"250-a\r\n250-\r\n250 b\r\n", Reply(250, "", ("a", "", "b"))),
        (b"550 2.0.0 odd\r\n", Reply(550, "", ("2.0.0 odd",))),
        (b"550 5.7.1234 odd\r\n", Reply(550, "", ("5.7.1234 odd",))),
        # The first digit decides, and the last line's code is the reply's. RFC 5321 4.2.1
        (b"550-5.1.1 no such user\r\n554 5.1.1 really\r\n", Reply(554, "5.1.1", ("no such user", "really"))),
        (b"450-a\r\n451-b\r\n450 c\r\n", Reply(450, "", ("a", "b", "c"))),
        (b"550-5.1.1 no\r\nsee http://x/\r\n550 end\r\n", Reply(550, "5.1.1", ("no", "see http://x/", "end"))),
        (b"550-a\r\n\r\n5501\r\n55\r\n550 b\r\n", Reply(550, "", ("a", "", "5501", "55", "b"))),
        (b"250 caf\xc3\xa9 \xff\x00\r\n", Reply(250, "", ("caf\u00e9 \ufffd?",))),
    ],
)
def test_a_reply_is_read(wire: bytes, answer: Reply) -> None:
    assert read(wire) == [answer]


@pytest.mark.parametrize(
    "wire",
    [
        b"hello\r\n",
        b"25\r\n",
        b"250x\r\n",
        b"199 a\r\n",
        b"600 a\r\n",
        b"\r\n",
        b"\xb2\xb5\xb0 a\r\n",
        b"250" + b"a" * 3 * MAX_LINE,
        b"250-a\r\n550 b\r\n",
        b"550-a\r\n250 b\r\n",
        b"550-a\r\ntext\r\n450 b\r\n",
        b"550-a\r\n600 b\r\n",
        b"text\r\n550 b\r\n",
        b"550-a\r\n" + b"text\r\n" * (MAX_REPLY // 6),
        b"550-a\r\n" + b"t" * (MAX_REPLY + 2 * MAX_LINE),
        b"250-a\r\n" * (MAX_REPLY // 7 + 1),
        b"250 " + b"a" * (MAX_REPLY + 2 * MAX_LINE),
    ],
)
def test_what_is_no_reply_is_refused(wire: bytes) -> None:
    with pytest.raises(BadReply):
        read(wire)


def test_of_many_words_the_beginning_is_kept() -> None:
    assert read(b"550-a\r\n" * 300 + b"550 b\r\n250 c\r\n") == [
        Reply(550, "", ("a",) * MAX_LINES),
        Reply(250, "", ("c",)),
    ]
    (answer,) = read(b"550 5.1.1 " + b"x" * 5000 + b"\r\n")
    assert (answer.code, answer.enhanced, len(answer.text)) == (550, "5.1.1", MAX_LINE - 10)


@given(st.integers(1, 5000), st.integers(1, 200), st.integers(1, 6000))
def test_any_chunking_gives_the_same_reply(length: int, count: int, size: int) -> None:
    wire = b"550-" + b"y" * length + b"\r\n" + b"550-z\r\n" * count + b"550 " + b"x" * length + b"\r\n250 ok\r\n"
    reader, answers = ReplyReader(), []
    for at in range(0, len(wire), size):
        reader.feed(wire[at : at + size])
        while (answer := reader.next()) is not None:
            answers.append(answer)
    assert answers == read(wire)


def test_half_a_reply_waits_for_the_rest() -> None:
    reader = ReplyReader()
    for octet in b"250-a\r\n250 ":
        reader.feed(bytes([octet]))
        assert reader.next() is None
    reader.feed(b"b\r\n250 c\r\n")
    assert reader.next() == Reply(250, "", ("a", "b"))
    assert reader.next() == Reply(250, "", ("c",))


def test_a_reply_is_written() -> None:
    assert encode(Reply(250, "2.1.0", ("Ok",))) == b"250 2.1.0 Ok\r\n"
    assert encode(Reply(334, "", ("",))) == b"334 \r\n"
    assert encode(Reply(214, "2.0.0", ("a", "b"))) == b"214-2.0.0 a\r\n214 2.0.0 b\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        Reply(250, "", ("a\r\n250 b",)),
        Reply(250, "", ("a", "b\nc")),
        Reply(250, "", ("a" * 510,)),
        Reply(250, "", ()),
        Reply(99, "", ("a",)),
        Reply(600, "", ("a",)),
        Reply(250, "", ("\0",)),
    ],
)
def test_what_would_break_the_protocol_is_never_sent(answer: Reply) -> None:
    with pytest.raises(ValueError, match="reply"):
        encode(answer)
