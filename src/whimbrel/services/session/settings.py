"""Settings of sign-in: where passwords may pass in the clear, and what happens to those who guess them."""

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Duration, text_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class Network(str):
    """An address or a network in CIDR form, such as `10.0.0.0/8` or `::1`."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Network":
        try:
            return str.__new__(cls, ipaddress.ip_network(str(text).strip(), strict=False).with_prefixlen)
        except ValueError:
            raise ValueError(f"'{text}' is not an address or network, such as 10.0.0.0/8") from None

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: "GetCoreSchemaHandler") -> "CoreSchema":
        return text_schema(cls, "cidr")


class SecuritySettings(Section, tag="security"):
    """Signing in to any service."""

    plaintext_from: tuple[Network, ...] = setting(
        (), help="Networks from which passwords are taken without TLS. Best left empty.", row="S70"
    )
    lock_out_after: int = setting(
        10,
        minimum=0,
        maximum=10_000,
        help="Failed sign-ins to one account from one address until both are locked. 0: never.",
    )
    lock_out_host_after: int = setting(
        100,
        minimum=0,
        maximum=100_000,
        help="Failed sign-ins from one address, whatever the account, until it is locked. 0: never.",
    )
    lock_out_window: Duration = setting(
        Duration("15m"),
        minimum=1,
        maximum=86400,
        help="Time in which failures are counted, and after which a lock ends.",
    )
    failure_delay: Duration = setting(
        Duration("1s"), minimum=0, maximum=30, help="Wait before a failed sign-in is answered."
    )
    max_failures_per_connection: int = setting(
        5, minimum=1, maximum=100, help="Failed sign-ins on one connection before it is closed.", advanced=True
    )
    remember_sign_in: Duration = setting(
        Duration("10m"),
        minimum=0,
        maximum=600,
        help="How long a worker remembers a right password, so that a client with many connections costs one check.",
        advanced=True,
    )


@lru_cache(64)
def _networks(texts: tuple[str, ...]) -> tuple[IpNetwork, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def contains(networks: tuple[str, ...], ip: str) -> bool:
    """Whether the address `ip` is in one of `networks`. What is no address is in none."""
    if not networks:
        return False
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _networks(tuple(networks)))
