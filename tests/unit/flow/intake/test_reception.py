"""The one way of a message: what is filed, queued, refused, reported and logged."""

import asyncio
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.filters import Says
from tests.support.flow_fakes import address
from tests.support.reception_house import MAIL, STRANGER, House, house
from whimbrel.core.address import Domain
from whimbrel.core.envelope import Envelope, MailOptions, Notify, Recipient
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.intake import Internal, Origin
from whimbrel.core.mailbox import Usage
from whimbrel.core.values import Size
from whimbrel.flow.assessment import Action, Finding, Symbol
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.judging.filters.header_limits import HeaderLimitsSettings
from whimbrel.flow.judging.filters.received_loop import ReceivedLoopSettings
from whimbrel.flow.report.reports import ReportSettings
from whimbrel.flow.settings import SmtpSettings
from whimbrel.mail.report.language import LANGUAGES
from whimbrel.mail.writing.changes import AddField


def refused(there: House, *recipients: str | Recipient, content: bytes = MAIL, **values: object) -> MailError:
    with pytest.raises(MailError) as caught:
        asyncio.run(there.send(*recipients, content=content, **values))  # type: ignore[arg-type]
    return caught.value


def test_a_local_message_is_filed_with_its_trace_and_one_commit() -> None:
    there = house()
    result = asyncio.run(there.send("alice@example.test"))
    (stored,) = there.store.filed
    assert stored.account == "alice@example.test" and stored.folder == "INBOX"
    assert stored.queue_id == "" and stored.recipient == "alice@example.test"  # A mark is for what is tried again.
    assert stored.content.startswith(b"Return-Path: <a@b.test>\r\nReceived: from mail.stranger.test")
    assert stored.content.endswith(b"\r\n" + MAIL)
    assert result.queue_id.encode() in stored.content and b"for <alice@example.test>" in stored.content
    assert (there.store.commits, there.store.queued, result.outcomes) == (1, [], (None,))
    (received,) = there.log.named("message.received")
    assert (received["from_"], received["to"], received["size"]) == (
        "a@b.test",
        "alice@example.test",
        len(stored.content),
    )
    assert [record["result"] for record in there.log.named("delivery.sent")] == ["delivered"]


def test_recipients_share_one_rendition_that_names_none_of_them() -> None:
    there = house()
    there.directory.alias("all@example.test", "alice@example.test", "bob@example.test")
    asyncio.run(there.send("alice@example.test", "all@example.test", "bob@example.test"))
    assert sorted(one.account for one in there.store.filed) == ["alice@example.test", "bob@example.test"]
    assert len({one.content for one in there.store.filed}) == 1
    assert b" for <" not in there.store.filed[0].content
    assert there.store.commits == 1


def test_the_envelope_recipient_is_kept_in_the_index() -> None:
    there = house()
    asyncio.run(there.send("alice+news@example.test"))
    assert there.store.filed[0].recipient == "alice+news@example.test"


def test_a_user_sends_to_other_domains_through_the_queue() -> None:
    there = house()
    alice = there.directory.accounts["alice@example.test"]
    options = MailOptions(envid="e1", ret="FULL", body_8bit=True)
    result = asyncio.run(
        there.send(
            Recipient(address("x@remote.test"), frozenset({Notify.NEVER}), "rfc822;y@remote.test"),
            "z@else.test",
            "bob@example.test",
            origin=Origin.SUBMISSION,
            account=alice,
            options=options,
        )
    )
    ((item, content),) = there.store.queued
    assert item.id == result.queue_id and there.store.commits == 1
    assert [str(one.recipient.address) for one in item.recipients] == ["x@remote.test", "z@else.test"]
    assert item.recipients[0].recipient.notify == {Notify.NEVER}
    assert item.recipients[0].recipient.orcpt == "rfc822;y@remote.test"
    assert item.options == replace(options, account=alice.id) and (item.user, item.held) == (
        "alice@example.test",
        False,
    )
    assert item.size == len(content) and item.message_id == "<1@b.test>"
    assert not content.startswith(b"Return-Path") and content.startswith(b"Received: ")  # RFC 5321 4.4
    assert len(there.store.filed) == 1


def test_mail_to_other_domains_is_held_where_that_is_set() -> None:
    there = house(DeliverySettings(hold_remote=True))
    asyncio.run(there.send("x@remote.test", "bob@example.test", origin=Origin.SUBMISSION))
    ((item, _),) = there.store.queued
    assert item.held
    assert len(there.store.filed) == 1


