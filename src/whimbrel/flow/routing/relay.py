"""Who may send to other servers through us without signing in. By default nobody."""

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from whimbrel.core.errors import MailError
from whimbrel.core.settings import Section, setting
from whimbrel.core.values import text_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class RelayDenied(MailError):
    """A stranger wanted us to send to another server, openly or by a trick."""

    def __init__(self, *, detail: str = "") -> None:
        super().__init__(550, "5.7.1", "Relaying denied", detail=detail)


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


class RelaySettings(Section, tag="relay"):
    """Relaying: mail from one stranger to another."""

    allow_from: tuple[Network, ...] = setting(
        (),
        help="Networks whose mail to other domains is sent on without signing in, such as 192.0.2.0/28.",
        row="S56",
    )


def allowed(settings: RelaySettings, ip: str) -> bool:
    """Whether a client at `ip` may relay. What is no address may not."""
    if not settings.allow_from:
        return False
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _networks(settings.allow_from))


@lru_cache(16)
def _networks(texts: tuple[str, ...]) -> tuple[IpNetwork, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)
