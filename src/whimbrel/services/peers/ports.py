"""What it takes to ask other servers."""

from dataclasses import dataclass
from typing import Protocol


class UntrustedError(OSError):
    """The certificate is not the one that was set, or no authority vouches for it. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a server answered."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    fingerprint: str
    """SHA-256, 64 hex digits."""
    names: str
    until: str
    """RFC 3339."""
    verified: bool
    """An authority that this machine believes vouches for it and for the name."""


class Asker(Protocol):
    """Requests to the consoles of other servers, guarded as all that is asked on somebody's behalf."""

    async def get(self, url: str, path: str, token: str, pin: str) -> Said:
        """`pin`: the fingerprint that the certificate must have; empty: an authority must vouch for it. The token is
        sent once that is so. OSError in words, UntrustedError, ValueError: the URL is none."""
        ...

    async def certificate(self, url: str) -> ShownCertificate:
        """What it shows. OSError, ValueError."""
        ...
