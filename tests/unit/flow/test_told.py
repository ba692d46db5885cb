"""What a sender is told where recipients differ, after a repeated message and in reports; and text without a header."""

import asyncio
import quopri

from tests.support.fakes import FakeClock
from tests.support.flow_fakes import address
from tests.support.reception_house import MAIL, House, house
from whimbrel.core.directory import Account
from whimbrel.core.envelope import Envelope, MailOptions, Notify, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Internal
from whimbrel.flow.assessment import NOTHING, Assessment, Finding, Stage
from whimbrel.flow.intake.receipts import LATE
from whimbrel.flow.judging.filter import QuickFilter
from whimbrel.flow.transaction import Answers, Transaction


def test_a_message_that_was_not_taken_for_all_gets_no_receipt() -> None:
    """PRDR: sent again, it must not be answered with 250 for a recipient who does not have it."""
    clock = FakeClock()
    there = House(clock=clock, filters=(Slow(clock),))
    there.directory.user("alice@example.test")
    there.directory.user("bob@example.test")
    full = MailError(452, "4.2.2", "Mailbox full")
    there.store.failures["bob@example.test"] = [full]

    async def check() -> None:
        for outcome in (full, None, None):
            result = await there.send("alice@example.test", "bob@example.test", answers=Answers.EACH)
            assert [error and error.enhanced for error in result.outcomes] == [None, outcome and outcome.enhanced]

    asyncio.run(check())
    assert len(there.store.content_of("bob@example.test")) == 1
    assert len(there.log.named("message.repeated")) == 1


class Slow(QuickFilter):
    """Takes so long that the client may have given up."""

    name, stage = "slow", Stage.DATA

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        self._clock.forward(LATE + 1)
        return NOTHING


def test_whom_a_report_is_about_and_whom_the_sender_meant() -> None:
    """RFC 3461 6.3 (d): what the sender did not give is not told, but for an address he cannot know."""
    there = house()
    there.directory.user("用户@example.test")
    there.directory.alias("发@example.test", "alice@example.test", "gone@example.test")
    asyncio.run(there.send("发@example.test", sender="bob@example.test", options=MailOptions(utf8=True)))
    (report,) = there.store.content_of("bob@example.test")
    told = quopri.decodestring(report.partition(b"message/global-delivery-status")[2].partition(b"\r\n--")[0]).decode()
    assert "Original-Recipient: utf-8; 发@example.test\r\nFinal-Recipient: rfc822; gone@example.test\r\n" in told
    assert report.isascii()  # Bob's address is, so any server of his can take it.

    async def submitted() -> None:
        envelope = Envelope(address("bob@example.test"), tuple(map(_to, ("alice@example.test", "gone@example.test"))))
        await there.reception.submit(Internal(envelope, there.spool.hold(MAIL)))

    asyncio.run(submitted())
    report = there.store.content_of("bob@example.test")[1]
    assert b"Final-Recipient: rfc822; gone@example.test" in report and b"Original-Recipient" not in report


def test_success_needs_no_reason() -> None:
    there = house()
    wish = Recipient(address("alice@example.test"), frozenset({Notify.SUCCESS}))
    asyncio.run(there.send(wish, sender="bob@example.test"))
    (report,) = there.store.content_of("bob@example.test")
    assert b"Action: delivered\r\nStatus: 2.1.5\r\n" in report
    assert b"Reason" not in report and b"Diagnostic-Code" not in report


def _to(text: str) -> Recipient:
    return Recipient(address(text))


def test_text_without_a_header_is_the_body_of_the_message() -> None:
    there = house()
    asyncio.run(there.send("alice@example.test", content=b"hello\r\nworld\r\n"))
    (stored,) = there.store.content_of("alice@example.test")
    header, _, body = stored.partition(b"\r\n\r\n")
    assert header.startswith(b"Return-Path: ") and body == b"hello\r\nworld\r\n"
