"""Calls about the room that mail takes: the disk, and what domains and mailboxes hold of it (mission S09, S24)."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from whimbrel.core.errors import MailboxError
from whimbrel.core.mailbox import AccountId
from whimbrel.services.admin.calls import Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.views import Moment, Octets

KIND: Final = "store-usage"
"""In State, under LATEST: what the latest count came to."""
LATEST: Final = "latest"
LARGEST: Final = 100
"""Mailboxes, and domains, that are named."""
STEPS: Final = 50
"""Lines that tell how far a count has come."""
DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class SpaceView:
    """The file system of the store."""

    folder: str
    total: Octets
    free: Octets
    soft: Octets
    """Below it a warning is given, and deleted mail is no longer kept."""
    hard: Octets
    """Below it no mail is taken in."""
    state: str
    """enough, low, full or read-only."""
    grows: int | None
    """Octets by day of which it fills, as of the last week; negative: it empties; None: too little is known."""
    full_in: int | None
    """Seconds until the hard limit at that growth; None: never, or too little is known."""


@call(
    "store", "space", reads=True, needs=Needs.SERVER,
    help="Shows the disk of the store: free space, limits, growth, and when it is full.",
)  # fmt: skip
async def store_space(ctx: AdminContext) -> SpaceView:
    from whimbrel.services.health.forecast import known, seconds_until, slope

    health = need(ctx.health, "A look at the disk").ctx
    disk = await health.pool.run(health.machine.disk)
    series = (*(await known(health.state, "disk") if health.state is not None else ()), (ctx.clock.now(), disk.free))
    falls, left = slope(series), seconds_until(series, disk.hard)
    return SpaceView(
        disk.folder, Octets(disk.total), Octets(disk.free), Octets(disk.soft), Octets(disk.hard), disk.word,
        None if falls is None else round(-falls * DAY), None if left is None else round(left),
    )  # fmt: skip


@dataclass(slots=True)
class Held:
    """What mailboxes hold. `deleted` can still be restored and counts in no quota."""

    messages: int = 0
    size: int = 0
    deleted_messages: int = 0
    deleted_size: int = 0

    def add(self, other: "Held") -> None:
        self.messages += other.messages
        self.size += other.size
        self.deleted_messages += other.deleted_messages
        self.deleted_size += other.deleted_size


@dataclass(frozen=True, slots=True)
class CountLine:
    """What was counted so far."""

    mailboxes: int
    messages: int
    size: Octets
    deleted_messages: int
    deleted_size: Octets
    percent: int


@dataclass(frozen=True, slots=True)
class DomainUsage:
    name: str
    mailboxes: int
    messages: int
    size: Octets
    deleted_messages: int
    deleted_size: Octets


@dataclass(frozen=True, slots=True)
class MailboxUsage:
    account: str
    messages: int
    size: Octets
    deleted_messages: int
    deleted_size: Octets


@dataclass(frozen=True, slots=True)
class UsageView:
    """What the latest count came to. A message of several recipients counts for each; the disk has it once."""

    counted: Moment
    mailboxes: int
    messages: int
    size: Octets
    deleted_messages: int
    deleted_size: Octets
    removed_mailboxes: int
    """Of users who were removed; they are kept until somebody deletes them."""
    removed_size: Octets
    domains: tuple[DomainUsage, ...]
    """The largest first."""
    largest: tuple[MailboxUsage, ...]


@dataclass(slots=True)
class Count:
    """All mailboxes, with the largest of them, while they are counted."""

    held: Held = field(default_factory=Held)
    mailboxes: int = 0
    domains: dict[str, tuple[list[int], Held]] = field(default_factory=dict)
    largest: list[tuple[str, Held]] = field(default_factory=list)

    def add(self, account: AccountId, held: Held) -> None:
        self.held.add(held)
        self.mailboxes += 1
        boxes, of_domain = self.domains.setdefault(account.rpartition("@")[2], ([0], Held()))
        boxes[0] += 1
        of_domain.add(held)
        self.largest.append((account, held))
        if len(self.largest) >= 2 * LARGEST:
            self.cut()

    def cut(self) -> None:
        self.largest.sort(key=lambda each: each[1].size + each[1].deleted_size, reverse=True)
        del self.largest[LARGEST:]

    def line(self, percent: int) -> CountLine:
        return CountLine(self.mailboxes, *_octets(self.held), percent)

    def view(self, now: float, removed: Sequence[int]) -> UsageView:
        self.cut()
        domains = [DomainUsage(name, boxes[0], *_octets(held)) for name, (boxes, held) in self.domains.items()]
        domains.sort(key=lambda each: each.size + each.deleted_size, reverse=True)
        return UsageView(
            Moment(now), self.mailboxes, *_octets(self.held), len(removed), Octets(sum(removed)),
            tuple(domains[:LARGEST]), tuple(MailboxUsage(account, *_octets(held)) for account, held in self.largest),
        )  # fmt: skip


def _octets(held: Held) -> tuple[int, Octets, int, Octets]:
    return held.messages, Octets(held.size), held.deleted_messages, Octets(held.deleted_size)


@call(
    "store", "count", reads=True, needs=Needs.STORE, operation=True,
    help="Counts what all mailboxes hold, with what is kept of deleted messages; store usage shows what it came to.",
)  # fmt: skip
async def store_count(ctx: AdminContext) -> AsyncIterator[CountLine]:
    store, count = need(ctx.store, "The mail store"), Count()
    accounts = await store.accounts()
    for number, account in enumerate(accounts, 1):
        held = Held()
        try:
            async for folder in store.sizes(account):
                held.add(Held(folder.messages, folder.bytes, folder.deleted_messages, folder.deleted_bytes))
        except MailboxError:  # Renamed or removed meanwhile, or busy: a count is no audit.
            continue
        count.add(account, held)
        if number % max(1, len(accounts) // STEPS) == 0:
            yield count.line(99 * number // len(accounts))
    removed = [each.bytes for each in await ctx.mailboxes.removed()] if ctx.mailboxes is not None else []
    if ctx.state is not None and not ctx.dry_run:
        await ctx.state.set(KIND, LATEST, json.dumps(asdict(count.view(ctx.clock.now(), removed))))
    yield count.line(100)


@call(
    "store", "usage", reads=True, needs=Needs.SERVER,
    help="Shows what domains and the largest mailboxes hold, as of the latest store count.",
)  # fmt: skip
async def store_usage(ctx: AdminContext) -> UsageView:
    text = await need(ctx.state, "What was counted").get(KIND, LATEST)
    try:
        return _read(json.loads(text or ""))
    except (ValueError, TypeError, KeyError):  # Never counted, or by another release.
        return Count().view(0.0, ())


def _read(kept: dict[str, Any]) -> UsageView:
    """ValueError, TypeError, KeyError"""
    plain = {each.name: kept[each.name] for each in fields(UsageView)}
    domains = tuple(DomainUsage(**_sized(each)) for each in plain.pop("domains"))
    largest = tuple(MailboxUsage(**_sized(each)) for each in plain.pop("largest"))
    counted = Moment(plain.pop("counted"))
    return UsageView(counted=counted, domains=domains, largest=largest, **_sized(plain))


def _sized(values: dict[str, Any]) -> dict[str, Any]:
    return {name: Octets(value) if name.endswith("size") else value for name, value in values.items()}
