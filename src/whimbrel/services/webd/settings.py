"""Settings of the console's service: where it is reached, by whom, and within which limits."""

from typing import Final, Literal

from whimbrel.core.definitions import IP_GROUP, Clients
from whimbrel.core.settings import Danger, setting
from whimbrel.core.values import HostPort
from whimbrel.services.session.services import ServiceSettings

PORT: Final = 44337


class ConsoleService(ServiceSettings, tag="console"):
    """The administration console and its API, over HTTPS alone."""

    enabled: bool = setting(
        True,
        help="Start this service with the server.",
        row="S21",
        danger=Danger(
            "nobody reaches this console any more; it is opened again on the server's own machine, by `whimbrel config "
            "set services/console/enabled yes`",
            "close the console",
            ("no",),
        ),
    )
    listen: tuple[HostPort, ...] = setting(
        (HostPort(f"*:{PORT}"),), help="Addresses and ports.", row="S11", check="listen"
    )
    tls: Literal["implicit"] = setting("implicit", help="TLS: implicit, always.")
    max_connections: int = setting(500, minimum=1, maximum=100_000, help="Connections at once.", row="S59")
    max_connections_per_host: int = setting(
        250, minimum=1, maximum=100_000, help="Connections at once from one address.", row="S59"
    )
    http3: bool = setting(
        True, help="HTTP/3 over UDP on the same ports as well; browsers are told of it by Alt-Svc.", row="S14"
    )
    http3_connections: int = setting(
        64,
        minimum=1,
        maximum=10_000,
        help="Connections by HTTP/3 at once.",
        advanced=True,
        row="S14",
    )
    allow_from: tuple[Clients, ...] = setting(
        (),
        ref=IP_GROUP,
        help="Networks and IP groups from which the console is reached, such as 10.0.0.0/8; empty: all.",
        row="S13",
    )
    names: tuple[str, ...] = setting(
        (),
        help="Further host names under which browsers reach the console, such as console.example.org. Known without "
        "being named here: the server's hostname, the names in its certificates, localhost, and every IP address.",
        item="name",
        advanced=True,
    )
