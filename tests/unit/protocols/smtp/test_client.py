"""The sending side: order, pipelining, results for each recipient. RFC 5321 4.3.2, RFC 2920, RFC 2033"""

from itertools import pairwise

import pytest

from whimbrel.core.address import Address
from whimbrel.core.engine import NEED_DATA
from whimbrel.core.envelope import MailOptions, Recipient
from whimbrel.core.values import Secret
from whimbrel.protocols.smtp.client import WINDOW, SmtpClient
from whimbrel.protocols.smtp.client_events import (
    Finished,
    Goodbye,
    Greeting,
    Lost,
    NeedContent,
    Ready,
    Refused,
    SignedIn,
    TlsReady,
    WasReset,
)

A, B, C = (Address(name, "example.test") for name in "abc")
PLAIN = MailOptions()


def ready(*extensions: str, lmtp: bool = False) -> SmtpClient:
    client = SmtpClient(lmtp=lmtp)
    client.receive(b"220 hi\r\n")
    assert isinstance(client.next_event(), Greeting)
    client.hello("me.example")
    assert client.outgoing() == (b"LHLO" if lmtp else b"EHLO") + b" me.example\r\n"
    lines = ["hi", *extensions]
    for line, after in pairwise([*lines, ""]):
        client.receive(f"250{'-' if after else ' '}{line}\r\n".encode())
    assert isinstance(client.next_event(), Ready)
    return client


def codes(event: object) -> list[int]:
    assert isinstance(event, Finished | Lost | NeedContent), event
    return [answer.code for answer in event.results]


def send(client: SmtpClient, *recipients: Address, options: MailOptions = PLAIN) -> bytes:
    client.transaction(A, [Recipient(one) for one in recipients], options)
    return client.outgoing()


def test_a_transaction_is_one_write_where_pipelining_is_offered() -> None:
    client = ready("PIPELINING", "SIZE 1000", "8BITMIME")
    out = send(client, B, C, options=MailOptions(size=9, body_8bit=True))
    assert out == (
        b"MAIL FROM:<a@example.test> SIZE=9 BODY=8BITMIME\r\n"
        b"RCPT TO:<b@example.test>\r\nRCPT TO:<c@example.test>\r\nDATA\r\n"
    )
    client.receive(b"250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n")
    assert codes(client.next_event()) == [250, 550]
    assert client.content(b".a\r\n") + client.content_end() == b"..a\r\n.\r\n"
    assert client.next_event() is NEED_DATA
    client.receive(b"250 2.0.0 queued\r\n")
    event = client.next_event()
    assert codes(event) == [250, 550]
    assert isinstance(event, Finished)
    assert event.results[0].text == "queued"
    assert client.reusable


def test_without_pipelining_each_command_waits() -> None:
    client = ready()
    assert send(client, B, options=MailOptions(size=9, body_8bit=True)) == b"MAIL FROM:<a@example.test>\r\n"
    client.receive(b"250 ok\r\n")
    assert client.outgoing() == b"RCPT TO:<b@example.test>\r\n"
    client.receive(b"250 ok\r\n")
    assert client.outgoing() == b"DATA\r\n"
    client.receive(b"354 go\r\n")
    assert isinstance(client.next_event(), NeedContent)
    assert client.outgoing() == b""


def test_without_pipelining_nothing_is_sent_after_the_last_refusal() -> None:
    client = ready()
    send(client, B)
    client.receive(b"250 ok\r\n")
    client.outgoing()
    client.receive(b"450 4.2.0 later\r\n")
    assert codes(client.next_event()) == [450]
    assert client.outgoing() == b""
    assert send(client, B) == b"RSET\r\n"  # The transaction is open still.
    client.receive(b"250 ok\r\n")
    assert client.outgoing() == b"MAIL FROM:<a@example.test>\r\n"


def test_a_refused_sender_is_the_answer_for_all() -> None:
    client = ready("PIPELINING")
    send(client, B, C)
    client.receive(b"550 5.7.1 not you\r\n503 5.5.1 what?\r\n503 5.5.1 what?\r\n503 5.5.1 what?\r\n")
    event = client.next_event()
    assert isinstance(event, Finished)
    assert [str(answer) for answer in event.results] == ["550 5.7.1 not you"] * 2
    assert client.outgoing() == b""
    assert client.reusable
    assert send(client, B).startswith(b"MAIL")