def test_a_submission_gets_the_fields_that_it_lacks() -> None:
    there = house(SmtpSettings(hostname=Domain("mail.example.test")))
    content = b"Subject: no date\r\n\r\nDate: in the body\r\n"
    asyncio.run(there.send("bob@example.test", content=content, origin=Origin.SUBMISSION))
    asyncio.run(there.send("bob@example.test", content=content))
    asyncio.run(there.send("bob@example.test", origin=Origin.SUBMISSION))
    submitted, inbound, complete = (one.content for one in there.store.filed)
    head = submitted[: submitted.find(content)]
    assert head.count(b"\r\nDate: ") == 1 and head.count(b"\r\nMessage-ID: <") == 1
    assert head.endswith(b"@mail.example.test>\r\n")
    assert b"\r\nDate: " not in inbound[: inbound.find(content)]
    assert complete.count(b"Message-ID:") == 1


def test_a_disabled_or_unknown_recipient_is_refused_at_rcpt() -> None:
    there = house()
    there.directory.user("gone@example.test", enabled=False)
    assert refused(there, "nobody@example.test").enhanced == "5.1.1"
    assert refused(there, "gone@example.test").enhanced == "5.2.1"
    assert [record["recipient"] for record in there.log.named("rcpt.refused")] == [
        "nobody@example.test",
        "gone@example.test",
    ]
    assert there.store.commits == 0


def test_a_full_mailbox_is_refused_at_rcpt_and_never_takes_a_message_it_has_no_room_for() -> None:
    there = house()
    there.directory.user("full@example.test", quota_bytes=10_000)
    there.store.usages["full@example.test"] = Usage(8500, 3)
    error = refused(there, "full@example.test", options=MailOptions(size=1501))
    assert (error.code, error.enhanced) == (452, "4.2.2")
    asyncio.run(there.send("full@example.test", options=MailOptions(size=1500)))
    # Without SIZE nobody can tell before it is here, and what we add counts too.
    for content, options in ((MAIL + b"x" * 1500, MailOptions()), (MAIL.ljust(1500, b"x"), MailOptions(size=1500))):
        with pytest.raises(MailError, match=r"452 4\.2\.2"):
            asyncio.run(there.send("full@example.test", content=content, options=options))
    assert len(there.store.filed) == 1 and there.store.queued == []
    there.store.usages["full@example.test"] = Usage(10_000, 5)
    assert refused(there, "full@example.test").enhanced == "4.2.2"


def test_a_full_member_of_a_group_does_not_stop_the_others_and_is_reported() -> None:
    there = house()
    there.directory.user("full@example.test", quota_bytes=10)
    there.store.usages["full@example.test"] = Usage(10, 1)
    there.directory.alias("all@example.test", "alice@example.test", "full@example.test")
    asyncio.run(there.send("all@example.test", sender="bob@example.test"))
    assert [one.account for one in there.store.filed] == ["alice@example.test", "bob@example.test"]
    report = there.store.filed[1].content
    assert b"full@example.test" in report and b"5.2.2" in report


@pytest.mark.parametrize("count", [30, 31])
def test_too_many_received_fields_are_a_loop(count: int) -> None:
    there = house()
    content = b"Received: by x\r\n" * (count - 1) + b"received: by y\r\n" + MAIL + b"Received: in the body\r\n"
    if count <= 30:
        asyncio.run(there.send("alice@example.test", content=content))
    else:
        error = refused(there, "alice@example.test", content=content)
        assert (error.code, error.enhanced) == (554, "5.4.6")
        assert there.log.named("message.refused")[0]["rule"] == "received-loop"
        there.config.use(ReceivedLoopSettings(limit=40))
        asyncio.run(there.send("alice@example.test", content=content))
    assert len(there.store.filed) == 1


def test_size_is_limited_at_mail_and_at_the_end() -> None:
    there = house(SmtpSettings(max_message_size=Size("100K")))
    assert refused(there, options=MailOptions(size=102401)).code == 552
    assert refused(there, "alice@example.test", content=b"x" * 102401).enhanced == "5.3.4"
    alice = replace(there.directory.accounts["alice@example.test"], max_message_size=1000)
    assert refused(there, options=MailOptions(size=1001), account=alice, origin=Origin.SUBMISSION).code == 552
    asyncio.run(there.send("alice@example.test", content=MAIL, options=MailOptions(size=102400)))


@pytest.mark.parametrize(
    "content",
    [b"X: y\r\n" * 1001 + b"\r\n", b"X: " + b"y" * 256_000 + b"\r\n\r\nbody", b"x" * 256_001, b"X: y\r\n" * 60_000],
)
def test_monstrous_headers_are_refused(content: bytes) -> None:
    there = house(SmtpSettings(max_recipients=100), HeaderLimitsSettings(max_size=Size(256_000)))
    assert refused(there, "alice@example.test", content=content).code == 552


