"""A delivered message has one Return-Path, ours, and what was submitted tells nobody whom Bcc named; all else passes
through as it came. RFC 5321 4.4, RFC 5322 3.6.3"""

import asyncio

import pytest

from tests.support.flow_fakes import HeldContent, MemorySpool, MemorySpoolWriter
from tests.support.reception_house import House, house
from whimbrel.core.intake import Origin
from whimbrel.flow.intake.dropped_fields import to_drop, without
from whimbrel.flow.routing.relay import RelaySettings

OLD = b"Return-Path: <old@else.test>\r\n"
REST = b"From: a@b.test\r\nSubject: hello\r\n\r\nReturn-Path: <in@the.text>\r\n"


def filed(there: House) -> bytes:
    (stored,) = there.store.filed
    return stored.content


@pytest.mark.parametrize(
    "content",
    [
        OLD + REST,
        b"From: a@b.test\r\nRETURN-path:\r\n <folded@else.test>\r\nSubject: hello\r\n"
        + REST.partition(b"hello\r\n")[2],
        OLD + b"From: a@b.test\r\n" + OLD + b"Subject: hello\r\n" + OLD + REST.partition(b"hello\r\n")[2],
    ],
)
def test_old_paths_are_taken_off_at_final_delivery_and_nothing_else(content: bytes) -> None:
    there = house()
    asyncio.run(there.send("alice@example.test", content=content))
    stored = filed(there)
    assert stored.startswith(b"Return-Path: <a@b.test>\r\nReceived: ") and stored.endswith(b"\r\n" + REST)
    assert stored.partition(b"\r\n\r\n")[0].lower().count(b"return-path:") == 1
    (received,) = there.log.named("message.received")
    assert received["size"] == len(stored)


def test_a_large_message_keeps_its_text_to_the_octet() -> None:
    there, text = house(), b"".join(b"line %d\r\n" % number for number in range(100_000))
    asyncio.run(there.send("alice@example.test", content=OLD + b"Subject: x\r\n\r\n" + text))
    assert filed(there).endswith(b"\r\nSubject: x\r\n\r\n" + text)


def test_a_header_of_nothing_else_leaves_a_message_without_fields_of_its_own() -> None:
    there = house()
    asyncio.run(there.send("alice@example.test", content=OLD + b"\r\ntext\r\n"))
    assert filed(there).partition(b"\r\n\r\n")[2] == b"text\r\n"


def test_what_the_old_path_hid_is_joined_as_if_it_had_come_first() -> None:
    there = house()
    asyncio.run(there.send("alice@example.test", content=OLD + b"From x Mon Jan 1\r\n" + REST))
    assert b"\r\nMailbox-Line: From x Mon Jan 1\r\nFrom: a@b.test\r\n" in filed(there)


def test_mail_that_passes_through_is_not_looked_at() -> None:
    there = house()
    there.directory.alias("away@example.test", "z@else.test")
    asyncio.run(there.send("away@example.test", content=OLD + REST))
    ((_, content),) = there.store.queued
    assert content.endswith(b"\r\n" + OLD + REST) and content.startswith(b"Delivered-To: ")
    assert content.count(b"Return-Path: ") == 2  # Its own, and the one in the text.


def test_what_is_submitted_goes_out_without_one() -> None:
    there = house()
    alice = there.directory.accounts["alice@example.test"]
    asyncio.run(there.send("x@remote.test", origin=Origin.SUBMISSION, account=alice, content=OLD + REST))
    ((_, content),) = there.store.queued
    assert b"old@else.test" not in content and content.endswith(REST)


def test_a_message_that_is_all_header_is_no_exception() -> None:
    there = house()
    asyncio.run(there.send("alice@example.test", content=OLD + b"Subject: x\r\n"))
    assert b"old@else.test" not in filed(there) and filed(there).endswith(b"\r\nSubject: x\r\n")


class Spool(MemorySpool):
    def __init__(self) -> None:
        self.made: list[HeldContent] = []

    def start(self) -> MemorySpoolWriter:
        spool = self

        class Writer(MemorySpoolWriter):
            async def finish(self, *, crlf: bool = False) -> HeldContent:
                spool.made.append(await super().finish(crlf=crlf))
                return spool.made[-1]

        return Writer()


def test_the_copy_is_closed_and_the_content_is_left_to_who_gave_it() -> None:
    made = house()
    there = House(made.directory, made.store, spool=(spool := Spool()))
    asyncio.run(there.send("alice@example.test", content=OLD + REST))
    assert [one.closed for one in spool.made] == [False, True]


SECRET = (
    b"To: alice@example.test\r\nBcc: carol@else.test,\r\n dave@else.test\r\nSubject: x\r\nRESENT-BCC : e@else.test\r\n"
    b"Content-Length: 7\r\n\r\nBcc: in the text\r\n"
)
TOLD = b"To: alice@example.test\r\nSubject: x\r\n\r\nBcc: in the text\r\n"


@pytest.mark.parametrize(
    ("origin", "networks"), [(Origin.SUBMISSION, ()), (Origin.INBOUND, ("192.0.2.64/28",))], ids=["user", "network"]
)
def test_what_is_submitted_tells_nobody_whom_bcc_named(origin: Origin, networks: tuple[str, ...]) -> None:
    there = house(RelaySettings.model_validate({"allow_from": networks}))
    asyncio.run(there.send("alice@example.test", "carol@else.test", content=SECRET, origin=origin))
    ((_, onward),) = there.store.queued
    for content in (filed(there), onward):
        assert content.endswith(TOLD) and b"else.test" not in content


def test_a_stranger_may_send_what_bcc_he_likes() -> None:
    there = house()
    asyncio.run(there.send("alice@example.test", content=SECRET))
    assert filed(there).endswith(SECRET)


def test_a_bcc_beyond_what_is_looked_at_is_found() -> None:
    there = house()
    tx = asyncio.run(there.begin("x@else.test", origin=Origin.SUBMISSION))
    long = b"X: x\r\n" * 20_000
    content = HeldContent(long + SECRET)
    tx.take_content(content)
    names = to_drop(tx)
    assert b"bcc" in names
    assert asyncio.run(without(names, content, there.spool)).content == long + TOLD  # type: ignore[attr-defined]
