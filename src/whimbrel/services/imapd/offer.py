"""What one module of commands offers: its handlers and the capabilities that stand for them.

A capability is advertised because its handler is in the package's table, and for no other reason.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.grammar import Arguments
from whimbrel.services.imapd.session import Session

A = TypeVar("A", bound=Arguments)
Handler = Callable[[Session, Arguments], Awaitable[Done | None]]


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A handler returns the tagged response, or None if it has been sent."""

    handlers: Mapping[type[Arguments], Handler]
    capabilities: tuple[bytes, ...] = ()
    advertise: Callable[[Session], Iterable[bytes]] | None = None
    """Capabilities that depend on the connection, such as STARTTLS."""
    enable: frozenset[bytes] = field(default_factory=frozenset)
    """What ENABLE switches on, in capitals. RFC 5161"""


class Offered:
    """All offers of the service together. Has the shape of `session.Offered`."""

    def __init__(self, offers: Iterable[Offer]) -> None:
        offers = tuple(offers)
        self.handlers: Mapping[type[Arguments], Handler] = {
            kind: handler for offer in offers for kind, handler in offer.handlers.items()
        }
        self.fixed = tuple(dict.fromkeys(name for offer in offers for name in offer.capabilities))
        self.enable = frozenset[bytes]().union(*(offer.enable for offer in offers))
        self._advertise = [offer.advertise for offer in offers if offer.advertise is not None]

    def capabilities(self, session: Session) -> Iterable[bytes]:
        names = dict.fromkeys((b"IMAP4rev1", *self.fixed))
        for advertise in self._advertise:
            names |= dict.fromkeys(advertise(session))
        return names


def serves(kind: type[A], handle: Callable[[Session, A], Awaitable[Done | None]]) -> tuple[type[Arguments], Handler]:
    """An entry of `Offer.handlers`: `handle` gets only commands of its `kind`."""
    return kind, cast(Handler, handle)
