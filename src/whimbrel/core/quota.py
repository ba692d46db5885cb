"""Quota: how much an account, and a whole domain, may hold.

What an account holds is exact (`Folders.usage`), and so is its limit: the store looks at it where it adds a message
(`Append.limit`, `Messages.copy`), under the account's lock. `Quotas.check` comes before, so that a sender hears of a
full mailbox before it sends the content. What a domain holds is the sum over its accounts, which `control` keeps up in
the background: it lags by seconds, and is unknown for the first moments after a domain got a quota.

Standards: RFC 9208 3 (resources STORAGE and MESSAGE), RFC 3463 3.3 (X.2.2)
"""

from dataclasses import dataclass
from typing import Final, Protocol

from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId, Limit, Usage
from whimbrel.core.record import Part, value
from whimbrel.core.values import Size

DOMAIN_USAGE: Final = "domain-usage"
"""Kind of State under which control writes, by domain, `<bytes> <messages> <when>`."""

WARNED: Final = "quota-warned"
"""Kind of State: by account, that its mailbox is nearly full, or `FULL`, when it was last counted."""
FULL: Final = "full"


@dataclass(frozen=True, slots=True)
class MailboxQuota(Part):
    """How much a user's mailbox may hold."""

    quota: Size = value(
        Size(0), minimum=0, help="Largest size of the mailbox, such as 2G; 0: no limit.", listed=True,
        columns=("mailbox quota", "quota mb", "quota in mb", "disk quota", "storage"),
    )  # fmt: skip
    quota_messages: int = value(0, minimum=0, help="Most messages in the mailbox; 0: no limit.")


@dataclass(frozen=True, slots=True)
class DomainLimits(Part):
    """How much the mailboxes of a domain may hold together."""

    quota: Size = value(Size(0), minimum=0, help="Largest size of all mailboxes together, such as 500G; 0: no limit.")
    quota_messages: int = value(0, minimum=0, help="Most messages in all mailboxes together; 0: no limit.")
    default_quota: Size = value(Size(0), minimum=0, help="Quota of users that are added without one; 0: none.")


@dataclass(frozen=True, slots=True)
class UserMessageSize(Part):
    """How large a user's messages may be."""

    max_message_size: Size = value(
        Size(0), minimum=0, row="S63", help="Largest message from and to this user, such as 80M; 0: the domain's limit."
    )


@dataclass(frozen=True, slots=True)
class DomainMessageSize(Part):
    """How large messages in a domain may be."""

    max_message_size: Size = value(
        Size(0), minimum=0, row="S63", help="Largest message in this domain, such as 80M; 0: the server's limit."
    )


@dataclass(frozen=True, slots=True)
class DomainQuota:
    """Of one domain. `usage` None: not counted yet."""

    limit: Limit
    usage: Usage | None


def limit_of(account: Account) -> Limit:
    return Limit(account.quota_bytes, account.quota_messages)


class Quotas(Protocol):
    """For whoever stores something in an account."""

    async def check(self, account: Account, size: int, messages: int = 1, *, reserved: int | None = None) -> None:
        """MailError if so much more does not fit into the account or its domain: 452 4.2.2, or 552 5.2.2 where the
        setting says so and for what would not even fit into an empty mailbox. What fits counts from now on; `reserved`
        are octets of the same messages that were counted before, with another size."""
        ...

    def release(self, account: AccountId, size: int, messages: int = 1) -> None:
        """What was checked is not stored after all."""
        ...

    def refusal(self, limit: Limit, size: int, *, detail: str = "") -> MailError:
        """What `check` would have raised, for a message of `size` that did not fit when it was stored."""
        ...

    async def domain(self, name: str) -> DomainQuota | None:
        """None: the domain has no quota."""
        ...
