"""What placement decides for a mailbox is done there once, by the session or by the queue, and never decided anew."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.support.filters import Says
from tests.support.flow_fakes import MemoryQueue, address
from tests.support.reception_house import MAIL, House, house
from whimbrel.core.address import Domain
from whimbrel.core.directory import Account, LocalDomain
from whimbrel.core.disposition import MODERATION, QUARANTINE, SCHEDULED, Disposition, Parked, Place, SideMessage
from whimbrel.core.envelope import Envelope, MailOptions, Notify, Recipient
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.intake import Origin
from whimbrel.core.mailbox import FLAGGED, SEEN, SpecialUse, Usage
from whimbrel.core.queue import QueueItem, RecipientState
from whimbrel.core.quota import DOMAIN_USAGE
from whimbrel.flow.assessment import Action, Finding
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.delivery.outcome import Outcome

BUSY = MailboxError(Condition.UNAVAILABLE, "Mailbox is not available now")


JUNK = Says(Finding(action=Action.JUNK), name="junk")


def decides(there: House, what: Disposition, account: str = "alice@example.test") -> None:
    """Placement decides so for one account."""
    before = there.reception.placement.decide

    async def decide(whose: Account, *more: Any) -> Disposition:
        return what if whose.id == account else await before(whose, *more)

    there.reception.placement.decide = decide  # type: ignore[method-assign]


def attempt(there: House, item: QueueItem, content: bytes) -> list[Outcome]:
    """By the queue's worker."""
    queue = MemoryQueue()
    queue.add(item, content)
    agent = LocalAgent(
        queue=queue, directory=there.directory, delivery=there.reception.local, spool=there.spool, commit=there.store
    )
    return asyncio.run(agent.deliver(item, item.recipients))


def filed(there: House) -> list[tuple[str, str]]:
    return [(one.account, one.folder) for one in there.store.filed]


def test_a_junk_verdict_outlives_a_busy_mailbox() -> None:
    there = house(filters=(JUNK,))
    there.store.failures["alice@example.test"] = [BUSY]
    asyncio.run(there.send("alice@example.test", "bob@example.test"))
    assert filed(there) == [("bob@example.test", "Junk")]
    ((item, content),) = there.store.queued
    assert item.recipients[0].disposition == Disposition((Place(SpecialUse.JUNK, create=True),))
    assert item.next_attempt - there.clock.now() == 1.0 and item.attempts == 1
    (outcome,) = attempt(there, item, content)
    assert (outcome.state, outcome.folders) == (RecipientState.DELIVERED, ("Junk",))
    assert filed(there)[1:] == [("alice@example.test", "Junk")]


def test_only_the_folders_that_were_busy_are_tried_again() -> None:
    there = house()
    list_x = Place("Lists/x", FLAGGED, frozenset({"$a"}), create=True)
    places = (Place(flags=SEEN), list_x, Place("Copies", create=True))
    decides(there, Disposition(places))
    there.store.failures["alice@example.test"] = [BUSY, BUSY]  # The first two.
    asyncio.run(there.send("alice@example.test"))
    assert filed(there) == [("alice@example.test", "Copies")]
    ((item, content),) = there.store.queued
    assert item.recipients[0].disposition == Disposition(places[:2])
    there.store.failures["alice@example.test"] = [BUSY]
    (outcome,) = attempt(there, item, content)
    assert (outcome.state, outcome.folders, outcome.rest) == (
        RecipientState.WAITING, ("Lists/x",), Disposition(places[:1])
    )  # fmt: skip
    sent = [(one["folder"], one["result"]) for one in there.log.named("delivery.sent") if "folder" in one]
    assert sent == [("Copies", "delivered")]


def test_a_folder_that_can_never_take_it_does_not_keep_what_another_has() -> None:
    there = house()
    decides(there, Disposition((Place(), Place("Full", create=True))))
    there.store.failures["alice@example.test"] = [MailboxError(Condition.CANNOT, "No")]
    assert asyncio.run(there.send("alice@example.test")).outcomes == (None,)
    assert filed(there) == [("alice@example.test", "Full")] and not there.store.queued
    assert there.log.named("delivery.copy-failed")


