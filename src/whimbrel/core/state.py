"""What changes by itself and must outlive a restart: last sign-in, lock-outs, receipts."""

from typing import Final, Protocol

OF_ACCOUNTS: Final = ("sign-in", "verifier", "furnished", "quota-warned", "console-preferences", "account-id")
"""Kinds whose key is an account: they follow when a user is renamed, and go when one is removed."""
CONSOLE_SESSION: Final = "console-session"
"""The kind of the sessions of the console, by their hashes."""


class State(Protocol):
    """Small values under (kind, key), each with an end of life. Not for anything a person sets."""

    async def get(self, kind: str, key: str) -> str | None: ...

    async def set(self, kind: str, key: str, value: str, *, expires: float | None = None) -> None:
        """Kept within seconds, not at once: losing the last ones at a power cut must be harmless."""
        ...

    async def delete(self, kind: str, key: str) -> None: ...

    async def list(self, kind: str, limit: int = 1000) -> list[tuple[str, str]]: ...


class Counters(Protocol):
    """Counts shared by all workers."""

    def add(self, name: str, amount: int = 1, *, window: float = 0) -> int:
        """Adds and returns the count in the running window (0: for ever, until taken off again)."""
        ...

    def get(self, name: str, *, window: float = 0) -> int: ...
