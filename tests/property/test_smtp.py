"""SMTP engines under any input in any pieces. RFC 5321"""

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from whimbrel.core.address import Address
from whimbrel.core.engine import Pause
from whimbrel.core.envelope import MailOptions, Recipient
from whimbrel.protocols.smtp.client import SmtpClient
from whimbrel.protocols.smtp.client_events import Finished, Greeting, Lost, NeedContent, Ready
from whimbrel.protocols.smtp.data import DataReceiver
from whimbrel.protocols.smtp.paths import read_mailbox, split_path
from whimbrel.protocols.smtp.reply import Reply, ReplyReader, encode
from whimbrel.protocols.smtp.server import SmtpEngine
from whimbrel.protocols.smtp.server_events import (
    Auth,
    AuthResponse,
    Chunk,
    Data,
    DataEnd,
    Fault,
    Helo,
    Mail,
    Quit,
    StartTls,
)
from whimbrel.protocols.smtp.state import Role, Terms
from whimbrel.protocols.smtp.stuffing import Stuffing

LINE_ENDS = st.lists(st.sampled_from([b".", b"a", b"\r\n", b"\r", b"\n", b"\r\n.\r\n", b"\0"]), max_size=30).map(
    b"".join
)
COMMANDS = st.lists(
    st.sampled_from(
        [
            b"EHLO c\r\n",
            b"HELO c\r\n",
            b"MAIL FROM:<a@example.org>\r\n",
            b"MAIL FROM:<> SIZE=5 BODY=8BITMIME\r\n",
            b"RCPT TO:<b@example.test>\r\n",
            b"RCPT TO:<postmaster>\r\n",
            b"DATA\r\n",
            b"text\r\n.\r\n",
            b"..text\n\r\n.\r\n",
            b"MAIL FROM:<\xc3\xbc@example.org> SMTPUTF8 PRDR RET=FULL ENVID=a+2B\r\n",
            b"RCPT TO:<\xc3\xbc@example.test> NOTIFY=NEVER ORCPT=rfc822;a+40b\r\n",
            b"BDAT 4\r\na\r\n\r",
            b"BDAT 2 LAST\r\n\nb",
            b"BDAT 0 LAST\r\n",
            b"BDAT 2000\r\nNOOP\r\n",
            b"BDAT 7 LAST\r\nNOOP\r\n.",
            b"RSET\r\n",
            b"NOOP\r\n",
            b"AUTH PLAIN\r\n",
            b"AUTH LOGIN YQ==\r\n",
            b"YWJj\r\n",
            b"*\r\n",
            b"NOOP\n",
            b"GARBAGE \xff\r\n",
            b"A" * 600 + b"\r\n",
            b"\r\n",
            b"QUIT\r\n",
        ]
    )
    | st.binary(max_size=20),
    max_size=25,
).map(b"".join)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(at)]


def served(parts: list[bytes], role: Role) -> list[object]:
    """The events of a server that says yes to everything; blocks of content that follow each other as one."""
    engine, events = SmtpEngine(role, 1000), list[object]()
    engine.send(Reply(220, "", ("hi",)))
    for part in parts:
        engine.receive(part)
        while not isinstance(event := engine.next_event(), Pause):
            if isinstance(event, bytes):
                if events and isinstance(events[-1], bytes):
                    events[-1] += event
                else:
                    events.append(event)
                continue
            events.append(event)
            if isinstance(event, Chunk):
                continue
            answer = Reply(250, "", ("ok",))
            if isinstance(event, Helo):
                engine.offer(Terms(1000, starttls=True, mechanisms=("PLAIN",), prdr=True))
            elif isinstance(event, Fault):
                answer = event.reply
            elif isinstance(event, Data):
                answer = Reply(354, "", ("go",))
            elif isinstance(event, Quit):
                answer = Reply(221, "", ("bye",))
            elif isinstance(event, StartTls):
                answer = Reply(454, "", ("no",))
            elif isinstance(event, Auth):
                answer = Reply(334, "", ("",))
            elif isinstance(event, AuthResponse):
                answer = Reply(235, "", ("ok",))
            elif type(event).__name__ == "Help":
                answer = Reply(214, "", ("",))
            while engine.waiting:
                assert encode(answer) == engine.send(answer)
                if answer.code == 421:
                    break
    return events


