"""Servers that pass on mail of others to us (a backup MX, a provider that forwards): who gave it to them is judged.

Checks of addresses look at the last Received field that a server of ours or a trusted one wrote about a host that is
not trusted; where there is none that can be read, at nobody.

Standards: RFC 5321 4.4 (Received)
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from whimbrel.core.config import ConfigStore
from whimbrel.core.definitions import IP_GROUP, Clients, Definitions
from whimbrel.core.settings import Section, setting
from whimbrel.flow.transaction import Transaction

_FROM: Final = re.compile(r"from\s+(\S{1,255})\s+\([^()]{0,600}?\[(?:IPv6:)?([0-9A-Fa-f.:]{2,45})\]", re.IGNORECASE)
MAX_HOPS: Final = 10
"""Trusted servers that may stand behind each other."""


class TrustedRelaysSettings(Section, tag="trusted-relays"):
    """Servers that pass mail of others on to us, such as a backup MX."""

    hosts: tuple[Clients, ...] = setting(
        (),
        item="host",
        ref=IP_GROUP,
        help="Their addresses, or IP groups. SPF looks at the host that gave the message to them; they are judged by "
        "none of the checks of addresses. They may not relay for that.",
    )


@dataclass(frozen=True, slots=True)
class Source:
    """Where a message came from, as far as it is believed."""

    ip: str
    helo: str


def relayed(config: ConfigStore, tx: Transaction) -> bool:
    """Whether a trusted relay hands it in: its own address says nothing of the sender."""
    hosts = config.section(TrustedRelaysSettings).hosts
    return bool(hosts) and config.section(Definitions).include(hosts, tx.client.ip)


def source(config: ConfigStore, tx: Transaction) -> Source | None:
    """The last host that is not trusted: the client, or who gave the message to a trusted relay, for which its content
    must be there. None: it cannot be said."""
    if not relayed(config, tx):
        return Source(tx.client.ip, tx.client.helo)
    hosts = config.section(TrustedRelaysSettings).hosts
    for text in tx.header.values(b"received")[:MAX_HOPS]:
        match = _FROM.match(text)
        if match is None:
            return None
        try:
            ip = str(ip_address(match[2]))
        except ValueError:
            return None
        if not config.section(Definitions).include(hosts, ip):
            return Source(ip, match[1])
    return None
