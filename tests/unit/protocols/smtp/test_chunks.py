"""BDAT in the engine: lengths, bounds, what is dropped. RFC 3030 2"""

import pytest

from whimbrel.core.engine import NEED_DATA, PAUSED
from whimbrel.protocols.smtp.data import ChunkReceiver
from whimbrel.protocols.smtp.reply import Reply
from whimbrel.protocols.smtp.server import SmtpEngine
from whimbrel.protocols.smtp.server_events import Chunk, ChunkEnd, DataEnd, Fault, Helo, Noop
from whimbrel.protocols.smtp.state import Role, Terms
from whimbrel.protocols.smtp.xtext import from_utf8_xtext, from_xtext

OK = Reply(250, "", ("Ok",))
NO = Reply(452, "", ("No",))


def ready(role: Role = Role.SMTP, size: int = 20, *, signed_in: bool = False) -> SmtpEngine:
    """In a transaction with a recipient."""
    engine = SmtpEngine(role, size)
    engine.send(Reply(220, "", ("hi",)))
    hello = b"LHLO c\r\n" if role is Role.LMTP else b"EHLO c\r\n"
    engine.receive(hello + b"MAIL FROM:<>\r\nRCPT TO:<a@example.test>\r\n")
    for _ in range(3):
        if isinstance(engine.next_event(), Helo):
            engine.offer(Terms(size))
        engine.send(OK)
    engine.state.authenticated = signed_in
    return engine


def events(engine: SmtpEngine, data: bytes, answer: Reply = OK) -> list[object]:
    engine.receive(data)
    found: list[object] = []
    while (event := engine.next_event()) not in (NEED_DATA, PAUSED):
        found.append(event)
        if engine.waiting:
            engine.send(event.reply if isinstance(event, Fault) else answer)
    return found


def test_a_chunk_is_not_answered_itself_and_its_end_is() -> None:
    engine = ready()
    engine.receive(b"BDAT 3\r\na\r\nBDAT 0 LAST\r\nNOOP\r\n")
    assert engine.next_event() == Chunk(3, last=False)
    assert not engine.waiting
    with pytest.raises(ValueError, match="nothing waits"):
        engine.send(OK)
    assert engine.next_event() == b"a\r\n"
    assert engine.next_event() == ChunkEnd(3, oversize=False)
    assert engine.next_event() is PAUSED
    engine.send(OK)
    assert engine.next_event() == Chunk(0, last=True)
    engine.receive(b"NOOP\r\n")  # Nothing that comes in between is lost.
    assert engine.next_event() == DataEnd(3, oversize=False, bare=False)
    engine.send(OK)
    assert engine.next_event() == Noop()


def test_a_message_that_grows_past_the_limit_is_read_and_not_kept() -> None:
    found = events(ready(), b"BDAT 12\r\n0123456789\r\nBDAT 40 LAST\r\n" + b"x" * 40 + b"NOOP\r\n")
    assert found == [
        Chunk(12, last=False), b"0123456789\r\n", ChunkEnd(12, oversize=False),
        Chunk(40, last=True), b"", DataEnd(52, oversize=True, bare=False), Noop(),
    ]  # fmt: skip


def test_after_a_refused_chunk_the_transaction_is_over_and_the_rest_is_dropped() -> None:
    engine = ready()
    assert events(engine, b"BDAT 2\r\nab", NO) == [Chunk(2, last=False), b"ab", ChunkEnd(2, oversize=False)]
    found = events(engine, b"BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nRSET\r\nNOOP\r\n")
    assert [type(event) for event in found] == [Fault, Fault, Noop]
    assert not engine.state.mail and not engine.state.chunking


def test_what_is_dropped_is_not_held() -> None:
    engine = ready(size=10_000_000)
    engine.receive(b"RSET\r\nBDAT 9000000\r\n")
    engine.next_event()
    engine.send(OK)
    for _ in range(90):
        engine.receive(b"QUIT\r\n" * 10_000)
        assert engine.next_event() is NEED_DATA
        assert len(engine._buffer) == 0
    assert isinstance(events(engine, b"x" * 3_600_000)[0], Fault)