def test_354_with_all_recipients_refused_is_answered_by_a_lone_dot() -> None:
    """RFC 2920 3.1"""
    client = ready("PIPELINING")
    send(client, B, C)
    client.receive(b"250 ok\r\n550 no\r\n451 later\r\n354 go\r\n")
    assert client.next_event() is NEED_DATA
    assert client.outgoing() == b".\r\n"
    client.receive(b"554 no valid recipients\r\n")
    assert codes(client.next_event()) == [550, 451]
    assert send(client, B).startswith(b"MAIL")


def test_refused_data_is_the_answer_for_the_accepted() -> None:
    client = ready("PIPELINING")
    send(client, B, C)
    client.receive(b"250 ok\r\n250 ok\r\n550 no\r\n451 4.3.0 broken\r\n")
    assert codes(client.next_event()) == [451, 550]
    assert send(client, B).startswith(b"RSET\r\nMAIL")


def test_an_ok_where_354_was_due_delivers_nothing() -> None:
    client = ready("PIPELINING")
    send(client, B)
    client.receive(b"250 ok\r\n250 ok\r\n250 ok\r\n")
    assert codes(client.next_event()) == [451]


def test_many_recipients_do_not_fill_the_buffers_between() -> None:
    client = ready("PIPELINING")
    people = [Recipient(Address(f"u{at}", "example.test")) for at in range(1000)]
    client.transaction(None, people, PLAIN)
    commands, event = 0, client.next_event()
    while event is NEED_DATA:
        batch = client.outgoing().count(b"\r\n")
        assert 0 < batch <= WINDOW
        commands += batch
        client.receive(b"250 ok\r\n" * batch if commands < 1002 else b"250 ok\r\n" * (batch - 1) + b"354 go\r\n")
        event = client.next_event()
    assert codes(event) == [250] * 1000
    assert commands == 1002


def test_lmtp_has_an_answer_for_each_accepted_recipient() -> None:
    client = ready("PIPELINING", lmtp=True)
    send(client, A, B, C)
    client.receive(b"250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n")
    assert isinstance(client.next_event(), NeedContent)
    client.content_end()
    client.receive(b"250 ok\r\n")
    assert client.next_event() is NEED_DATA
    client.receive(b"452 4.2.2 full\r\n")
    assert codes(client.next_event()) == [250, 550, 452]