@pytest.mark.parametrize("most", [1000, 5000])
def test_whoever_may_send_to_so_many_may_name_them_all(most: int) -> None:
    there = house(SmtpSettings(max_recipients=most), HeaderLimitsSettings(max_size=Size(8192)))
    names = b",\r\n ".join(b"%s%05d@%s" % (b"n" * 32, n, b"d" * 40) for n in range(most))  # 78 octets each.
    content = b"Received: x\r\nTo: " + names + b"\r\nMessage-ID: <behind@x>\r\nSubject: all\r\n\r\nbody\r\n"
    asyncio.run(there.send("alice@example.test", content=content, origin=Origin.SUBMISSION))
    stored = there.store.filed[0].content
    assert b"Message-ID: <behind@x>" in stored and stored.count(b"Message-ID:") == 1  # It was looked for to the end.


def test_recipients_are_limited() -> None:
    there = house(SmtpSettings(max_recipients=100))

    async def check() -> None:
        tx = await there.begin(*(f"alice+{n}@example.test" for n in range(100)))
        with pytest.raises(MailError, match=r"^452 4\.5\.3"):
            await there.reception.rcpt(tx, Recipient(address("bob@example.test")))
        assert (await there.finish(tx)).outcomes == (None,) * 100

    asyncio.run(check())
    assert len(there.store.filed) == 1


def test_a_mailbox_that_is_busy_goes_to_the_queue() -> None:
    there = house()
    there.store.failures["alice@example.test"] = [MailboxError(Condition.INUSE, "Folder is being rebuilt")]
    result = asyncio.run(there.send("alice+x@example.test"))
    ((item, content),) = there.store.queued
    assert item.id == result.queue_id and result.outcomes == (None,)
    (waiting,) = item.recipients
    assert waiting.local and waiting.account == "alice@example.test"
    assert str(waiting.recipient.address) == "alice+x@example.test"
    assert waiting.status == "4.2.0 Folder is being rebuilt"
    assert item.next_attempt > item.created and content.startswith(b"Received:")
    assert [record["result"] for record in there.log.named("delivery.sent")] == ["delayed"]


def test_a_busy_mailbox_beside_a_remote_recipient_has_an_entry_of_its_own() -> None:
    there = house(DeliverySettings(hold_remote=True))
    there.store.failures["bob@example.test"] = [MailboxError(Condition.UNAVAILABLE, "Later")]
    result = asyncio.run(there.send("bob@example.test", "x@remote.test", origin=Origin.SUBMISSION))
    assert [(item.id, item.held) for item, _ in there.store.queued] == [
        (result.queue_id, True),
        (f"{result.queue_id}.2", False),
    ]


def test_a_folder_that_was_made_anew_is_found_again() -> None:
    there = house()
    asyncio.run(there.send("alice@example.test"))
    asyncio.run(there.send("alice@example.test"))
    assert there.store.finds == 1  # Known from then on.
    there.store.failures["alice@example.test"] = [MailboxError(Condition.NONEXISTENT, "No such folder")]
    there.store.generation["alice@example.test"] = 1
    asyncio.run(there.send("alice@example.test"))
    assert there.store.finds == 2 and len(there.store.filed) == 3 and not there.store.queued


def test_a_failed_barrier_refuses_the_message_for_now() -> None:
    there = house()
    there.store.barrier = MailError(451, "4.3.0", "Storage failure, try again later")
    for recipients in (["alice@example.test"], ["alice@example.test", "bob@example.test"]):
        assert refused(there, *recipients).code == 451
    assert refused(there, "x@remote.test", origin=Origin.SUBMISSION).code == 451


def test_nothing_is_lost_when_neither_mailbox_nor_queue_can_take_it() -> None:
    there = house()
    there.store.failures["alice@example.test"] = [MailboxError(Condition.INUSE, "Busy")]
    there.store.failures[""] = [MailError(452, "4.3.1", "Insufficient system storage")]
    assert refused(there, "alice@example.test", "bob@example.test").temporary


def test_a_mailbox_that_will_never_take_it_is_refused_or_reported() -> None:
    there = house()
    there.store.failures["alice@example.test"] = [MailboxError(Condition.CANNOT, "Cannot")] * 2
    assert refused(there, "alice@example.test").code == 550
    result = asyncio.run(there.send("alice@example.test", "admin@example.test", sender="bob@example.test"))
    assert result.outcomes[1] is None
    assert [one.account for one in there.store.filed] == ["admin@example.test", "bob@example.test"]
    assert b"alice@example.test" in there.store.filed[1].content