@pytest.mark.parametrize("line", [b"BDAT", b"BDAT ", b"BDAT x", b"BDAT -1", b"BDAT +1", b"BDAT 1e3", b"BDAT 0x10",
                                  b"BDAT 1 LASTT", b"BDAT 1 LAST x", b"BDAT 1  LAST", b"BDAT " + b"9" * 19,
                                  b"BDAT LAST", b"BDAT 1,000"])  # fmt: skip
def test_a_length_that_is_not_understood_ends_the_session(line: bytes) -> None:
    engine = ready()
    (fault,) = events(engine, line + b"\r\nMAIL FROM:<evil@example.org>\r\n")
    assert isinstance(fault, Fault) and fault.reply.code == 421
    assert events(engine, b"NOOP\r\n") == []


@pytest.mark.parametrize(("role", "signed_in"), [(Role.LMTP, False), (Role.SUBMISSION, True)])
def test_who_is_trusted_has_line_ends_mended_across_chunks(role: Role, signed_in: bool) -> None:
    engine = ready(role, 100, signed_in=signed_in)
    found = events(engine, b"BDAT 4\r\na\nb\rBDAT 4\r\n\nc\r\rBDAT 1 LAST\r\nd")
    content = b"".join(event for event in found if isinstance(event, bytes))
    assert content == b"a\r\nb\r\nc\r\n\r\nd"
    assert found[-1] == DataEnd(len(content), oversize=False, bare=False)


@pytest.mark.parametrize(
    ("chunks", "bare"),
    [
        ([b"a\r\n"], False), ([b"a\r", b"\n"], False), ([b"a\r", b"", b"\n"], False), ([b"a"], False),
        ([b"a\n"], True), ([b"a\r"], True), ([b"a\r", b"b"], True), ([b"a", b"\n"], True), ([b"\n.\n"], True),
        ([b"\n.\r\n"], True), ([b"\r.\r"], True), ([b"\r\n.\n"], True), ([b"\r\n.\r", b"\r\n"], True),
        ([b"\r\n.\r\n"], False), ([b"\r\n\0.\r\n"], False),
    ],
)  # fmt: skip
def test_bare_line_ends_are_seen_wherever_the_cuts_are(chunks: list[bytes], bare: bool) -> None:
    receiver, out = ChunkReceiver(100), list[object]()
    for at, chunk in enumerate(chunks):
        receiver.begin(len(chunk), last=at == len(chunks) - 1)
        for octet in [chunk[at : at + 1] for at in range(len(chunk))] or [b""]:
            out += receiver.feed(octet)
    assert out[-1] == DataEnd(sum(map(len, chunks)), oversize=False, bare=bare)
    assert b"".join(block for block in out if isinstance(block, bytes)) == b"".join(chunks)


def test_353_is_legal_once_where_prdr_was_asked_for() -> None:
    engine = SmtpEngine(Role.SMTP, 100)
    engine.send(Reply(220, "", ("hi",)))
    each = Reply(353, "", ("each",))
    for prdr in (b" PRDR", b""):
        engine.receive(b"EHLO c\r\n")
        engine.next_event()
        engine.offer(Terms(100, prdr=True))
        engine.send(OK)
        found = events(engine, b"MAIL FROM:<>" + prdr + b"\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<c@b.test>\r\n")
        assert len(found) == 3
        engine.receive(b"BDAT 0 LAST\r\n")
        engine.next_event(), engine.next_event()
        if not prdr:
            with pytest.raises(ValueError, match="353"):
                engine.send(each)
            engine.send(OK)
            continue
        engine.send(each)
        with pytest.raises(ValueError, match="353"):
            engine.send(each)
        for _ in range(3):
            assert engine.waiting
            engine.send(OK)
        assert not engine.waiting


def test_xtext_is_read_or_refused() -> None:
    assert from_xtext("a+2B+3D@b") == "a+=@b"
    assert from_utf8_xtext(r"j\x{FC}r\x{5C}gen") == "jür\\gen"
    for text in ("a+", "a+2", "a+2b", "a=b", "a b", "ü", "a+0A", "a+7F", "a+FF"):
        with pytest.raises(ValueError):
            from_xtext(text)
    for text in ("\\", r"\x{", r"\x{0}", r"\x{0A}", r"\x{D800}", r"\x{110000}", r"\x{2028}", r"\y{20}"):
        with pytest.raises(ValueError):
            from_utf8_xtext(text)
