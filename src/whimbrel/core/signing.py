"""Ports to the keys with which mail of our domains is signed.

A domain has generations of keys, each a pair of RSA and Ed25519: one signs; one may be prepared, so that its records
are published before it signs; those before it are retired, whose records stay until the mail that they signed is read.

Standards: RFC 6376 3.1 (selectors and rotation), RFC 8463 5 (two algorithms side by side), M3AAWG key rotation
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

KeyState = Literal["prepared", "signing", "retired"]
MAX_GENERATIONS: Final = 5
"""Of one domain."""
RETIRED_DAYS: Final = 14
"""For so long the record of a retired key is needed: as long as mail may wait in queues, and more."""


class SigningKey(Protocol):
    """A private key; it never leaves its process."""

    @property
    def domain(self) -> str: ...

    @property
    def selector(self) -> str: ...

    @property
    def algorithm(self) -> str:
        """`rsa-sha256`, `ed25519-sha256`."""
        ...

    def sign(self, digest: bytes) -> bytes:
        """`digest` is the SHA-256 of what is signed. RFC 8463 3"""
        ...


class SigningKeys(Protocol):
    """For whoever sends."""

    async def signing(self, domain: str) -> Sequence[SigningKey]:
        """With which mail of `domain` (lower case, A-labels) is signed now; none: it is not signed. MailError 451: they
        cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class PublicHalf:
    """What is published of one key."""

    selector: str
    algorithm: str
    record: str
    """The TXT record's text."""


@dataclass(frozen=True, slots=True)
class Generation:
    """Keys that were made together. Times are seconds since 1970 UTC."""

    name: str
    state: KeyState
    created: float
    since: float
    """When it came to its state."""
    keys: tuple[PublicHalf, ...]


class KeyRing(SigningKeys, Protocol):
    """For whoever administers keys. ConfigError: what is there cannot be read, or the change cannot be."""

    async def domains(self) -> Sequence[str]:
        """Those that have keys."""
        ...

    async def generations(self, domain: str) -> Sequence[Generation]:
        """The newest first."""
        ...

    async def make(self, domain: str, state: KeyState) -> Generation:
        """A new generation, durable when it returns."""
        ...

    async def move(self, domain: str, name: str, state: KeyState) -> None:
        """To `signing`: that which signed until now is retired."""
        ...

    async def remove(self, domain: str, name: str) -> None: ...
