"""Rules of the POP3 engine: states, phases, lines."""

import pytest

from whimbrel.core.engine import NEED_DATA, PAUSED
from whimbrel.protocols.pop3 import commands
from whimbrel.protocols.pop3.commands import State
from whimbrel.protocols.pop3.engine import (
    Bad,
    Challenge,
    End,
    Err,
    Limits,
    Listing,
    Ok,
    Part,
    Pop3Engine,
    Response,
    Start,
)


def greeted(*, signed_in: bool = False, limits: Limits = Limits()) -> Pop3Engine:
    engine = Pop3Engine(limits)
    engine.send(Ok("ready"))
    if signed_in:
        engine.receive(b"AUTH PLAIN =\r\n")
        assert isinstance(engine.next_event(), commands.Auth)
        engine.send(Ok("in", State.TRANSACTION))
    return engine


def ask(engine: Pop3Engine, line: bytes) -> object:
    engine.receive(line + b"\r\n")
    return engine.next_event()


def test_nothing_is_taken_before_the_greeting() -> None:
    engine = Pop3Engine()
    engine.receive(b"QUIT\r\n")
    assert engine.next_event() is PAUSED
    assert engine.send(Ok("ready")) == b"+OK ready\r\n"
    assert engine.next_event() == commands.Quit()


def test_a_connection_can_be_refused_by_its_greeting() -> None:
    engine = Pop3Engine()
    assert engine.send(Err("Too many", "SYS/TEMP")) == b"-ERR [SYS/TEMP] Too many\r\n"
    engine.receive(b"QUIT\r\n")
    assert engine.next_event() is NEED_DATA


def test_pipelined_commands_wait_for_the_reply_to_the_one_before() -> None:
    engine = greeted(signed_in=True)
    engine.receive(b"STAT\r\nNOOP\r\nRE")
    assert engine.next_event() == commands.Stat()
    assert engine.next_event() is PAUSED
    engine.send(Ok("0 0"))
    assert engine.next_event() == commands.Noop()
    engine.send(Ok(""))
    assert engine.next_event() is NEED_DATA
    engine.receive(b"TR 1\r\n")
    assert engine.next_event() == commands.Retr(1)


def test_after_quit_nothing_is_taken() -> None:
    engine = greeted()
    engine.receive(b"QUIT\r\nCAPA\r\n")
    assert engine.next_event() == commands.Quit()
    assert engine.send(Ok("bye")) == b"+OK bye\r\n"
    engine.receive(b"CAPA\r\n")
    assert engine.next_event() is NEED_DATA
    assert engine._buffer == b""  # And nothing is kept.


BEFORE = [b"USER a", b"PASS a", b"AUTH PLAIN", b"AUTH", b"STLS"]
AFTER = [b"STAT", b"LIST", b"LIST 1", b"UIDL", b"UIDL 1", b"RETR 1", b"TOP 1 1", b"DELE 1", b"RSET", b"NOOP"]


@pytest.mark.parametrize("line", BEFORE + AFTER + [b"CAPA", b"QUIT"])
def test_commands_are_taken_in_their_state_only(line: bytes) -> None:
    for signed_in in (False, True):
        refused = line in (BEFORE if signed_in else AFTER)
        assert isinstance(ask(greeted(signed_in=signed_in), line), Bad) is refused
        assert isinstance(ask(greeted(signed_in=signed_in), line.lower() + b" "), Bad) is refused


def test_stls_forgets_what_was_sent_before_tls() -> None:
    engine = greeted()
    engine.receive(b"STLS\r\nUSER mallory\r\n")
    assert engine.next_event() == commands.Stls()
    assert engine.send(Ok("go")) == b"+OK go\r\n"
    assert engine.next_event() is NEED_DATA
    engine.receive(b"USER mallory\r\n")
    assert engine.next_event() is NEED_DATA
    engine.tls_started()
    assert engine.next_event() is NEED_DATA
    assert ask(engine, b"USER alice") == commands.User("alice")


def test_a_refused_stls_changes_nothing() -> None:
    engine = greeted()
    engine.receive(b"STLS\r\nCAPA\r\n")
    engine.next_event()
    engine.send(Err("no"))
    assert engine.next_event() == commands.Capa()


