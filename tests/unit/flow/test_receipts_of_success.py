"""Who asked for a report of success gets the right one: delivered, relayed later, or expanded. RFC 3461 5.2"""

import asyncio
from dataclasses import replace

import pytest

from tests.support.flow_fakes import address
from tests.support.reception_house import MAIL, House, house
from whimbrel.core.envelope import MailOptions, Notify, Recipient
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.flow.intake.dispatch import onward_notify

SUCCESS, FAILURE, NEVER = Notify.SUCCESS, Notify.FAILURE, Notify.NEVER


def asking(text: str, *notify: Notify) -> Recipient:
    return Recipient(address(text), frozenset(notify or (SUCCESS,)))


def reports(there: House) -> list[str]:
    return [one.content.decode() for one in there.store.filed if b"report-type=delivery-status" in one.content]


@pytest.mark.parametrize(
    ("given", "onward"),
    [
        ((), ()),
        ((FAILURE,), (FAILURE,)),
        ((SUCCESS, FAILURE), (FAILURE,)),
        ((SUCCESS,), (NEVER,)),  # Nothing at all would mean failures.
        ((NEVER,), (NEVER,)),
    ],
)
def test_members_of_a_group_do_not_report_success_on_their_own(
    given: tuple[Notify, ...], onward: tuple[Notify, ...]
) -> None:
    assert onward_notify(frozenset(given)) == frozenset(onward)


def test_a_group_is_reported_as_expanded_and_not_by_its_members() -> None:
    there = house()
    there.directory.alias("all@example.test", "alice@example.test", "carol@remote.test", "dave@else.test")
    asyncio.run(there.send(asking("all@example.test", SUCCESS, FAILURE), sender="bob@example.test"))
    (report,) = reports(there)
    assert "Action: expanded" in report and "Final-Recipient: rfc822; all@example.test" in report
    assert "alice@" not in report and "carol@" not in report
    assert {one.recipient.notify for item, _ in there.store.queued for one in item.recipients} == {frozenset({FAILURE})}


def test_an_alias_for_one_mailbox_is_delivered_and_for_one_elsewhere_goes_on_with_its_wish() -> None:
    there = house()
    there.directory.alias("info@example.test", "alice@example.test")
    asyncio.run(there.send(asking("info@example.test"), sender="bob@example.test"))
    assert "Action: delivered" in reports(there)[0]
    there = house()
    there.directory.alias("away@example.test", "carol@remote.test")
    asyncio.run(there.send(asking("away@example.test"), sender="bob@example.test"))
    assert not reports(there)
    assert there.store.queued[0][0].recipients[0].recipient.notify == frozenset({SUCCESS})


def test_a_member_whose_mailbox_is_busy_reports_no_success_later() -> None:
    there = house()
    there.directory.alias("all@example.test", "alice@example.test", "admin@example.test")
    there.store.failures["alice@example.test"] = [MailboxError(Condition.INUSE, "Busy")]
    asyncio.run(there.send(asking("all@example.test"), sender="bob@example.test"))
    assert "Action: expanded" in reports(there)[0]
    (waiting,) = there.store.queued[0][0].recipients
    assert waiting.local and waiting.recipient.notify == frozenset({NEVER})


def test_a_report_about_a_message_that_must_not_leave_tls_does_not_either_and_has_its_header_only() -> None:
    """RFC 8689 5"""
    there = house()
    there.directory.alias("half@example.test", "alice@example.test", "nobody@example.test")
    options = MailOptions(require_tls=True, ret="FULL")
    asyncio.run(
        there.send("half@example.test", sender="carol@remote.test", options=options, content=MAIL + b"secret body\r\n")
    )
    ((queued, _),) = there.store.queued
    assert queued.sender is None and queued.options.require_tls
    plain = replace(options, require_tls=False)
    asyncio.run(
        there.send("half@example.test", sender="carol@remote.test", options=plain, content=MAIL + b"secret body\r\n")
    )
    texts = [content for _, content in there.store.queued]
    assert [b"secret body" in text for text in texts] == [False, True]
    assert not there.store.queued[1][0].options.require_tls


def test_what_the_sender_wants_returned_goes_on_as_it_was_said() -> None:
    there = house()
    there.directory.alias("away@example.test", "carol@remote.test")
    for options in (MailOptions(ret="HDRS"), MailOptions(ret="FULL"), MailOptions()):
        asyncio.run(there.send("away@example.test", options=options))
        item = there.store.queued[-1][0]
        assert item.options == options
