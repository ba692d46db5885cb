"""The engine of the server: bounds, order, what replies are legal. RFC 5321 4.1, 4.3.2; RFC 3207 4.2; RFC 4954 4"""

import pytest

from whimbrel.core.address import Address
from whimbrel.core.engine import NEED_DATA, PAUSED, Pause
from whimbrel.core.envelope import MailOptions
from whimbrel.protocols.smtp.reply import Reply
from whimbrel.protocols.smtp.server import MAX_AUTH_LINE, MAX_COMMAND, MAX_PATH_COMMAND, SmtpEngine
from whimbrel.protocols.smtp.server_events import (
    Auth,
    AuthResponse,
    Data,
    DataEnd,
    Fault,
    Helo,
    Mail,
    Noop,
    Quit,
    Rcpt,
    ServerEvent,
    StartTls,
)
from whimbrel.protocols.smtp.state import Role, Terms

GREETING = Reply(220, "", ("mail.example.test",))
OK = Reply(250, "", ("Ok",))
GO = Reply(354, "", ("Go",))
NO = Reply(550, "", ("No",))


def greeted(role: Role = Role.SMTP, *, extended: bool = True, terms: Terms | None = None) -> SmtpEngine:
    engine = SmtpEngine(role, 1000)
    engine.send(GREETING)
    say(engine, b"LHLO c" if role is Role.LMTP else b"EHLO c" if extended else b"HELO c")
    if terms is not None:
        engine.offer(terms)
    engine.send(OK)
    return engine


def say(engine: SmtpEngine, line: bytes) -> ServerEvent | Pause:
    engine.receive(line + b"\r\n")
    return engine.next_event()


def in_data(role: Role = Role.SMTP, recipients: int = 1) -> SmtpEngine:
    engine = greeted(role)
    say(engine, b"MAIL FROM:<>")
    engine.send(OK)
    for at in range(recipients):
        say(engine, b"RCPT TO:<u%d@example.test>" % at)
        engine.send(OK)
    assert say(engine, b"DATA") == Data()
    engine.send(GO)
    return engine


def code(event: object) -> int:
    assert isinstance(event, Fault), event
    return event.reply.code


def test_nothing_is_read_before_the_greeting_and_while_an_event_waits() -> None:
    engine = SmtpEngine(Role.SMTP, 1000)
    engine.receive(b"HELO a\r\nNOOP\r\n")
    assert engine.next_event() is PAUSED
    engine.send(GREETING)
    assert engine.next_event() == Helo("a", False)
    assert engine.next_event() is PAUSED
    engine.send(OK)
    assert engine.next_event() == Noop()
    engine.send(OK)
    assert engine.next_event() is NEED_DATA


def test_mail_and_rcpt_carry_what_was_said() -> None:
    engine = greeted()
    assert say(engine, b"MAIL FROM:<a@example.org> SIZE=123 BODY=8BITMIME") == Mail(
        Address("a", "example.org"), MailOptions(size=123, body_8bit=True)
    )
    engine.send(OK)
    assert say(engine, b"RCPT TO:<@relay.example:bob@example.test>") == Rcpt(Address("bob", "example.test"))
    engine.send(OK)
    assert say(engine, b"RCPT TO:<postmaster>") == Rcpt(None)


@pytest.mark.parametrize(
    ("head", "limit"), [(b"NOOP ", MAX_COMMAND), (b"MAIL FROM:<", MAX_PATH_COMMAND), (b"AUTH PLAIN ", MAX_AUTH_LINE)]
)
def test_lines_have_a_limit_and_the_session_goes_on(head: bytes, limit: int) -> None:
    fits = head + b"A" * (limit - 2 - len(head)) + b"\r\n"
    engine = greeted()
    engine.receive(fits)
    event = engine.next_event()
    assert not (isinstance(event, Fault) and event.reply.lines == ("Line too long",))
    engine = greeted()
    engine.receive(b"A" + fits if head == b"NOOP " else head + b"A" + fits[len(head) :])
    assert code(engine.next_event()) == 500
    engine.send(NO)
    assert say(engine, b"NOOP") == Noop()


def test_a_line_without_end_takes_no_memory() -> None:
    engine = greeted()
    for _ in range(1000):
        engine.receive(b"A" * 10_000)
        assert engine.next_event() is NEED_DATA
        assert len(engine._buffer) <= MAX_AUTH_LINE
    engine.receive(b"A\r\nNOOP\r\n")
    assert code(engine.next_event()) == 500
    engine.send(NO)
    assert engine.next_event() == Noop()


def test_too_long_a_response_ends_the_exchange() -> None:
    engine = greeted(terms=Terms(1000, mechanisms=("PLAIN",)))
    assert say(engine, b"AUTH PLAIN") == Auth("PLAIN", None)
    engine.send(Reply(334, "", ("",)))
    event = say(engine, b"A" * MAX_AUTH_LINE)
    assert isinstance(event, Fault)
    assert (event.reply.code, event.reply.enhanced) == (500, "5.5.6")  # RFC 4954 4
    engine.send(event.reply)
    assert say(engine, b"NOOP") == Noop()


def test_sasl_responses_are_decoded() -> None:
    engine = greeted(terms=Terms(1000, mechanisms=("PLAIN",)))
    assert say(engine, b"AUTH PLAIN =") == Auth("PLAIN", b"")
    engine.send(Reply(334, "", ("",)))
    assert say(engine, b"AGFi") == AuthResponse(b"\0ab")
    engine.send(Reply(334, "", ("",)))
    assert say(engine, b"*") == AuthResponse(None)
    engine.send(Reply(501, "5.7.0", ("Cancelled",)))
    assert code(say(engine, b"AUTH PLAIN AGF")) == 501


