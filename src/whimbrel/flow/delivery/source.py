"""From which of our addresses a connection goes out."""

from dataclasses import dataclass

from whimbrel.core.address import ReversePath, folded
from whimbrel.flow.delivery.destination import matches
from whimbrel.flow.delivery.settings import DeliverySettings


@dataclass(frozen=True, slots=True)
class Sources:
    """One for each family; empty: any."""

    ipv4: str = ""
    ipv6: str = ""

    def towards(self, address: str) -> str:
        """For a name that only the system knows, that of IPv4: the connector leaves it out where it does not fit."""
        return self.ipv6 if ":" in address else self.ipv4


def sources(settings: DeliverySettings, sender: ReversePath) -> Sources:
    """Those of the sender's domain, and for a family that it does not set, those of all."""
    first, second = settings.source_address, settings.source_address_ipv6
    ipv4, ipv6 = ("", second or first) if ":" in first else (first, second)
    if sender is not None:
        for source in settings.sources:
            if matches(folded(source.domain), sender.domain):
                return Sources(source.ipv4 or ipv4, source.ipv6 or ipv6)
    return Sources(ipv4, ipv6)
