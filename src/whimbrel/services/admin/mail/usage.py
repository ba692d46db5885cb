"""What mailboxes hold: counting all of them, and how fast they grow from one count to the next."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from whimbrel.core.clock import Clock
from whimbrel.core.errors import MailboxError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.mailboxes import Mailboxes
from whimbrel.core.state import State
from whimbrel.services.admin.ports import StoreKeeper
from whimbrel.services.admin.views import Moment, Octets

KIND: Final = "store-usage"
"""In State, under LATEST: what the latest count came to."""
LATEST: Final = "latest"
SIZES: Final = "store-usage-sizes"
"""In State, by domain: when, and what each of its mailboxes held then, to tell growth from."""
LARGEST: Final = 100
"""Mailboxes, and domains, that are named."""
FASTEST: Final = 10
STEPS: Final = 50
"""Lines that tell how far a count has come."""
DAY: Final = 86_400.0
LEAST_SPAN: Final = 6 * 3600.0
"""Seconds between two counts that tell growth: an hour says nothing of a day."""
RENEWED: Final = 20 * 3600.0
"""Seconds after which a count takes the place of the one that growth is told from."""


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
    grows: int | None = None
    """Octets a day between the latest two counts; negative: it shrinks; None: it is not known yet."""


@dataclass(frozen=True, slots=True)
class MailboxUsage:
    account: str
    messages: int
    size: Octets
    deleted_messages: int
    deleted_size: Octets
    grows: int | None = None


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
    grows: int | None = None
    """Octets a day, of all mailboxes."""
    fastest: tuple[MailboxUsage, ...] = ()
    """Mailboxes that grow fastest, the first most."""


@dataclass(slots=True)
class Count:
    """All mailboxes, with the largest of them, while they are counted."""

    held: Held = field(default_factory=Held)
    mailboxes: int = 0
    domains: dict[str, tuple[list[int], Held]] = field(default_factory=dict)
    largest: list[tuple[str, Held]] = field(default_factory=list)
    counted: dict[str, Held] = field(default_factory=dict)
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)
    """By domain and local part, with what is kept of deleted messages: that is what fills the disk."""

    def add(self, account: AccountId, held: Held) -> None:
        self.held.add(held)
        self.mailboxes += 1
        boxes, of_domain = self.domains.setdefault(account.rpartition("@")[2], ([0], Held()))
        boxes[0] += 1
        of_domain.add(held)
        self.largest.append((account, held))
        local, _, domain = account.rpartition("@")
        self.sizes.setdefault(domain, {})[local] = held.size + held.deleted_size
        self.counted[account] = held
        if len(self.largest) >= 2 * LARGEST:
            self.cut()

    def mailbox(self, account: str, grows: int) -> MailboxUsage | None:
        held = self.counted.get(account)
        return None if held is None else MailboxUsage(account, *_octets(held), grows)

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


async def _at_once() -> None:
    """No rest: a person waits."""


async def count_mailboxes(
    store: StoreKeeper,
    mailboxes: Mailboxes | None,
    state: State | None,
    clock: Clock,
    *,
    rest: Callable[[], Awaitable[None]] = _at_once,
) -> AsyncIterator[CountLine]:
    """Counts all; State keeps what it came to. `rest` comes after each mailbox."""
    count = Count()
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
        await rest()
    removed = [each.bytes for each in await mailboxes.removed()] if mailboxes is not None else []
    if state is not None:
        view = await _with_growth(state, count.view(clock.now(), removed), count)
        await state.set(KIND, LATEST, json.dumps(asdict(view)))
    yield count.line(100)


async def latest(state: State) -> UsageView:
    """What the latest count came to."""
    text = await state.get(KIND, LATEST)
    try:
        return _read(json.loads(text or ""))
    except (ValueError, TypeError, KeyError):  # Never counted, or by another release.
        return Count().view(0.0, ())


async def _with_growth(state: State, view: UsageView, count: Count) -> UsageView:
    former, now = await latest(state), float(view.counted)
    by_domain: dict[str, int | None] = {each.name: each.grows for each in former.domains}
    by_account: dict[str, float] = {each.account: each.grows for each in former.fastest if each.grows is not None}
    known = False
    for domain, sizes in count.sizes.items():
        at, before = _sizes(await state.get(SIZES, domain))
        if at and now - at >= LEAST_SPAN:
            if not known:
                by_account, known = {}, True
            days = (now - at) / DAY
            by_domain[domain] = round((sum(sizes.values()) - sum(before.values())) / days)
            for local, size in sizes.items():
                if (more := size - before.get(local, 0)) > 0:
                    by_account[f"{local}@{domain}"] = more / days
        if not at or not 0 <= now - at < RENEWED:
            await state.set(SIZES, domain, json.dumps([now, sizes]))
    names = sorted(by_account, key=lambda name: by_account[name], reverse=True)[:FASTEST]
    fastest = [count.mailbox(name, round(by_account[name])) for name in names]
    growth = [each for each in by_domain.values() if each is not None]
    return replace(
        view,
        domains=tuple(replace(each, grows=by_domain.get(each.name)) for each in view.domains),
        largest=tuple(
            replace(each, grows=round(by_account[each.account]) if each.account in by_account else None)
            for each in view.largest
        ),
        grows=sum(growth) if growth else None,
        fastest=tuple(each for each in fastest if each is not None),
    )


def _sizes(text: str | None) -> tuple[float, dict[str, int]]:
    """When, and octets by local part; 0: it was never counted."""
    try:
        at, sizes = json.loads(text or "")
        return float(at), {str(local): int(size) for local, size in sizes.items()}
    except (ValueError, TypeError, AttributeError):
        return 0.0, {}


def _read(kept: dict[str, Any]) -> UsageView:
    """ValueError, TypeError, KeyError"""
    plain = {each.name: kept[each.name] for each in fields(UsageView)}
    fastest = tuple(MailboxUsage(**_sized(each)) for each in plain.pop("fastest"))
    domains = tuple(DomainUsage(**_sized(each)) for each in plain.pop("domains"))
    largest = tuple(MailboxUsage(**_sized(each)) for each in plain.pop("largest"))
    counted = Moment(plain.pop("counted"))
    return UsageView(counted=counted, domains=domains, largest=largest, fastest=fastest, **_sized(plain))


def _sized(values: dict[str, Any]) -> dict[str, Any]:
    return {name: Octets(value) if name.endswith("size") else value for name, value in values.items()}
