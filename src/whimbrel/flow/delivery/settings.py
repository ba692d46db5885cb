"""Settings of sending: where mail for other servers goes, and how long it is tried."""

from typing import Literal

from whimbrel.core.settings import Section, required, setting
from whimbrel.core.values import Duration, Secret

Tls = Literal["none", "opportunistic", "required", "verified", "implicit"]
_TLS_HELP = (
    "TLS to it: none; opportunistic (if offered); required (any certificate); verified; implicit (from the first "
    "byte, verified)."
)


class RelayRoute(Section, tag="route", key="domain"):
    """A relay host for one domain."""

    domain: str = required(help="The domain, such as example.org; *.example.org means all domains below it.")
    host: str = setting("", help="Name or address of the server that takes its mail.")
    port: int = setting(25, minimum=1, maximum=65535, help="Its port.")
    user: str = setting("", help="Name to sign in with; empty: do not sign in.")
    password: Secret = setting(Secret(""), help="Password to sign in with.")
    tls: Tls = setting("opportunistic", help=_TLS_HELP)


class DeliverySettings(Section, tag="delivery"):
    """Sending mail to other servers, and the queue."""

    relay_host: str = setting("", help="Server that takes all mail for other domains; empty: by MX.", row="S08")
    relay_port: int = setting(25, minimum=1, maximum=65535, help="Port of the relay host.", row="S08")
    relay_user: str = setting("", help="Name to sign in with at the relay host; empty: do not.", row="S08")
    relay_password: Secret = setting(Secret(""), help="Password for the relay host.", row="S08")
    relay_tls: Tls = setting("opportunistic", help=_TLS_HELP, row="S08")
    routes: tuple[RelayRoute, ...] = setting((), help="Relay hosts of single domains.", row="S08")
    tls: Literal["none", "opportunistic", "required"] = setting(
        "opportunistic", help="TLS to servers found by MX: none, if offered, or always.", row="S65"
    )
    mx_port: int = setting(
        25, minimum=1, maximum=65535, help="Port of servers found by MX; another than 25 for tests.", advanced=True
    )
    source_address: str = setting("", help="Local address that connections come from; empty: any.", advanced=True)
    hold_remote: bool = setting(False, help="Hold mail for other domains in the queue until it is released.")
    retry_schedule: tuple[Duration, ...] = setting(
        (Duration("5m"), Duration("15m"), Duration("30m"), Duration("1h"), Duration("2h"), Duration("4h")),
        item="retry-after",
        help="Waits after the first, second, ... failed attempt; the last one is repeated.",
        row="S48",
    )
    notify_after: Duration = setting(
        Duration("4h"), minimum=60, help="Tell the sender when a message has waited this long.", row="S48"
    )
    give_up_after: Duration = setting(
        Duration("5d"), minimum=60, help="Return a message to its sender after this time.", row="S48"
    )
    max_deliveries: int = setting(32, minimum=1, maximum=1000, help="Deliveries at once, in all.", row="S48")
    per_destination: int = setting(
        5, minimum=1, maximum=1000, help="Deliveries at once to one domain or relay host.", row="S48"
    )
    connect_timeout: Duration = setting(
        Duration("30s"), minimum=1, maximum=600, help="Longest wait for a connection.", advanced=True
    )
    command_timeout: Duration = setting(
        Duration("5m"), minimum=1, maximum=3600, help="Longest wait for a reply (RFC 5321 4.5.3.2).", advanced=True
    )
    final_timeout: Duration = setting(
        Duration("10m"), minimum=1, maximum=3600, help="Longest wait for the reply after content.", advanced=True
    )