def test_lmtp_answers_each_recipient() -> None:
    there = house()
    there.store.failures["alice@example.test"] = [MailboxError(Condition.CANNOT, "Cannot")]
    result = asyncio.run(
        there.send("alice@example.test", "bob@example.test", origin=Origin.LMTP, sender="bob@example.test")
    )
    first, second = result.outcomes
    assert first is not None and first.code == 550 and second is None
    assert [one.account for one in there.store.filed] == ["bob@example.test"]  # And no report: the client knows.


def test_content_of_our_own_messages_is_closed_however_it_ends() -> None:
    there = house()

    async def check(content: bytes) -> bool:
        held = there.spool.hold(content)
        envelope = Envelope(None, (Recipient(address("alice@example.test")),))
        try:
            await there.reception.submit(Internal(envelope, held))
        except MailError:
            pass
        return held.closed

    assert asyncio.run(check(MAIL))
    assert asyncio.run(check(b"Received: x\r\n" * 99 + MAIL))


def test_what_we_make_ourselves_takes_the_same_way() -> None:
    there = house()
    envelope = Envelope(None, (Recipient(address("alice@example.test")), Recipient(address("x@remote.test"))))
    queue_id = asyncio.run(there.reception.submit(Internal(envelope, there.spool.hold(MAIL), "cause-1")))
    assert there.store.filed[0].content.startswith(b"Return-Path: <>\r\nReceived: ")
    assert there.store.queued[0][0].id == queue_id and there.store.queued[0][0].sender is None
    assert there.log.named("message.caused") == [{"queue_id": queue_id, "cause": "cause-1"}]


def test_an_internal_message_to_nobody_is_refused_and_in_part_reported() -> None:
    there = house()

    def message(*recipients: str) -> Internal:
        envelope = Envelope(address("bob@example.test"), tuple(Recipient(address(one)) for one in recipients))
        return Internal(envelope, there.spool.hold(MAIL))

    with pytest.raises(MailError, match=r"^550 5\.1\.1"):
        asyncio.run(there.reception.submit(message("nobody@example.test")))
    asyncio.run(there.reception.submit(message("nobody@example.test", "alice@example.test")))
    assert sorted(one.account for one in there.store.filed) == ["alice@example.test", "bob@example.test"]


def test_success_is_reported_where_it_was_asked_for() -> None:
    there = house()
    wish = Recipient(address("alice@example.test"), frozenset({Notify.SUCCESS}))
    asyncio.run(there.send(wish, "admin@example.test", sender="bob@example.test"))
    assert [one.account for one in there.store.filed] == [
        "alice@example.test",
        "admin@example.test",
        "bob@example.test",
    ]
    report = there.store.filed[2].content
    assert b"Action: delivered" in report and b"admin@example.test" not in report
    assert report.startswith(b"Return-Path: <>\r\n")


def test_nobody_is_told_of_a_report_that_fails() -> None:
    there = house()
    there.directory.alias("half@example.test", "alice@example.test", "nobody@example.test")
    asyncio.run(there.send("half@example.test", sender=""))
    assert len(there.store.filed) == 1
    assert len(there.log.named("report.undeliverable")) == 1


def test_a_message_whose_answer_was_late_is_not_delivered_twice() -> None:
    there = house()

    async def check() -> None:
        tx = await there.begin("alice@example.test")
        result = await there.finish(tx)
        await there.reception.unanswered(tx)
        again = await there.send("alice@example.test")
        assert again.queue_id == result.queue_id and again.outcomes == (None,)
        assert len(there.store.filed) == 1
        await there.send("alice@example.test", "bob@example.test")
        await there.send("alice@example.test", content=MAIL + b"more\r\n")
        await there.send("alice@example.test", sender="other@b.test")
        assert len(there.store.filed) == 5

    asyncio.run(check())
    assert len(there.log.named("message.repeated")) == 1


def test_no_text_of_a_message_is_logged() -> None:
    there = house()
    asyncio.run(there.send("alice@example.test", content=b"Subject: s3cret-words\r\n\r\ns3cret-words\r\n"))
    assert "s3cret-words" not in repr(there.log.records)
    assert there.log.records


def test_the_subject_is_logged_decoded_and_bounded_where_that_is_set() -> None:
    there = house(SmtpSettings(log_subject=True))
    for subject in (b"=?utf-8?q?R=C3=A9f=3A_4711?=", b"x" * 5000):
        asyncio.run(there.send("alice@example.test", content=b"Subject: " + subject + b"\r\n\r\ns3cret-words\r\n"))
    assert [record["subject"] for record in there.log.named("message.received")] == ["Réf: 4711", "x" * 250]
    assert "s3cret-words" not in repr(there.log.records)


