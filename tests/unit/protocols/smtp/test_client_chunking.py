"""Content by BDAT: counted, in one write with the envelope where it is small. RFC 3030"""

import pytest

from tests.unit.protocols.smtp.test_client import PLAIN, A, B, C, codes, ready
from whimbrel.core.address import Address
from whimbrel.core.engine import NEED_DATA
from whimbrel.core.envelope import Recipient
from whimbrel.protocols.smtp.client import SmtpClient
from whimbrel.protocols.smtp.client_events import Finished, Lost, NeedContent

MAIL = b"Subject: x\r\n\r\n.dot\r\n"


def chunking() -> SmtpClient:
    return ready("PIPELINING", "CHUNKING")


def whole(client: SmtpClient, *recipients: Address, content: bytes = MAIL) -> bytes:
    assert client.transaction(A, [Recipient(one) for one in recipients], PLAIN, content)
    return client.outgoing()


def test_a_small_message_is_one_write_with_its_envelope_and_no_dots_are_doubled() -> None:
    client = chunking()
    assert whole(client, B, C) == (
        b"MAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\nRCPT TO:<c@example.test>\r\n"
        b"BDAT 20 LAST\r\nSubject: x\r\n\r\n.dot\r\n"
    )
    client.receive(b"250 ok\r\n250 ok\r\n550 5.1.1 no\r\n250 2.0.0 queued\r\n")
    assert codes(client.next_event()) == [250, 550]
    assert client.reusable
    assert whole(client, B).startswith(b"MAIL")


@pytest.mark.parametrize(
    ("content", "wire"),
    [(b"a\nb", b"BDAT 6 LAST\r\na\r\nb\r\n"), (b"a\r", b"BDAT 3 LAST\r\na\r\n"), (b"", b"BDAT 0 LAST\r\n")],
)
def test_lines_end_in_crlf_and_are_counted_as_they_are_sent(content: bytes, wire: bytes) -> None:
    assert whole(chunking(), B, content=content).endswith(wire)


def test_content_in_vain_is_no_delivery_and_the_transaction_is_cleared() -> None:
    client = chunking()
    whole(client, B, C)
    client.receive(b"250 ok\r\n550 no\r\n451 later\r\n554 5.5.1 no recipients\r\n")
    assert codes(client.next_event()) == [550, 451]
    assert whole(client, B).startswith(b"RSET\r\nMAIL")
    # Not even where the server takes it: nobody was to have it.
    client = chunking()
    whole(client, B)
    client.receive(b"250 ok\r\n550 no\r\n250 fine\r\n")
    assert codes(client.next_event()) == [550]


def test_a_refused_sender_is_the_answer_for_all_though_content_went_along() -> None:
    client = chunking()
    whole(client, B)
    client.receive(b"550 5.7.1 not you\r\n503 5.5.1 what?\r\n")
    assert client.next_event() is NEED_DATA  # The answer to the content is still to come.
    client.receive(b"503 5.5.1 what?\r\n")
    assert codes(client.next_event()) == [550]
    assert client.reusable


def test_refused_content_is_the_answer_for_the_accepted() -> None:
    client = chunking()
    whole(client, B, C)
    client.receive(b"250 ok\r\n250 ok\r\n550 no\r\n552 5.3.4 too big\r\n")
    assert codes(client.next_event()) == [552, 550]
    assert whole(client, B).startswith(b"RSET\r\n")  # RFC 3030 2


@pytest.mark.parametrize(
    ("answers", "unknown"),
    [(b"", False), (b"250 ok\r\n", False), (b"250 ok\r\n550 no\r\n", False), (b"250 ok\r\n250 ok\r\n", True)],
)
def test_a_connection_lost_after_somebody_was_accepted_leaves_it_unknown(answers: bytes, unknown: bool) -> None:
    """RFC 1047"""
    client = chunking()
    whole(client, B)
    if answers:
        client.receive(answers)
    client.receive(b"")
    event = client.next_event()
    assert isinstance(event, Lost) and event.unknown is unknown
    assert client.begun is bool(answers)


def test_a_large_message_goes_in_counted_chunks_after_the_recipients() -> None:
    client = chunking()
    assert not client.transaction(A, [Recipient(B)], PLAIN)
    assert b"DATA" not in client.outgoing()
    client.receive(b"250 ok\r\n250 ok\r\n")
    assert isinstance(client.next_event(), NeedContent)
    assert client.content(b"one\r") == b""
    assert client.content(b"\ntwo\n") == b"BDAT 3\r\none"
    assert not client.reusable
    client.receive(b"250 3 octets\r\n")
    assert client.next_event() is NEED_DATA
    assert client.content(b"") == b""
    assert client.content_end() == b"BDAT 7 LAST\r\n\r\ntwo\r\n"
    client.receive(b"250 2.0.0 queued\r\n")
    assert isinstance(event := client.next_event(), Finished) and codes(event) == [250]
    assert client.reusable


def test_nothing_of_a_large_message_is_sent_when_all_recipients_were_refused() -> None:
    client = chunking()
    client.transaction(A, [Recipient(B)], PLAIN)
    client.outgoing()
    client.receive(b"250 ok\r\n550 no\r\n")
    assert codes(client.next_event()) == [550]
    assert whole(client, B).startswith(b"RSET\r\nMAIL")


@pytest.mark.parametrize("answer", [b"552 5.3.4 too big\r\n", b"421 4.3.2 closing\r\n"])
def test_a_refused_chunk_is_the_answer_and_ends_the_session(answer: bytes) -> None:
    client = chunking()
    client.transaction(A, [Recipient(B)], PLAIN)
    client.receive(b"250 ok\r\n250 ok\r\n")
    client.next_event()
    client.content(b"one\r\n")
    client.content(b"two\r\n")
    client.receive(answer)
    assert client.content(b"three\r\n") == client.content_end() == b""
    assert codes(client.next_event()) == [int(answer[:3])]
    assert not client.reusable


def test_a_word_of_the_server_between_chunks_that_nobody_asked_for_is_no_delivery() -> None:
    client = chunking()
    client.transaction(A, [Recipient(B)], PLAIN)
    client.receive(b"250 ok\r\n250 ok\r\n")
    client.next_event()
    client.receive(b"250 delivered, honestly\r\n")
    assert codes(client.next_event()) == [451]
    assert not client.reusable


@pytest.mark.parametrize("offered", [("CHUNKING",), ("PIPELINING",)])
def test_data_is_used_without_chunking_and_pipelining(offered: tuple[str, ...]) -> None:
    client = ready(*offered)
    assert not client.transaction(A, [Recipient(B)], PLAIN, MAIL)
    assert b"BDAT" not in client.outgoing()
    lmtp = ready("PIPELINING", "CHUNKING", lmtp=True)
    assert not lmtp.transaction(A, [Recipient(B)], PLAIN, MAIL)
    assert lmtp.outgoing().endswith(b"DATA\r\n")


def test_content_never_overtakes_many_recipients() -> None:
    client = chunking()
    people = [Recipient(Address(f"u{at}", "example.test")) for at in range(500)]
    assert client.transaction(None, people, PLAIN, MAIL)
    flights = []
    while client.next_event() is NEED_DATA and (out := client.outgoing()):
        flights.append(out)
        client.receive(b"250 ok\r\n" * (out.count(b"RCPT") + out.count(b"MAIL")))
        if b"BDAT" in out:
            break
    assert len(flights) == 3 and flights[-1].endswith(MAIL) and not any(b"BDAT" in out for out in flights[:-1])
