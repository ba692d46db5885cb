"""What filters find at any stage has its effect, its header field and its line in the log, for whom it concerns."""

import asyncio

import pytest

from tests.support.filters import (
    NO,
    SPAM,
    AllowList,
    OneRecipientOnly,
    Says,
    SenderCheck,
    Training,
    Waits,
    filter_ports,
)
from tests.support.reception_house import MAIL, STRANGER, House, house
from whimbrel.core.disposition import QUARANTINE, Parked
from whimbrel.core.envelope import Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.core.network import Network
from whimbrel.core.settings import Section
from whimbrel.flow.assessment import NOTHING, OUTSIDERS, Action, Finding, Stage, Symbol
from whimbrel.flow.judging.filter import Filter, refuse
from whimbrel.flow.judging.rating import RatingSettings
from whimbrel.flow.routing.relay import RelaySettings
from whimbrel.flow.transaction import Answers, Result
from whimbrel.mail.writing.changes import AddField, AddText, MarkSubject

JUNK = Finding(action=Action.JUNK)
ALICE, BOB, REMOTE = "alice@example.test", "bob@example.test", "x@remote.test"
EARLY = (Stage.CONNECT, Stage.HELO, Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.MAILBOX)


async def session(
    there: House, *recipients: str, helos: int = 1, transactions: int = 1, origin: Origin = Origin.INBOUND,
    answers: Answers = Answers.ONE, content: bytes = MAIL,
) -> Result:  # fmt: skip
    """As SMTP drives it: the result of the last transaction."""
    known = connected = await there.reception.connect(Origin.INBOUND, STRANGER)
    for _ in range(helos):
        known = await there.reception.helo(Origin.INBOUND, STRANGER, connected)
    account = there.directory.accounts[ALICE] if origin is Origin.SUBMISSION else None
    sender = there.directory.accounts[BOB].address
    for _ in range(transactions):
        tx = await there.reception.mail(origin, STRANGER, account, sender, answers=answers, known=known)
        for recipient in recipients:
            await there.reception.rcpt(tx, Recipient(there.directory.accounts[recipient].address))
        result = await there.finish(tx, content)
    return result


def run(there: House, *recipients: str, **more: object) -> Result:
    return asyncio.run(session(there, *recipients, **more))  # type: ignore[arg-type]


def judging(*filters: Filter, sections: tuple[Section, ...] = ()) -> House:
    return house(*sections, filters=filters)


def folders(there: House) -> dict[str, str]:
    return {one.account: one.folder for one in there.store.filed}


@pytest.mark.parametrize("stage", EARLY)
@pytest.mark.parametrize("finding", [SPAM, JUNK], ids=["score of 100", "junk"])
def test_what_is_found_at_any_stage_is_never_lost(stage: Stage, finding: Finding) -> None:
    there = judging(Says(finding, name="early", stage=stage))
    run(there, ALICE)
    (stored,) = there.store.filed
    assert stored.folder == "Junk" and b"\r\nX-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=" in stored.content
    (record,) = there.log.named("message.judged")
    assert record["action"] == "junk" and record["queue_id"] == there.log.named("message.received")[0]["queue_id"]
    if finding is SPAM:
        assert (record["rule"], record["score"], record["symbols"]) == ("score", 100.0, "SPAMMY=100")
    else:
        assert (record["rule"], record["symbols"]) == ("early", "early")


@pytest.mark.parametrize("stage", EARLY)
def test_a_score_above_the_blocking_threshold_refuses_whatever_stage_gave_it(stage: Stage) -> None:
    there = judging(Says(SPAM, stage=stage), sections=(RatingSettings(block_score=50),))
    with pytest.raises(MailError, match=r"550 5\.7\.1 The message looks like spam"):
        run(there, ALICE)
    assert not there.store.filed and there.log.named("message.refused")[0]["rule"] == "score"
    assert there.log.named("message.judged")[0]["action"] == "refuse"


def test_the_findings_of_a_session_hold_for_all_its_transactions_and_helos() -> None:
    there = judging(Says(SPAM, name="connect", stage=Stage.CONNECT), Says(JUNK, name="helo", stage=Stage.HELO))
    run(there, ALICE, helos=2, transactions=2)
    assert [one.folder for one in there.store.filed] == ["Junk", "Junk"]
    assert [record["score"] for record in there.log.named("message.judged")] == [100.0, 100.0]


def test_a_finding_of_one_transaction_is_not_known_in_the_next() -> None:
    says = Says(SPAM, stage=Stage.MAIL)
    there = judging(says)

    async def check() -> None:
        await session(there, ALICE)
        says.finding = NOTHING
        await session(there, ALICE)

    asyncio.run(check())
    assert [one.folder for one in there.store.filed] == ["Junk", "INBOX"]


