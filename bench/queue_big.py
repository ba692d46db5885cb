"""A long queue: 100,000 messages to 10,000 domains of which half do not answer.

Printed: how long opening and checking the queue takes, the memory it needs, how fast the living get their mail while
the dead are found out, and how many attempts the dead cost. The network is played: a living server answers after some
milliseconds, a dead one never, and an attempt gives up after five seconds instead of thirty.

    .venv/bin/python -m bench.queue_big [messages] [domains] [seconds]
"""

import asyncio
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
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
        self.curve: list[float] = []

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
            self.curve.append(time.monotonic())
            outcome = Outcome(RecipientState.RELAYED, "2.0.0 OK")
        return [outcome] * len(parcel.recipients)


class Quiet:
    """A log that keeps nothing."""

    def debug(self, *_args: object, **_named: object) -> None: ...

    info = warning = error = exception = debug


class Silence:
    async def of_queue(self, *_args: object, **_named: object) -> None: ...


def fill(folder: Path, messages: int, domains: int) -> None:
    """Writes rows and files as the store would, without a barrier for each batch."""
    folder.mkdir(parents=True, exist_ok=True)
    connection = open_database(folder / "queue.db")
    now = time.time()
    for start in range(0, messages, MAX_BATCH):
        with immediate(connection):
            for number in range(start, min(start + MAX_BATCH, messages)):
                item = entry(f"q{number:x}", f"user@d{number % domains}.test", created=now - 60, due=now - 60)
                item = replace(item, size=len(CONTENT))
                rows.insert(connection, item)
                lanes.arrived(connection, item)
                with open(folder / f"{item.id}.eml", "wb") as file:
                    file.write(CONTENT)
    connection.close()


def memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


async def run(root: Path, domains: int, seconds: float) -> list[Line]:
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
        begun, cpu = time.monotonic(), time.process_time()
        task = asyncio.create_task(worker.run())
        await asyncio.sleep(seconds)
        worker.stop()
        used = time.process_time() - cpu
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        sent = sum(network.sent.values())
        third = [sum(1 for at in network.curve if begun + n * seconds / 3 <= at < begun + (n + 1) * seconds / 3)
                 for n in range(3)]  # fmt: skip
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        most = max(network.tried.values(), default=0)
        print(
            f"sent {sent} in {seconds:.0f} s (by thirds {third}), {used / max(sent, 1) * 1000:.2f} CPU s per 1,000; "
            f"{len(network.sent)} of {domains // 2} living and {len(network.tried)} dead domains tried, "
            f"each dead one {most} times at most; "
            f"memory {before} MiB before, {peak} MiB at most"
        )
        return [
            Line("start-up with the queue", f"{started:.2f} s", "-", started, 5.0, higher_is_better=False, unit=" s"),
        ]


def measure(_pairs: int, messages: int = 100_000, domains: int = 10_000, seconds: float = 60) -> list[Line]:
    """One run without a peer; what has no target is printed."""
    root = fresh()
    fill(root / "queue", messages, domains)
    return asyncio.run(run(root, domains, seconds))


def main(arguments: Sequence[str]) -> int:
    return 0 if show(measure(1, *(int(one) for one in arguments))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