def test_implicit_tls_comes_before_the_greeting() -> None:
    engine = Pop3Engine()
    engine.tls_started()
    assert engine.next_event() is PAUSED
    assert engine.send(Ok("ready")) == b"+OK ready\r\n"


def test_a_sasl_exchange_goes_its_steps() -> None:
    engine = greeted()
    assert ask(engine, b"auth login") == commands.Auth("LOGIN", None)
    assert engine.send(Challenge(b"Username:")) == b"+ VXNlcm5hbWU6\r\n"
    assert ask(engine, b"YWxpY2U=") == Response(b"alice")
    assert engine.send(Challenge(b"")) == b"+ \r\n"
    assert ask(engine, b"*") == Response(None)
    assert engine.send(Err("given up")) == b"-ERR given up\r\n"
    assert ask(engine, b"CAPA") == commands.Capa()


def test_a_response_that_is_no_base64_ends_the_exchange() -> None:
    engine = greeted()
    ask(engine, b"AUTH PLAIN")
    engine.send(Challenge(b""))
    assert isinstance(ask(engine, b"no base64"), Bad)
    with pytest.raises(ValueError):
        engine.send(Challenge(b""))
    engine.send(Err("no"))
    assert ask(engine, b"CAPA") == commands.Capa()


def test_an_initial_response_comes_with_the_command() -> None:
    assert ask(greeted(), b"AUTH PLAIN AGEAYg==") == commands.Auth("PLAIN", b"\0a\0b")
    assert ask(greeted(), b"AUTH plain =") == commands.Auth("PLAIN", b"")
    assert ask(greeted(), b"AUTH") == commands.Auth("", None)
    for bad in (b"AUTH PLAIN !", b"AUTH PLAIN AA AA", b"AUTH P/N", b"AUTH " + b"X" * 21, b"AUTH \xc3\xa9"):
        assert isinstance(ask(greeted(), bad), Bad), bad


def test_passwords_keep_their_spaces_and_are_never_shown() -> None:
    event = ask(greeted(), b"PASS  open  sesame ")
    assert isinstance(event, commands.Pass) and event.password.reveal() == " open  sesame "
    assert "sesame" not in repr(event)
    event = ask(greeted(), b"AUTH PLAIN AGEAc2VjcmV0")
    assert isinstance(event, commands.Auth) and event.initial == b"\0a\0secret" and "secret" not in repr(event)
    assert "secret" not in repr(Response(b"secret")) and "secret" not in repr(Part(b"secret"))


@pytest.mark.parametrize(
    "line",
    [
        b"", b" ", b"LISTS", b"LIST 1 2", b"LIST x", b"LIST -1", b"LIST 1.5", b"LIST 99999999999", b"LIST \xb2",
        b"RETR", b"RETR ", b"TOP 1", b"TOP 1 x", b"TOP", b"DELE", b"DELE 1 2", b"STAT 1", b"NOOP x", b"RSET 1",
        b"CAPA x", b"QUIT now", b"APOP a b", b"LAST", b"XTND", b"\xff\xfe", b"\0", b"LIST\t1", b"list\0",
    ],
)  # fmt: skip
def test_what_is_no_command_is_refused(line: bytes) -> None:
    engine = greeted(signed_in=True)
    event = ask(engine, line)
    assert isinstance(event, Bad) and not event.fatal
    assert engine.send(Err(event.text)).startswith(b"-ERR ")
    assert ask(engine, b"NOOP") == commands.Noop()


@pytest.mark.parametrize("line", [b"USER", b"USER ", b"USER \xff", b"USER a\0b", b"USER " + b"a" * 321, b"PASS",
                                  b"PASS ", b"PASS \x07", b"PASS " + b"a" * 1025])  # fmt: skip
def test_names_and_passwords_have_bounds(line: bytes) -> None:
    assert isinstance(ask(greeted(), line), Bad)


def test_a_long_line_costs_only_itself() -> None:
    engine = greeted(signed_in=True)
    engine.receive(b"NOOP" + b" " * 600)
    assert engine.next_event() is NEED_DATA
    engine.receive(b" " * 600 + b"\r\nNOOP\r\n")
    assert engine.next_event() == Bad("Line too long")
    engine.send(Err("Line too long"))
    assert engine.next_event() == commands.Noop()


