"""Messages that are accepted before the filters have ended: the queue looks again, and never returns them."""

import asyncio
from dataclasses import replace

import pytest

from tests.support.flow_fakes import MemoryQueue
from tests.support.reception_house import MAIL, House, house
from whimbrel.core.directory import Account
from whimbrel.core.envelope import Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.core.queue import QueueItem, RecipientState
from whimbrel.core.values import Duration
from whimbrel.flow.assessment import Action, Assessment, Finding, Stage
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.judging.filter import Filter, refuse
from whimbrel.flow.judging.policy import PolicySettings
from whimbrel.flow.transaction import Transaction
from whimbrel.mail.writing.changes import AddField

ACCEPT = PolicySettings.model_construct(
    deadline=Duration(0.01), deadline_submission=Duration(0.01), deadline_queued=Duration(0.01), max_messages=9,
    when_late="accept",
)  # fmt: skip


class Scanner(Filter):
    """Does not answer, until it is told what."""

    name, stage = "scanner", Stage.DATA

    def __init__(self) -> None:
        self.finding: Finding | None = None

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        if self.finding is None:
            await asyncio.Event().wait()
        assert self.finding is not None
        return self.finding


def late(
    *recipients: str, origin: Origin = Origin.INBOUND, sender: str = "a@b.test"
) -> tuple[House, Scanner, QueueItem]:
    scanner = Scanner()
    there = house(ACCEPT, filters=(scanner,))
    result = asyncio.run(there.send(*recipients, origin=origin, sender=sender))
    assert result.outcomes == (None,) * len(recipients)
    ((item, _),) = there.store.queued
    assert item.unchecked and item.id == result.queue_id and item.attempts == 0
    assert all(one.local and not one.account for one in item.recipients)
    assert not there.store.filed
    return there, scanner, item


def resume(there: House, item: QueueItem) -> list[MailError | None]:
    content = there.store.queued[0][1]
    recipients: list[Recipient] = [one.recipient for one in item.recipients]
    return asyncio.run(there.reception.resume(item, recipients, there.spool.hold(content)))


def into_mailboxes(there: House) -> None:
    """What the worker does with the entries for mailboxes here."""
    for item, content in there.store.queued:
        if not item.unchecked and item.recipients[0].local:
            queue = MemoryQueue()
            queue.add(item, content)
            agent = LocalAgent(
                queue=queue, directory=there.directory, delivery=there.reception.local, spool=there.spool,
                commit=there.store,
            )  # fmt: skip
            outcomes = asyncio.run(agent.deliver(item, item.recipients))
            assert {outcome.state for outcome in outcomes} == {RecipientState.DELIVERED}


def test_by_default_it_is_deferred() -> None:
    there = house(ACCEPT.model_copy(update={"when_late": "defer"}), filters=(Scanner(),))
    with pytest.raises(MailError, match=r"451 4\.3\.2"):
        asyncio.run(there.send("alice@example.test"))
    assert not there.store.queued


def test_what_passes_goes_where_it_would_have_gone_with_one_trace() -> None:
    there, scanner, item = late("alice@example.test", "x@remote.test", origin=Origin.SUBMISSION)
    scanner.finding = Finding(changes=(AddField(b"X-Checked: yes\r\n"),))
    assert resume(there, item) == [None, None]
    (passed_on,) = there.store.passed_on
    assert passed_on.queue_id == item.id
    assert [one.state for one in passed_on.recipients.values()] == [RecipientState.DELIVERED] * 2
    into_mailboxes(there)
    (stored,) = there.store.filed
    assert stored.folder == "INBOX" and stored.queue_id == there.store.queued[2][0].id
    assert there.store.queued[2][0].created == item.created
    assert stored.content.startswith(b"Return-Path: <a@b.test>\r\nX-Checked: yes\r\nReceived: ")
    assert stored.content.count(b"Received: ") == 1 and stored.content.endswith(MAIL)
    onward, content = there.store.queued[1]
    assert not onward.unchecked and not onward.held and onward.id != item.id and onward.origin == "submission"
    assert content.startswith(b"X-Checked: yes\r\nReceived: ")


