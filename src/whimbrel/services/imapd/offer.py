"""What one module of commands offers: its handlers and the capabilities that stand for them.

A capability is advertised because its handler is in the package's table, and for no other reason.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, TypeVar, cast

from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.grammar import Arguments

if TYPE_CHECKING:
    from whimbrel.services.imapd.session import Session

A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A handler returns the tagged response, or None if it has been sent."""

    handlers: "Mapping[type[Arguments], Callable[[Session, Arguments], Awaitable[Done | None]]]"
    capabilities: tuple[bytes, ...] = ()
    advertise: "Callable[[Session], Iterable[bytes]] | None" = None
    """Capabilities that depend on the connection, such as STARTTLS."""
    enable: frozenset[bytes] = field(default_factory=frozenset)
    """What ENABLE switches on, in capitals. RFC 5161"""


@cache
def fixed(offers: tuple[Offer, ...]) -> tuple[bytes, ...]:
    """Capabilities that are had at any time: asked for twice by each client that signs in, so made once."""
    return tuple(dict.fromkeys(name for offer in offers for name in offer.capabilities))


def serves(
    kind: type[A], handle: "Callable[[Session, A], Awaitable[Done | None]]"
) -> "tuple[type[Arguments], Callable[[Session, Arguments], Awaitable[Done | None]]]":
    """An entry of `Offer.handlers`: `handle` gets only commands of its `kind`."""
    return kind, cast("Callable[[Session, Arguments], Awaitable[Done | None]]", handle)
