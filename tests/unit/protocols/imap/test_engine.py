"""The life of a connection as the engine sees it: literals, limits, states, continuations."""

import pytest

from tests.unit.protocols.imap.engines import converse, engine, refused, understood
from whimbrel.core.engine import NEED_DATA, PAUSED
from whimbrel.protocols.imap.append import Append, Message
from whimbrel.protocols.imap.basic import Login, Noop
from whimbrel.protocols.imap.engine import (
    Accept,
    Bad,
    BulkData,
    BulkEnd,
    Command,
    Continue,
    Done,
    IdleDone,
    Late,
    Later,
    Limits,
    LiteralWanted,
    SaslResponse,
    Status,
    Untagged,
)
from whimbrel.protocols.imap.grammar import State

FRESH = State.NOT_AUTHENTICATED


def test_a_literal_is_asked_for_and_becomes_part_of_its_command() -> None:
    made = engine(FRESH)
    made.receive(b"a LOGIN {5}\r\n")
    assert made.next_event() == LiteralWanted()
    assert made.next_event() is PAUSED
    assert made.send(Continue(b"go")) == b"+ go\r\n"
    made.receive(b'alice "pw"\r\n')
    assert made.next_event() == Command(b"a", Login("alice", b"pw"))


def test_a_non_synchronising_literal_is_not_asked_for() -> None:
    made = engine(FRESH)
    made.receive(b"a LOGIN {5+}\r\nalice {2+}\r\npw\r\n")
    assert made.next_event() == Command(b"a", Login("alice", b"pw"))


def test_a_command_waits_until_the_one_before_is_answered() -> None:
    made = engine()
    made.receive(b"a NOOP\r\nb NOOP\r\n")
    assert made.next_event() == Command(b"a", Noop())
    assert made.next_event() is PAUSED
    assert made.send(Untagged(b"1 EXISTS")) == b"* 1 EXISTS\r\n"
    assert made.send(Done(Status.OK, "x")) == b"a OK x\r\n"
    assert made.next_event() == Command(b"b", Noop())


@pytest.mark.parametrize("line", [b"a FETCH 1 FLAGS", b"a LIST {0}", b"a APPEND x {3}", b"a IDLE", b"a STARTTLS x"])
def test_what_may_not_come_before_sign_in_is_refused_before_any_literal_is_asked_for(line: bytes) -> None:
    assert refused(line, FRESH).status is Status.BAD


def test_a_bad_command_costs_only_itself() -> None:
    events, sent = converse(engine(), [b"a FETCH\r\nb NOOP\r\n\r\n* NOOP\r\nc NOOP\r\n"])
    assert [type(event) for event in events] == [Bad, Command, Bad, Bad, Command]
    assert [line.split()[:2] for line in sent.splitlines()] == [
        [b"a", b"BAD"], [b"b", b"OK"], [b"*", b"BAD"], [b"*", b"BAD"], [b"c", b"OK"],
    ]  # fmt: skip


def test_too_many_bad_commands_in_a_row_end_the_connection() -> None:
    events, _ = converse(engine(limits=Limits(bad=3)), [b"a ?\r\nb ?\r\nc NOOP\r\n" + b"d ?\r\n" * 3])
    assert [event.fatal for event in events if isinstance(event, Bad)] == [False, False, False, False, True]


def test_a_stranger_has_fewer_attempts_and_octets() -> None:
    limits = Limits(bad_before=2, line_before=100)
    events, _ = converse(engine(FRESH, limits), [b"GET / HTTP/1.1\r\n" + b"x" * 200 + b"\r\n"])
    assert isinstance(events[-1], Bad) and events[-1].fatal and events[-1].code == b"TOOBIG"


def test_a_long_line_is_thrown_away_to_its_end() -> None:
    events, sent = converse(engine(limits=Limits(line=100)), [b"a SEARCH TEXT " + b"x" * 300 + b"\r\nb NOOP\r\n"])
    assert isinstance(events[0], Bad) and isinstance(events[1], Command)
    assert sent.startswith(b"a BAD [TOOBIG]")


def test_a_line_as_long_as_the_limit_is_taken() -> None:
    line = b"a LIST x "
    events, _ = converse(engine(limits=Limits(line=100)), [line + b"y" * (100 - len(line)) + b"\r\n"])
    assert isinstance(events[0], Command)


def test_a_long_line_that_ends_with_a_literal_takes_the_literal_with_it() -> None:
    data = b"a SEARCH TEXT " + b"x" * 300 + b" {9+}\r\nz LOGOUT\n\r\nb NOOP\r\n"
    events, _ = converse(engine(limits=Limits(line=100)), [data])
    assert [type(event) for event in events] == [Bad, Command]
    assert events[1] == Command(b"b", Noop())


def test_a_synchronising_literal_that_is_too_big_is_never_asked_for() -> None:
    events, sent = converse(engine(limits=Limits(command=50)), [b"a SEARCH TEXT {51}\r\n", b"b NOOP\r\n"])
    assert sent.startswith(b"a NO [TOOBIG]") and events[1] == Command(b"b", Noop())