def test_what_was_found_for_one_recipient_concerns_that_one() -> None:
    there = judging(OneRecipientOnly(BOB, JUNK))
    run(there, ALICE, BOB)
    assert folders(there) == {ALICE: "INBOX", BOB: "Junk"}
    (record,) = there.log.named("message.judged")
    assert record["to"] == BOB


def test_points_differ_per_mailbox() -> None:
    training = Training({BOB: 7.5})
    there = judging(Says(Finding((Symbol("BASE", 2.0),))), training)

    async def check() -> None:
        await session(there, ALICE, BOB)
        await there.policy.conclusions.close(5)

    asyncio.run(check())
    assert folders(there) == {ALICE: "INBOX", BOB: "Junk"}
    (alice,), (bob,) = there.store.content_of(ALICE), there.store.content_of(BOB)
    assert b"X-Spam-Status: No, score=2.0 required=5.0 tests=BASE=2\r\n" in alice
    assert b"X-Spam-Status: Yes, score=9.5 required=5.0 tests=TRAINING=7.5,BASE=2\r\n" in bob
    assert [(record["to"], record["score"]) for record in there.log.named("message.judged")] == [
        (ALICE, 2.0),
        (BOB, 9.5),
    ]
    assert [(score, action) for _, score, action in training.outcomes] == [(2.0, Action.ACCEPT), (9.5, Action.JUNK)]


def test_what_some_refuse_and_others_take_is_not_refused() -> None:
    blocking = RatingSettings(block_score=7)
    there = judging(Training({BOB: 7.5}), sections=(blocking,))
    run(there, ALICE, BOB)
    assert folders(there) == {ALICE: "INBOX", BOB: "Junk"}
    there = judging(Training({BOB: 7.5, ALICE: 8}), sections=(blocking,))
    with pytest.raises(MailError, match=r"550 5\.7\.1"):
        run(there, ALICE, BOB)
    assert not there.store.filed


def test_each_recipient_is_answered_where_that_can_be() -> None:
    there = judging(Training({BOB: 7.5}), sections=(RatingSettings(block_score=7),))
    result = run(there, ALICE, BOB, answers=Answers.EACH)
    assert [error and error.code for error in result.outcomes] == [None, 550]
    assert folders(there) == {ALICE: "INBOX"}


def test_quarantine_holds_a_copy_for_whom_it_would_be_refused() -> None:
    there = judging(Training({BOB: 7.5}), sections=(RatingSettings(block_score=7, quarantine=True),))
    run(there, ALICE, BOB)
    assert folders(there) == {ALICE: "INBOX"}
    ((item, content),) = there.store.queued
    assert item.held and item.parked == Parked(QUARANTINE) and [one.account for one in item.recipients] == [BOB]
    assert b"X-Spam-Flag: YES" in content and not content.startswith(b"Return-Path")
    assert {record["result"] for record in there.log.named("delivery.sent")} == {"delivered", "parked"}


def test_a_refusal_by_a_rule_stands_for_all_and_names_it() -> None:
    there = judging(Says(NO, name="virus"))
    with pytest.raises(MailError, match=r"550 5\.7\.1 No"):
        run(there, ALICE, BOB)
    assert there.log.named("message.refused")[0]["rule"] == "virus"


def test_a_discard_for_one_mailbox_is_named_and_the_others_have_it() -> None:
    there = judging(OneRecipientOnly(BOB, Finding(action=Action.DISCARD)))
    result = run(there, ALICE, BOB)
    assert result.outcomes == (None, None) and folders(there) == {ALICE: "INBOX"}
    assert there.log.named("delivery.sent")[1]["status"] == "2.0.0 Discarded by one-recipient"


def test_what_goes_on_to_other_servers_waits_where_it_would_have_been_refused() -> None:
    there = judging(Training({ALICE: 9}), Says(SPAM), sections=(RatingSettings(block_score=50),))
    there.directory.alias("list@example.test", ALICE, REMOTE)
    there.directory.accounts["friend@example.test"] = there.directory.user("friend@example.test")
    asyncio.run(there.send("list@example.test", answers=Answers.NOBODY))
    assert folders(there) == {ALICE: "Junk"}
    ((item, content),) = there.store.queued
    assert item.held and b"X-Spam-Flag: YES" in content


def test_a_waiver_takes_points_away_but_no_virus() -> None:
    there = judging(SenderCheck(filter_ports()), AllowList(filter_ports()), Says(SPAM))
    asyncio.run(there.send(ALICE, sender="a@friend.test"))
    assert folders(there) == {ALICE: "INBOX"}
    assert there.log.named("message.judged")[0]["waived"] == "allow-list"
    there = judging(SenderCheck(filter_ports()), AllowList(filter_ports()), Says(SPAM), Says(NO, name="virus"))
    with pytest.raises(MailError):
        asyncio.run(there.send(ALICE, sender="a@friend.test"))


