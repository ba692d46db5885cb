"""The port to the secrets of accounts, one per source of accounts, like Dovecot's passdb.

The directory knows accounts; a source verifies their passwords: by users.cfg, by asking a directory service.
"""

from dataclasses import dataclass, field
from typing import Protocol

from whimbrel.core.directory import Account
from whimbrel.core.values import Secret


@dataclass(frozen=True, slots=True)
class Keys:
    """Stored keys of a scheme, in its own form, and the credential they belong to."""

    credential: str
    text: Secret = field(repr=False)


class SecretSource(Protocol):
    """Methods raise MailError 454 4.7.0 while the source is unavailable. Response times do not depend on whether the
    account exists or has secrets."""

    @property
    def schemes(self) -> frozenset[str]:
        """Schemes of which every account that can sign in has keys, so that their mechanisms may be offered."""
        ...

    def serves(self, account: Account) -> bool:
        """True if it has the account's secrets."""
        ...

    async def verify(self, account: Account | None, password: Secret) -> str | None:
        """Returns the credential that the password matches; None: no match, or no account."""
        ...

    async def keys(self, account: Account | None, name: str, scheme: str) -> Keys:
        """Returns the account's keys. For an account without keys, and for the unknown user `name`, keys that no
        password matches, the same each time."""
        ...

    def holds(self, account: Account, credential: str) -> bool:
        """True if the account still has the credential. Cheap: called for each open session."""
        ...

    async def close(self) -> None:
        """The process ends."""
        ...
