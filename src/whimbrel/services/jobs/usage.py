"""What accounts and domains hold, watched as it changes: sums of domains for their quota, warnings for users.

Bounded: only accounts that changed are looked at, and of those only such with a quota of their own or of their domain.
A round over all, now and then, finds what was missed: notices are hints.
"""

from collections.abc import Sequence
from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId, Usage
from whimbrel.core.notices import FOLDER
from whimbrel.core.quota import DOMAIN_USAGE, limit_of
from whimbrel.flow.placement.quota import QuotaSettings
from whimbrel.services.jobs.job import NOTHING, Job, JobContext, Outcome, Run, every
from whimbrel.services.jobs.warning import judge

EVERY: Final = 2.0
"""Seconds between two looks at what changed."""
STEP: Final = 200
PAUSE: Final = 0.02
"""Seconds of rest after so many accounts."""
MAX_DIRTY: Final = 100_000


class _Domain:
    """One with a quota; what each of its accounts was last seen to hold."""

    __slots__ = ("accounts", "bytes", "changed", "messages", "whole")

    def __init__(self) -> None:
        self.accounts: dict[AccountId, Usage] = {}
        self.bytes = self.messages = 0
        self.changed = True
        self.whole = False  # Every account was counted at least once.

    def put(self, account: AccountId, usage: Usage | None) -> None:
        """None: there is no such account any more."""
        old = self.accounts.pop(account, None) or Usage(0, 0)
        new = usage or Usage(0, 0)
        if usage is not None:
            self.accounts[account] = usage
        if old != new:
            self.bytes += new.bytes - old.bytes
            self.messages += new.messages - old.messages
            self.changed = True


class UsageWatch:
    """Control has one. `heard` is for notices about folders."""

    def __init__(self, ctx: JobContext) -> None:
        self._ctx = ctx
        self._dirty: dict[AccountId, None] = {}
        self._domains: dict[str, _Domain] = {}
        self._round_due = 0.0

    def heard(self, key: str) -> None:
        account = AccountId(key.partition("\t")[0])
        if account and len(self._dirty) < MAX_DIRTY:
            self._dirty[account] = None
        else:
            self._round_due = 0.0  # Hints were lost: look at everything.

    async def run(self) -> Outcome:
        """Counts what changed, and everything when it is time for that."""
        if self._ctx.clock.monotonic() >= self._round_due:
            await self.round()
        await self.step()
        return NOTHING

    async def round(self) -> None:
        """Counts all accounts."""
        pause = float(self._ctx.config.section(QuotaSettings).count_every)
        self._round_due = self._ctx.clock.monotonic() + pause
        await self._follow_domains()
        accounts = await self._ctx.maintenance.accounts()
        here = set(accounts)
        for domain in self._domains.values():
            for account in [each for each in domain.accounts if each not in here]:
                domain.put(account, None)
        counting = list(self._domains.values())
        await self._count_all(accounts)
        for domain in counting:
            domain.whole = domain.changed = True
        await self._publish()

    async def step(self) -> None:
        """Counts the accounts that changed."""
        if await self._follow_domains():
            self._round_due = 0.0  # A domain got a quota: its accounts are counted soon.
        if not self._dirty:
            return
        dirty, self._dirty = self._dirty, {}
        await self._count_all(list(dirty))
        await self._publish()

    async def _follow_domains(self) -> bool:
        """Keeps to the domains that have a quota now; True if there is a new one."""
        limited = {
            str(each.name) for each in await self._ctx.directory.domains() if each.quota_bytes or each.quota_messages
        }
        for name in [each for each in self._domains if each not in limited]:
            del self._domains[name]
            await self._ctx.state.delete(DOMAIN_USAGE, name)
        new = limited - self._domains.keys()
        self._domains.update((name, _Domain()) for name in new)
        return bool(new)

    async def _count_all(self, accounts: Sequence[AccountId]) -> None:
        for number, account in enumerate(accounts, 1):
            if number % STEP == 0:
                await self._ctx.pause(PAUSE)
            await self._count(account)

    async def _count(self, account: AccountId) -> None:
        domain = self._domains.get(account.rpartition("@")[2])
        holder = await self._ctx.directory.account(account)
        if holder is None:
            if domain is not None:
                domain.put(account, None)
            return
        limit = limit_of(holder)
        if domain is None and not limit:
            return
        try:
            usage = await self._ctx.folders.usage(account)
        except MailError:
            return  # Busy: the next round, or its next change.
        if domain is not None:
            domain.put(account, usage)
        if limit:
            await judge(self._ctx, holder, usage)

    async def _publish(self) -> None:
        for name, domain in self._domains.items():
            if domain.whole and domain.changed:
                domain.changed = False
                text = f"{max(0, domain.bytes)} {max(0, domain.messages)} {self._ctx.clock.now():.0f}"
                await self._ctx.state.set(DOMAIN_USAGE, name, text)


def _begin(ctx: JobContext) -> Run:
    watch = UsageWatch(ctx)
    ctx.notices.subscribe(FOLDER, watch.heard)
    return watch.run


USAGE: Final = Job(
    "usage", "Counts what domains with a quota hold, and warns users of full mailboxes.", _begin, every(EVERY)
)
