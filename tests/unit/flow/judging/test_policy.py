"""Filters of a stage are asked together, and none of them holds mail up longer than it may."""

import asyncio

import pytest

from tests.support.fakes import FakeClock, FakeConfig, InlinePool, MemoryLog, MemoryState
from tests.support.filters import (
    NO,
    AllowList,
    BlockList,
    BlockListSettings,
    Says,
    SenderCheck,
    Waits,
    filter_ports,
)
from tests.support.reception_house import STRANGER
from whimbrel.core.address import Address
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.core.settings import Section
from whimbrel.core.values import Duration
from whimbrel.flow.assessment import NOTHING, OUTSIDERS, Action, Assessment, Finding, Peer, Stage, Symbol
from whimbrel.flow.judging.filter import Filter, QuickFilter, WaitingSettings
from whimbrel.flow.judging.filters import FILTERS
from whimbrel.flow.judging.health import RETRY, TRIES
from whimbrel.flow.judging.policy import CLEAN, Judgement, Policy, PolicySettings
from whimbrel.flow.transaction import Header, Transaction
from whimbrel.mail.writing.changes import AddField


class DownSettings(WaitingSettings, tag="down"):
    """A filter that gives no answer."""


class Down(Filter):
    name, stage, settings = "down", Stage.DATA, DownSettings

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        raise MailError(451, "4.4.3", "DNS is down")


class QuickDown(QuickFilter):
    name, stage = "quick-down", Stage.DATA

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        raise MailError(451, "4.4.3", "DNS is down")


class OnlyOutsiders(Says):
    peers = OUTSIDERS


class Hangs(Filter):
    """A list that never answers, until it is well again."""

    name, stage, settings = "block-list", Stage.DATA, BlockListSettings

    def __init__(self) -> None:
        self.asked, self.well = 0, False

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        self.asked += 1
        if not self.well:
            await asyncio.Event().wait()
        return NOTHING


SHORT = BlockListSettings(deadline=Duration(0))


def transaction(origin: Origin = Origin.INBOUND, sender: str = "a@b.test") -> Transaction:
    return Transaction("q1", origin, STRANGER, None, Address.parse(sender))


def judged(
    *filters: Filter, log: MemoryLog | None = None, sections: tuple[Section, ...] = (), tx: Transaction | None = None
) -> tuple[Judgement, Assessment]:
    known = Assessment()
    policy = Policy(filters, filter_ports(FakeConfig(*sections), log))
    return asyncio.run(policy.judge(Stage.DATA, tx or transaction(), known)), known


def test_findings_are_kept_under_the_names_of_their_filters() -> None:
    one = Finding((Symbol("A", 1.5),), changes=(AddField(b"X-A: 1\r\n"),))
    judgement, known = judged(
        Says(one, name="one"), Says(NOTHING, name="none"), Says(Finding((Symbol("B", 2.0),)), name="two")
    )
    assert list(known.own) == ["one", "two"] and known.score == 3.5
    assert known.changes == (AddField(b"X-A: 1\r\n"),)
    assert judgement == Judgement()
    judgement.enforce()


def test_the_gravest_action_counts_and_names_its_filter() -> None:
    after = Says(NOTHING, name="after")
    judgement, _ = judged(Says(Finding(action=Action.JUNK), name="junk"), Says(NO, name="no"), after)
    assert (judgement.action, judgement.rule) == (Action.REFUSE, "no")
    assert after.asked == 0
    with pytest.raises(MailError, match=r"^550 5\.7\.1 No"):
        judgement.enforce()


@pytest.mark.parametrize("kind", [Down, QuickDown])
def test_a_filter_that_is_down_is_passed_over_and_logged(kind: type[Filter]) -> None:
    log = MemoryLog()
    judgement, known = judged(kind(filter_ports()), log=log)
    assert judgement.action is Action.ACCEPT and not known
    assert log.named("filter.down")[0]["filter"] == kind.name


def test_whether_a_filter_that_is_down_defers_is_a_setting() -> None:
    judgement, _ = judged(Down(filter_ports()), sections=(DownSettings(when_down="defer"),))
    with pytest.raises(MailError, match=r"^451"):
        judgement.enforce()


def test_past_the_deadline_of_all_the_message_is_put_off() -> None:
    log = MemoryLog()
    settings = PolicySettings.model_construct(**dict(PolicySettings()) | {"deadline": Duration(0.01)})
    judgement, _ = judged(Waits(), log=log, sections=(settings,))
    assert judgement.action is Action.DEFER and judgement.reply is not None and judgement.reply.code == 451
    assert log.named("filter.late")


def test_filters_that_wait_run_at_the_same_time() -> None:
    async def check() -> None:
        first, second = (
            Waits(Finding((Symbol("A", 1),)), name="first"),
            Waits(Finding((Symbol("B", 1),)), name="second"),
        )
        policy, known = Policy([first, second], filter_ports()), Assessment()
        task = asyncio.create_task(policy.judge(Stage.DATA, transaction(), known))
        while not (first.asked and second.asked):
            await asyncio.sleep(0)
        second.go.set()
        await asyncio.sleep(0)
        first.go.set()
        await task
        assert list(known.own) == ["first", "second"]  # The order of the table, whoever was first.

    asyncio.run(check())


def test_one_hanging_list_neither_defers_nor_hides_the_others() -> None:
    log = MemoryLog()
    found = Finding((Symbol("A", 1.0),))
    answered = Waits(found, name="answered")
    answered.go.set()
    judgement, known = judged(Hangs(), answered, log=log, sections=(SHORT,))
    assert judgement.action is Action.ACCEPT and known.own == {"answered": found}
    assert "no answer within" in str(log.named("filter.down")[0]["status"])


