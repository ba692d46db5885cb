"""API tokens: what programs show instead of a password. Only the hash of a token is known here (decision 0020)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

MAX_TOKENS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Token:
    """One token. Times are seconds since 1970."""

    name: str
    digest: str
    """SHA-256 of the token, in hex."""
    maker: str
    """Account of the user who made it, with whose rights it ends; empty: made on the machine itself."""
    grants: tuple[str, ...]
    """What it allows, each with the names of its domains."""
    created: float
    expires: float
    """0: never."""

    def alive(self, now: float) -> bool:
        return not self.expires or now < self.expires


class TokenStore(Protocol):
    """All tokens of a server."""

    async def tokens(self) -> Sequence[Token]:
        """By name. ConfigError: they cannot be read; nobody is let in by a token then."""
        ...

    async def change(self, add: Sequence[Token] = (), remove: Collection[str] = ()) -> None:
        """Durable when it returns. `remove` are names. ConfigError: a name is taken, there are too many."""
        ...
