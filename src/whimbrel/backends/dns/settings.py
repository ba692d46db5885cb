"""Which name servers are asked, and for how long."""

from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Duration, HostPort


class DnsSettings(Section, tag="dns"):
    """Asking the domain name system."""

    server: tuple[HostPort, ...] = setting(
        (),
        item="server",
        ordered=True,
        help="Name servers, such as 192.0.2.53:53. Unset: those of the system.",
        row="S08",
        check="name-server",
    )
    timeout: Duration = setting(
        Duration("10s"), minimum=1, maximum=60, help="How long one look-up may take in all.", advanced=True
    )
    edns: bool = setting(True, help="Ask with EDNS, so that larger answers fit into UDP (RFC 6891).", advanced=True)
    cache_entries: int = setting(
        20_000, minimum=100, maximum=1_000_000, help="Answers remembered by each process.", advanced=True
    )
    max_queries: int = setting(
        200, minimum=10, maximum=5_000, help="Look-ups under way at once in each process.", advanced=True
    )