@given(COMMANDS, st.lists(st.integers(0, 10_000), max_size=20), st.sampled_from(list(Role)))
@settings(max_examples=300)
def test_any_chunking_gives_the_same_events(data: bytes, cuts: list[int], role: Role) -> None:
    if role is Role.LMTP:
        data = data.replace(b"EHLO", b"LHLO")
    whole = served([data], role)
    assert served(pieces(data, cuts), role) == whole
    assert served([data[at : at + 1] for at in range(len(data))], role) == whole


def received(parts: list[bytes], *, mend: bool) -> tuple[bytes, DataEnd | None, bytes]:
    receiver, out = DataReceiver(20, mend=mend), b""
    for at, part in enumerate(parts):
        for block in receiver.feed(part):
            if isinstance(block, DataEnd):
                rest = receiver.rest + b"".join(parts[at + 1 :])
                return b"" if block.oversize else out, block, rest  # How much came before the limit is open.
            out += block
    return out, None, b""


@given(LINE_ENDS, st.lists(st.integers(0, 1000), max_size=10), st.booleans())
def test_any_chunking_gives_the_same_message(data: bytes, cuts: list[int], mend: bool) -> None:
    data += b"\r\n.\r\nQUIT\r\n"
    whole = received([data], mend=mend)
    assert received(pieces(data, cuts), mend=mend) == whole
    assert received([data[at : at + 1] for at in range(len(data))], mend=mend) == whole


@given(LINE_ENDS, st.lists(st.integers(0, 1000), max_size=10), st.booleans())
def test_what_is_sent_is_received_and_never_holds_a_bare_line_end(content: bytes, cuts: list[int], mend: bool) -> None:
    stuffing = Stuffing()
    wire = b"".join([*map(stuffing.encode, pieces(content, cuts)), stuffing.end()])
    receiver = DataReceiver(10_000, mend=mend)
    *blocks, end = receiver.feed(wire + b"RSET\r\n")
    expected = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    if expected and not expected.endswith(b"\r\n"):
        expected += b"\r\n"
    assert b"".join(block for block in blocks if isinstance(block, bytes)) == expected
    assert end == DataEnd(len(expected), oversize=False, bare=False)
    assert receiver.rest == b"RSET\r\n"


@given(LINE_ENDS)
def test_mended_content_has_whole_line_ends_only(data: bytes) -> None:
    out = DataReceiver(10_000, mend=True).feed(data + b"\r\n.\r\n")
    text = b"".join(block for block in out if isinstance(block, bytes))
    assert text.count(b"\r\n") == text.count(b"\r") == text.count(b"\n")


@given(st.binary(max_size=300) | COMMANDS, st.sampled_from(list(Role)))
def test_no_input_raises(data: bytes, role: Role) -> None:
    served([data], role)


MAIL_OR_RCPT = st.builds(
    lambda verb, path, words: verb + b"<" + path + b">" + b"".join(b" " + word for word in words) + b"\r\n",
    st.sampled_from([b"MAIL FROM:", b"RCPT TO:", b"mail from: ", b"VRFY ", b"EHLO ", b"BDAT "]),
    st.binary(max_size=40) | st.sampled_from([b"a@example.org", b'"a b"@example.org', b"", b"\xc3\xbc@x.org"]),
    st.lists(
        st.builds(
            lambda key, value: key + value,
            st.sampled_from(
                [b"SIZE", b"BODY", b"RET", b"ENVID", b"NOTIFY", b"ORCPT", b"SMTPUTF8", b"PRDR", b"REQUIRETLS", b"AUTH"]
            ),
            st.binary(max_size=30).map(lambda value: b"=" + value)
            | st.sampled_from([b"", b"=", b"=NEVER", b"=rfc822;a+0Ab", b"=utf-8;\\x{0A}", b"=9" * 20, b"=+", b"=FULL"]),
        ),
        max_size=4,
    ),
)


def strings(event: object) -> list[str]:
    texts = [value for name in ("orcpt", "text", "name") if isinstance(value := getattr(event, name, ""), str)]
    return [*texts, event.options.envid] if isinstance(event, Mail) else texts


@given(st.lists(MAIL_OR_RCPT | st.binary(max_size=60).map(lambda line: line + b"\r\n"), max_size=12))
@settings(max_examples=1000, deadline=None)
def test_ten_thousand_malformed_commands_raise_nothing_and_nothing_raw_gets_through(lines: list[bytes]) -> None:
    """About ten lines in each of a thousand examples. What goes into headers and logs has no control characters."""
    for event in served([b"EHLO c\r\nMAIL FROM:<>\r\nRSET\r\n", *lines], Role.SMTP):
        assert all(text.isprintable() for text in strings(event)), event
        if isinstance(event, Fault):
            assert event.reply.code >= 400 and encode(event.reply).count(b"\r\n") == 1