def test_steps_before_mail_pass_when_no_filter_looks_at_them() -> None:
    there = house()
    asyncio.run(there.reception.connect(Origin.INBOUND, STRANGER))
    asyncio.run(there.reception.helo(Origin.INBOUND, STRANGER))
    assert not there.log.records


def test_junk_goes_to_the_junk_folder_with_what_the_filter_adds() -> None:
    finding = Finding((Symbol("SPAMMY", 5.0),), Action.JUNK, changes=(AddField(b"X-Spam: yes\r\n"),))
    there = house(filters=(Says(finding),))
    asyncio.run(there.send("alice@example.test"))
    (stored,) = there.store.filed
    assert stored.folder == "Junk"
    assert (
        b"\r\nX-Spam: yes\r\nX-Spam-Flag: YES\r\n"
        b"X-Spam-Status: Yes, score=5.0 required=5.0 tests=SPAMMY=5\r\nFrom: a@b.test\r\n"
    ) in stored.content


def test_what_a_rule_discards_is_told_in_the_log_and_delivered_to_nobody() -> None:
    there = house(filters=(Says(Finding(action=Action.DISCARD)),))
    result = asyncio.run(there.send("alice@example.test", "bob@example.test"))
    assert result.outcomes == (None, None) and there.store.commits == 0
    assert [(record["result"], record["status"]) for record in there.log.named("delivery.sent")] == [
        ("discarded", "2.0.0 Discarded by says")
    ] * 2


def test_a_message_that_is_refused_is_never_logged_as_received() -> None:
    there = house()
    there.store.barrier = MailError(451, "4.3.0", "Storage failure, try again later")
    refused(there, "alice@example.test")
    assert not there.log.named("message.received")
    assert len(there.log.named("message.refused")) == 1


@given(
    st.lists(st.sampled_from([b"\r\n", b"A: 1", b"Received:", b" ", b"\t", b":", b"\xff", b"Date: x"])).map(b"".join),
    st.sampled_from([Origin.INBOUND, Origin.SUBMISSION, Origin.LMTP, Origin.INTERNAL]),
)
@settings(deadline=None)
def test_any_content_is_filed_as_it_came_or_refused(content: bytes, origin: Origin) -> None:
    there = house()
    try:
        asyncio.run(there.send("alice@example.test", content=content, origin=origin))
    except MailError:
        assert not there.store.filed
        return
    assert there.store.filed[0].content.endswith(content)


@pytest.mark.parametrize("blank", [b" ", b"\t"])
def test_content_that_begins_like_a_continuation_line_cannot_go_on_with_our_trace(blank: bytes) -> None:
    there = house()
    asyncio.run(
        there.send("alice@example.test", content=blank + b"forged by=nobody\r\nFrom: a@b.test\r\n\r\nhello\r\n")
    )
    (content,) = there.store.content_of("alice@example.test")
    header, _, body = content.partition(b"\r\n\r\n")
    assert b"forged" not in header and body.startswith(blank + b"forged by=nobody\r\nFrom: a@b.test\r\n")


def test_the_same_alarm_twice_is_two_messages_where_nothing_tells_them_apart() -> None:
    """A script that closes its side before it reads the answer (`printf | nc`) is not one that missed it."""
    there, alarm = house(), b"From: a@b.test\r\nSubject: disk full\r\n\r\nalarm\r\n"

    async def scene() -> None:
        for _ in range(2):
            tx = await there.begin("alice@example.test")
            await there.finish(tx, alarm)
            await there.reception.unanswered(tx)

    asyncio.run(scene())
    assert len(there.store.filed) == 2 and not there.log.named("message.repeated")


def test_a_confirmation_that_cannot_be_stored_brings_no_second_copy() -> None:
    there = house()
    there.store.failures = {
        "alice@example.test": [MailboxError(Condition.INUSE, "Busy")],
        "": [MailError(452, "4.3.1", "Full")],
    }
    wish = Recipient(address("bob@example.test"), frozenset({Notify.SUCCESS}))
    result = asyncio.run(there.send(wish, sender="alice@example.test"))
    assert result.outcomes == (None,) and len(there.store.content_of("bob@example.test")) == 1
    assert there.log.named("report.failed")


def test_every_language_that_reports_can_speak_can_be_set_and_no_other() -> None:
    assert set(get_args(ReportSettings.model_fields["language"].annotation)) == set(LANGUAGES)
