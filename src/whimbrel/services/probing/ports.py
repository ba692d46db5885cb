"""What the test tools need of the network, and what they show."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from whimbrel.core.net import Link, Records, Resolver


@dataclass(frozen=True, slots=True)
class Dialled:
    """A connection, in the clear at first."""

    link: Link
    chain: Callable[[], Sequence[bytes]]
    """The certificates that the server showed, DER, its own first; nothing before TLS."""


Chain = Callable[[Dialled, float], "Awaitable[Sequence[ProbeStep]]"]
"""Makes the steps of the certificates that were shown, so many seconds after the beginning."""


class Dialler(Protocol):
    """Calls other servers because an administrator of the whole server wants to see what they say."""

    async def open(self, host: str, port: int, *, version: str = "", server_name: str = "") -> Dialled:
        """`host` is what was typed, or where a name led. A private address is called only if it was typed as an
        address. `version`: the only one of TLS that is offered. OSError."""
        ...


class Post(Protocol):
    """Sends a message of the server's own."""

    async def send(self, to: Sequence[str], subject: str, text: str, *, language: str = "en") -> str:
        """Its queue id. MailError, ValueError: an address is none."""
        ...


@dataclass(frozen=True, slots=True)
class Probes:
    """The ports of the tools; a running server has them."""

    dialler: Dialler
    resolver: Resolver
    records: Records
    post: Post


@dataclass(frozen=True, slots=True)
class ProbeStep:
    """One thing that a tool did or saw."""

    kind: str
    """look-up, connect, sent, received, tls, certificate, message, result."""
    text: str
    """For people."""
    seconds: float = 0.0
    """Since it began."""
    facts: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """What is wrong, in sentences."""
