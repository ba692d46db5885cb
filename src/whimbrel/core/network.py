"""Networks of clients: who is meant by `10.0.0.0/8`, in settings and when an address is at hand."""

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from whimbrel.core.values import text_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


_WIDEST_MAPPED: Final = 8
"""Length of the shortest IPv4 prefix that may be written as a mapped one."""


class Network(str):
    """An address or a network in CIDR form, such as `10.0.0.0/8` or `::1`."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Network":
        wide = False
        try:
            network = ipaddress.ip_network(str(text).strip(), strict=False)
            if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
                mapped = network.network_address.ipv4_mapped
                if mapped is not None:  # RFC 4291 2.5.5.2: these are IPv4, and a client is looked up so.
                    network = ipaddress.ip_network((mapped, network.prefixlen - 96))
                    wide = network.prefixlen < _WIDEST_MAPPED
        except ValueError:
            raise ValueError(f"'{text}' is not an address or network, such as 10.0.0.0/8") from None
        if wide:
            # A file in which it stood has matched nobody with it; it must not come to mean nearly everybody.
            raise ValueError(f"'{text}' stands for {network}: write that, if it is meant")
        return str.__new__(cls, network.with_prefixlen)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: "GetCoreSchemaHandler") -> "CoreSchema":
        return text_schema(cls, "cidr")


def reach(networks: tuple[str, ...]) -> tuple[float, float]:
    """Which part of all public IPv4 and of all IPv6 addresses is in one of `networks`, 0 to 1 each. Private, loopback
    and link-local networks count as nothing."""
    own = [network for network in _networks(tuple(networks)) if not network.is_private]
    four = ipaddress.collapse_addresses(network for network in own if network.version == 4)
    six = ipaddress.collapse_addresses(network for network in own if network.version == 6)
    return sum(n.num_addresses for n in four) / 2**32, sum(n.num_addresses for n in six) / 2**128


def widest(networks: tuple[str, ...]) -> tuple[int, int]:
    """How many public addresses of IPv4 and of IPv6 lie side by side in `networks`, at most; networks that touch are
    one. Private, loopback, link-local and shared (RFC 6598) networks count as nothing."""
    runs = [0, 0]
    for place, version in enumerate((4, 6)):
        last = length = 0
        own = sorted(
            (int(network.network_address), int(network.broadcast_address) + 1)
            for network in _networks(tuple(networks))
            if network.version == version and not _is_own(network)
        )
        for begin, end in own:
            length = length + max(0, end - last) if length and begin <= last else end - begin
            last = max(last, end)
            runs[place] = max(runs[place], length)
    return runs[0], runs[1]


_SHARED: Final = ipaddress.IPv4Network("100.64.0.0/10")
_HERE: Final = ipaddress.IPv4Network("0.0.0.0/8")


def _is_own(network: IpNetwork) -> bool:
    if isinstance(network, ipaddress.IPv4Network):
        # Who writes a large part of 0.0.0.0/8 means everybody, and will find the right number.
        return (network.is_private and not network.overlaps(_HERE)) or network.subnet_of(_SHARED)
    return network.is_private


def contains(networks: tuple[str, ...], ip: str) -> bool:
    """Whether the address `ip` is in one of `networks`. What is no address is in none."""
    return bool(networks) and _contains(tuple(networks), ip)


@lru_cache(4096)
def _contains(networks: tuple[str, ...], ip: str) -> bool:
    # Kept: it is asked at each connection and recipient, and most come from few hosts.
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _networks(networks))


@lru_cache(16)
def _networks(texts: tuple[str, ...]) -> tuple[IpNetwork, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)
