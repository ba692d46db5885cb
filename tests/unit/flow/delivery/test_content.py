"""What is sent to servers that do not take a message as it is."""

import email
from dataclasses import replace

import pytest

from tests.support.queue_house import entry
from tests.unit.flow.delivery.test_smtp import World, states
from whimbrel.core.envelope import MailOptions
from whimbrel.core.queue import RecipientState
from whimbrel.flow.delivery.parcel import PIECE
from whimbrel.flow.transaction import HEAD

HEADER = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
EIGHT = HEADER + "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n".encode()
SIGNED = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n"
    b"--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n--s--\r\n"
)
WITHOUT = ("PIPELINING", "SIZE 10000000")
UTF8 = replace(entry("q1", "b@remote.test"), options=MailOptions(utf8=True))
CHUNKING = ("PIPELINING", "CHUNKING", "SIZE 10000000")


def world(extensions: tuple[str, ...] = WITHOUT) -> World:
    made = World()
    made.first.extensions = made.second.extensions = extensions
    return made


def body(wire: bytes) -> bytes:
    content = email.message_from_bytes(wire.replace(b"\r\n..", b"\r\n.")).get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


@pytest.mark.parametrize("extensions", [WITHOUT, CHUNKING])
def test_content_is_converted_for_a_server_without_8bitmime(extensions: tuple[str, ...]) -> None:
    made = world(extensions)
    assert states(made.send("a@remote.test", "b@remote.test", content=EIGHT)) == ["relayed", "relayed"]
    ((sender, _, wire),) = made.first.messages
    assert wire.isascii() and body(wire) == "Grüße\r\n".encode()
    assert f"SIZE={len(wire)}" in sender and "BODY" not in sender


def test_content_stays_as_it_is_where_8bitmime_is_offered() -> None:
    made = world(("8BITMIME",))
    assert states(made.send(content=EIGHT)) == ["relayed"]
    assert made.first.messages[0][2] == EIGHT


@pytest.mark.parametrize("extensions", [WITHOUT, CHUNKING])
def test_large_content_is_converted_while_it_is_sent(extensions: tuple[str, ...]) -> None:
    """Its first octet above 127 may come long after those that are read before the server is dialled."""
    made = world(extensions)
    text = b"0123456789abcde\r\n" * (2 * PIECE // 17) + "Grüße\r\n".encode()
    assert states(made.send(content=HEADER + b"\r\n" + text)) == ["relayed"]
    ((sender, _, wire),) = made.first.messages
    assert wire.isascii() and body(wire) == text
    assert "SIZE=" not in sender  # It is known only afterwards.


def test_octets_far_behind_the_head_are_told_to_a_server_with_8bitmime() -> None:
    made = world(("8BITMIME",))
    content = HEADER + b"\r\n" + b"0123456789abcde\r\n" * HEAD + "Grüße\r\n".encode()
    assert states(made.send(content=content)) == ["relayed"]
    assert " BODY=8BITMIME" in made.first.messages[0][0] and made.first.messages[0][2] == content


@pytest.mark.parametrize("extensions", [WITHOUT, ("8BITMIME",)])
@pytest.mark.parametrize("size", [1500, 100_000])
def test_too_long_lines_are_healed_for_every_server(extensions: tuple[str, ...], size: int) -> None:
    made = world(extensions)
    assert states(made.send(content=HEADER + b"\r\n" + b"y" * size + b"\r\n")) == ["relayed"]
    wire = made.first.messages[0][2]
    assert max(map(len, wire.split(b"\r\n"))) <= 998 and body(wire) == b"y" * size + b"\r\n"


def test_what_cannot_be_converted_goes_to_a_server_that_takes_it() -> None:
    made = world()
    made.second.extensions = ("8BITMIME",)
    assert states(made.send(content=SIGNED)) == ["relayed"]
    assert made.first.messages == [] and made.second.messages[0][2] == SIGNED


@pytest.mark.parametrize("filler", [b"", b"z" * 70 + b"\r\n"])
def test_what_cannot_be_converted_is_returned_if_no_server_takes_it(filler: bytes) -> None:
    made = world()
    (outcome,) = made.send(content=SIGNED + filler * 2000)
    assert outcome.state is RecipientState.FAILED and outcome.status.startswith("5.6.3 ")
    assert not made.first.messages and not made.second.messages
    assert not any(line.startswith("MAIL") for line in made.first.lines)


def test_a_signed_message_with_long_lines_is_sent_as_it_is() -> None:
    made = world()
    content = SIGNED.replace(b"\xc3\xbc", b"y" * 1200)
    assert states(made.send(content=content)) == ["relayed"]
    assert made.first.messages[0][2] == content


@pytest.mark.parametrize("lines", [100, 10_000])
def test_a_message_that_is_too_large_is_not_converted_first(lines: int) -> None:
    made = world(("SIZE 1000",))
    (outcome,) = made.send(content=EIGHT + b"0123456789\r\n" * lines)
    assert outcome.status.startswith("5.3.4") and not made.first.messages


def test_content_that_is_lost_meanwhile_is_not_sent() -> None:
    made = world()
    whole, asked = EIGHT + b"0123456789abcde\r\n" * HEAD, 0
    content = made.queue.content

    async def lost(queue_id: str, start: int = 0, length: int | None = None) -> bytes | None:
        nonlocal asked
        asked += 1
        return await content(queue_id, start, length) if asked < 6 else None

    made.queue.content = lost  # type: ignore[method-assign]
    (outcome,) = made.send(content=whole)
    assert outcome.state is RecipientState.WAITING and not made.first.messages


def test_an_unlabelled_header_is_no_reason_to_touch_the_body() -> None:
    made = world()
    content = b"Subject: Gr\xfc\xdfe\r\n\r\nhello\r\n"
    assert states(made.send(content=content)) == ["relayed"]
    assert made.first.messages[0][2] == b"Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\r\nhello\r\n"


def test_a_message_that_needs_smtputf8_is_returned_as_before() -> None:
    made = world()
    item = UTF8
    (outcome,) = made.send(item=item, content="Subject: ü\r\n\r\nü\r\n".encode())
    assert outcome.status.startswith("5.6.7")


def test_a_message_that_needs_smtputf8_is_eight_bit_as_a_whole() -> None:
    """RFC 6531 3.1 (8): who offers it takes 8-bit content too, even if 8BITMIME was forgotten."""
    made = world(("SMTPUTF8",))
    content = "Subject: ü\r\n\r\nü\r\n".encode()
    assert states(made.send(item=UTF8, content=content)) == ["relayed"]
    assert made.first.messages[0][2] == content
    assert states(made.send(item=entry("q2", "b@remote.test"), content=EIGHT)) == ["relayed"]
    assert made.first.messages[1][2].isascii()
