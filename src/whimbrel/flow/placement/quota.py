"""Whether an account and its domain have room: the answer at RCPT and after DATA, in the words of SMTP.

An account's limit is kept to the octet by the store (`bound`); what is said here is said earlier. A domain's usage is
what `control` counted a moment ago, plus what this process let in since; several processes at once can go over a
domain's limit by what arrives within a few seconds.

Standards: RFC 3463 3.3 (X.2.2), RFC 1870 6.1 (a size that MAIL declared), RFC 5321 4.2.2 (452, 552)
"""

from typing import TYPE_CHECKING, Final, Literal

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account, Directory
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId, Folders, Limit, Usage
from whimbrel.core.quota import DOMAIN_USAGE, DomainQuota, limit_of
from whimbrel.core.settings import Section, setting
from whimbrel.core.state import State
from whimbrel.core.values import Duration

FULL: Final = "4.2.2"
"""RFC 3463 3.3: a mailbox over its quota; there may be room later."""
FRESH: Final = 2.0
"""Seconds for which a domain's sum is used before State is asked again."""
OWN: Final = 15.0
"""Seconds after which what this process let in is in the sum, or never came to be stored."""
MAX_DOMAINS: Final = 10_000


class QuotaSettings(Section, tag="quota"):
    """Full mailboxes."""

    full: Literal["later", "refuse"] = setting(
        "later",
        help="What a sender is told while a mailbox is full: later (452: mail waits in the sender's queue until there "
        "is room) or refuse (552: it is returned at once).",
    )
    warn_at: int = setting(90, minimum=0, maximum=100, help="Percentage at which a user is warned by mail. 0: never.")
    warn_also: str = setting(
        "",
        pattern=r"^$|^[^\s@]+@[^\s@]+$",
        like="an address, such as postmaster@example.org, or nothing",
        help="Gets a copy of each warning, such as postmaster@example.org.",
    )
    count_every: Duration = setting(
        Duration("6h"),
        minimum=Duration("1m"),
        maximum=Duration("7d"),
        help="Pause between two rounds in which what accounts hold is counted anew; changes are counted as they occur.",
        advanced=True,
    )


class _Sum:
    """What is known of one domain."""

    __slots__ = ("asked", "own_bytes", "own_messages", "own_since", "text", "usage")

    def __init__(self) -> None:
        self.asked = float("-inf")
        self.text = ""
        self.usage: Usage | None = None
        self.own_bytes = self.own_messages = 0
        self.own_since = 0.0


class QuotaCheck:
    """The port Quotas; one in each process."""

    def __init__(
        self, *, folders: Folders, directory: Directory, state: State, config: ConfigStore, clock: Clock
    ) -> None:
        self._folders, self._directory, self._state = folders, directory, state
        self._config, self._clock = config, clock
        self._sums: dict[str, _Sum] = {}

    async def check(self, account: Account, size: int, messages: int = 1, *, reserved: int | None = None) -> None:
        limit = limit_of(account)
        if limit:
            self._enforce(limit, await self._folders.usage(account.id), size, messages, str(account.id))
        name = account.address.domain
        domain = await self.domain(name)
        if domain is not None and domain.usage is not None:
            known, usage = self._sums[name], domain.usage
            if reserved is not None and known.own_messages >= messages and known.own_bytes >= reserved:
                usage = Usage(usage.bytes - reserved, usage.messages - messages)
            else:
                reserved = None  # It is in the sum by now, or forgotten with it.
            self._enforce(domain.limit, usage, size, messages, name)
            if not known.own_messages:
                known.own_since = self._clock.monotonic()
            known.own_bytes += size - (reserved or 0)
            if reserved is None:
                known.own_messages += messages

    def release(self, account: AccountId, size: int, messages: int = 1) -> None:
        known = self._sums.get(account.rpartition("@")[2])
        if known is not None and known.own_messages >= messages and known.own_bytes >= size:
            known.own_bytes -= size
            known.own_messages -= messages

    async def domain(self, name: str) -> DomainQuota | None:
        record = await self._directory.domain(name)
        if record is None or not (record.quota_bytes or record.quota_messages):
            return None
        return DomainQuota(Limit(record.quota_bytes, record.quota_messages), await self._usage(name))

    def _enforce(self, limit: Limit, usage: Usage, size: int, messages: int, what: str) -> None:
        size = max(size, 1)
        if not limit.exceeded(usage, size, messages):
            return
        detail = f"{what} holds {usage.bytes} of {limit.bytes} octets, {usage.messages} of {limit.messages} messages"
        raise self.refusal(limit, size, messages, detail=detail)

    def refusal(self, limit: Limit, size: int, messages: int = 1, *, detail: str = "") -> MailError:
        if limit.exceeded(Usage(0, 0), size, messages):
            return MailError(552, "5.2.2", "Message is larger than the mailbox may be", detail=detail)
        if self._config.section(QuotaSettings).full == "refuse":
            return MailError(552, "5.2.2", "Mailbox is full", detail=detail)
        return MailError(452, FULL, "Mailbox is full", detail=detail)

    async def _usage(self, name: str) -> Usage | None:
        known = self._sums.get(name)
        if known is None:
            if len(self._sums) >= MAX_DOMAINS:
                self._sums.clear()
            known = self._sums[name] = _Sum()
        now = self._clock.monotonic()
        if now - known.asked >= FRESH:
            known.asked = now
            text = await self._state.get(DOMAIN_USAGE, name) or ""
            # A new count has what came before it; without one, what was let in long ago came to nothing.
            if text != known.text or now - known.own_since > OWN:
                known.own_bytes = known.own_messages = 0
            known.text, known.usage = text, usage_of(text)
        if known.usage is None:
            return None
        return Usage(known.usage.bytes + known.own_bytes, known.usage.messages + known.own_messages)


def bound(account: Account, *, report: bool) -> Limit | None:
    """What the store is to keep to when it adds a message to `account`. None: it has no limit, or this is a `report`
    of ours: those, and the warning that a mailbox is nearly full, reach it although it is full."""
    return None if report else limit_of(account) or None


def usage_of(text: str) -> Usage | None:
    """What control wrote of a domain. None: nothing that can be read."""
    words = text.split()
    if len(words) < 2 or not all(word.isdigit() for word in words[:2]):
        return None
    return Usage(int(words[0]), int(words[1]))


if TYPE_CHECKING:
    from whimbrel.core.quota import Quotas

    def _port(check: QuotaCheck) -> Quotas:
        return check
