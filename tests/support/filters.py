"""Small filters that stand for those of later releases, and the ports they are made with."""

import asyncio
from dataclasses import dataclass, replace

from tests.support.fakes import FakeClock, FakeConfig, InlinePool, MemoryCounters, MemoryLog, MemoryState
from tests.support.flow_fakes import FakeDirectory, FakeResolver
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account
from whimbrel.core.log import Log
from whimbrel.core.settings import setting
from whimbrel.core.values import Duration
from whimbrel.flow.assessment import (
    NOTHING,
    OUTSIDERS,
    Action,
    Assessment,
    Fact,
    Finding,
    Stage,
    Symbol,
)
from whimbrel.flow.judging.filter import Filter, QuickFilter, WaitingSettings, refuse
from whimbrel.flow.judging.ports import FilterPorts
from whimbrel.flow.transaction import Transaction


def filter_ports(config: ConfigStore | None = None, log: Log | None = None, **ports: object) -> FilterPorts:
    clock = FakeClock()
    made = FilterPorts(
        config=config or FakeConfig(),
        resolver=FakeResolver(),
        counters=MemoryCounters(),
        state=MemoryState(),
        directory=FakeDirectory(),
        pool=InlinePool(),
        clock=clock,
        log=log or MemoryLog(),
    )
    return replace(made, **ports)  # type: ignore[arg-type]


class Says(QuickFilter):
    """Whatever the test wants, at whatever stage."""

    def __init__(self, finding: Finding, *, name: str = "says", stage: Stage = Stage.DATA) -> None:
        self.finding, self.asked = finding, 0
        self.name, self.stage = name, stage  # type: ignore[misc]

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        self.asked += 1
        return self.finding


class Waits(Filter):
    """Answers when `go` is set."""

    def __init__(self, finding: Finding = NOTHING, *, name: str = "waits", stage: Stage = Stage.DATA) -> None:
        self.finding, self.go, self.asked = finding, asyncio.Event(), 0
        self.name, self.stage = name, stage  # type: ignore[misc]

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        self.asked += 1
        await self.go.wait()
        return self.finding


class BlockListSettings(WaitingSettings, tag="block-list"):
    """A list of addresses that is asked about each connecting client."""

    deadline: Duration = setting(Duration("5s"), minimum=0, maximum=60, help="Longest time to wait for the list.")
    zone: str = setting("bl.example", help="Zone of the list.")
    score: float = setting(3.0, minimum=0, help="Points for a client that is on it.")


class BlockList(Filter):
    """RFC 5782 2.1"""

    name, stage, peers = "block-list", Stage.CONNECT, OUTSIDERS
    settings = BlockListSettings

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        settings = self.ports.config.section(BlockListSettings)
        reverse = ".".join(reversed(tx.client.ip.split(".")))
        if not await self.ports.resolver.exists(f"{reverse}.{settings.zone}"):
            return NOTHING
        return Finding((Symbol("BLOCK_LIST", settings.score, f"{tx.client.ip} is on {settings.zone}"),))


@dataclass(frozen=True, slots=True)
class VerifiedSender(Fact):
    domain: str


class SenderCheck(Filter):
    """Verifies the domain of the sender, after a while."""

    name, stage, peers = "sender-check", Stage.DATA, OUTSIDERS
    gives = frozenset({VerifiedSender})

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        await asyncio.sleep(0)
        return Finding(facts=(VerifiedSender(tx.sender.domain),)) if tx.sender else NOTHING


class AllowList(QuickFilter):
    """Takes the points of a friend away, if the domain is verified."""

    name, stage, peers = "allow-list", Stage.DATA, OUTSIDERS
    needs = frozenset({VerifiedSender})

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        verified = {fact.domain for fact in known.facts(VerifiedSender)}
        return Finding(waives=True) if "friend.test" in verified else NOTHING


class Training(QuickFilter):
    """Each mailbox has learnt something else: points by account."""

    name, stage = "training", Stage.MAILBOX

    def __init__(self, points: dict[str, float]) -> None:
        self.points = points
        self.outcomes: list[tuple[str, float, Action]] = []

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        assert account is not None
        points = self.points.get(str(account.address), 0.0)
        return Finding((Symbol("TRAINING", points),)) if points else NOTHING

    async def concluded(self, tx: Transaction, known: Assessment, action: Action) -> None:
        self.outcomes.append((tx.queue_id, known.score, action))


class OneRecipientOnly(QuickFilter):
    """Says something at RCPT of one recipient."""

    name, stage = "one-recipient", Stage.RCPT

    def __init__(self, recipient: str, finding: Finding) -> None:
        self.recipient, self.finding = recipient, finding

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        assert tx.trying is not None
        return self.finding if str(tx.trying.recipient.address) == self.recipient else NOTHING


SPAM = Finding((Symbol("SPAMMY", 100.0, "It looks like spam"),))
NO = refuse(550, "5.7.1", "No")