def test_a_list_that_hangs_rests_and_is_asked_again_by_one_message_at_a_time() -> None:
    async def check() -> None:
        clock, hangs = FakeClock(), Hangs()
        policy = Policy([hangs], filter_ports(FakeConfig(SHORT), clock=clock))
        for _ in range(TRIES):
            await policy.judge(Stage.DATA, transaction(), Assessment())
        for _ in range(5):
            await policy.judge(Stage.DATA, transaction(), Assessment())
        assert hangs.asked == TRIES
        clock.forward(RETRY)
        asking = [asyncio.create_task(policy.judge(Stage.DATA, transaction(), Assessment())) for _ in range(5)]
        await asyncio.gather(*asking)
        assert hangs.asked == TRIES + 1
        clock.forward(RETRY)
        hangs.well = True
        for _ in range(5):
            await policy.judge(Stage.DATA, transaction(), Assessment())
        assert hangs.asked == TRIES + 6

    asyncio.run(check())


def test_a_refusal_does_not_wait_for_the_others() -> None:
    refusing, waiting = Waits(NO, name="refusing"), Waits(name="waiting")
    refusing.go.set()
    judgement, _ = judged(waiting, refusing)
    assert judgement.rule == "refusing"


def test_who_needs_a_fact_waits_for_who_gives_it() -> None:
    ports = filter_ports()
    filters = [AllowList(ports), SenderCheck(ports), Says(Finding((Symbol("A", 9.0),)))]
    _, known = judged(*filters, tx=transaction(sender="x@friend.test"))
    assert known.waiver == "allow-list" and known.score == 0
    _, known = judged(*filters, tx=transaction(sender="x@stranger.test"))
    assert known.waiver == "" and known.score == 9.0


def test_a_giver_that_fails_leaves_its_taker_without_the_fact() -> None:
    class Failing(SenderCheck):
        async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
            raise MailError(451, "4.4.3", "DNS is down")

    _, known = judged(AllowList(filter_ports()), Failing(filter_ports()), tx=transaction(sender="x@friend.test"))
    assert not known.waiver


def test_a_bug_in_one_filter_ends_the_others_and_comes_out() -> None:
    class Broken(Filter):
        name, stage = "broken", Stage.DATA

        async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        judged(Broken(filter_ports()), Waits())


def test_a_filter_judges_only_its_stage_and_peers() -> None:
    only = OnlyOutsiders(NO)
    policy = Policy([only], filter_ports())
    tx = transaction(Origin.SUBMISSION)
    assert asyncio.run(policy.judge(Stage.DATA, tx, Assessment())) is CLEAN
    assert asyncio.run(policy.judge(Stage.MAIL, transaction(), Assessment())) is CLEAN
    assert policy.has(Stage.DATA, Peer.OUTSIDER) and not policy.has(Stage.DATA, Peer.USER)
    assert not policy.has(Stage.MAIL, Peer.OUTSIDER)


def test_what_lists_say_of_a_client_does_not_count_once_it_has_signed_in() -> None:
    policy = Policy([OnlyOutsiders(NO, name="list"), Says(NO, name="all")], filter_ports())
    session = Assessment()
    session.own["list"] = session.own["all"] = Finding((Symbol("A", 9.0),))
    greeted = Assessment(session)
    assert policy.concerning(greeted, Peer.OUTSIDER).score == 18.0
    assert policy.concerning(greeted, Peer.USER).score == 9.0
    assert policy.concerning(Assessment(), Peer.USER).score == 0


def test_more_messages_than_may_be_looked_at_are_noticed() -> None:
    async def check() -> None:
        policy = Policy([Waits()], filter_ports(FakeConfig(PolicySettings(max_messages=2))))
        looking = [asyncio.create_task(policy.judge(Stage.DATA, transaction(), Assessment())) for _ in range(2)]
        await asyncio.sleep(0)
        assert policy.busy
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        assert not policy.busy

    asyncio.run(check())


def test_filters_that_wait_for_nothing_cost_no_task() -> None:
    async def check() -> int:
        quick = [kind for kind in FILTERS if issubclass(kind, QuickFilter) and not kind.needs]
        policy = Policy([kind(filter_ports()) for kind in quick], filter_ports())
        judging = policy.judge(Stage.DATA, transaction(), Assessment())
        with pytest.raises(StopIteration) as ended:
            judging.send(None)
        assert ended.value.value is CLEAN
        return len(asyncio.all_tasks())

    assert asyncio.run(check()) == 1


def test_filters_get_all_their_ports() -> None:
    ports = filter_ports(pool=InlinePool(), state=MemoryState())
    assert BlockList(ports).ports is ports
    for kind in FILTERS:
        assert kind(ports).ports is ports


@pytest.mark.parametrize(
    ("head", "raw", "complete"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody", b"A: 1\r\nB: 2\r\n", True),
        (b"\r\nbody\r\n\r\n", b"", True),
        (b"A: 1\r\n", b"A: 1\r\n", False),
        (b"", b"", False),
    ],
)
def test_the_header_ends_at_the_empty_line(head: bytes, raw: bytes, complete: bool) -> None:
    header = Header(head)
    assert (header.raw, header.complete) == (raw, complete)


def test_fields_are_found_counted_and_unfolded() -> None:
    header = Header(
        b"Subject: a\r\n b\r\nReceived:1\r\n\tx\r\nrEceived: 2\r\nX-Received: 3\r\nMessage-ID:\r\n <1@x>\r\n\r\nDate: n"
    )
    assert header.fields == 5 and header.count(b"received") == 2
    assert header.has(b"message-id") and not header.has(b"date")
    assert header.value(b"subject") == "a b" and header.value(b"message-id") == "<1@x>" and header.value(b"date") == ""
    assert Header(b"Subject: last").value(b"subject") == "last"