def test_a_literal_plus_that_is_too_big_is_read_and_thrown_away() -> None:
    data = b"a SEARCH TEXT {60+}\r\n" + b"b LOGOUT\r\n" * 6 + b" TEXT {3+}\r\nabc\r\nc NOOP\r\n"
    events, sent = converse(engine(limits=Limits(command=50)), [data])
    assert sent.startswith(b"a NO [TOOBIG]") and events[1] == Command(b"c", Noop()) and len(events) == 2


def test_many_literals_together_stay_under_the_limit_of_a_command() -> None:
    data = b"a SEARCH" + b" TEXT {5+}\r\nabcde" * 100 + b"\r\nb NOOP\r\n"
    events, _ = converse(engine(limits=Limits(command=500)), [data])
    assert isinstance(events[0], Bad) and events[0].code == b"TOOBIG"
    assert events[-1] == Command(b"b", Noop())


@pytest.mark.parametrize("size", [b"4294967296", b"99999999999999999999"])
def test_a_literal_size_that_is_no_number_ends_the_connection_if_the_octets_are_on_their_way(size: bytes) -> None:
    assert refused(b"a LOGIN {" + size + b"+}", FRESH).fatal
    assert not refused(b"a LOGIN {" + size + b"}", FRESH).fatal


def test_append_streams_its_message() -> None:
    made = engine()
    made.receive(b'a APPEND "x" (\\Seen $Fwd) "01-Jan-2026 00:00:00 +0000" {10}\r\n')
    event = made.next_event()
    assert event == Command(b"a", Append("x", Message(1, frozenset({"$Fwd"}), 1767225600, 10)))
    assert made.next_event() is PAUSED
    assert made.send(Accept()).startswith(b"+ ")
    made.receive(b"01234")
    assert made.next_event() == BulkData(b"01234")
    assert made.next_event() is NEED_DATA
    made.receive(b"56789\r\nb NOOP\r\n")
    assert made.next_event() == BulkData(b"56789")
    assert made.next_event() == BulkEnd()
    assert made.next_event() is PAUSED
    assert made.send(Done(Status.OK, "in", b"APPENDUID 1 2")) == b"a OK [APPENDUID 1 2] in\r\n"
    assert made.next_event() == Command(b"b", Noop())


def test_the_mailbox_of_append_may_be_a_literal_too() -> None:
    events, sent = converse(engine(), [b"a APPEND {5}\r\n", b"In {x", b" {2+}\r\nhi\r\n"])
    assert events[0] == LiteralWanted()
    assert events[1] == Command(b"a", Append("In {x", Message(0, frozenset(), None, 2)))
    assert events[2:] == [BulkData(b"hi"), BulkEnd()]
    assert sent.startswith(b"+ go\r\n") and sent.count(b"+") == 1


def test_an_append_that_is_refused_leaves_the_stream_in_step() -> None:
    for data in (b"a APPEND x {8}\r\nb NOOP\r\n", b"a APPEND x {8+}\r\nz NOOP\r\n\r\nb NOOP\r\n"):
        made = engine()
        made.receive(data)
        assert isinstance(made.next_event(), Command)
        made.send(Done(Status.NO, "no such mailbox", b"TRYCREATE"))
        assert made.next_event() == Command(b"b", Noop())


def test_an_append_that_fails_halfway_leaves_the_stream_in_step() -> None:
    made = engine()
    made.receive(b"a APPEND x {20}\r\n")
    made.next_event()
    made.send(Accept())
    made.receive(b"0123456789")
    assert made.next_event() == BulkData(b"0123456789")
    made.send(Done(Status.NO, "disk full"))
    made.receive(b"z NOOP\r\n89\r\nb NOOP\r\n")
    assert made.next_event() == Command(b"b", Noop())


@pytest.mark.parametrize("tail", [b" more\r\n", b"{3+}\r\nabc\r\n", b"x\r\n"])
def test_what_follows_the_message_of_append_makes_it_bad(tail: bytes) -> None:
    events, _ = converse(engine(), [b"a APPEND x {2+}\r\nhi" + tail + b"b NOOP\r\n"])
    assert [type(event) for event in events] == [Command, BulkData, Bad, Command]
    assert events[-1] == Command(b"b", Noop())


def test_a_message_over_the_limit_is_refused_unread() -> None:
    assert refused(b"a APPEND x {67108865}").code == b"TOOBIG"


def test_append_without_its_message_is_bad() -> None:
    assert refused(b"a APPEND x").status is Status.BAD


def test_idle_ends_with_done_in_any_case() -> None:
    events, sent = converse(engine(), [b"a IDLE\r\n", b"done\r\nb NOOP\r\n"])
    assert events[1] == IdleDone() and sent.startswith(b"+ go\r\na OK")


def test_anything_but_done_ends_idle_as_bad() -> None:
    events, sent = converse(engine(), [b"a IDLE\r\nb NOOP\r\nc NOOP\r\n"])
    assert isinstance(events[1], Bad) and b"a BAD" in sent and events[2] == Command(b"c", Noop())


