"""Where requests on others' behalf may go: webhooks, test tools, fetched accounts, proxied images.

Whoever can have this server call an address of his choice must not reach what only this server can: private networks,
loopback, link-local and its own addresses. The check is of each address that is about to be connected to, after the
name was looked up, and the connection is made to that very address: no name can mean something else in between, and a
redirect is a new connection that is checked again.

Standards: RFC 6890 (special-purpose addresses), RFC 4291 2.5.5, RFC 3056, RFC 4380, RFC 6052 and RFC 8215 (IPv6
addresses that stand for IPv4 ones).
"""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from whimbrel.backends.net.connector import CONNECT_TIMEOUT, ClientTls, NetConnector, NetLink
from whimbrel.backends.net.own import own_address
from whimbrel.backends.net.proxy import Proxy, open_through
from whimbrel.core.net import Resolver, TlsMode, TlsPolicy
from whimbrel.core.network import contains

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


def literal(host: str) -> str:
    """`host` as an address in its usual form; empty if it is a name."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return ""


class AddressGuard:
    """Refuses addresses that are not public, but for those in `allowed`, which an administrator named."""

    def __init__(self, allowed: Sequence[str] = (), *, own: Callable[[str], bool] = own_address) -> None:
        """`allowed`: addresses and networks. `own`: whether an address is this machine's."""
        self._allowed, self._own = tuple(allowed), own

    def refusal(self, address: str) -> str:
        """Why nobody may have us connect to that address; empty: it may be."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return "it is no address"
        if contains(self._allowed, str(ip)):
            return ""
        inner = tuple(_inner(ip))
        for each in inner if ip in _TRANSLATED[0] else (ip, *inner):
            if each.is_loopback or each.is_unspecified:
                return _refused("this machine itself")
            if not each.is_global or each.is_multicast or each.is_reserved or not _unicast(each):
                return _refused("no public address")
            if self._own(str(each)):
                return _refused("an address of this machine")
        return ""


def _unicast(ip: Ip) -> bool:
    """All public IPv6 addresses are in one block. RFC 4291 2.4"""
    return isinstance(ip, ipaddress.IPv4Address) or ip in _GLOBAL


def _refused(what: str) -> str:
    return f"not connected to: it is {what}"


def _inner(ip: Ip) -> Iterator[Ip]:
    """The IPv4 addresses that an IPv6 address may be taken for on its way."""
    if isinstance(ip, ipaddress.IPv4Address):
        return
    for inner in (ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())):
        if inner is not None:
            yield inner
    if any(ip in network for network in _TRANSLATED) or ip in _COMPATIBLE:
        yield ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)


class GuardedConnector:
    """A Connector for requests on others' behalf."""

    def __init__(
        self,
        tls: ClientTls,
        resolver: Resolver | None,
        allowed: Callable[[], Sequence[str]],
        *,
        own: Callable[[str], bool] = own_address,
        connect_timeout: float = CONNECT_TIMEOUT,
        proxy: Callable[[], Proxy | None] = lambda: None,
    ) -> None:
        """`allowed`: networks that an administrator opened to such requests; `proxy`: through which those with TLS from
        the first octet go. Both are asked for each time."""
        self._proxy = proxy
        self._tls, self._resolver, self._allowed, self._own = tls, resolver, allowed, own
        self._connect_timeout = connect_timeout

    async def open(self, host: str, port: int, source: str, tls: TlsPolicy) -> NetLink:
        """OSError, also for an address that may not be reached."""
        return await self._open(host, port, source, tls, ())

    async def open_named(self, host: str, port: int, source: str, tls: TlsPolicy) -> NetLink:
        """An administrator of the whole server typed `host`: if it is an address, and not a name, it may be any."""
        address = literal(host)
        if tls.mode is TlsMode.IMPLICIT and (proxy := self._proxy()) is not None:
            return await open_through(proxy, self._tls, self._resolver, host, port, tls.server_name)
        return await self._open(host, port, source, tls, (address,) if address else ())

    async def _open(self, host: str, port: int, source: str, tls: TlsPolicy, named: Sequence[str]) -> NetLink:
        guard = AddressGuard((*self._allowed(), *named), own=self._own)
        connector = NetConnector(
            self._tls, self._resolver, connect_timeout=self._connect_timeout, refusal=guard.refusal
        )
        return await connector.open(host, port, source, tls)
