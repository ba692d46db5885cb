"""A long queue: 100,000 messages to 10,000 domains of which half do not answer.

The living half is sent to its end twice: alone, and beside the dead half. Both rates are told, and how long opening and
checking the whole queue takes; printed besides: the memory it needs, and how many attempts the dead cost.

Once with a network that is played, where sending costs nothing and what the queue itself costs is seen best: a living
server answers after some milliseconds, a dead one never, and an attempt gives up after five seconds instead of thirty.
Once with real sockets in a network namespace of its own: all living servers are one smtp-sink on addresses of
127.0.0.0/8, the dead are addresses behind an interface that leads nowhere, and time-outs are those of the settings.

    .venv/bin/python -m bench.queue_big [messages] [domains]
"""

import asyncio
import os
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, cast

from bench.report import Line, show
from bench.roots import fresh
from tests.support.fakes import FakeConfig
from tests.support.flow_fakes import FakeResolver
from tests.support.queue_house import QueueHouse, entry, open_queue
from whimbrel.app.process import loop_factory, prepare
from whimbrel.backends.disk.committer import MAX_BATCH
from whimbrel.backends.net.connector import ClientTls, NetConnector
from whimbrel.backends.queue import lanes, rows
from whimbrel.backends.queue.database import immediate, open_database
from whimbrel.core.config import ConfigStore
from whimbrel.core.log import Log
from whimbrel.core.queue import RecipientState
from whimbrel.flow.delivery.destination import Finder
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.parcel import Parcel
from whimbrel.flow.delivery.progress import Phase, Progress
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.slots import Slot
from whimbrel.flow.delivery.smtp import SmtpAgent
from whimbrel.flow.delivery.worker import QueueWorker
from whimbrel.flow.report.reports import Reports

PORT = 2525
PATIENCE = 300.0
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


class Network(Protocol):
    """Even domains live, odd ones are dead."""

    def domain(self, number: int) -> str: ...

    async def deliver(self, parcel: Parcel, progress: Progress, slot: Slot) -> list[Outcome]: ...

    async def close(self) -> None: ...


class Played:
    @staticmethod
    def domain(number: int) -> str:
        return f"d{number}.test"

    async def deliver(self, parcel: Parcel, progress: Progress, slot: Slot) -> list[Outcome]:
        progress.phase = Phase.CONNECTING
        if int(parcel.way.domain[1:].partition(".")[0]) % 2:
            await asyncio.sleep(5.0)
            outcome = Outcome(RecipientState.WAITING, "4.4.1 Cannot connect to remote host: timed out")
        else:
            await slot.transfer()
            progress.phase = Phase.CONTENT
            await asyncio.sleep(0.005)
            outcome = Outcome(RecipientState.RELAYED, "2.0.0 OK")
        return [outcome] * len(parcel.recipients)

    async def close(self) -> None: ...


class Real:
    """The sending agent of the server, over sockets."""

    def __init__(self, house: QueueHouse, config: FakeConfig) -> None:
        names, clock = FakeResolver(), SystemTime()
        self._agent = SmtpAgent(
            queue=house.queue,
            finder=Finder(names, config),
            connector=NetConnector(cast(ClientTls, None)),
            config=config,
            log=cast(Log, Quiet()),
            clock=clock,
        )

    @staticmethod
    def domain(number: int) -> str:
        return f"[{'10.9' if number % 2 else '127.9'}.{number >> 8}.{number & 255}]"

    async def deliver(self, parcel: Parcel, progress: Progress, slot: Slot) -> list[Outcome]:
        return await self._agent.deliver(parcel, progress, slot)

    async def close(self) -> None:
        await self._agent.close()


