"""Which servers take the mail of a domain, in the order in which they are tried.

Standards: RFC 5321 5.1 (MX, fallback to the address, ourselves among the MX), 2.3.5, RFC 7505 (null MX),
RFC 3463 3.2 (X.1.2), 3.5 (X.4.4, X.4.6)
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import MailError
from whimbrel.core.net import Mx, NoSuchName, Resolver, TlsMode
from whimbrel.core.values import Secret
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.settings import SmtpSettings

MAX_SERVERS: Final = 10
"""Addresses tried in one attempt; the rest has its turn at the next, since equals are shuffled anew."""

Ours = Callable[[str, int], bool]
"""Whether an IP address and port is one of our own listeners."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A server that was set, not found."""

    host: str
    port: int
    tls: TlsMode
    user: str = ""
    password: Secret = field(default=Secret(""), repr=False)


@dataclass(frozen=True, slots=True)
class Destination:
    """What recipients with the same way have in common."""

    domain: str
    """Of the recipients; empty for a relay host of all."""
    relay: Relay | None = None

    @property
    def key(self) -> str:
        return f"{self.relay.host}:{self.relay.port}" if self.relay else self.domain


@dataclass(frozen=True, slots=True)
class Server:
    """One address to connect to."""

    name: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}[{self.address}]:{self.port}" if self.name != self.address else f"{self.name}:{self.port}"


def destination(domain: str, settings: DeliverySettings) -> Destination:
    """The way of mail for `domain`: its own relay host, that of all, or its MX."""
    for route in settings.routes:
        if route.host and _matches(route.domain.lower(), domain):
            return Destination(domain, Relay(route.host, route.port, TlsMode(route.tls), route.user, route.password))
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


def _matches(pattern: str, domain: str) -> bool:
    return domain == pattern or (pattern.startswith("*.") and domain.endswith(pattern[1:]))


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
        name = relay.host.strip("[]")
        try:
            addresses = await self._resolver.addresses(name)
        except NoSuchName:
            addresses = []
        # Not in the DNS: perhaps in a hosts file, which the system's resolver knows.
        return [Server(name, address, relay.port) for address in (addresses or [name])[:MAX_SERVERS]]

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
        found: list[tuple[int, Server]] = []
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
                found = [(preference, server) for preference, server in found if preference < mx.preference]
                if not found:
                    raise _loop(domain)
                break
            found += [(mx.preference, Server(name, address, port)) for address in addresses]
            if len(found) >= MAX_SERVERS:
                break
        if found:
            return [server for _, server in found[:MAX_SERVERS]]
        if unknown is not None:
            raise unknown
        if implicit:
            raise MailError(550, "5.1.2", f"The domain {domain} has no mail server")
        raise MailError(550, "5.4.4", f"The mail servers of {domain} have no address")


def _loop(domain: str) -> MailError:
    return MailError(554, "5.4.6", f"Mail for {domain} comes back to us: its mail server is this one")