@pytest.mark.parametrize("finding", [refuse(550, "5.7.1", "virus"), Finding(action=Action.JUNK)])
def test_what_is_refused_then_goes_to_junk_or_is_held_and_is_never_returned(finding: Finding) -> None:
    there, scanner, item = late(
        "alice@example.test", "x@remote.test", origin=Origin.SUBMISSION, sender="bob@example.test"
    )
    scanner.finding = finding
    assert resume(there, item) == [None, None]
    into_mailboxes(there)
    assert [(one.account, one.folder) for one in there.store.filed] == [("alice@example.test", "Junk")]
    held = there.store.queued[1][0]
    assert held.held and held.parked is not None and held.parked.reason == "quarantine"
    assert there.log.named("message.unwelcome")


def test_a_named_discard_is_done() -> None:
    there, scanner, item = late("alice@example.test")
    scanner.finding = Finding(action=Action.DISCARD)
    assert resume(there, item) == [None]
    assert not there.store.filed and len(there.store.queued) == 1 and there.store.passed_on[0].entries == ()
    assert there.log.named("delivery.sent")[-1]["status"] == "2.0.0 Discarded by scanner"


@pytest.mark.parametrize("finding", [None, refuse(451, "4.7.1", "later")])
def test_filters_that_never_end_let_it_into_junk_at_last(finding: Finding | None) -> None:
    there, scanner, item = late("alice@example.test")
    scanner.finding = finding
    for attempts in range(2):
        (error,) = resume(there, replace(item, attempts=attempts))
        assert error is not None and error.temporary
    assert not there.store.filed
    assert resume(there, replace(item, attempts=2)) == [None]
    into_mailboxes(there)
    assert there.store.filed[0].folder == "Junk"


def test_a_mailbox_that_has_gone_meanwhile_is_an_error_for_it_alone() -> None:
    there, scanner, item = late("alice@example.test", "bob@example.test")
    scanner.finding = Finding()
    del there.directory.accounts["alice@example.test"]
    first, second = resume(there, item)
    assert first is not None and first.enhanced == "5.1.1" and second is None
    assert set(there.store.passed_on[0].recipients) == {1}
    into_mailboxes(there)
    assert [one.account for one in there.store.filed] == ["bob@example.test"]


def test_when_it_cannot_be_queued_it_is_refused() -> None:
    there = house(ACCEPT, filters=(Scanner(),))
    there.store.failures[""] = [MailError(452, "4.3.1", "No space")]
    with pytest.raises(MailError, match=r"452 4\.3\.1"):
        asyncio.run(there.send("alice@example.test"))


def test_the_queue_worker_gives_such_an_entry_back_to_the_one_way() -> None:
    there, scanner, item = late("alice@example.test", "bob@example.test")
    scanner.finding = Finding()
    queue = MemoryQueue()
    queue.add(item, there.store.queued[0][1])
    more = {"queue": queue, "directory": there.directory, "spool": there.spool, "commit": there.store}
    agent = LocalAgent(**more, delivery=there.reception.local, resume=there.reception.resume)  # type: ignore[arg-type]
    outcomes = asyncio.run(agent.deliver(item, item.recipients))
    assert [outcome.state for outcome in outcomes] == [RecipientState.DELIVERED] * 2
    into_mailboxes(there)
    assert sorted(one.account for one in there.store.filed) == ["alice@example.test", "bob@example.test"]
    agent = LocalAgent(**more, delivery=there.reception.local)  # type: ignore[arg-type]
    outcomes = asyncio.run(agent.deliver(item, item.recipients))
    assert [outcome.state for outcome in outcomes] == [RecipientState.WAITING] * 2


def test_a_submission_is_judged_with_the_account_that_submitted_it() -> None:
    """Its limits and rights are those of its user, though nobody is signed in any more."""
    scanner = Scanner()
    there = house(ACCEPT, filters=(scanner,))
    alice = there.directory.user("alice@example.test", max_message_size=9000)
    asyncio.run(there.send("x@remote.test", origin=Origin.SUBMISSION, sender="alice@example.test", account=alice))
    item = there.store.queued[0][0]
    assert item.options.account == alice.id
    seen: list[tuple[object, int]] = []

    async def check(tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        seen.append((tx.account, tx.max_size))
        return Finding()

    scanner.check = check  # type: ignore[method-assign]
    assert resume(there, item) == [None]
    assert seen == [(alice, 9000)]
    assert there.store.queued[1][0].user == "alice@example.test"
    assert there.store.queued[1][0].options.account == alice.id