class Counting:
    """Stands between the worker and the network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.sent: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()
        self.count = 0
        """Messages that the living have."""

    async def deliver(self, parcel: Parcel, progress: Progress, slot: Slot) -> list[Outcome]:
        self.tried[parcel.way.domain] += 1
        outcomes = await self._network.deliver(parcel, progress, slot)
        if outcomes[0].state is RecipientState.RELAYED:
            self.sent[parcel.way.domain] += 1
            self.count += 1
        return outcomes


class Quiet:
    """A log that keeps nothing."""

    def debug(self, *_args: object, **_named: object) -> None: ...

    info = warning = error = exception = debug


class Silence:
    async def of_queue(self, *_args: object, **_named: object) -> None: ...


def fill(
    folder: Path, messages: int, domains: int, domain: Callable[[int], str], *, dead: bool, held: bool = False
) -> None:
    """Writes rows and files as the store would, without a barrier for each batch; `dead`: those of dead domains too."""
    folder.mkdir(parents=True, exist_ok=True)
    connection = open_database(folder / "queue.db")
    now = time.time()
    numbers = [number for number in range(messages) if dead or number % domains % 2 == 0]
    for start in range(0, len(numbers), MAX_BATCH):
        items = [
            replace(
                entry(f"q{number:x}", f"user@{domain(number % domains)}", created=now - 60, due=now - 60),
                size=len(CONTENT),
                held=held,
            )
            for number in numbers[start : start + MAX_BATCH]
        ]
        with immediate(connection):
            rows.insert(connection, items, [zlib.crc32(CONTENT)] * len(items))
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


async def run(root: Path, messages: int, domains: int, *, real: bool = False) -> Run:
    """Until the living have their half of `messages`, or PATIENCE is over."""
    before, start = memory(), time.monotonic()
    async with open_queue(root) as house:
        await asyncio.to_thread(house.queue.recover)
        started = time.monotonic() - start
        config = FakeConfig(DeliverySettings(mx_port=PORT))
        network = Real(house, config) if real else Played()
        counting = Counting(network)
        worker = QueueWorker(
            queue=house.queue,
            smtp=cast(SmtpAgent, counting),
            local=cast(LocalAgent, None),
            reports=cast(Reports, Silence()),
            config=cast(ConfigStore, config),
            log=cast(Log, Quiet()),
            clock=SystemTime(),
        )
        begun, cpu, most = time.monotonic(), time.process_time(), memory()
        task = asyncio.create_task(worker.run())
        half = len(range(0, domains, 2)) * messages // domains
        while counting.count < half and time.monotonic() - begun < PATIENCE:
            await asyncio.sleep(0.02)
            most = max(most, memory())
        seconds, used = time.monotonic() - begun, time.process_time() - cpu
        worker.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await network.close()
        silent = counting.tried.keys() - counting.sent.keys()
        tried = max((counting.tried[domain] for domain in silent), default=0)
        print(
            f"  {counting.count} of {half} sent in {seconds:.1f} s, {used / max(counting.count, 1) * 1000:.2f} CPU s "
            f"per 1,000; {len(counting.sent)} living and {len(silent)} dead domains tried, each dead one {tried} "
            f"times at most; opened in {started:.2f} s; memory {before} MiB before, {most} MiB at most",
            flush=True,
        )
        return Run(started, counting.count / seconds)


def _runs(messages: int, domains: int, *, real: bool) -> tuple[Run, Run]:
    """The living half alone, and beside the dead."""
    ran: list[Run] = []
    for dead in (False, True):
        root = fresh()
        fill(root / "queue", messages, domains, (Real if real else Played).domain, dead=dead)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            ran.append(runner.run(run(root, messages, domains, real=real)))
    return ran[0], ran[1]


def _isolated(messages: int, domains: int) -> tuple[Run, Run]:
    """In this process, which has a network namespace to itself."""
    # A gateway that is not there: what is sent to its hardware address vanishes.
    for command in (
        "ip link set lo up", "ip link add nowhere type veth peer name void", "ip address add 10.8.0.1/24 dev nowhere",
        "ip link set void up", "ip link set nowhere up", "ip route add 10.9.0.0/16 via 10.8.0.2 dev nowhere",
        "ip neighbour add 10.8.0.2 lladdr 02:00:00:00:00:99 dev nowhere",
    ):  # fmt: skip
        subprocess.run(command.split(), check=True)
    prepare()
    with subprocess.Popen(["smtp-sink", "-u", "root", f"0.0.0.0:{PORT}", "1000"], stdout=subprocess.DEVNULL) as sink:
        try:
            time.sleep(1)
            return _runs(messages, domains, real=True)
        finally:
            sink.kill()


def measure_real(messages: int = 100_000, domains: int = 10_000) -> tuple[Run, Run]:
    """As root."""
    command = ["unshare", "--net", sys.executable, "-m", "bench.queue_big", "isolated", str(messages), str(domains)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    *told, last = done.stdout.splitlines()
    print("\n".join(told), flush=True)
    alone, beside = (Run(*map(float, words.split(","))) for words in last.split())
    return alone, beside


def measure(_pairs: int, messages: int = 100_000, domains: int = 10_000) -> list[Line]:
    """One run of each without a peer: the second column is the living half alone."""
    lines = []
    for name, runs in (("played", partial(_runs, real=False)), ("real sockets", measure_real)):
        print(f" {name}", flush=True)
        alone, beside = runs(messages, domains)
        lines += [
            Line(f"start-up with the queue, {name}", f"{beside.started:.2f} s", "-", beside.started, 5.0,
                 higher_is_better=False, unit=" s"),
            Line(f"living beside the dead, {name}", f"{beside.rate:.0f}", f"{alone.rate:.0f}", beside.rate / alone.rate,
                 UNAFFECTED),
        ]  # fmt: skip
    return lines


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["isolated"]:
        messages, domains = map(int, arguments[1:])
        print(*(f"{one.started},{one.rate}" for one in _isolated(messages, domains)))
        return 0
    return 0 if show(measure(1, *(int(one) for one in arguments))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
