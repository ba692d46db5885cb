"""Filters of a stage become one verdict, whatever each of them does."""

import asyncio
from typing import ClassVar

import pytest

from tests.support.fakes import FakeClock, FakeConfig, MemoryLog
from tests.support.reception_house import STRANGER
from whimbrel.core.envelope import PLAIN
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.core.values import Duration
from whimbrel.flow.judging.filter import Filter, Finding, Stage, Verdict, WhenDown, refuse
from whimbrel.flow.judging.filters import FILTERS
from whimbrel.flow.judging.policy import CLEAN, Judgement, Policy, PolicySettings
from whimbrel.flow.transaction import Header, Transaction


class Says(Filter):
    name, stage = "says", Stage.DATA

    def __init__(self, finding: Finding) -> None:
        self.finding, self.asked = finding, 0

    async def check(self, tx: Transaction) -> Finding:
        self.asked += 1
        return self.finding


class Down(Filter):
    name, stage = "down", Stage.DATA

    async def check(self, tx: Transaction) -> Finding:
        raise MailError(451, "4.4.3", "DNS is down")


class DownAndNeeded(Down):
    when_down = WhenDown.DEFER


class Slow(Filter):
    name, stage = "slow", Stage.DATA

    async def check(self, tx: Transaction) -> Finding:
        await asyncio.Event().wait()
        return Finding()


class OnlyUsers(Says):
    origins: ClassVar[frozenset[Origin]] = frozenset({Origin.SUBMISSION})


def transaction() -> Transaction:
    return Transaction("q1", Origin.INBOUND, STRANGER, None, None, PLAIN, FakeClock().monotonic())


def judged(*filters: Filter, log: MemoryLog | None = None, seconds: float = 60) -> Judgement:
    policy = Policy(filters, FakeConfig(PolicySettings(deadline=Duration(seconds))), log or MemoryLog())
    return asyncio.run(policy.judge(Stage.DATA, transaction()))


def test_scores_symbols_and_fields_are_joined() -> None:
    judgement = judged(
        Says(Finding(1.5, ("A",), fields=(b"X-A: 1\r\n",))), Says(Finding()), Says(Finding(2.0, ("B", "C")))
    )
    assert (judgement.score, judgement.symbols, judgement.fields) == (3.5, ("A", "B", "C"), (b"X-A: 1\r\n",))
    assert judgement.verdict is Verdict.ACCEPT
    judgement.enforce()


def test_the_gravest_verdict_counts_and_names_its_filter() -> None:
    refusing = Says(refuse(550, "5.7.1", "No"))
    after = Says(Finding())
    judgement = judged(Says(Finding(verdict=Verdict.JUNK)), refusing, after)
    assert (judgement.verdict, judgement.rule) == (Verdict.REFUSE, "says")
    assert after.asked == 0
    with pytest.raises(MailError, match=r"^550 5\.7\.1 No"):
        judgement.enforce()


def test_a_filter_that_is_down_is_passed_over_and_told() -> None:
    log = MemoryLog()
    assert judged(Down(), log=log) is CLEAN
    assert log.named("filter.down")[0]["filter"] == "down"


def test_a_filter_that_is_needed_defers_when_it_is_down() -> None:
    judgement = judged(DownAndNeeded())
    assert judgement.verdict is Verdict.DEFER
    with pytest.raises(MailError, match=r"^451"):
        judgement.enforce()


def test_past_the_deadline_the_message_is_put_off() -> None:
    log = MemoryLog()
    judgement = judged(Slow(), log=log, seconds=1)
    assert judgement.verdict is Verdict.DEFER and judgement.reply is not None and judgement.reply.code == 451
    assert log.named("filter.late")


def test_a_filter_looks_only_at_its_stage_and_origins() -> None:
    policy = Policy([OnlyUsers(refuse(550, "5.7.1", "No"))], FakeConfig(), MemoryLog())
    assert asyncio.run(policy.judge(Stage.DATA, transaction())) is CLEAN
    assert policy.has(Stage.DATA, Origin.SUBMISSION) and not policy.has(Stage.MAIL, Origin.SUBMISSION)


def test_more_messages_than_may_be_looked_at_are_noticed() -> None:
    async def check() -> None:
        policy = Policy([Slow()], FakeConfig(PolicySettings(max_messages=2)), MemoryLog())
        looking = [asyncio.create_task(policy.judge(Stage.DATA, transaction())) for _ in range(2)]
        await asyncio.sleep(0)
        assert policy.busy
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        assert not policy.busy

    asyncio.run(check())


def test_every_filter_of_the_table_has_a_name_of_its_own() -> None:
    names = [kind(FakeConfig()).name for kind in FILTERS]
    assert len(set(names)) == len(names)


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
