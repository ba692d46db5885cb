"""The queue worker: from lease to outcome, report and log."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from tests.support.flow_fakes import FakeConnector, FakeResolver, MemoryQueue, ScriptedServer, address
from tests.support.queue_house import NOW, entry
from tests.support.reception_house import House, house
from whimbrel.core.address import Domain
from whimbrel.core.envelope import MailOptions, Notify, Recipient
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.net import Mx
from whimbrel.core.queue import QueueItem, QueueRecipient, RecipientState
from whimbrel.core.values import Duration
from whimbrel.flow.delivery.destination import Finder
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.parcel import Parcel
from whimbrel.flow.delivery.progress import Phase, Progress
from whimbrel.flow.delivery.settings import DeliverySettings, SenderRoute
from whimbrel.flow.delivery.slots import Slot
from whimbrel.flow.delivery.smtp import SmtpAgent
from whimbrel.flow.delivery.worker import QueueWorker
from whimbrel.flow.report.reports import ReportSettings
from whimbrel.flow.settings import SmtpSettings

MAIL = (
    b"Received: by us\r\nFrom: alice@example.test\r\nMessage-ID: <7@example.test>\r\nSubject: x\r\n\r\nsecret body\r\n"
)


@dataclass(slots=True)
class Post:
    """A worker over a whole house, with servers for remote.test and else.test."""

    settings: DeliverySettings = field(default_factory=DeliverySettings)
    reports: ReportSettings = field(default_factory=ReportSettings)
    there: House = field(init=False)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    names: FakeResolver = field(default_factory=FakeResolver)
    net: FakeConnector = field(default_factory=FakeConnector)
    remote: ScriptedServer = field(default_factory=lambda: ScriptedServer("mx.remote.test"))
    other: ScriptedServer = field(default_factory=lambda: ScriptedServer("mx.else.test"))
    agent: SmtpAgent = field(init=False)
    worker: QueueWorker = field(init=False)

    def __post_init__(self) -> None:
        self.there = house(self.settings, self.reports, SmtpSettings(hostname=Domain("mail.example.test")))
        self.there.clock.time = NOW
        self.names.exchangers |= {"remote.test": [Mx(10, "mx.remote.test")], "else.test": [Mx(10, "mx.else.test")]}
        self.names.hosts |= {"mx.remote.test": ["192.0.2.1"], "mx.else.test": ["192.0.2.2"]}
        self.net.servers |= {"192.0.2.1:25": self.remote, "192.0.2.2:25": self.other}
        there = self.there
        self.agent = SmtpAgent(
            queue=self.queue,
            finder=Finder(self.names, there.config),
            connector=self.net,
            config=there.config,
            log=there.log,
            clock=there.clock,
        )
        local = LocalAgent(
            queue=self.queue,
            directory=there.directory,
            delivery=there.reception.local,
            spool=there.spool,
            commit=there.store,
        )
        self.worker = QueueWorker(
            queue=self.queue,
            smtp=self.agent,
            local=local,
            reports=there.reception.reports,
            config=there.config,
            log=there.log,
            clock=there.clock,
            pace=0.0,
        )

    def run(self, item: QueueItem, content: bytes = MAIL) -> QueueItem:
        """One attempt; the entry as it was stored after it."""
        self.queue.add(item, content)
        assert asyncio.run(self.worker.run_due()) == 1
        return self.queue.updates[-1]

    @property
    def report(self) -> str:
        (content,) = self.there.store.content_of("alice@example.test")
        return content.decode()

    @property
    def results(self) -> list[tuple[object, object]]:
        return [(record["recipient"], record["result"]) for record in self.there.log.named("delivery.sent")]


def item(*recipients: str, sender: str = "alice@example.test", **values: object) -> QueueItem:
    return replace(entry("q1", *recipients, sender=sender), **values)  # type: ignore[arg-type]


def wish(text: str, *notify: Notify, orcpt: str = "") -> QueueRecipient:
    return QueueRecipient(Recipient(address(text), frozenset(notify), orcpt))


def test_a_relayed_entry_is_done_without_a_word_to_the_sender() -> None:
    post = Post()
    post.run(item("b@remote.test"))
    assert not post.queue.items and not post.there.store.filed
    assert post.results == [("b@remote.test", "relayed")]
    assert post.there.log.named("delivery.sent")[0]["tls"]


def test_recipients_are_grouped_by_destination() -> None:
    post = Post()
    post.run(item("a@remote.test", "b@else.test", "c@remote.test"))
    assert [len(message[1]) for message in post.remote.messages] == [2]
    assert [len(message[1]) for message in post.other.messages] == [1]


def test_a_relay_host_gets_all_in_one_transaction() -> None:
    post = Post(DeliverySettings(relay_host="mx.remote.test"))
    post.run(item("a@remote.test", "b@else.test", "c@third.test"))
    assert [len(message[1]) for message in post.remote.messages] == [3]


def test_a_failure_is_returned_to_the_sender_in_full_detail() -> None:
    post = Post()
    post.remote.answers = {"RCPT TO:<bad@remote.test>": "550 5.1.1 No such user here"}
    stored = post.run(
        replace(
            item("good@remote.test", options=MailOptions(envid="env-1")),
            recipients=(
                wish("good@remote.test"),
                wish("bad@remote.test", orcpt="rfc822;old@remote.test"),
            ),
        )
    )
    assert not stored.waiting and not post.queue.items
    report = post.report
    assert report.startswith("Return-Path: <>\r\n")
    for line in (
        "Content-Type: multipart/report; report-type=delivery-status",
        "Original-Envelope-Id: env-1",
        "Reporting-MTA: dns; mail.example.test",
        "Original-Recipient: rfc822; old@remote.test",
        "Final-Recipient: rfc822; bad@remote.test",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mx.remote.test",
        "Diagnostic-Code: smtp; 550 5.1.1 No such user here",
        "Message-ID: <7@example.test>",
    ):
        assert line in report, line
    assert "good@remote.test" not in report and "secret body" not in report
    assert "tried again until" not in report and "Will-Retry-Until" not in report
    assert ("bad@remote.test", "failed") in post.results


def test_the_whole_message_comes_back_where_it_was_asked_for_and_is_small() -> None:
    post = Post()
    post.remote.answers = {"RCPT": "550 5.1.1 No"}
    post.run(item("b@remote.test", options=MailOptions(ret="FULL")))
    assert "secret body" in post.report
    post = Post()
    post.remote.answers = {"RCPT": "550 5.1.1 No"}
    post.run(item("b@remote.test", options=MailOptions(ret="FULL")), MAIL + b"x" * (1 << 20))
    assert "secret body" not in post.report


def test_a_failure_is_told_as_notify_says() -> None:
    for notify, told in (
        ((), True),
        ((Notify.NEVER,), False),
        ((Notify.SUCCESS,), False),
        ((Notify.FAILURE,), True),
    ):
        post = Post()
        post.remote.answers = {"RCPT": "550 5.1.1 No"}
        post.run(replace(item(), recipients=(wish("b@remote.test", *notify),)))
        assert bool(post.there.store.filed) is told, notify
        assert not post.queue.items


def test_a_report_is_never_reported() -> None:
    post = Post()
    post.remote.answers = {"RCPT": "550 5.1.1 No"}
    post.run(item("b@remote.test", sender=""))
    assert not post.there.store.filed and not post.queue.items
    assert post.there.log.named("report.undeliverable")


def test_an_administrator_may_want_what_nobody_else_gets() -> None:
    post = Post(reports=ReportSettings(postmaster_copy="admin@example.test"))
    post.remote.answers = {"RCPT": "550 5.1.1 No"}
    post.run(item("b@remote.test", sender=""))
    assert [one.account for one in post.there.store.filed] == ["admin@example.test"]
    # But not about himself: that would never end.
    post = Post(reports=ReportSettings(postmaster_copy="b@remote.test"))
    post.remote.answers = {"RCPT": "550 5.1.1 No"}
    post.run(item("b@remote.test", sender=""))
    assert not post.there.store.queued and not post.there.store.filed


def test_a_sender_that_does_not_exist_ends_the_story() -> None:
    post = Post()
    post.remote.answers = {"RCPT": "550 5.1.1 No"}
    post.run(item("b@remote.test", sender="nobody@example.test"))
    assert not post.queue.items and not post.there.store.filed
    assert post.there.log.named("report.undeliverable")


def test_a_report_that_cannot_be_stored_is_tried_again_and_nothing_is_sent_twice() -> None:
    post = Post()
    post.remote.answers = {"RCPT TO:<bad@remote.test>": "550 5.1.1 No"}
    post.there.store.failures = {
        "alice@example.test": [MailboxError(Condition.INUSE, "Busy")],
        "": [MailboxError(Condition.UNAVAILABLE, "Full")],
    }
    stored = post.run(item("good@remote.test", "bad@remote.test"))
    assert [str(one.recipient.address) for one in stored.waiting] == ["bad@remote.test"]
    assert not post.there.store.filed and post.there.log.named("report.failed")
    post.there.clock.forward(600)
    asyncio.run(post.worker.run_due())
    assert "Final-Recipient: rfc822; bad@remote.test" in post.report
    assert [message[1] for message in post.remote.messages] == [["RCPT TO:<good@remote.test>"]]
    assert not post.queue.items


def test_a_deferred_recipient_waits_by_the_schedule_and_is_told_of_late() -> None:
    post = Post()
    post.remote.answers = {"RCPT": "451 4.7.1 Greylisted"}
    stored = post.run(item("b@remote.test"))
    assert stored.attempts == 1 and 270 <= stored.next_attempt - NOW <= 330
    assert stored.recipients[0].status == "4.7.1 Greylisted" and stored.recipients[0].remote.startswith("mx.remote")
    assert not post.there.store.filed
    assert post.results == [("b@remote.test", "delayed")]
    post.there.clock.forward(4 * 3600)
    asyncio.run(post.worker.run_due())
    assert "Action: delayed" in post.report and "Will-Retry-Until:" in post.report
    post.there.clock.forward(5 * 86400)
    asyncio.run(post.worker.run_due())
    second = post.there.store.content_of("alice@example.test")[1].decode()
    assert "Action: failed" in second and "Status: 5.4.7" in second
    assert not post.queue.items


def test_only_those_who_wait_are_tried_again() -> None:
    post = Post()
    post.remote.answers = {"RCPT TO:<b@remote.test>": "451 4.7.1 Greylisted"}
    post.run(item("a@remote.test", "b@remote.test"))
    post.remote.answers = {}
    post.there.clock.forward(600)
    asyncio.run(post.worker.run_due())
    assert [message[1] for message in post.remote.messages] == [
        ["RCPT TO:<a@remote.test>"],
        ["RCPT TO:<b@remote.test>"],
    ]


def test_success_is_told_as_relayed_because_no_confirmation_comes_from_there() -> None:
    post = Post()
    post.run(replace(item(), recipients=(wish("b@remote.test", Notify.SUCCESS),)))
    assert "Action: relayed" in post.report


def local_item(*, address_text: str = "bob+x@example.test", account: str = "bob@example.test") -> QueueItem:
    recipient = QueueRecipient(Recipient(address(address_text)), local=True, account=account)
    return replace(item(), recipients=(recipient,))


def test_a_mailbox_that_was_busy_gets_its_message() -> None:
    post = Post()
    post.run(local_item())
    (stored,) = post.there.store.filed
    assert stored.content == b"Return-Path: <alice@example.test>\r\n" + MAIL
    assert (stored.account, stored.recipient, stored.queue_id) == ("bob@example.test", "bob+x@example.test", "q1")
    assert post.results == [("bob+x@example.test", "delivered")]


def test_a_crash_between_delivery_and_done_makes_no_second_copy() -> None:
    post = Post()
    post.run(local_item())
    post.run(local_item())
    assert len(post.there.store.filed) == 1


def test_a_mailbox_that_is_gone_meanwhile_is_reported() -> None:
    for change in ("removed", "disabled"):
        post = Post()
        if change == "removed":
            del post.there.directory.accounts["bob@example.test"]
        else:
            post.there.directory.user("bob@example.test", enabled=False)
        post.run(local_item())
        assert ("Status: 5.1.1" if change == "removed" else "Status: 5.2.1") in post.report


def test_a_mailbox_that_is_still_busy_waits_on() -> None:
    post = Post()
    post.there.store.failures["bob@example.test"] = [MailboxError(Condition.INUSE, "Still busy")]
    stored = post.run(local_item())
    assert [one.status for one in stored.waiting] == ["4.2.0 Still busy"]


class Watched(SmtpAgent):
    """Counts what runs at once; lets everything go when the test says so."""

    def __init__(self) -> None:
        self.running: list[Parcel] = []
        self.most = 0
        self.go = asyncio.Event()

    async def deliver(  # type: ignore[override]
        self, parcel: Parcel, progress: Progress | None = None, slot: Slot | None = None
    ) -> list[object]:
        assert slot is not None
        await slot.transfer()
        self.running.append(parcel)
        self.most = max(self.most, len(self.running))
        await self.go.wait()
        self.running.remove(parcel)
        raise RuntimeError("a bug")


def running(post: Post, test: Callable[[asyncio.Task[None]], Awaitable[None]]) -> None:
    async def go() -> None:
        async with asyncio.timeout(20):
            task = asyncio.create_task(post.worker.run())
            try:
                await test(task)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("most", "to_remote", "in_all"), [(3, 1, 3), (9, 2, 5)])
def test_deliveries_are_bounded_in_all_and_by_destination(most: int, to_remote: int, in_all: int) -> None:
    settings = DeliverySettings(max_deliveries=most, per_destination=2)

    async def check(_task: asyncio.Task[None]) -> None:
        await settled()
        domains = [parcel.way.domain for parcel in watched.running]
        # Each has one before any has two.
        assert (domains.count("remote.test"), len(domains)) == (to_remote, in_all)
        watched.go.set()
        await settled()
        assert watched.most <= most

    post = Post(settings)
    watched = Watched()
    post.worker._smtp = watched
    for n in range(6):
        post.queue.add(replace(entry(f"r{n}", "b@remote.test"), created=NOW), MAIL)
    for n in range(3):
        post.queue.add(entry(f"e{n}", f"b@else{n}.test"), MAIL)
    running(post, check)


def test_a_bug_in_one_attempt_neither_stops_the_worker_nor_loses_the_message() -> None:
    async def check(task: asyncio.Task[None]) -> None:
        watched.go.set()
        await settled()
        assert not task.done()
        assert post.queue.items["q1"].recipients[0].status.startswith("4.3.0")
        post.queue.add(replace(entry("q2", "b@else.test")), MAIL)
        await settled()
        assert post.queue.items["q2"].attempts == 1

    post, watched = Post(), Watched()
    post.worker._smtp = watched
    post.queue.add(item("b@remote.test"), MAIL)
    running(post, check)
    assert len(post.there.log.named("delivery.crashed")) == 2


def test_the_worker_sends_what_is_added_and_stops_when_told() -> None:
    async def check(task: asyncio.Task[None]) -> None:
        await settled()
        post.queue.add(item("b@remote.test"), MAIL)
        await settled()
        assert len(post.remote.messages) == 1 and not post.worker.active
        post.worker.stop()
        await task

    post = Post()
    running(post, check)


def test_held_entries_are_not_touched() -> None:
    post = Post()
    post.queue.add(item("b@remote.test", held=True), MAIL)
    assert asyncio.run(post.worker.run_due()) == 0
    assert not post.net.opened


def test_an_expired_entry_is_still_tried_once() -> None:
    post = Post(DeliverySettings(give_up_after=Duration("1h")))
    post.run(item("b@remote.test", created=NOW - 7200))
    assert post.remote.messages
    assert post.results == [("b@remote.test", "relayed")]
    assert post.queue.updates[-1].recipients[0].state is RecipientState.RELAYED


class Fate:
    """Stands for the sending agent: dead domains are silent, others take what they get."""

    def __init__(self, *dead: str) -> None:
        self.dead = set(dead)
        self.parcels: list[Parcel] = []
        self.stuck = asyncio.Event()

    async def deliver(self, parcel: Parcel, progress: Progress, slot: Slot) -> list[Outcome]:
        self.parcels.append(parcel)
        if parcel.way.domain.startswith("slow"):
            await slot.transfer()
            progress.phase, progress.server = Phase.CONTENT, "mx.slow.test[192.0.2.9]:25"
            await self.stuck.wait()
        if parcel.way.domain in self.dead:
            return [Outcome(RecipientState.WAITING, "4.4.1 Nobody there", "mx")] * len(parcel.recipients)
        return [Outcome(RecipientState.RELAYED, "2.0.0 OK", "mx")] * len(parcel.recipients)

    def tried(self, domain: str) -> int:
        return sum(parcel.way.domain == domain for parcel in self.parcels)


def fated(post: Post, *dead: str) -> Fate:
    fate = Fate(*dead)
    post.worker._smtp = fate  # type: ignore[assignment]
    return fate


def test_a_dead_domain_costs_one_attempt_and_then_one_for_each_pause() -> None:
    post = Post()
    fate = fated(post, "dead.test")
    for n in range(500):
        post.queue.add(entry(f"d{n}", "b@dead.test"), MAIL)
    for n in range(50):
        post.queue.add(entry(f"l{n}", "b@living.test"), MAIL)
    asyncio.run(post.worker.run_due())
    assert (fate.tried("dead.test"), fate.tried("living.test")) == (1, 50)
    assert len(post.queue.items) == 500
    assert len(post.there.log.named("delivery.paused")) == 1
    assert len(post.there.log.named("delivery.sent")) == 51  # What was put off is not told as an attempt.
    post.there.clock.forward(400)
    asyncio.run(post.worker.run_due())
    assert fate.tried("dead.test") == 2
    fate.dead.clear()
    post.there.clock.forward(3600)
    asyncio.run(post.worker.run_due())
    assert not post.queue.items


def test_what_waits_for_a_paused_destination_is_still_told_of_and_returned() -> None:
    post = Post()
    fated(post, "dead.test")
    for n in range(2):
        post.queue.add(entry(f"d{n}", "b@dead.test", sender=""), MAIL)
    asyncio.run(post.worker.run_due())
    age = 5 * 86400 + 100
    post.queue.add(replace(item("b@dead.test"), created=NOW - age, next_attempt=NOW - 200), MAIL)
    asyncio.run(post.worker.run_due())
    assert post.queue.items["q1"].next_attempt > NOW and "Action: delayed" in post.report
    post.there.store.filed.clear()  # It is not returned before the pause is over.
    post.queue.items["q1"] = replace(post.queue.items["q1"], next_attempt=NOW - 1)
    asyncio.run(post.worker.run_due())
    assert "Status: 5.4.7" in post.report and "q1" not in post.queue.items
    assert "Last-Attempt-Date" not in post.report  # There was none.
    assert post.results[-2:] == [("b@dead.test", "failed"), ("alice@example.test", "delivered")]


def test_a_person_who_wants_it_tried_now_gets_an_attempt_in_a_pause() -> None:
    post = Post()
    fate = fated(post, "dead.test")
    for n in range(2):
        post.queue.add(entry(f"d{n}", "b@dead.test"), MAIL)
    asyncio.run(post.worker.run_due())
    post.queue.add(item("b@dead.test", urgent=True), MAIL)
    asyncio.run(post.worker.run_due())
    assert fate.tried("dead.test") == 2
    assert post.queue.updates[-1].attempts == 1 and not post.queue.updates[-1].urgent


def test_with_routes_by_sender_only_what_goes_that_way_is_put_off() -> None:
    route = SenderRoute(sender="alice@example.test", host="relay.test")
    post = Post(DeliverySettings(sender_routes=(route,)))
    fate = fated(post, "")
    for n in range(9):
        post.queue.add(item("b@remote.test", id=f"a{n}"), MAIL)
    post.queue.add(item("b@remote.test", id="other", sender="carol@example.test"), MAIL)
    asyncio.run(post.worker.run_due())
    assert fate.tried("remote.test") == 1 and "other" not in post.queue.items
    assert all(not one.whole for one in post.queue.deferrals) and len(post.queue.items) == 9


def test_what_an_administrator_gave_up_is_returned_without_an_attempt() -> None:
    post = Post()
    fate = fated(post)
    post.run(item("b@remote.test", give_up="5.7.1 Deleted from the queue by an administrator"))
    assert not fate.parcels and not post.queue.items
    assert "Status: 5.7.1" in post.report and "Deleted from the queue by an administrator" in post.report


def test_many_recipients_of_one_domain_go_in_transactions_of_the_set_size() -> None:
    post = Post(DeliverySettings(max_recipients=100))
    fate = fated(post)
    post.run(item(*(f"u{n}@remote.test" for n in range(250))))
    assert sorted(len(parcel.recipients) for parcel in fate.parcels) == [50, 100, 100]
    assert not post.queue.items


def test_what_one_domain_took_is_stored_before_the_slow_one_ends() -> None:
    async def check(_task: asyncio.Task[None]) -> None:
        post.queue.add(
            replace(item("a@remote.test", "b@slow.test"), recipients=(
                *item("a@remote.test", "b@slow.test").recipients, wish("c@else.test", Notify.SUCCESS))), MAIL,
        )  # fmt: skip
        await settled()
        # Whose sender wants to hear of it waits for the report.
        ((queue_id, recorded),) = post.queue.records
        assert queue_id == "q1" and list(recorded) == [0] and recorded[0].state is RecipientState.RELAYED
        assert [name for name, _ in post.results] == ["a@remote.test"]
        fate.stuck.set()
        await settled()
        names = [str(name) for name, _ in post.results if name != "alice@example.test"]  # The report is hers.
        assert sorted(names) == ["a@remote.test", "b@slow.test", "c@else.test"]
        assert not post.queue.items

    post = Post()
    fate = fated(post)
    running(post, check)


def test_a_delivery_under_way_is_shown_and_can_be_ended() -> None:
    async def check(_task: asyncio.Task[None]) -> None:
        post.queue.add(item("b@slow.test"), MAIL)
        await settled()
        (live,) = await post.worker.tasks.list()
        assert (live.queue_id, live.destination, live.phase) == ("q1", "slow.test", "content")
        assert live.server == "mx.slow.test[192.0.2.9]:25" and live.size == len(MAIL)
        assert not await post.worker.tasks.abort("nothing")
        assert await post.worker.tasks.abort(live.id)
        await settled()
        assert not await post.worker.tasks.list() and not await post.worker.tasks.abort(live.id)
        stored = post.queue.items["q1"]
        assert stored.attempts == 1 and stored.next_attempt > NOW
        assert stored.recipients[0].status.startswith("4.3.0 The attempt was ended")

    post = Post()
    fated(post)
    running(post, check)


def test_a_delay_is_told_as_often_as_was_set() -> None:
    post = Post(DeliverySettings(notify_again=(Duration("1d"), Duration("2d"))))
    post.remote.answers = {"RCPT": "451 4.7.1 Greylisted"}
    post.run(item("b@remote.test"))
    for hours, reports in ((5, 1), (10, 1), (25, 2), (30, 2), (49, 3), (80, 3)):
        post.there.clock.forward(NOW + hours * 3600 - post.there.clock.now())
        asyncio.run(post.worker.run_due())
        told = post.there.store.content_of("alice@example.test")
        assert sum(b"Action: delayed" in report for report in told) == reports, hours