class ForOutsiders(Says):
    peers = OUTSIDERS


def test_lists_of_addresses_do_not_judge_users_networks_and_reports() -> None:
    """Architecture 11.2; a client that signs in after it was looked up is a user."""
    relay = RelaySettings(allow_from=(Network("192.0.2.0/24"),))
    for stage in (Stage.CONNECT, Stage.DATA):
        listed = ForOutsiders(SPAM, stage=stage)
        there = judging(listed)
        run(there, BOB, origin=Origin.SUBMISSION)
        assert folders(there) == {BOB: "INBOX"}
        there = judging(ForOutsiders(SPAM, stage=stage), sections=(relay,))
        run(there, BOB)
        assert folders(there) == {BOB: "INBOX"}
        there = judging(ForOutsiders(SPAM, stage=stage))
        run(there, BOB)
        assert folders(there) == {BOB: "Junk"}
    there = judging(Says(NO, name="virus"), sections=(relay,))
    with pytest.raises(MailError):
        run(there, BOB, origin=Origin.SUBMISSION)


def test_changes_are_made_in_each_copy_that_asks_for_them_and_equal_ones_share_content() -> None:
    there = judging(
        Says(Finding(changes=(AddText("footer"),)), name="footer"),
        OneRecipientOnly(BOB, Finding(changes=(MarkSubject("[list]"),))),
    )
    there.directory.user("carol@example.test")
    there.directory.user("dave@example.test")
    run(there, ALICE, BOB, "carol@example.test", "dave@example.test")
    contents = {one.account: one.content for one in there.store.filed}
    assert contents[ALICE].endswith(b"\r\nSubject: x\r\n\r\nhello\r\n\r\nfooter\r\n")
    assert contents[BOB].endswith(b"\r\nSubject: [list] x\r\n\r\nhello\r\n\r\nfooter\r\n")
    assert contents[ALICE] == contents["carol@example.test"] == contents["dave@example.test"]
    assert contents[ALICE].startswith(b"Return-Path: <bob@example.test>\r\nReceived: ")


def test_spam_fields_of_the_sender_are_taken_out_of_what_is_judged() -> None:
    forged = b"X-Spam-Status: No, score=-100\r\nX-Spam-Flag: NO\r\n" + MAIL
    there = judging(Says(SPAM))
    run(there, ALICE, content=forged)
    (content,) = there.store.content_of(ALICE)
    assert b"-100" not in content and content.count(b"X-Spam-Status") == 1 and content.endswith(MAIL)


def test_the_mark_of_junk_is_a_setting() -> None:
    there = judging(Says(SPAM), sections=(RatingSettings(subject_mark="**spam**"),))
    run(there, ALICE)
    assert b"\r\nSubject: **spam** x\r\n" in there.store.content_of(ALICE)[0]


def test_busy_mailboxes_get_their_own_copies_later() -> None:
    there = judging(OneRecipientOnly(BOB, JUNK))
    for account in (ALICE, BOB):
        there.store.failures[account] = [MailError(451, "4.2.0", "Busy")]
    run(there, ALICE, BOB)
    copies = {item.recipients[0].account: content for item, content in there.store.queued}
    assert b"X-Spam-Flag" in copies[BOB] and b"X-Spam-Flag" not in copies[ALICE]
    assert len({item.id for item, _ in there.store.queued}) == 2


def test_a_message_nobody_had_anything_to_say_about_has_no_line() -> None:
    there = judging()
    run(there, ALICE)
    assert not there.log.named("message.judged")


def test_a_deferral_is_heard_by_the_client() -> None:
    there = judging(Says(refuse(451, "4.7.1", "Greylisted"), stage=Stage.MAILBOX))
    with pytest.raises(MailError, match=r"451 4\.7\.1 Greylisted"):
        run(there, ALICE)


def test_what_a_filter_puts_in_front_stands_behind_our_received_field() -> None:
    there = judging(Says(Finding(changes=(AddField(b"Authentication-Results: x\r\n"),))))
    run(there, ALICE)
    (content,) = there.store.content_of(ALICE)
    assert content.index(b"Received: ") < content.index(b"Authentication-Results") < content.index(b"From: a@b.test")


def test_mailboxes_are_judged_at_the_same_time_by_filters_that_wait() -> None:
    """A filter that hangs costs a message its deadline once, not once for each mailbox."""

    async def check() -> None:
        waits = Waits(Finding((Symbol("OWN", 9.0),)), stage=Stage.MAILBOX)
        there = judging(waits)
        sending = asyncio.create_task(session(there, ALICE, BOB))
        while waits.asked < 2:
            await asyncio.sleep(0)
        waits.go.set()
        await sending
        assert folders(there) == {ALICE: "Junk", BOB: "Junk"}

    asyncio.run(check())
