"""Where the secrets of accounts are: one port for each source of accounts, as Dovecot's passdb.

The directory says who there is, a source what proves it: the verifiers in users.cfg, a directory service that is asked.
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
    """MailError 454 4.7.0: it cannot be asked now. An answer takes as long for an account without secrets."""

    @property
    def schemes(self) -> frozenset[str]:
        """Of which it has keys, for every account that can sign in: what may be offered."""
        ...

    def serves(self, account: Account) -> bool:
        """It has the secrets of this account."""
        ...

    async def verify(self, account: Account | None, password: Secret) -> str | None:
        """The credential that `password` is; None: none of this account's. Without an account it takes as long."""
        ...

    async def keys(self, account: Account | None, name: str, scheme: str) -> Keys:
        """Keys of the account, which signs in as `name`. Without an account, or where it has none, they are keys that
        no password fits, the same at each time."""
        ...

    def holds(self, account: Account, credential: str) -> bool:
        """Whether the credential is still one of the account's. At no cost: it is asked for open sessions."""
        ...

    async def close(self) -> None:
        """The process ends."""
        ...
