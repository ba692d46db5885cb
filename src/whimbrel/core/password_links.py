"""Links by which people set their own passwords: what is kept of each, which is never its secret (decision 0027)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

MAX_LINKS: Final = 10_000
SHORTEST: Final = 300.0
"""Seconds that a link is good for, at least."""
LONGEST: Final = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class PasswordLink:
    """The one link of an account. Times are seconds since 1970."""

    account: str
    digest: str
    """SHA-256 of the secret, in hex."""
    owner: str
    """The id of the account, which another one of its name does not have."""
    credential: str
    """The id of the password that it replaces; empty: there was none."""
    maker: str
    """Account of the user who made it; empty: an API token, or somebody on the machine itself."""
    grants: tuple[str, ...]
    """What the maker might do then."""
    home: str
    """The maker's own domain, to which grants without domains apply."""
    sent_to: str
    """The address that it was mailed to; empty: it was handed over otherwise."""
    created: float
    expires: float


class PasswordLinkStore(Protocol):
    """All links of a server, one of an account at most."""

    async def links(self) -> Sequence[PasswordLink]:
        """By account. ConfigError: they cannot be read; no link opens anything then."""
        ...

    async def change(self, add: Sequence[PasswordLink] = (), remove: Collection[str] = ()) -> None:
        """Durable when it returns. A new link takes the place of the account's former one; `remove` are accounts.
        ConfigError: there are too many."""
        ...