def test_what_lmtp_has_delivered_stays_delivered_when_the_connection_breaks() -> None:
    client = ready("PIPELINING", lmtp=True)
    send(client, A, B)
    client.receive(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    client.next_event()
    client.content_end()
    client.receive(b"250 ok\r\n")
    client.receive(b"")
    assert codes(client.next_event()) == [250, 421]


@pytest.mark.parametrize("answers", [b"", b"250 ok\r\n", b"250 ok\r\n250 ok\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n"])
def test_a_lost_connection_is_no_delivery(answers: bytes) -> None:
    client = ready("PIPELINING")
    send(client, B)
    if answers:
        client.receive(answers)
        if answers.endswith(b"354 go\r\n"):
            assert isinstance(client.next_event(), NeedContent)
            client.content_end()
    client.receive(b"")
    assert codes(client.next_event()) == [421]
    assert not client.reusable


def test_421_in_a_transaction_answers_for_all_that_is_open() -> None:
    client = ready("PIPELINING")
    send(client, B, C)
    client.receive(b"250 ok\r\n550 no\r\n421 4.3.2 closing\r\n")
    assert codes(client.next_event()) == [550, 421]
    assert not client.reusable


def test_an_answer_before_the_end_of_content_is_no_delivery() -> None:
    client = ready("PIPELINING")
    send(client, B)
    client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n250 delivered, honestly\r\n")
    assert isinstance(client.next_event(), NeedContent)
    assert client.content(b"text") == b""
    assert client.content_end() == b""
    assert codes(client.next_event()) == [451]
    assert not client.reusable


def test_a_message_too_big_for_the_peer_is_not_sent() -> None:
    client = ready("SIZE 1000")
    assert send(client, B, options=MailOptions(size=1001)) == b""
    assert codes(client.next_event()) == [552]
    assert client.reusable


def test_internationalised_addresses_go_only_to_who_takes_them() -> None:
    umlaut = Address("m\u00fcller", "example.test")
    client = ready("PIPELINING")
    assert send(client, B, umlaut) == (b"MAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n")
    client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    assert codes(client.next_event()) == [250, 553]
    client = ready("PIPELINING", "SMTPUTF8", "8BITMIME")
    assert send(client, umlaut).startswith(
        b"MAIL FROM:<a@example.test> BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<m\xc3\xbcller@"
    )


def test_helo_follows_where_ehlo_is_not_known() -> None:
    client = SmtpClient()
    client.receive(b"220 old\r\n")
    client.next_event()
    client.hello("me.example")
    client.outgoing()
    client.receive(b"502 what?\r\n")
    assert client.next_event() is NEED_DATA
    assert client.outgoing() == b"HELO me.example\r\n"
    client.receive(b"250 ok\r\n")
    assert isinstance(client.next_event(), Ready)
    assert not client.extensions.keywords


@pytest.mark.parametrize("greeting", [b"554 no\r\n", b"421 busy\r\n", b"250 odd\r\n"])
def test_a_greeting_that_refuses_is_told(greeting: bytes) -> None:
    client = SmtpClient()
    client.receive(greeting)
    event = client.next_event()
    assert isinstance(event, Refused)
    assert event.command == "connect"


@pytest.mark.parametrize("greeting", [b"SSH-2.0-x\r\n", b"\x16\x03\x01\n", b"HTTP/1.1 400\r\n", b"a" * 10_000])
def test_what_is_no_smtp_is_lost(greeting: bytes) -> None:
    client = SmtpClient()
    client.receive(greeting)
    assert isinstance(client.next_event(), Lost)


def test_tls_forgets_what_was_said_before() -> None:
    client = ready("STARTTLS", "AUTH PLAIN")
    client.start_tls()
    assert client.outgoing() == b"STARTTLS\r\n"
    client.receive(b"220 go\r\n250")
    assert client.next_event() == TlsReady()
    client.tls_started()
    assert not client.extensions.auth
    client.hello("me.example")
    client.receive(b"250-hi\r\n250 SIZE\r\n")
    assert isinstance(client.next_event(), Ready)


def test_an_answer_nobody_asked_for_ends_the_connection() -> None:
    """As when it was injected behind the answer to STARTTLS."""
    client = ready("STARTTLS")
    client.start_tls()
    client.receive(b"220 go\r\n250 injected\r\n")
    assert client.next_event() == TlsReady()
    assert isinstance(client.next_event(), Lost)


def test_refused_starttls_leaves_the_session_usable() -> None:
    client = ready("STARTTLS")
    client.start_tls()
    client.receive(b"454 4.7.0 not now\r\n")
    assert isinstance(client.next_event(), Refused)
    assert client.reusable


def test_sign_in_by_plain_and_by_login() -> None:
    client = ready("AUTH LOGIN PLAIN")
    client.sign_in("alice", Secret("pw"))
    assert client.outgoing() == b"AUTH PLAIN AGFsaWNlAHB3\r\n"
    client.receive(b"235 2.7.0 ok\r\n")
    assert isinstance(client.next_event(), SignedIn)
    client = ready("AUTH=LOGIN")
    client.sign_in("alice", Secret("pw"))
    assert client.outgoing() == b"AUTH LOGIN\r\n"
    client.receive(b"334 VXNlcm5hbWU6\r\n")
    assert client.outgoing() == b"YWxpY2U=\r\n"
    client.receive(b"334 UGFzc3dvcmQ6\r\n")
    assert client.outgoing() == b"cHc=\r\n"
    client.receive(b"535 5.7.8 no\r\n")
    event = client.next_event()
    assert isinstance(event, Refused)
    assert (event.command, event.reply.code) == ("AUTH", 535)


def test_a_server_that_passes_over_the_initial_response_gets_it_again() -> None:
    client = ready("AUTH PLAIN")
    client.sign_in("alice", Secret("pw"))
    client.outgoing()
    client.receive(b"334 \r\n")
    assert client.outgoing() == b"AGFsaWNlAHB3\r\n"
    client.receive(b"235 ok\r\n")
    assert isinstance(client.next_event(), SignedIn)


def test_a_challenge_too_many_is_cancelled() -> None:
    client = ready("AUTH PLAIN")
    client.sign_in("alice", Secret("pw"))
    client.outgoing()
    client.receive(b"334 \r\n334 \r\n")
    assert client.outgoing() == b"AGFsaWNlAHB3\r\n*\r\n"
    client.receive(b"501 5.7.0 cancelled\r\n")
    assert isinstance(client.next_event(), Refused)
    assert client.reusable


def test_who_goes_on_with_a_cancelled_exchange_is_left() -> None:
    client = ready("AUTH PLAIN")
    client.sign_in("alice", Secret("pw"))
    client.receive(b"334 \r\n" * 3)
    assert isinstance(client.next_event(), Lost)


@pytest.mark.parametrize("code", [500, 502, 504, 534, 538])
def test_a_mechanism_that_is_refused_is_followed_by_the_next(code: int) -> None:
    client = ready("AUTH PLAIN LOGIN CRAM-MD5")
    client.sign_in("alice", Secret("pw"))
    assert client.outgoing().startswith(b"AUTH PLAIN ")
    client.receive(b"%d no\r\n" % code)
    assert client.outgoing() == b"AUTH LOGIN\r\n"
    client.receive(b"%d no\r\n" % code)
    assert client.outgoing() == b"AUTH CRAM-MD5\r\n"
    client.receive(b"%d no\r\n" % code)
    event = client.next_event()
    assert isinstance(event, Refused) and event.reply.code == code


def test_a_wrong_password_is_said_once() -> None:
    for code in (535, 454, 530):
        client = ready("AUTH PLAIN LOGIN")
        client.sign_in("alice", Secret("pw"))
        client.outgoing()
        client.receive(b"%d no\r\n" % code)
        assert isinstance(client.next_event(), Refused)
        assert client.outgoing() == b""


def test_a_long_initial_response_waits_until_it_is_asked_for() -> None:
    """RFC 4954 4"""
    client = ready("AUTH PLAIN")
    client.sign_in("alice", Secret("p" * 500))
    assert client.outgoing() == b"AUTH PLAIN\r\n"
    client.receive(b"334 \r\n")
    assert len(client.outgoing()) > 600


def test_no_mechanism_in_common_is_told_without_a_word() -> None:
    client = ready("AUTH GSSAPI")
    client.sign_in("alice", Secret("pw"))
    assert client.outgoing() == b""
    assert isinstance(client.next_event(), Refused)


def test_a_refusal_in_many_words_is_a_refusal() -> None:
    for wire in (b"550-5.1.1 no\r\n" * 299 + b"550 5.1.1 no\r\n", b"550 5.1.1 " + b"n" * 5000 + b"\r\n"):
        client = ready("PIPELINING")
        send(client, B)
        client.receive(b"250 ok\r\n" + wire + b"503 no\r\n")
        event = client.next_event()
        assert codes(event) == [550] and isinstance(event, Finished)
        assert len(event.results[0].text) < 2000
        assert client.reusable
    client = ready("PIPELINING")
    send(client, B)
    client.receive(b"250 ok\r\n")
    for _ in range(2000):
        client.receive(b"550-" + b"x" * 1020 + b"\r\n")
    assert codes(client.next_event()) == [550]
    assert not client.reusable


def test_rset_and_quit() -> None:
    client = ready()
    client.reset()
    assert client.outgoing() == b"RSET\r\n"
    client.receive(b"250 ok\r\n")
    assert isinstance(client.next_event(), WasReset)
    client.quit()
    assert client.outgoing() == b"QUIT\r\n"
    client.receive(b"221 bye\r\n")
    assert isinstance(client.next_event(), Goodbye)
    assert not client.reusable


def test_a_cached_connection_that_was_closed_is_told_at_next_use() -> None:
    client = ready()
    client.receive(b"421 4.4.2 silent\r\n")
    assert isinstance(client.next_event(), Goodbye)
    client.transaction(A, [Recipient(B)], PLAIN)
    assert codes(client.next_event()) == [421]


def test_one_thing_at_a_time() -> None:
    client = ready()
    client.reset()
    with pytest.raises(ValueError, match="not been answered"):
        client.transaction(A, [Recipient(B)], PLAIN)
    with pytest.raises(ValueError, match="host name"):
        client.hello("a\r\nMAIL")
    with pytest.raises(ValueError, match="no content"):
        client.content(b"x")
