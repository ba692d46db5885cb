"""Health checks with ports in memory: a machine, name servers, a queue and a directory as the test wants them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

from tests.support.fakes import FakeClock, FakeConfig, InlinePool, MemoryState
from whimbrel.core.address import Domain
from whimbrel.core.directory import LocalDomain
from whimbrel.core.errors import MailError
from whimbrel.core.net import Mx, NoSuchName
from whimbrel.core.queue import LaneCounts, QueueCounts, QueueFilter, QueueItem
from whimbrel.core.settings import Concern, Section
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.admin.ports import JobState, Listening, Process, Running
from whimbrel.services.health.check import (
    Certificate,
    Check,
    ClockState,
    Disk,
    HealthContext,
    Holding,
    Memory,
    QueueFiles,
    Scanner,
    StoreLook,
    Verdict,
)

GB = 1 << 30
HOST = "mail.example.org"
OURS = "203.0.113.5"
"""Not a public address to `ipaddress`: see `PUBLIC`."""
PUBLIC = "9.9.9.9"


@dataclass
class Names:
    """A resolver: records by (type, name). A MailError in place of records is raised."""

    records: dict[tuple[str, str], Any] = field(default_factory=dict)

    def _ask(self, kind: str, name: str) -> Any:
        answer = self.records.get((kind, name))
        if isinstance(answer, MailError):
            raise answer
        if answer is None:
            if any(known == name for _, known in self.records):
                return []
            raise NoSuchName(name)
        return answer

    async def mx(self, domain: str) -> list[Mx]:
        return [Mx(10, host) for host in self._ask("MX", domain)]

    async def addresses(self, host: str) -> list[str]:
        return list(self._ask("A", host))

    async def txt(self, name: str) -> list[str]:
        return list(self._ask("TXT", name))

    async def exists(self, name: str) -> bool:
        return bool(self.records.get(("A", name)))

    async def reverse(self, ip: str) -> list[str]:
        return list(self._ask("PTR", ip))


@dataclass
class FakeMachine:
    holders: Mapping[int, str] = field(default_factory=dict)
    addresses: Sequence[str] = (OURS, PUBLIC)
    clocked: ClockState = field(default_factory=lambda: ClockState(True, 0.01))
    disk_now: Disk = field(default_factory=lambda: Disk("/srv/store", 50 * GB, 100 * GB, GB, "enough"))
    held: Sequence[Holding] = ()
    memory_now: Memory = field(default_factory=lambda: Memory(8 * GB, 4 * GB))
    shown: Sequence[Certificate] = ()
    scanning: Sequence[Scanner] = ()
    folders: StoreLook = field(default_factory=lambda: StoreLook(7, (), (), complete=True))
    queue_files: QueueFiles = field(default_factory=lambda: QueueFiles((), ()))

    def holder(self, host: str, port: int) -> str:
        return self.holders.get(port, "")

    def own(self, address: str) -> bool:
        return address in self.addresses

    def clock(self) -> ClockState:
        return self.clocked

    def disk(self) -> Disk:
        return self.disk_now

    def holdings(self) -> Sequence[Holding]:
        return self.held

    def memory(self) -> Memory:
        return self.memory_now

    def certificates(self) -> Sequence[Certificate]:
        return self.shown

    def scanners(self) -> Sequence[Scanner]:
        return self.scanning

    def store(self) -> StoreLook:
        return self.folders

    def queue(self) -> QueueFiles:
        return self.queue_files


@dataclass
class FakeQueue:
    lanes_now: Sequence[LaneCounts] = ()
    held: int = 0
    ids: frozenset[str] = frozenset()

    async def select(self, which: QueueFilter, limit: int = 1000, offset: int = 0) -> Sequence[QueueItem]:
        return [QueueItem(name, None, (), 0.0, 0.0) for name in sorted(which.ids & self.ids)][offset : offset + limit]

    async def counts(self, now: float) -> QueueCounts:
        return QueueCounts(sum(lane.waiting for lane in self.lanes_now), self.held, 0, 0)

    async def lanes(self, limit: int) -> Sequence[LaneCounts]:
        return self.lanes_now[:limit]


def lane(name: str, waiting: int, oldest: float, status: str = "") -> LaneCounts:
    return LaneCounts(name, waiting, 0, 1000, oldest, 0.0, status)


def job(name: str, *, last: float = 0.0, result: str = "", failed: bool = False) -> JobState:
    return JobState(name, "", "every 1h", False, last, 1.0, result, failed, 0.0)


class Ward:
    """All is well until the test says otherwise."""

    def __init__(self, *sections: Section, domains: Sequence[str] = ("example.org",)) -> None:
        self.clock, self.state, self.machine, self.names = FakeClock(), MemoryState(), FakeMachine(), Names()
        self.config = FakeConfig(SmtpSettings(hostname=Domain(HOST)), *sections)
        self.concerns: list[Concern] = []
        self.config.concerns = lambda: self.concerns  # type: ignore[attr-defined]
        self.forgets, self.settings_lost, self.edited = "", "", list[str]()
        self.config.forgets = lambda: self.settings_lost  # type: ignore[attr-defined]
        self.queue, self.jobs = FakeQueue(), [job("purge")]
        self.now = Running("1", 1, 0.0, (Process("mail/1", 2, 100 << 20),), (Listening("imap", ("*:143",)),))
        self.domains = [LocalDomain(Domain(name), primary=number == 0) for number, name in enumerate(domains)]
        self.names.records |= {("MX", "example.org"): [HOST], ("A", HOST): [PUBLIC], ("PTR", PUBLIC): [HOST]}

    def context(self, *, live: bool = True, **more: Any) -> HealthContext:
        async def primary() -> LocalDomain:
            return self.domains[0]

        async def domains() -> Sequence[LocalDomain]:
            return self.domains

        async def differ() -> Sequence[str]:
            return self.edited

        async def running() -> Running:
            return self.now

        ctx = HealthContext(
            config=cast(Any, self.config),
            editor=cast(Any, SimpleNamespace(forgets=lambda: self.forgets)),
            directory=cast(Any, SimpleNamespace(primary=primary, domains=domains)),
            clock=self.clock,
            machine=self.machine,
            pool=InlinePool(),
            files=cast(Any, SimpleNamespace(differ=differ)),
        )
        if live:
            status = cast(Any, SimpleNamespace(running=running))
            ctx = replace(ctx, resolver=self.names, state=self.state, status=status, jobs=lambda: self.jobs)
            ctx = replace(ctx, queue=cast(Any, self.queue))
        return replace(ctx, **more)

    def look(self, check: Check, *, live: bool = True, **more: Any) -> Verdict:
        async def work() -> Verdict:
            return await check.look(self.context(live=live, **more))

        return asyncio.run(work())