@given(st.lists(LINE_ENDS, min_size=1, max_size=5), st.booleans(), st.lists(st.integers(0, 100), max_size=10))
def test_chunks_carry_what_data_would_and_are_held_to_the_same_line_ends(
    chunks: list[bytes], mend: bool, cuts: list[int]
) -> None:
    whole = b"".join(chunks)
    stream = b"".join(
        b"BDAT %d%s\r\n%s" % (len(chunk), b" LAST" if at == len(chunks) - 1 else b"", chunk)
        for at, chunk in enumerate(chunks)
    )
    head = b"LHLO c\r\n" if mend else b"EHLO c\r\n"
    head += b"MAIL FROM:<>\r\nRCPT TO:<b@example.test>\r\n"
    role = Role.LMTP if mend else Role.SMTP
    events = served([head, *pieces(stream, cuts)], role)
    content = b"".join(event for event in events if isinstance(event, bytes))
    pairs = whole.count(b"\r\n")
    bare = whole.count(b"\n") != pairs or whole.count(b"\r") != pairs
    end = events[-1]
    assert isinstance(end, DataEnd)
    assert end.bare == (bare and not mend) and end.size == len(content)
    if mend:
        assert content == re.sub(rb"\r*\n|\r", b"\r\n", whole)
    else:
        assert content == whole


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@given(st.integers(200, 599), st.lists(TEXT, min_size=1, max_size=5), st.lists(st.integers(0, 1000), max_size=8))
def test_a_reply_is_read_as_it_was_written(code: int, lines: list[str], cuts: list[int]) -> None:
    enhanced = f"{code // 100}.1.2" if code // 100 != 3 else ""
    reader = ReplyReader()
    answer, wire = None, encode(Reply(code, enhanced, tuple(lines)))
    for piece in pieces(wire, cuts):
        assert answer is None
        reader.feed(piece)
        answer = reader.next()
    assert answer is not None
    assert (answer.code, answer.enhanced) == (code, enhanced)
    if enhanced:
        assert [line.lstrip(" ") for line in answer.lines] == [line.lstrip(" ") for line in lines]
    else:
        assert list(answer.lines) == lines


ANSWERS = st.lists(
    st.sampled_from(
        [b"250 ok\r\n", b"250-a\r\n", b"550 5.1.1 no\r\n", b"421 bye\r\n", b"354 go\r\n", b"451 x\r\n", b"?\r\n"]
    )
    | st.binary(max_size=10),
    max_size=12,
).map(b"".join)


@given(
    ANSWERS,
    st.lists(st.integers(0, 1000), max_size=10),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, b"", b"x"]),
)
def test_a_client_gets_a_result_for_each_recipient_whatever_the_peer_says(
    data: bytes, cuts: list[int], lmtp: bool, pipelining: bool, whole: bytes | None
) -> None:
    client = SmtpClient(lmtp=lmtp)
    client.receive(b"220 hi\r\n")
    assert isinstance(client.next_event(), Greeting)
    client.hello("c")
    client.receive(b"250-hi\r\n250-CHUNKING\r\n250 PIPELINING\r\n" if pipelining else b"250 hi\r\n")
    assert isinstance(client.next_event(), Ready)
    recipients = [Recipient(Address(name, "example.test")) for name in "abc"]
    taken = client.transaction(None, recipients, MailOptions(), whole)
    assert taken is (pipelining and not lmtp and whole is not None)
    finals = []
    for piece in [*pieces(data, cuts), b""]:
        client.receive(piece)
        while not isinstance(event := client.next_event(), Pause):
            if isinstance(event, NeedContent):
                assert len(event.results) == 3 and not taken
                client.content(b"hello")
                client.content_end()
            elif isinstance(event, Finished) or (isinstance(event, Lost) and event.results):
                finals.append(event.results)
    assert len(finals) == 1
    assert len(finals[0]) == 3


@given(st.text(max_size=60))
def test_a_path_is_read_or_refused(text: str) -> None:
    try:
        path, rest = split_path("<" + text)
    except ValueError:
        return
    assert "<" + path + ">" + rest == "<" + text
    try:
        read_mailbox(path)
    except ValueError:
        return


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20))
def test_an_address_comes_back_from_its_path(local: str) -> None:
    address = Address(local, "example.test")
    path, rest = split_path(f"<{address}> SIZE=1")
    assert rest == " SIZE=1"
    assert read_mailbox(path) == address
