"""What filters do after the barrier is not waited for, and harms nobody."""

import asyncio

from tests.support.fakes import MemoryLog
from tests.support.filters import Says, Training
from tests.support.reception_house import STRANGER
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.flow.assessment import NOTHING, OUTSIDERS, Action, Assessment
from whimbrel.flow.judging import conclusions
from whimbrel.flow.judging.conclusions import Conclusions
from whimbrel.flow.judging.filter import Filter
from whimbrel.flow.transaction import Transaction


def transaction(origin: Origin = Origin.INBOUND) -> Transaction:
    return Transaction("q1", origin, STRANGER, None, None)


class Fails(Training):
    error: Exception = MailError(451, "4.3.0", "No")

    async def concluded(self, tx: Transaction, known: Assessment, action: Action) -> None:
        raise self.error


async def concluded(*filters: Filter, log: MemoryLog | None = None, tx: Transaction | None = None) -> MemoryLog:
    log = log or MemoryLog()
    made = Conclusions(filters, log)
    made.add(tx or transaction(), [(Assessment(), Action.JUNK), (Assessment(), Action.ACCEPT)])
    await made.close(5)
    return log


def test_each_outcome_is_told_once_to_filters_that_want_it() -> None:
    training = Training({})
    asyncio.run(concluded(training, Says(NOTHING)))
    assert training.outcomes == [("q1", 0.0, Action.JUNK), ("q1", 0.0, Action.ACCEPT)]


def test_what_fails_is_logged_and_the_next_filter_has_its_turn() -> None:
    training, broken = Training({}), Fails({})
    broken.error = RuntimeError("a bug")
    log = asyncio.run(concluded(Fails({}), broken, training))
    assert len(training.outcomes) == 2
    assert log.named("filter.unconcluded") and log.named("filter.crashed")


def test_a_filter_is_told_only_of_mail_that_it_judges() -> None:
    class Outside(Training):
        peers = OUTSIDERS

    training = Outside({})
    asyncio.run(concluded(training, tx=transaction(Origin.SUBMISSION)))
    assert training.outcomes == []


def test_without_such_a_filter_there_is_no_task() -> None:
    async def check() -> None:
        Conclusions([Says(NOTHING)], MemoryLog()).add(transaction(), [(Assessment(), Action.ACCEPT)])
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(check())


def test_more_than_may_wait_are_left_out_and_a_stop_waits_for_a_bounded_time() -> None:
    class Slow(Training):
        async def concluded(self, tx: Transaction, known: Assessment, action: Action) -> None:
            await asyncio.Event().wait()

    async def check() -> None:
        log = MemoryLog()
        made = Conclusions([Slow({})], log)
        for _ in range(conclusions.MOST + 3):
            made.add(transaction(), [(Assessment(), Action.ACCEPT)])
        assert len(log.named("filter.unconcluded")) == 3
        await made.close(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(check())