def test_sasl_responses_are_base64() -> None:
    events, _ = converse(engine(FRESH), [b"a AUTHENTICATE PLAIN\r\n", b"AGEAYg==\r\n"])
    assert events[1] == SaslResponse(b"\0a\0b")
    events, _ = converse(engine(FRESH), [b"a AUTHENTICATE PLAIN\r\n", b"*\r\n"])
    assert events[1] == SaslResponse(None)
    for wrong in (b"A===", b"AGEAYg", b"A GE=", b"\xff\xff"):
        events, _ = converse(engine(FRESH), [b"a AUTHENTICATE PLAIN\r\n", wrong + b"\r\n", b"b NOOP\r\n"])
        assert isinstance(events[1], Bad) and events[2] == Command(b"b", Noop())


def test_a_sasl_response_has_a_limit() -> None:
    events, _ = converse(
        engine(FRESH, Limits(sasl_line=50)), [b"a AUTHENTICATE PLAIN\r\n", b"A" * 60, b"\r\nb NOOP\r\n"]
    )
    assert isinstance(events[1], Bad) and events[2] == Command(b"b", Noop())


def test_initial_response() -> None:
    assert understood(b"a AUTHENTICATE PLAIN AGEAYg==", FRESH).initial == b"\0a\0b"  # type: ignore[attr-defined]
    assert understood(b"a authenticate plain =", FRESH).initial == b""  # type: ignore[attr-defined]
    assert understood(b"a AUTHENTICATE plain", FRESH).initial is None  # type: ignore[attr-defined]


def test_plaintext_sent_before_tls_is_forgotten() -> None:
    made = engine(FRESH)
    made.receive(b"a STARTTLS\r\nb LOGIN evil evil\r\n")
    assert isinstance(made.next_event(), Command)
    made.send(Done(Status.OK, "begin"))
    assert made.next_event() is PAUSED
    made.tls_started()
    assert made.next_event() is NEED_DATA


def test_replies_that_are_not_legal_are_a_bug() -> None:
    made = engine()
    for reply in (Done(Status.OK, "x"), Continue(), Accept()):
        with pytest.raises(ValueError, match=r"\w"):
            made.send(reply)


def test_no_password_shows_in_a_command() -> None:
    assert "secret" not in repr(understood(b"a LOGIN alice secret", FRESH))
    assert "secret" not in repr(SaslResponse(b"secret"))


def test_text_for_people_cannot_break_the_line() -> None:
    made = engine()
    made.receive(b"a NOOP\r\n")
    made.next_event()
    assert made.send(Done(Status.NO, "x\r\n* BYE \u00e4")) == b"a NO x * BYE ?\r\n"


def test_a_command_may_be_answered_after_the_next_has_been_read() -> None:
    made = engine(State.AUTHENTICATED)
    made.receive(b"a APPEND x {3+}\r\nabc\r\nb APPEND y {2+}\r\nde\r\n")
    for tag, data, more in ((b"a", b"abc", True), (b"b", b"de", False)):
        event = made.next_event()
        assert isinstance(event, Command) and event.tag == tag
        assert not made.follows(b"APPEND")  # Its own octets come first.
        assert made.send(Accept()) == b""
        assert [made.next_event(), made.next_event()] == [BulkData(data), BulkEnd()]
        assert made.follows(b"APPEND") is more and not made.follows(b"NOOP")
        if more:
            assert made.send(Later()) == b""
    assert made.next_event() is PAUSED
    assert made.send(Late(b"a", Done(Status.OK, "Done"))) == b"a OK Done\r\n"
    assert made.next_event() is PAUSED
    assert made.send(Done(Status.NO, "Not done")) == b"b NO Not done\r\n"
    assert made.next_event() is NEED_DATA
    with pytest.raises(ValueError, match="no command"):
        made.send(Later())


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b"b APPEND x {2+}",
        b"b APPEND x {2+}\r\nde",
        b"b APPEND x {2+}\r\nde\r",
        b"b APPEND x {2+}\r\nde (\\Seen) {1+}\r\nx\r\n",
        b"b APPEND x {2}\r\nde\r\n",
        b"b NOOP\r\n",
        b"b LOGIN x {2+}\r\nde\r\n",
        b"b UID APPEND x {2+}\r\nde\r\n",
        b"b APPEND x {99999999999999999999+}\r\nde\r\n",
        b"b " + b"x" * 70_000 + b" {2+}\r\nde\r\n",
    ],
)
def test_only_a_command_that_is_there_as_a_whole_follows(rest: bytes) -> None:
    made = engine(State.AUTHENTICATED)
    made.receive(b"a APPEND x {3+}\r\nabc\r\n" + rest)
    made.next_event()
    made.send(Accept())
    assert [made.next_event(), made.next_event()] == [BulkData(b"abc"), BulkEnd()]
    assert not made.follows(b"APPEND")
