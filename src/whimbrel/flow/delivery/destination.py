"""Which servers take the mail of a domain, in the order in which they are tried.

A relay host that was set comes before the DNS: that of the recipient's domain, else that of the sender (his address
before his domain), else that of all mail.

Standards: RFC 5321 5.1 (MX, fallback to the address, ourselves among the MX), 2.3.5, RFC 7505 (null MX),
RFC 3463 3.2 (X.1.2), 3.5 (X.4.4, X.4.6), RFC 8305 4 (both families)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from zlib import crc32

from whimbrel.core.address import ReversePath, folded
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import MailError
from whimbrel.core.net import Mx, NoSuchName, Resolver, TlsMode
from whimbrel.core.values import Secret
from whimbrel.flow.delivery.settings import DeliverySettings, RelayRoute, SenderRoute, relay_hosts
from whimbrel.flow.settings import SmtpSettings

MAX_WAYS: Final = 1000
"""Domains whose way is remembered."""
MAX_SERVERS: Final = 10
"""Addresses tried in one attempt; the rest has its turn at the next, since equals are shuffled anew."""

Ours = Callable[[str, int], bool]
"""Whether an IP address and port is one of our own listeners."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A server that was set, not found."""

    host: str
    """Or several, separated by spaces, in the order in which they are tried."""
    port: int
    tls: TlsMode
    user: str = ""
    password: Secret = field(default=Secret(""), repr=False)
    lmtp: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """What recipients with the same way have in common."""

    domain: str
    """Of the recipients; empty for a relay host of all, or of a sender."""
    relay: Relay | None = None
    key: str = field(init=False, compare=False, default="")
    """What has the same is one destination."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.domain if self.relay is None else _key(self.relay))


def _key(relay: Relay) -> str:
    # Whoever signs in as another has limits of his own there.
    user = f"{relay.user}@" if relay.user else ""
    # And what must be verified does not go along with what need not.
    tls = "" if relay.tls is TlsMode.OPPORTUNISTIC else f"/{relay.tls.value}"
    return f"{user}{relay.host}:{relay.port}{tls}{'/lmtp' if relay.lmtp else ''}"


@dataclass(frozen=True, slots=True)
class Server:
    """One address to connect to."""

    name: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}[{self.address}]:{self.port}" if self.name != self.address else f"{self.name}:{self.port}"


def destination(domain: str, settings: DeliverySettings, sender: ReversePath = None) -> Destination:
    """The way of mail from `sender` for `domain`."""
    for route in settings.routes:
        if route.host and matches(folded(route.domain), domain):
            return Destination(domain, _relay(route))
    if sender is not None and settings.sender_routes:
        by_sender = _of_sender(settings.sender_routes, sender.key, sender.domain)
        if by_sender is not None:
            return Destination("", _relay(by_sender))
    if settings.relay_host:
        relay = Relay(
            settings.relay_host,
            settings.relay_port,
            TlsMode(settings.relay_tls),
            settings.relay_user,
            settings.relay_password,
        )
        return Destination("", relay)
    return Destination(domain)


def _of_sender(routes: tuple[SenderRoute, ...], address: str, domain: str) -> SenderRoute | None:
    domains: SenderRoute | None = None
    for route in routes:
        sender = folded(route.sender)
        if not route.host:
            continue
        if sender == address:
            return route
        if domains is None and matches(sender, domain):
            domains = route
    return domains


def _relay(route: RelayRoute | SenderRoute) -> Relay:
    lmtp = isinstance(route, RelayRoute) and route.protocol == "lmtp"
    return Relay(route.host, route.port, TlsMode(route.tls), route.user, route.password, lmtp)


@lru_cache(maxsize=256)
def matches(pattern: str, domain: str) -> bool:
    """`example.org` is itself, `*.example.org` all domains below it."""
    return domain == pattern or (pattern.startswith("*.") and domain.endswith(pattern[1:]))


class Ways:
    """`destination` for settings that hardly ever change, by domain."""

    def __init__(self) -> None:
        self._settings: DeliverySettings | None = None
        self._known: dict[str, Destination] = {}

    def of(self, domain: str, settings: DeliverySettings, sender: ReversePath = None) -> Destination:
        if settings.sender_routes and sender is not None:
            return destination(domain, settings, sender)
        if settings is not self._settings or len(self._known) >= MAX_WAYS:
            self._settings, self._known = settings, {}
        known = self._known.get(domain)
        if known is None:
            known = self._known[domain] = destination(domain, settings)
        return known


class Finder:
    """Asks the DNS."""

    def __init__(self, resolver: Resolver, config: ConfigStore, ours: Ours = lambda _ip, _port: False) -> None:
        self._resolver, self._config, self._ours = resolver, config, ours

    async def servers(self, way: Destination, salt: str) -> list[Server]:
        """At least one. `salt` shuffles servers of one preference. MailError if there is none, or none can be told."""
        if way.relay is not None:
            return await self._relay(way.relay)
        port = self._config.section(DeliverySettings).mx_port
        if way.domain.startswith("["):  # RFC 5321 4.1.3
            ip = way.domain[1:-1].removeprefix("IPv6:")
            if self._ours(ip, port):
                raise _loop(way.domain)
            return [Server(ip, ip, port)]
        return await self._found(way.domain, port, salt)

    async def _relay(self, relay: Relay) -> list[Server]:
        servers: list[Server] = []
        unknown: MailError | None = None
        for name, port in relay_hosts(relay.host, relay.port):
            try:
                # Not in the DNS: perhaps in a hosts file, which the system's resolver knows.
                addresses = await self._resolver.addresses(name) or [name]
            except NoSuchName:
                addresses = [name]
            except MailError as error:
                unknown = error
                continue
            servers += _at(name, port, tuple(addresses))
        if not servers:
            raise unknown or MailError(451, "4.3.5", "The relay host that is set is no host", detail=relay.host)
        return servers[:MAX_SERVERS]

    async def _found(self, domain: str, port: int, salt: str) -> list[Server]:
        try:
            exchangers = await self._resolver.mx(domain)
        except NoSuchName:
            raise MailError(550, "5.1.2", f"The domain {domain} does not exist") from None
        if any(mx.host in ("", ".") for mx in exchangers):
            raise MailError(556, "5.1.10", f"The domain {domain} takes no mail")  # RFC 7505 4.1
        implicit = not exchangers
        if implicit:
            exchangers = [Mx(0, domain)]
        # RFC 5321 5.1: servers of one preference share the load.
        exchangers = sorted(exchangers, key=lambda mx: (mx.preference, crc32(f"{salt}{mx.host}".encode())))
        return await self._addresses(domain, exchangers, port, implicit=implicit)

    async def _addresses(self, domain: str, exchangers: list[Mx], port: int, *, implicit: bool) -> list[Server]:
        hostname = self._config.section(SmtpSettings).hostname
        servers: list[tuple[int, Server]] = []
        unknown: MailError | None = None
        for mx in exchangers:
            name = mx.host.rstrip(".").lower()
            try:
                addresses = await self._resolver.addresses(name)
            except NoSuchName:
                addresses = []
            except MailError as error:
                unknown, addresses = error, []
            if name == hostname or any(self._ours(address, port) for address in addresses):
                # RFC 5321 5.1: we are one of them, so only those before us may have it.
                servers = [(preference, server) for preference, server in servers if preference < mx.preference]
                if not servers:
                    raise _loop(domain)
                break
            servers += [(mx.preference, server) for server in _at(name, port, tuple(addresses))]
            if len(servers) >= MAX_SERVERS:
                break
        if servers:
            return [server for _, server in servers[:MAX_SERVERS]]
        if unknown is not None:
            raise unknown
        if implicit:
            raise MailError(550, "5.1.2", f"The domain {domain} has no mail server")
        raise MailError(550, "5.4.4", f"The mail servers of {domain} have no address")


@lru_cache(maxsize=1024)
def _at(name: str, port: int, addresses: tuple[str, ...]) -> Sequence[Server]:
    """Kept, since message after message goes to the same."""
    return [Server(name, address, port) for address in alternating(list(addresses))]


def alternating(addresses: list[str]) -> list[str]:
    """One of each family in turn, beginning with that of the first. RFC 8305 4"""
    six = [address for address in addresses if ":" in address]
    four = [address for address in addresses if ":" not in address]
    if not six or not four:
        return addresses
    first, second = (six, four) if ":" in addresses[0] else (four, six)
    mixed = [address for pair in zip(first, second, strict=False) for address in pair]
    return [*mixed, *first[len(second) :], *second[len(first) :]]


def _loop(domain: str) -> MailError:
    return MailError(554, "5.4.6", f"Mail for {domain} comes back to us: its mail server is this one")
