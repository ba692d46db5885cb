"""What is refused for its size, for want of room, or because it goes round. RFC 1870 6.1, RFC 5321 6.3"""

import asyncio
from dataclasses import replace

import pytest

from tests.support.flow_fakes import address
from tests.support.reception_house import MAIL, House, house
from whimbrel.core.address import Domain
from whimbrel.core.envelope import Envelope, MailOptions, Notify, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Internal, Origin
from whimbrel.core.values import Size
from whimbrel.flow.judging.filters.raw_header import RawHeaderSettings
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import Answers, Result

BIG = MAIL + b"x" * 5000 + b"\r\n"


def refused(there: House, *recipients: str, content: bytes = MAIL, **more: object) -> MailError:
    with pytest.raises(MailError) as caught:
        asyncio.run(there.send(*recipients, content=content, **more))  # type: ignore[arg-type]
    return caught.value


def of_domain(there: House, limit: int) -> None:
    there.directory._domains = (replace(there.directory._domains[0], max_message_size=limit),)


@pytest.mark.parametrize(("user", "domain"), [(1000, 0), (0, 1000), (1000, 2000), (2000, 1000)])
def test_the_smallest_limit_of_user_and_domain_holds_for_sender_and_recipient(user: int, domain: int) -> None:
    there = house()
    small = there.directory.user("small@example.test", max_message_size=user)
    of_domain(there, domain)
    options = MailOptions(size=1001)
    error = refused(there, "x@remote.test", origin=Origin.SUBMISSION, account=small, options=options)
    assert (error.code, error.enhanced) == (552, "5.2.3") and "1000" in error.text
    error = refused(there, "x@remote.test", origin=Origin.SUBMISSION, account=small, content=BIG)
    assert (error.code, error.enhanced) == (552, "5.2.3")
    error = refused(there, "small@example.test", options=options)
    assert (error.code, error.enhanced) == (552, "5.2.3") and "1000" in error.text
    assert refused(there, "small@example.test", content=BIG).enhanced == "5.2.3"
    asyncio.run(there.send("small@example.test", options=MailOptions(size=1000)))
    assert len(there.store.filed) == 1 and not there.store.queued


def test_a_message_that_is_too_large_for_one_of_two_reaches_the_other_alone() -> None:
    """With one answer for both, the sender is told by a report."""
    there = house()
    there.directory.user("small@example.test", max_message_size=1000)
    there.directory.user("small2@example.test", max_message_size=1000)
    both = ("small@example.test", "alice@example.test")
    asyncio.run(there.send(*both, content=BIG))
    assert [one.account for one in there.store.filed] == ["alice@example.test"]
    ((report, text),) = there.store.queued
    assert report.sender is None and b"Final-Recipient: rfc822; small@example.test" in text and b"5.2.3" in text
    result = asyncio.run(there.send(*both, content=BIG, answers=Answers.EACH))
    assert [error and error.enhanced for error in result.outcomes] == ["5.2.3", None]
    assert len(there.store.filed) == 2
    assert refused(there, "small@example.test", "small2@example.test", content=BIG).enhanced == "5.2.3"


class Room:
    def __init__(self) -> None:
        self.free = True

    def accepting(self) -> bool:
        return self.free


def test_without_room_mail_is_refused_and_content_under_way_is_not_taken() -> None:
    room = Room()
    there = house(space=room)

    async def check() -> None:
        tx = await there.begin("alice@example.test")
        room.free = False
        with pytest.raises(MailError, match=r"452 4\.3\.1"):
            await there.finish(tx)
        with pytest.raises(MailError, match=r"452 4\.3\.1"):
            await there.begin()
        assert not there.store.commits
        room.free = True  # By itself.
        await there.send("alice@example.test")

    asyncio.run(check())
    assert len(there.store.filed) == 1


def forwarding() -> House:
    there = house()
    there.directory.user("away@example.test", forward_to=["me@remote.test"], keep_copy=True)
    there.directory.alias("list@example.test", "x@remote.test", "y@remote.test")
    return there


def test_what_an_address_sends_on_says_where_it_has_been_and_nothing_else_does() -> None:
    there = forwarding()
    asyncio.run(
        there.send(
            "away@example.test", "list@example.test", "z@remote.test", origin=Origin.SUBMISSION, sender="a@b.test"
        )
    )
    direct, away, members = there.store.queued
    assert direct[1].startswith(b"Received: ") and b"Delivered-To" not in direct[1]
    assert away[1].startswith(b"Delivered-To: away@example.test\r\nReceived: ")
    assert members[1].startswith(b"Delivered-To: list@example.test\r\nReceived: ")
    assert [len(one[0].recipients) for one in there.store.queued] == [1, 1, 2]
    assert len({one[0].id for one in there.store.queued}) == 3
    assert all(item.size == len(content) for item, content in there.store.queued)
    (kept,) = there.store.content_of("away@example.test")
    assert b"Delivered-To" not in kept


def test_mail_that_comes_back_to_where_it_was_sent_on_is_a_loop() -> None:
    there = forwarding()
    looped = b"Delivered-To: other@example.test\r\ndelivered-to: <AWAY@example.test>\r\n" + MAIL
    error = refused(there, "away@example.test", content=looped)
    assert (error.code, error.enhanced) == (554, "5.4.6")
    assert not there.store.queued and not there.store.filed
    # Mailboxes may get what was sent on by hand, and so may addresses that it has not seen.
    asyncio.run(there.send("alice@example.test", content=b"Delivered-To: alice@example.test\r\n" + MAIL))
    asyncio.run(there.send("list@example.test", content=looped))
    assert len(there.store.filed) == 1 and len(there.store.queued) == 1