@pytest.mark.parametrize(
    ("line", "wrong"),
    [(b"NOOP", 354), (b"NOOP", 334), (b"NOOP", 220), (b"MAIL FROM:<>", 354), (b"QUIT", 250), (b"XYZZY", 250)],
)
def test_an_illegal_reply_is_a_bug_and_not_sent(line: bytes, wrong: int) -> None:
    engine = greeted()
    say(engine, line)
    with pytest.raises(ValueError, match="does not answer"):
        engine.send(Reply(wrong, "", ("",)))
    engine.send(NO)
    with pytest.raises(ValueError, match="nothing waits"):
        engine.send(OK)


def test_421_may_come_at_any_time_and_ends_reading() -> None:
    engine = in_data()
    engine.receive(b"half a message")
    engine.next_event()
    assert engine.send(Reply(421, "4.3.2", ("Bye",))) == b"421 4.3.2 Bye\r\n"
    engine.receive(b"\r\n.\r\nNOOP\r\n")
    assert engine.next_event() is NEED_DATA


def test_nothing_is_read_after_quit() -> None:
    engine = greeted()
    engine.receive(b"QUIT\r\nNOOP\r\n")
    assert engine.next_event() == Quit()
    engine.send(Reply(221, "", ("Bye",)))
    engine.receive(b"NOOP\r\n")
    assert engine.next_event() is NEED_DATA


def test_refused_commands_change_nothing() -> None:
    engine = greeted()
    say(engine, b"MAIL FROM:<>")
    engine.send(NO)
    event = say(engine, b"RCPT TO:<a@example.test>")
    assert isinstance(event, Fault)
    assert (event.reply.code, event.counts) == (503, False)  # A pipelining client could not know.
    engine.send(event.reply)
    say(engine, b"MAIL FROM:<>")
    engine.send(OK)
    say(engine, b"RCPT TO:<a@example.test>")
    engine.send(NO)
    assert code(say(engine, b"DATA")) == 554


def test_a_refused_data_leaves_the_transaction_open() -> None:
    engine = greeted()
    say(engine, b"MAIL FROM:<>")
    engine.send(OK)
    say(engine, b"RCPT TO:<a@example.test>")
    engine.send(OK)
    say(engine, b"DATA")
    engine.send(NO)
    assert say(engine, b"RCPT TO:<b@example.test>") == Rcpt(Address("b", "example.test"))


@pytest.mark.parametrize("answer", [OK, NO])
def test_any_answer_to_data_ends_the_transaction(answer: Reply) -> None:
    engine = in_data()
    engine.receive(b"a\r\n.\r\n")
    assert engine.next_event() == b"a\r\n"
    assert engine.next_event() == DataEnd(3, False, False)
    assert engine.next_event() is PAUSED
    engine.send(answer)
    assert code(say(engine, b"DATA")) == 503


def test_lmtp_waits_for_a_reply_for_each_accepted_recipient() -> None:
    engine = in_data(Role.LMTP, recipients=3)
    engine.receive(b".\r\nNOOP\r\n")
    assert isinstance(engine.next_event(), DataEnd)
    for answer in (OK, NO, OK):
        assert engine.next_event() is PAUSED
        engine.send(answer)
    assert engine.next_event() == Noop()


def test_bare_line_ends_are_for_strangers_to_answer_for() -> None:
    engine = in_data()
    engine.receive(b"a\nb\r\n.\r\n")
    assert engine.next_event() == b"a\nb\r\n"
    assert engine.next_event() == DataEnd(5, False, bare=True)
    engine = in_data(Role.LMTP)
    engine.receive(b"a\nb\r\n.\r\n")
    assert engine.next_event() == b"a\r\nb\r\n"
    assert engine.next_event() == DataEnd(6, False, bare=False)


def test_tls_forgets_what_came_before() -> None:
    engine = greeted(terms=Terms(1000, starttls=True))
    engine.receive(b"STARTTLS\r\nMAIL FROM:<evil@example.org>\r\nNO")
    assert engine.next_event() == StartTls()
    engine.send(Reply(220, "", ("Go",)))
    assert engine.next_event() is PAUSED
    engine.receive(b"RSET\r\n")
    assert engine.next_event() is PAUSED
    engine.tls_started()
    assert engine.next_event() is NEED_DATA
    assert code(say(engine, b"MAIL FROM:<>")) == 503
    engine.send(NO)
    say(engine, b"EHLO c")
    engine.offer(Terms(1000, starttls=True))
    engine.send(OK)
    assert code(say(engine, b"STARTTLS")) == 503


def test_only_what_is_offered_is_advertised() -> None:
    engine = SmtpEngine(Role.SMTP, 1000)
    base = ("PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES")
    assert engine.offer(Terms(1000)) == base
    assert engine.offer(Terms(1000, starttls=True)) == (*base[:2], "STARTTLS", *base[2:])
    assert engine.offer(Terms(1000, mechanisms=("PLAIN", "LOGIN"))) == (*base[:2], "AUTH PLAIN LOGIN", *base[2:])
    assert engine.offer(Terms(1000, require_tls=True, prdr=True)) == (*base[:-1], "REQUIRETLS", "PRDR", base[-1])
    assert engine.offer(Terms(1000, max_recipients=9)) == (*base[:-1], "LIMITS RCPTMAX=9", base[-1])
    assert engine.offer(Terms(1000, max_recipients=9, max_transactions=2)) == (
        *base[:-1],
        "LIMITS MAILMAX=2 RCPTMAX=9",
        base[-1],
    )
