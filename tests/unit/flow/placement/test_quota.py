"""Quota: what still fits, what is said when it does not, and how a domain's sum is followed."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Literal

import pytest

from tests.support.fakes import FakeClock, FakeConfig, MemoryState
from tests.support.flow_fakes import FakeDirectory, FakeStore, MemoryQueue
from tests.support.queue_house import entry
from tests.support.reception_house import MAIL, House, house
from whimbrel.core.envelope import Envelope, MailOptions, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Internal, Origin
from whimbrel.core.mailbox import Limit, Usage
from whimbrel.core.queue import QueueRecipient, RecipientState
from whimbrel.core.quota import DOMAIN_USAGE
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.placement.quota import FRESH, OWN, QuotaCheck, QuotaSettings, usage_of
from whimbrel.flow.transaction import Result


class Stage:
    """alice may have 1000 octets and 10 messages."""

    def __init__(self, **domain: int) -> None:
        self.directory, self.store, self.state = FakeDirectory(), FakeStore(), MemoryState()
        self.config, self.clock = FakeConfig(), FakeClock()
        self.directory._domains = (replace(self.directory._domains[0], **domain),)  # type: ignore[arg-type]
        self.alice = replace(self.directory.user("alice@example.test", quota_bytes=1000), quota_messages=10)
        self.bob = self.directory.user("bob@example.test")
        self.quotas = QuotaCheck(
            folders=self.store, directory=self.directory, state=self.state, config=self.config, clock=self.clock
        )

    def holds(self, octets: int, messages: int) -> None:
        self.store.usages[self.alice.id] = Usage(octets, messages)

    def domain_holds(self, octets: int, messages: int) -> None:
        self.state.values[DOMAIN_USAGE, "example.test"] = f"{octets} {messages} {self.clock.now():.0f}"

    def check(self, size: int, messages: int = 1, *, bob: bool = False) -> str:
        try:
            asyncio.run(self.quotas.check(self.bob if bob else self.alice, size, messages))
        except MailError as error:
            return f"{error.code} {error.enhanced}"
        return ""


def test_octets_and_messages_both_count_to_the_last_one() -> None:
    stage = Stage()
    stage.holds(900, 3)
    assert (stage.check(100), stage.check(101)) == ("", "452 4.2.2")
    stage.holds(0, 9)
    assert (stage.check(1), stage.check(1, 2)) == ("", "452 4.2.2")
    stage.holds(1000, 1)
    assert stage.check(0) == "452 4.2.2"  # Of unknown size, but not of none.
    assert stage.check(10**9, 10**6, bob=True) == ""


def test_a_full_mailbox_is_refused_for_good_only_where_it_is_set() -> None:
    stage = Stage()
    stage.holds(1000, 1)
    stage.config.use(QuotaSettings(full="refuse"))
    assert stage.check(1) == "552 5.2.2"


def test_what_would_not_fit_into_an_empty_mailbox_is_refused_for_good() -> None:
    stage = Stage()
    assert (stage.check(1000), stage.check(1001)) == ("", "552 5.2.2")


def test_a_domain_that_was_not_counted_yet_keeps_nobody_out() -> None:
    stage = Stage(quota_bytes=500)
    assert stage.check(400, bob=True) == ""
    stage.state.values[DOMAIN_USAGE, "example.test"] = "nonsense"
    stage.clock.forward(FRESH)
    assert stage.check(400, bob=True) == ""


def test_a_full_domain_takes_no_more_for_any_of_its_users() -> None:
    stage = Stage(quota_bytes=5000, quota_messages=100)
    stage.domain_holds(4990, 1)
    assert (stage.check(11, bob=True), stage.check(11)) == ("452 4.2.2", "452 4.2.2")
    stage = Stage(quota_messages=100)
    stage.domain_holds(0, 100)
    assert stage.check(1, bob=True) == "452 4.2.2"


def test_what_was_let_in_counts_until_the_next_sum_or_for_a_while() -> None:
    stage = Stage(quota_bytes=5000)
    stage.domain_holds(4000, 1)
    assert stage.check(900, bob=True) == ""
    assert stage.check(200, bob=True) == "452 4.2.2"
    # Control counted anew: the message never came.
    stage.clock.forward(FRESH)
    stage.domain_holds(4001, 1)
    assert stage.check(900, bob=True) == ""
    assert stage.check(200, bob=True) == "452 4.2.2"
    stage.clock.forward(OWN + 1)
    assert stage.check(200, bob=True) == ""


def test_a_sum_is_asked_for_now_and_then_not_each_time() -> None:
    stage = Stage(quota_bytes=5000)
    stage.domain_holds(0, 0)
    assert stage.check(1, bob=True) == ""
    stage.domain_holds(5000, 1)
    assert stage.check(1, bob=True) == ""
    stage.clock.forward(FRESH)
    assert stage.check(1, bob=True) == "452 4.2.2"


@pytest.mark.parametrize("text", ["", "1", "a b", "-1 2", "1 x 3"])
def test_a_sum_that_cannot_be_read_is_none(text: str) -> None:
    assert usage_of(text) is None


@pytest.mark.parametrize(
    ("limit", "usage", "percent"),
    [
        (Limit(1000, 10), Usage(500, 9), 90),
        (Limit(1000, 0), Usage(999, 99), 99),
        (Limit(0, 10), Usage(999, 11), 110),
        (Limit(0, 0), Usage(1, 1), 0),
    ],
)
def test_how_full_is_told_by_the_fuller_of_the_two(limit: Limit, usage: Usage, percent: int) -> None:
    assert limit.percent(usage) == percent


# In the one way of a message


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def full_house() -> House:
    there = house()
    there.directory.user("full@example.test", quota_bytes=10_000)
    there.store.usages["full@example.test"] = Usage(9_900, 3)
    return there


def test_a_message_larger_than_declared_is_refused_if_nobody_can_take_it() -> None:
    there = full_house()
    with pytest.raises(MailError) as caught:
        run(there.send("full@example.test", content=MAIL + b"x" * 2000))
    assert (caught.value.code, caught.value.enhanced) == (452, "4.2.2")
    assert there.store.filed == [] and there.store.queued == []


def waiting(there: House) -> list[str]:
    """Who has a message in the queue for local delivery."""
    return [one.account for item, _ in there.store.queued for one in item.recipients if one.local]


def test_whom_a_message_does_not_fit_is_tried_again_and_the_others_have_it_once() -> None:
    there = full_house()
    result = run(there.send("full@example.test", "bob@example.test", content=MAIL + b"x" * 2000))
    assert result.outcomes == (None, None)
    assert [one.account for one in there.store.filed] == ["bob@example.test"]
    assert waiting(there) == ["full@example.test"]
    assert there.store.queued[0][0].recipients[0].status == "4.2.2 Mailbox is full"


def test_where_full_mailboxes_refuse_the_sender_has_a_report_of_those_alone() -> None:
    there = full_house()
    there.config.use(QuotaSettings(full="refuse"))
    run(there.send("full@example.test", "bob@example.test", content=MAIL + b"x" * 2000, sender="alice@example.test"))
    assert [one.account for one in there.store.filed] == ["bob@example.test", "alice@example.test"]
    report = there.store.filed[1].content
    assert b"full@example.test" in report and b"Status: 5.2.2" in report
    assert b"bob@example.test" not in report.partition(b"Final-Recipient")[2].partition(b"\r\n\r\n")[0]
    assert there.store.queued == []


@pytest.mark.parametrize(("full", "code", "enhanced"), [("later", 452, "4.2.2"), ("refuse", 552, "5.2.2")])
@pytest.mark.parametrize("origin", [Origin.INBOUND, Origin.LMTP, Origin.SUBMISSION])
def test_a_mailbox_that_filled_up_since_rcpt_is_answered_as_at_rcpt(
    full: Literal["later", "refuse"], code: int, enhanced: str, origin: Origin
) -> None:
    there = full_house()
    there.config.use(QuotaSettings(full=full))

    async def send() -> Result:
        tx = await there.begin("full@example.test", origin=origin, options=MailOptions(size=100))
        there.store.usages["full@example.test"] = Usage(10_000, 4)
        return await there.finish(tx, MAIL[:100])

    if origin is Origin.LMTP:
        (error,) = run(send()).outcomes
    else:
        with pytest.raises(MailError) as caught:
            run(send())
        error = caught.value
    assert error is not None and (error.code, error.enhanced, error.text) == (code, enhanced, "Mailbox is full")
    assert there.store.filed == [] and there.store.queued == []


@pytest.mark.parametrize("origin", [Origin.INBOUND, Origin.LMTP])
def test_a_full_member_of_a_group_waits_and_the_other_members_have_it_once(origin: Origin) -> None:
    there = full_house()
    there.directory.alias("all@example.test", "full@example.test", "bob@example.test")
    result = run(there.send("all@example.test", content=MAIL + b"x" * 2000, origin=origin))
    assert result.outcomes == (None,)
    assert [one.account for one in there.store.filed] == ["bob@example.test"]
    assert waiting(there) == ["full@example.test"]


def test_lmtp_repeats_nothing_where_a_full_mailbox_shares_its_address_with_others() -> None:
    there = full_house()
    there.directory.alias("all@example.test", "full@example.test", "bob@example.test")
    there.directory.user("twice@example.test", quota_bytes=10, forward_to=("far@else.test",), keep_copy=True)
    to = ("full@example.test", "all@example.test", "twice@example.test")
    options = MailOptions(size=5)  # Less than it is.
    result = run(there.send(*to, content=MAIL + b"x" * 2000, origin=Origin.LMTP, options=options))
    assert result.outcomes[:2] == (None, None) and waiting(there) == ["full@example.test"]
    assert [one.account for one in there.store.filed] == ["bob@example.test"]
    # Larger than that mailbox may ever be: the copy is on its way, and the sender has a report.
    assert result.outcomes[2] is None
    onward = [str(one.recipient.address) for item, _ in there.store.queued for one in item.recipients if not one.local]
    assert sorted(onward) == ["a@b.test", "far@else.test"]


def test_what_goes_to_other_servers_too_is_taken_and_not_sent_there_twice() -> None:
    there = full_house()
    alice = there.directory.accounts["alice@example.test"]
    to = ("full@example.test", "far@else.test")
    run(there.send(*to, content=MAIL + b"x" * 2000, origin=Origin.SUBMISSION, account=alice))
    assert there.store.filed == [] and waiting(there) == ["full@example.test"]
    assert sorted(str(one.recipient.address) for item, _ in there.store.queued for one in item.recipients) == sorted(
        ["far@else.test", "full@example.test"]
    )


def from_the_queue(there: House, *, sender: bool = True, origin: str = "") -> Outcome:
    """How an attempt at the full mailbox goes."""
    queue, full = MemoryQueue(), there.directory.accounts["full@example.test"]
    item = replace(entry("q1", "full@example.test", sender="a@b.test" if sender else ""), origin=origin)
    item = replace(item, recipients=(QueueRecipient(Recipient(full.address), local=True, account=full.id),))
    queue.add(item, MAIL)
    agent = LocalAgent(
        queue=queue,
        directory=there.directory,
        delivery=there.reception.local,
        spool=there.spool,
        commit=there.store,
    )
    (outcome,) = run(agent.deliver(queue.items["q1"], item.recipients))
    assert isinstance(outcome, Outcome)
    return outcome


def test_the_queue_waits_for_room_and_gives_up_where_full_mailboxes_refuse() -> None:
    there = full_house()
    there.store.usages["full@example.test"] = Usage(10_000, 4)
    outcome = from_the_queue(there)
    assert (outcome.state, outcome.status) == (RecipientState.WAITING, "4.2.2 Mailbox is full")
    there.config.use(QuotaSettings(full="refuse"))
    outcome = from_the_queue(there)
    assert (outcome.state, outcome.status) == (RecipientState.FAILED, "5.2.2 Mailbox is full")
    assert there.store.filed == []
    there.store.usages["full@example.test"] = Usage(0, 0)
    assert from_the_queue(there).state is RecipientState.DELIVERED


def test_a_report_of_ours_that_waited_reaches_a_full_mailbox_and_a_strangers_does_not() -> None:
    there = full_house()
    there.store.usages["full@example.test"] = Usage(10_000, 4)
    assert from_the_queue(there, sender=False, origin="inbound").state is RecipientState.WAITING
    assert from_the_queue(there, sender=False, origin="internal").state is RecipientState.DELIVERED


def test_lmtp_hears_of_each_mailbox_and_nothing_is_queued() -> None:
    there = full_house()
    result = run(there.send("full@example.test", "bob@example.test", content=MAIL + b"x" * 2000, origin=Origin.LMTP))
    first, second = result.outcomes
    assert first is not None and first.enhanced == "4.2.2" and second is None
    assert [one.account for one in there.store.filed] == ["bob@example.test"] and there.store.queued == []


def test_the_size_that_mail_declares_decides_at_rcpt() -> None:
    there = full_house()
    with pytest.raises(MailError, match=r"452 4\.2\.2"):
        run(there.begin("full@example.test", options=MailOptions(size=101)))
    run(there.begin("full@example.test", options=MailOptions(size=100)))


def test_a_notice_of_ours_reaches_a_full_mailbox_and_a_forwarded_message_does_not() -> None:
    there = full_house()
    there.store.usages["full@example.test"] = Usage(10_000, 3)
    to = (Recipient(there.directory.accounts["full@example.test"].address),)

    async def submit(sender: Any) -> None:
        await there.reception.submit(Internal(Envelope(sender, to), there.spool.hold(MAIL)))

    run(submit(None))
    assert [one.account for one in there.store.filed] == ["full@example.test"]
    with pytest.raises(MailError, match="Mailbox is full"):
        run(submit(there.directory.accounts["bob@example.test"].address))