def test_a_loop_for_one_of_several_is_reported_or_answered() -> None:
    looped = b"Delivered-To: away@example.test\r\n" + MAIL
    there = forwarding()
    to = ("away@example.test", "alice@example.test")
    asyncio.run(there.send(*to, content=looped, sender="bob@example.test"))
    assert [one.account for one in there.store.filed] == ["alice@example.test", "bob@example.test"]
    assert b"5.4.6" in there.store.filed[1].content
    there = forwarding()
    result = asyncio.run(there.send(*to, content=looped, answers=Answers.EACH, sender="bob@example.test"))
    assert [error and error.enhanced for error in result.outcomes] == ["5.4.6", None]
    assert [one.account for one in there.store.filed] == ["alice@example.test"]


def test_so_many_forwardings_share_one_copy_without_the_field_that_a_message_cannot_fill_the_disk() -> None:
    there = house()
    names = [f"u{number}@example.test" for number in range(60)]
    for name in names:
        there.directory.user(name, forward_to=[f"me-{name.partition('@')[0]}@remote.test"])
    asyncio.run(there.send(*names))
    assert len(there.store.queued) == 51
    assert len(there.store.queued[0][0].recipients) == 10 and b"Delivered-To" not in there.store.queued[0][1]


def queued(there: House, *recipients: str | Recipient, content: bytes = MAIL, **more: object) -> Result:
    there.store.queued.clear()
    return asyncio.run(there.send(*recipients, content=content, origin=Origin.SUBMISSION, **more))  # type: ignore[arg-type]


def test_wishes_of_the_client_go_with_the_message_into_the_queue() -> None:
    there = house()
    options = MailOptions(utf8=True, envid="e+1", ret="FULL", require_tls=True)
    wish = Recipient(address("x@remote.test"), frozenset({Notify.DELAY}), "rfc822;X@remote.test")
    queued(there, wish, options=options, content=b"TLS-Required: No\r\n" + MAIL)
    (item, content) = there.store.queued[0]
    assert item.options == options
    assert not item.tls_optional  # RFC 8689 4.1: REQUIRETLS wins.
    assert item.recipients[0].recipient == wish
    assert b"with UTF8SMTP" in content or b"UTF8" not in content


@pytest.mark.parametrize(
    ("field", "optional"),
    [
        (b"TLS-Required: No", True),
        (b"tls-required:\r\n no ", True),
        (b"TLS-Required: Yes", False),
        (b"X-TLS-Required: No", False),
    ],
)
def test_a_user_may_prefer_arrival_to_tls(field: bytes, optional: bool) -> None:
    there = house()
    queued(there, "x@remote.test", content=field + b"\r\n" + MAIL)
    assert there.store.queued[0][0].tls_optional is optional


def test_the_wish_counts_for_a_message_of_a_stranger_that_an_alias_sends_on() -> None:
    """RFC 8689 4.1: whichever server receives the header field marks the message."""
    there = house()
    there.directory.alias("list@example.test", "x@remote.test")
    asyncio.run(there.send("list@example.test", content=b"TLS-Required: No\r\n" + MAIL))
    assert there.store.queued[0][0].tls_optional


def test_a_recipient_in_utf8_marks_the_entry_whatever_the_client_said() -> None:
    there = house()
    there.directory.alias("ascii@example.test", "jürgen@remote.test")
    queued(there, "ascii@example.test")
    assert there.store.queued[0][0].options.utf8


def test_a_mailbox_may_have_a_name_in_utf8() -> None:
    there = house()
    there.directory.user("用户@example.test")
    asyncio.run(there.send("用户@example.test", options=MailOptions(utf8=True)))
    (stored,) = there.store.filed
    assert stored.account == "用户@example.test" and "for <用户@example.test>".encode() in stored.content


def test_a_header_with_eight_bits_is_taken_unless_set_otherwise() -> None:
    raw = b"Subject: Gr\xfc\xdfe\r\n" + MAIL
    asyncio.run(house().send("alice@example.test", content=raw))
    there = house(RawHeaderSettings(refuse=True))
    assert refused(there, "alice@example.test", content=raw).enhanced == "5.6.9"
    asyncio.run(there.send("alice@example.test", content=raw, options=MailOptions(utf8=True)))
    asyncio.run(there.send("alice@example.test", content=MAIL + b"\xfc\r\n"))


def test_a_repeat_is_told_by_all_its_bytes() -> None:
    there = house()
    long = MAIL + b"x" * 100_000

    async def check() -> None:
        tx = await there.begin("alice@example.test")
        result = await there.finish(tx, long + b"1")
        await there.reception.unanswered(tx)
        assert (await there.send("alice@example.test", content=long + b"2")).queue_id != result.queue_id
        assert (await there.send("alice@example.test", content=long + b"1")).queue_id == result.queue_id

    asyncio.run(check())
    assert len(there.store.filed) == 2


def test_a_report_larger_than_the_limit_reaches_its_sender() -> None:
    """It returns a message of nearly that size: refused, nobody would ever hear of the failure."""
    there = house(SmtpSettings(hostname=Domain("mail.example.test"), max_message_size=Size("64K")))
    content = b"From: us\r\nSubject: report\r\n\r\n" + b"x" * 70 + b"\r\n"
    content += b"y" * 70_000 + b"\r\n"
    envelope = Envelope(None, (Recipient(address("alice@example.test")),))
    asyncio.run(there.reception.submit(Internal(envelope, there.spool.hold(content))))
    assert len(there.store.content_of("alice@example.test")) == 1
    own = Envelope(address("bob@example.test"), (Recipient(address("alice@example.test")),))
    with pytest.raises(MailError, match=r"5\.3\.4"):
        asyncio.run(there.reception.submit(Internal(own, there.spool.hold(content))))
