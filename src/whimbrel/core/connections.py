"""The connections of clients at this moment, and who may be asked for them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Final, Literal, Protocol, get_args

Order = Literal[
    "since", "-since", "idle", "-idle", "octets", "-octets",
    "user", "-user", "address", "-address", "service", "-service",
]  # fmt: skip
ORDERS: Final[tuple[str, ...]] = get_args(Order)
MOST: Final = 10_000
"""Connections that one list has at most."""


@dataclass(frozen=True, slots=True)
class LiveConnection:
    """One connection."""

    id: str
    """The session's; empty while TLS is agreed on."""
    service: str
    user: str
    """The account that has signed in; empty: nobody has."""
    address: str
    port: int
    tls: str
    """Version; empty without TLS."""
    cipher: str
    since: float
    """Seconds since 1970."""
    idle: float
    """Seconds since the client last said something."""
    command: str
    """What the session is at; empty while it waits for a command."""
    received: int
    """Octets from the client, without TLS."""
    sent: int
    process: str


@dataclass(frozen=True, slots=True)
class Which:
    """The connections that are meant: those that fit all that is given."""

    ids: tuple[str, ...] = ()
    service: str = ""
    user: str = ""
    """A part of the account's name when looked for; the whole name when connections are ended."""
    address: str = ""
    """An IP address, or a network such as 192.0.2.0/24."""
    domains: tuple[str, ...] | None = None
    """Of the accounts; None: all, and connections that nobody has signed in on."""

    search: str = ""
    """A part of id, service, user or address, in small letters."""

    def __post_init__(self) -> None:
        if self.address:
            ip_network(self.address, strict=False)  # ValueError

    def fits(self, connection: LiveConnection, *, whole: bool = False) -> bool:
        """`whole`: the user's name must be just that."""
        return self.admits(connection.id, connection.service, connection.user, connection.address, whole=whole)

    def admits(self, ident: str, service: str, user: str, address: str, *, whole: bool = False) -> bool:
        """As `fits`, of what it looks at."""
        if self.ids and ident not in self.ids:
            return False
        if self.service and service != self.service:
            return False
        if self.user and not (user == self.user if whole else self.user in user):
            return False
        if self.search and not any(self.search in text.lower() for text in (ident, service, user, address)):
            return False
        if self.domains is not None and (not user or user.rpartition("@")[2] not in self.domains):
            return False
        return not self.address or _within(address, self.address)


def _within(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class ConnectionList:
    """The first of those that fit, and how many there are of each service."""

    items: tuple[LiveConnection, ...]
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


class Connections(Protocol):
    async def list(self, which: Which, order: str = "since", limit: int = MOST) -> ConnectionList:
        """At most `limit` that fit, in order; counted are all that fit."""
        ...

    async def disconnect(self, which: Which, by: str) -> Sequence[LiveConnection]:
        """Ends the sessions as a shutdown does: what is being answered still is, and the client is told. The log says
        that it was `by`. Those that it was done to."""
        ...


def ordered(connections: Iterable[LiveConnection], order: str, limit: int) -> tuple[LiveConnection, ...]:
    """Returns the first `limit` of them."""
    key = key_of(order)
    return tuple(sorted(connections, key=lambda each: (key(each), each.id), reverse=order.startswith("-"))[:limit])


def key_of(order: str) -> Callable[[LiveConnection], Any]:
    """By what connections are ordered."""
    return _KEYS[order.removeprefix("-")]


_KEYS: Final[Mapping[str, Callable[[LiveConnection], Any]]] = {
    "since": lambda each: each.since,
    "idle": lambda each: each.idle,
    "octets": lambda each: each.received + each.sent,
    "user": lambda each: each.user,
    "address": lambda each: each.address,
    "service": lambda each: each.service,
}
