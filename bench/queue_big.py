"""A long queue: 100,000 messages to 10,000 domains of which half do not answer.

The living half is sent to its end twice: alone, and beside the dead half. Both rates are told, and how long opening and
checking the whole queue takes; printed besides: the memory it needs, and how many attempts the dead cost. The network
is played: a living server answers after some milliseconds, a dead one never, and an attempt gives up after five seconds
instead of thirty.

    .venv/bin/python -m bench.queue_big [messages] [domains]
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from bench.report import Line, show
from bench.roots import fresh
from tests.support.fakes import FakeConfig
from tests.support.queue_house import entry, open_queue
from whimbrel.backends.disk.committer import MAX_BATCH
from whimbrel.backends.queue import lanes, rows
from whimbrel.backends.queue.database import immediate, open_database
from whimbrel.core.config import ConfigStore
from whimbrel.core.log import Log
from whimbrel.core.queue import RecipientState
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.progress import Phase, Progress
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.smtp import Parcel, SmtpAgent
from whimbrel.flow.delivery.worker import QueueWorker
from whimbrel.flow.report import Reports

PATIENCE = 180.0
"""Seconds after which a run ends as it is."""
UNAFFECTED = 0.9
"""Of the rate alone: a tenth is what two runs differ by in any case."""
CONTENT = b"Subject: bench\r\n\r\n" + b"x" * 1000 + b"\r\n"


class SystemTime:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def date(self, at: float | None = None) -> str:
        return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(at))


class PlayedNetwork:
    """Even domains live, odd ones are dead."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()
        self.count = 0
        """Messages that the living have."""

    async def deliver(self, parcel: Parcel, progress: Progress) -> list[Outcome]:
        domain = parcel.way.domain
        progress.phase = Phase.CONNECTING
        if int(domain[1:].partition(".")[0]) % 2:
            self.tried[domain] += 1
            await asyncio.sleep(5.0)
            outcome = Outcome(RecipientState.WAITING, "4.4.1 Cannot connect to remote host: timed out")
        else:
            progress.phase = Phase.CONTENT
            await asyncio.sleep(0.005)
            self.sent[domain] += 1
            self.count += 1
            outcome = Outcome(RecipientState.RELAYED, "2.0.0 OK")
        return [outcome] * len(parcel.recipients)


class Quiet:
    """A log that keeps nothing."""

    def debug(self, *_args: object, **_named: object) -> None: ...

    info = warning = error = exception = debug


class Silence:
    async def of_queue(self, *_args: object, **_named: object) -> None: ...


def fill(folder: Path, messages: int, domains: int, *, dead: bool) -> None:
    """Writes rows and files as the store would, without a barrier for each batch; `dead`: those of dead domains too."""
    folder.mkdir(parents=True, exist_ok=True)
    connection = open_database(folder / "queue.db")
    now = time.time()
    numbers = [number for number in range(messages) if dead or number % domains % 2 == 0]
    for start in range(0, len(numbers), MAX_BATCH):
        items = [
            replace(
                entry(f"q{number:x}", f"user@d{number % domains}.test", created=now - 60, due=now - 60),
                size=len(CONTENT),
            )
            for number in numbers[start : start + MAX_BATCH]
        ]
        with immediate(connection):
            rows.insert(connection, items)
            lanes.arrived(connection, items)
        for item in items:
            with open(folder / f"{item.id}.eml", "wb") as file:
                file.write(CONTENT)
    connection.close()


def memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


@dataclass(frozen=True, slots=True)
class Run:
    started: float
    """Seconds until the queue was open and checked."""
    rate: float
    """Messages per second to the living, until they had all."""


async def run(root: Path, messages: int, domains: int) -> Run:
    """Until the living have their half of `messages`, or PATIENCE is over."""
    before, start = memory(), time.monotonic()
    async with open_queue(root) as house:
        await asyncio.to_thread(house.queue.recover)
        started = time.monotonic() - start
        network, config = PlayedNetwork(), FakeConfig(DeliverySettings())
        worker = QueueWorker(
            queue=house.queue,
            smtp=cast(SmtpAgent, network),
            local=cast(LocalAgent, None),
            reports=cast(Reports, Silence()),
            config=cast(ConfigStore, config),
            log=cast(Log, Quiet()),
            clock=SystemTime(),
        )
        begun, cpu, most = time.monotonic(), time.process_time(), memory()
        task = asyncio.create_task(worker.run())
        half = len(range(0, domains, 2)) * messages // domains
        while network.count < half and time.monotonic() - begun < PATIENCE:
            await asyncio.sleep(0.02)
            most = max(most, memory())
        seconds, used = time.monotonic() - begun, time.process_time() - cpu
        worker.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        tried = max(network.tried.values(), default=0)
        print(
            f"  {network.count} of {half} sent in {seconds:.1f} s, {used / max(network.count, 1) * 1000:.2f} CPU s per "
            f"1,000; {len(network.sent)} living and {len(network.tried)} dead domains tried, each dead one {tried} "
            f"times at most; opened in {started:.2f} s; memory {before} MiB before, {most} MiB at most",
            flush=True,
        )
        return Run(started, network.count / seconds)


def measure(_pairs: int, messages: int = 100_000, domains: int = 10_000) -> list[Line]:
    """One run of each without a peer: the second column is the living half alone."""
    ran: list[Run] = []
    for dead in (False, True):
        root = fresh()
        fill(root / "queue", messages, domains, dead=dead)
        ran.append(asyncio.run(run(root, messages, domains)))
    alone, beside = ran
    return [
        Line("start-up with the queue", f"{beside.started:.2f} s", "-", beside.started, 5.0, higher_is_better=False,
             unit=" s"),
        Line("living beside the dead", f"{beside.rate:.0f}", f"{alone.rate:.0f}", beside.rate / alone.rate, UNAFFECTED),
    ]  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    return 0 if show(measure(1, *(int(one) for one in arguments))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
