"""POP3: any chunking gives the same events and the same octets; no input raises."""

from hypothesis import given
from hypothesis import strategies as st

from whimbrel.core.engine import Pause
from whimbrel.protocols.pop3 import commands
from whimbrel.protocols.pop3.commands import State
from whimbrel.protocols.pop3.engine import Bad, Challenge, End, Err, Limits, Ok, Part, Pop3Engine, Response, Start
from whimbrel.protocols.pop3.octets import Added, Sender, added, sent_whole, top, with_crlf

SMALL = Limits(line=40, line_before=60, endless=100)

lines = st.sampled_from(
    [
        b"CAPA", b"USER alice", b"PASS open sesame", b"AUTH PLAIN", b"AUTH LOGIN YQ==", b"STLS", b"STAT", b"LIST 1",
        b"UIDL", b"RETR 2", b"TOP 1 3", b"DELE 1", b"RSET", b"NOOP", b"QUIT", b"*", b"YQ==", b"nonsense", b"",
        b"x" * 50, b"x" * 90, b"x" * 150, b"\xff\0",
    ]
)  # fmt: skip
ends = st.sampled_from([b"\r\n", b"\n", b"\r", b""])
streams = st.lists(st.tuples(lines, ends)).map(lambda pairs: b"".join(line + end for line, end in pairs)) | st.binary()


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in at})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def play(pieces: list[bytes]) -> tuple[list[object], bytes]:
    """The events of a session that answers everything, and the octets it sent."""
    engine = Pop3Engine(SMALL)
    events: list[object] = []
    out = [engine.send(Ok("ready"))]
    for piece in pieces:
        engine.receive(piece)
        while not isinstance(event := engine.next_event(), Pause):
            events.append(event)
            out.append(answer(engine, event))
            if event == commands.Stls():
                return events, b"".join(out)  # What follows is TLS.
    return events, b"".join(out)


def answer(engine: Pop3Engine, event: object) -> bytes:
    match event:
        case commands.Pass() | Response(bytes()):
            return engine.send(Ok("in", State.TRANSACTION))
        case commands.Auth():
            return engine.send(Challenge(b"?"))
        case commands.Retr():
            return engine.send(Start("")) + engine.send(Part(b".x")) + engine.send(End())
        case Bad(text):
            return engine.send(Err(text))
        case _:
            return engine.send(Ok("done"))


@given(streams, st.lists(st.integers(0, 10_000)))
def test_any_chunking_gives_the_same_events(data: bytes, at: list[int]) -> None:
    whole = play([data])
    assert play(cut(data, at)) == whole
    assert play([data[i : i + 1] for i in range(len(data))]) == whole


@given(st.binary(), st.sampled_from(State))
def test_a_line_is_a_command_or_refused_in_words_that_hold_nothing_of_it(line: bytes, state: State) -> None:
    try:
        commands.parse(line, state)
    except commands.BadCommand as error:
        assert str(error).isascii() and "\r" not in str(error)


mails = st.lists(st.sampled_from([b".", b"a", b"\r\n", b"\r", b"\n", b"..", b"\r\n.\r\n", b"\0", b"\xff"])).map(
    b"".join
)


@given(mails, st.lists(st.integers(0, 1000)))
def test_any_chunking_sends_the_same_message(message: bytes, at: list[int]) -> None:
    sender = Sender()
    whole = sender.feed(message) + sender.end()
    sender, count = Sender(), Added()
    wire = b""
    for piece in cut(message, at):
        wire += sender.feed(piece)
        count.feed(piece)
    assert wire + sender.end() == whole
    assert count.octets == added(message)


@given(mails)
def test_a_client_gets_the_message_back_and_the_size_it_was_told(message: bytes) -> None:
    sender = Sender()
    wire = sender.feed(message) + sender.end()
    # As RFC 1939 3 has clients read: lines end in CRLF, a lone dot ends all.
    assert wire.endswith(b".\r\n") and b"\n" not in wire.replace(b"\r\n", b"")
    got = b""
    for line in wire.split(b"\r\n"):
        if line == b".":
            break
        got += (line[1:] if line.startswith(b".") else line) + b"\r\n"
    else:
        raise AssertionError("no end")
    assert wire.endswith(b"\r\n.\r\n") or wire == b".\r\n"
    assert wire.count(b"\r\n.\r\n") == (wire != b".\r\n")
    want = with_crlf(message)
    assert got == (want if not want or want.endswith(b"\r\n") else want + b"\r\n")
    assert len(got) == len(message) + added(message)
    assert sent_whole(message) == wire
    assert sent_whole(message, after=b"+OK\r\n") == b"+OK\r\n" + wire
    if want.endswith(b"\r\n"):
        assert sent_whole(want, lines=True) == wire


@given(mails, st.integers(0, 5), st.integers(0, 50))
def test_top_of_a_part_is_top_of_the_whole_or_asks_for_more(message: bytes, lines: int, length: int) -> None:
    whole = top(message, lines, whole=True)
    assert whole is not None and with_crlf(message).startswith(whole)
    part = top(message[:length], lines, whole=False)
    if length < len(message):
        assert part in (None, whole)
