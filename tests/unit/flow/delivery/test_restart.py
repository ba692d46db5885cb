"""What a restart of the queue process costs those who do not answer: what is known of them was only in memory."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import cast

from tests.support.fakes import FakeConfig
from tests.support.queue_house import NOW, QueueHouse, entry, open_queue
from tests.support.reception_house import house
from whimbrel.core.config import ConfigStore
from whimbrel.core.queue import QueueFilter, RecipientState
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.parcel import Parcel
from whimbrel.flow.delivery.progress import Progress
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.slots import Slot
from whimbrel.flow.delivery.smtp import SmtpAgent
from whimbrel.flow.delivery.worker import QueueWorker

ENTRIES = 400


class Silence:
    """Nobody answers."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()

    async def deliver(self, parcel: Parcel, progress: Progress, slot: Slot) -> list[Outcome]:
        self.tried[parcel.way.domain] += 1
        outcome = Outcome(RecipientState.WAITING, "4.4.1 Cannot connect to remote host: timed out")
        return [outcome] * len(parcel.recipients)


def start(there: QueueHouse, agent: Silence, at: float) -> QueueWorker:
    """A worker that knows nothing yet."""
    post = house()
    post.clock.time = at
    return QueueWorker(
        queue=there.queue,
        smtp=cast(SmtpAgent, agent),
        local=cast(LocalAgent, None),
        reports=post.reception.reports,
        config=cast(ConfigStore, FakeConfig(DeliverySettings())),
        log=post.log,
        clock=post.clock,
        pace=0.0,
    )


async def filled(there: QueueHouse, domain: str, first: int = 0, entries: int = ENTRIES) -> None:
    await asyncio.gather(*(there.add(entry(f"{domain[0]}{first + n}", f"b@{domain}")) for n in range(entries)))


def test_what_a_paused_destination_has_coming_is_not_tried_by_a_worker_that_starts_anew(tmp_path: Path) -> None:
    async def check() -> None:
        async with open_queue(tmp_path) as there:
            await filled(there, "dead.test")
            agent = Silence()
            await start(there, agent, NOW).run_due()
            assert agent.tried == {"dead.test": 1}
        async with open_queue(tmp_path) as there:
            there.queue.recover()
            agent = Silence()
            assert await start(there, agent, NOW + 60).run_due() == 0  # The pause is in the queue: all are put off.
            await filled(there, "dead.test", ENTRIES)
            await start(there, agent, NOW + 60).run_due()
            assert agent.tried == {"dead.test": 1}  # What came meanwhile, however much.
            waiting = await there.queue.select(QueueFilter())
            assert len(waiting) == 2 * ENTRIES and all(one.next_attempt > NOW + 60 for one in waiting)

    asyncio.run(check())


def test_what_a_killed_worker_had_leased_does_not_all_go_to_those_who_do_not_answer(tmp_path: Path) -> None:
    async def check() -> None:
        async with open_queue(tmp_path) as there:
            for domain in ("dead.test", "gone.test"):
                await filled(there, domain)
            assert len(await there.queue.lease(NOW, 2 * ENTRIES, 120.0)) == 2 * ENTRIES
        async with open_queue(tmp_path) as there:
            there.queue.recover()
            agent = Silence()
            await start(there, agent, NOW).run_due()
            assert agent.tried == {"dead.test": 1, "gone.test": 1}

    asyncio.run(check())