def side(once: tuple[str, float] | None = None) -> SideMessage:
    return SideMessage(Envelope(None, (Recipient(address("carol@remote.test")),)), once=once)


def test_side_messages_enter_in_the_commit_of_the_copies_and_are_not_made_again() -> None:
    there = house()
    decides(there, Disposition((Place(),), (side(),)))
    there.store.failures["alice@example.test"] = [BUSY]
    asyncio.run(there.send("alice@example.test"))
    (reply, content), (rest, _) = there.store.queued
    assert (reply.unchecked, reply.origin, reply.sender) == (True, "internal", None)
    assert [str(one.recipient.address) for one in reply.recipients] == ["carol@remote.test"]
    assert content.endswith(MAIL) and content.startswith(b"Received: ")
    assert rest.recipients[0].disposition == Disposition((Place(),)) and rest.id != reply.id
    assert there.log.named("message.caused")[0]["queue_id"] == reply.id
    attempt(there, rest, content)
    assert len(there.store.queued) == 2 and filed(there) == [("alice@example.test", "INBOX")]


def test_a_reply_is_not_made_again_within_its_time() -> None:
    there = house()
    decides(there, Disposition((Place(),), (side(("vacation:alice:carol", 3600.0)),)))
    for _ in range(2):
        asyncio.run(there.send("alice@example.test"))
    assert len(there.store.queued) == 1 and len(there.store.filed) == 2


def test_what_is_kept_nowhere_names_its_rule() -> None:
    there = house()
    decides(there, Disposition(rule="sieve discard"))
    assert asyncio.run(there.send("alice@example.test")).outcomes == (None,)
    assert not there.store.filed and not there.store.queued
    (sent,) = there.log.named("delivery.sent")
    assert (sent["result"], sent["status"]) == ("discarded", "2.0.0 Discarded by sieve discard")


def test_a_refusal_is_answered() -> None:
    there = house()
    decides(there, Disposition(refusal=MailError(550, "5.7.1", "Not wanted here")))
    with pytest.raises(MailError, match="Not wanted here"):
        asyncio.run(there.send("alice@example.test"))


def test_what_is_parked_waits_outside_its_lane_with_its_reason_and_its_rest() -> None:
    there = house()
    decides(there, Disposition((Place(flags=SEEN),), parked=Parked(QUARANTINE)))
    to = Recipient(address("alice@example.test"), frozenset({Notify.SUCCESS}))
    asyncio.run(there.send(to, "bob@example.test"))
    assert filed(there) == [("bob@example.test", "INBOX")] and there.store.commits == 1
    ((item, content),) = there.store.queued
    assert item.held and item.parked == Parked(QUARANTINE) and item.attempts == 0
    assert item.recipients[0].disposition == Disposition((Place(flags=SEEN),))
    assert there.log.named("delivery.sent")[0]["result"] == "parked"
    assert not there.log.named("report.sent")  # It is not delivered yet.
    assert attempt(there, replace(item, held=False, parked=None), content)[0].state is RecipientState.DELIVERED


def test_different_reasons_are_different_entries() -> None:
    there = house()
    decides(there, Disposition((Place(),), parked=Parked(QUARANTINE)))
    decides(there, Disposition((Place(),), parked=Parked(MODERATION, 9e9)), "bob@example.test")
    asyncio.run(there.send("alice@example.test", "bob@example.test"))
    assert [item.parked for item, _ in there.store.queued] == [Parked(QUARANTINE), Parked(MODERATION, 9e9)]


def test_what_is_scheduled_is_parked_as_a_whole_until_then_and_judged_again() -> None:
    there = house()
    until = there.clock.now() + 3600
    options = MailOptions(hold_until=until)
    asyncio.run(there.send("alice@example.test", "x@remote.test", origin=Origin.SUBMISSION, options=options))
    assert not there.store.filed
    ((item, content),) = there.store.queued
    assert item.unchecked and item.parked == Parked(SCHEDULED, until)
    # Released early by a person: it goes.
    recipients = [one.recipient for one in item.recipients]
    done = asyncio.run(there.reception.resume(item, recipients, there.spool.hold(content)))
    assert done == [None, None] and not any(entry.held for entry, _ in there.store.queued[1:])