def test_a_line_of_the_longest_length_is_taken() -> None:
    limit = Limits().line
    assert ask(greeted(signed_in=True), b"NOOP" + b" " * (limit - 5)) == commands.Noop()
    assert ask(greeted(signed_in=True), b"NOOP" + b" " * (limit - 4)) == Bad("Line too long")


def test_a_line_without_end_is_not_kept_and_is_fatal() -> None:
    engine = greeted()
    event: object = NEED_DATA
    for _ in range(100):
        engine.receive(b"x" * 1000)
        event = engine.next_event()
        assert len(engine._buffer) <= 13_000
        if event is not NEED_DATA:
            break
    assert event == Bad("Line without end", fatal=True)
    engine.send(Err("bye"))
    engine.receive(b"\r\nCAPA\r\n")
    assert engine.next_event() is NEED_DATA


@pytest.mark.parametrize("signed_in", [False, True])
def test_too_many_bad_lines_in_a_row_are_fatal(signed_in: bool) -> None:
    engine = greeted(signed_in=signed_in)
    limit = Limits().bad if signed_in else Limits().bad_before
    for count in range(1, limit + 1):
        event = ask(engine, b"HELO x")
        assert isinstance(event, Bad) and event.fatal is (count == limit)
        engine.send(Err("no"))
    engine = greeted(signed_in=signed_in)
    for count in range(3 * limit):
        event = ask(engine, b"CAPA" if count % limit == limit - 1 else b"x")
        assert not (isinstance(event, Bad) and event.fatal)
        engine.send(Ok(""))


def test_a_bare_lf_ends_a_line_too() -> None:
    engine = greeted()
    engine.receive(b"CAPA\nQUIT\n")
    assert engine.next_event() == commands.Capa()


def test_many_pipelined_commands_take_time_in_proportion() -> None:
    engine = greeted(signed_in=True)
    engine.receive(b"NOOP\r\n" * 100_000)
    for _ in range(100_000):
        assert engine.next_event() == commands.Noop()
        engine.send(Ok(""))
    assert engine.next_event() is NEED_DATA


# Replies


def test_a_message_goes_out_in_parts_between_start_and_end() -> None:
    engine = greeted(signed_in=True)
    ask(engine, b"RETR 1")
    wire = engine.send(Start("follows")) + engine.send(Part(b"a\r\n")) + engine.send(Part(b".b")) + engine.send(End())
    assert wire == b"+OK follows\r\na\r\n..b\r\n.\r\n"
    assert ask(engine, b"TOP 1 0") == commands.Top(1, 0)
    assert engine.send(Start("")) + engine.send(End()) == b"+OK \r\n.\r\n"


def test_a_listing_goes_out_whole() -> None:
    engine = greeted()
    ask(engine, b"CAPA")
    assert engine.send(Listing("follow", b"TOP\r\nUIDL\r\n")) == b"+OK follow\r\nTOP\r\nUIDL\r\n.\r\n"


def test_replies_that_are_not_of_the_moment_are_a_bug() -> None:
    for reply in (Ok(""), Err(""), Listing("", b""), Start(""), Part(b""), End(), Challenge(b"")):
        with pytest.raises(ValueError):
            greeted().send(reply)
    engine = greeted(signed_in=True)
    ask(engine, b"STAT")
    for reply in (Start(""), Part(b""), End(), Challenge(b"")):
        with pytest.raises(ValueError):
            engine.send(reply)
    ask(engine := greeted(signed_in=True), b"RETR 1")
    engine.send(Start(""))
    for reply in (Ok(""), Err(""), Start(""), Challenge(b""), Listing("", b"")):
        with pytest.raises(ValueError):
            engine.send(reply)
    assert engine.next_event() is PAUSED


def test_a_reply_is_always_one_line_of_ascii() -> None:
    engine = greeted()
    ask(engine, b"CAPA")
    assert engine.send(Err("a\r\n+OK b\0 \u00fc\x7f")) == b"-ERR a??+OK b? ??\r\n"