def test_each_copy_is_told_by_its_mailbox_and_folder() -> None:
    there = house()
    there.directory.alias("info@example.test", "alice@example.test", "bob@example.test")
    asyncio.run(there.send("info@example.test"))
    told = [(one["recipient"], one["mailbox"], one["folder"]) for one in there.log.named("delivery.sent")]
    assert told == [
        ("info@example.test", "alice@example.test", "INBOX"),
        ("info@example.test", "bob@example.test", "INBOX"),
    ]


def test_a_message_counts_once_for_its_domain_whether_mail_said_its_size_or_not() -> None:
    there = house()
    there.directory._domains = (LocalDomain(Domain("example.test"), True, (), quota_messages=10),)
    state = there.reception.quotas._state
    asyncio.run(state.set(DOMAIN_USAGE, "example.test", "600 6 1"))
    for _ in range(4):
        asyncio.run(there.send("alice@example.test"))
    assert len(there.store.filed) == 4
    with pytest.raises(MailError, match=r"4\.2\.2"):
        asyncio.run(there.send("alice@example.test"))


def test_what_was_refused_does_not_count_for_its_domain() -> None:
    there = house()
    there.directory._domains = (LocalDomain(Domain("example.test"), True, (), quota_messages=10),)
    asyncio.run(there.reception.quotas._state.set(DOMAIN_USAGE, "example.test", "600 9 1"))
    for _ in range(3):
        with pytest.raises(MailError, match=r"5\."):
            asyncio.run(there.send("alice@example.test", content=b"Received: x\r\n" * 200 + MAIL))
    assert asyncio.run(there.send("alice@example.test", "alice@example.test")).outcomes == (None, None)


@pytest.mark.parametrize("way", ["second", "alias", "remote"])
def test_a_mailbox_over_its_size_limit_gets_nothing_whoever_else_is_meant(way: str) -> None:
    there = house()
    there.directory.user("small@example.test", max_message_size=1000)
    there.directory.alias("both@example.test", "small@example.test", "bob@example.test")
    to = {"second": ("small@example.test", "bob@example.test"), "alias": ("both@example.test",)}
    recipients = to.get(way, ("small@example.test", "x@remote.test"))
    big = MAIL + b"x" * 2000
    asyncio.run(there.send(*recipients, content=big, origin=Origin.SUBMISSION, sender="bob@example.test"))
    assert "small@example.test" not in [one.account for one in there.store.filed]
    reports = [one for one in there.store.filed if b"Final-Recipient: rfc822; small@example.test" in one.content]
    assert len(reports) == 1 and b"Status: 5.2.3" in reports[0].content


def test_a_full_domain_is_not_passed_by_a_second_recipient() -> None:
    there = house()
    there.directory.user("carol@else.test")
    domains = (
        LocalDomain(Domain("example.test"), True, (), quota_bytes=1000),
        LocalDomain(Domain("else.test"), False, ()),
    )
    there.directory._domains = domains
    asyncio.run(there.reception.quotas._state.set(DOMAIN_USAGE, "example.test", "900 9 1"))
    asyncio.run(there.send("alice@example.test", "carol@else.test", content=MAIL + b"x" * 500))
    assert filed(there) == [("carol@else.test", "INBOX")]
    ((item, _),) = there.store.queued
    assert item.recipients[0].status.startswith("4.2.2") and item.next_attempt - there.clock.now() == 30.0


def test_usage_of_an_account_is_left_to_the_store() -> None:
    there = house()
    there.directory.user("full@example.test", quota_bytes=10_000)
    there.store.usages["full@example.test"] = Usage(9_900, 3)
    with pytest.raises(MailError, match=r"4\.2\.2"):
        asyncio.run(there.send("full@example.test", content=MAIL + b"x" * 2000))
