"""Settings of sending: where mail for other servers goes, and how long it is tried.

Which server takes a message: the route of the recipient's domain, else the route of the sender, else the relay host,
else the MX of the recipient's domain.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final, Literal

from whimbrel.core.settings import Concern, Danger, Gravity, Section, Whole, required, setting
from whimbrel.core.values import Duration, Secret

Tls = Literal["none", "opportunistic", "required", "verified", "implicit"]
_TLS_HELP = (
    "TLS to it: none; opportunistic (if offered); required (any certificate); verified; implicit (from the first "
    "byte, verified)."
)


_HOST_HELP = "Several, separated by spaces, are tried in this order; host:port is possible."
_IP_LIKE = "an IP address of this machine, such as 192.0.2.1, or nothing"
_IP = r"^$|^[0-9.]+$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$"


class RelayRoute(Section, tag="route", key="domain"):
    """A relay host for one domain."""

    domain: str = required(help="The domain, such as example.org; *.example.org means all domains below it.")
    host: str = setting(
        "", help=f"Name or address of the server that takes its mail. {_HOST_HELP}", check="mail-server"
    )
    port: int = setting(25, minimum=1, maximum=65535, help="Its port.")
    user: str = setting("", help="Name to sign in with; empty: do not sign in.")
    password: Secret = setting(Secret(""), help="Password to sign in with.")
    tls: Tls = setting("opportunistic", help=_TLS_HELP)
    protocol: Literal["smtp", "lmtp"] = setting("smtp", help="What the server speaks: smtp, or lmtp (RFC 2033).")


class SenderRoute(Section, tag="sender-route", key="sender"):
    """A relay host for what one sender, or one domain of senders, sends to other servers."""

    sender: str = required(help="An address, a domain, or *.example.org for all domains below it. Addresses go first.")
    host: str = setting(
        "", help=f"Name or address of the server that takes the mail. {_HOST_HELP}", check="mail-server"
    )
    port: int = setting(25, minimum=1, maximum=65535, help="Its port.")
    user: str = setting("", help="Name to sign in with; empty: do not sign in.")
    password: Secret = setting(Secret(""), help="Password to sign in with.")
    tls: Tls = setting("opportunistic", help=_TLS_HELP)


class SourceAddress(Section, tag="source", key="domain"):
    """Our addresses for what a domain of ours sends to other servers."""

    domain: str = required(help="The sender's domain, such as example.org; *.example.org: all domains below it.")
    ipv4: str = setting("", pattern=_IP, like=_IP_LIKE, help="Local IPv4 address of connections; empty: any.")
    ipv6: str = setting("", pattern=_IP, like=_IP_LIKE, help="Local IPv6 address of connections; empty: any.")


def relay_hosts(text: str, port: int) -> Sequence[tuple[str, int]]:
    """`a.example b.example:587 [2001:db8::1]:26` as names and ports; `port` where none is told."""
    servers = []
    for word in text.replace(",", " ").split():
        name, colon, number = word.rpartition(":")
        if colon and number.isascii() and number.isdigit() and (":" not in name or name.endswith("]")):
            servers.append((name.strip("[]"), int(number)))
        else:
            servers.append((word.strip("[]"), port))
    return servers


def _hosts(whole: Whole) -> Iterator[Concern]:
    """A relay host that can be none: mail would wait for days before anybody heard of it."""
    settings = whole.section(DeliverySettings)
    named = [
        ("delivery/relay-host", settings.relay_host),
        *((f"delivery/route[{route.domain}]/host", route.host) for route in settings.routes),
        *((f"delivery/sender-route[{route.sender}]/host", route.host) for route in settings.sender_routes),
    ]
    for path, text in named:
        for name, port in relay_hosts(text, 25):
            if not 1 <= port <= 65535:
                yield Concern(path, f"{port} is no port: 1 to 65535", Gravity.WRONG)
            if not _is_host(name):
                yield Concern(path, f"'{name}' is no name or address of a host", Gravity.WRONG)


_NAME: Final = re.compile(r"(?!-)[\w-]{1,63}(?<!-)(\.(?!-)[\w-]{1,63}(?<!-))*\.?")


def _is_host(name: str) -> bool:
    if ":" not in name and not re.fullmatch(r"[0-9.]*", name):
        return len(name) <= 253 and _NAME.fullmatch(name) is not None
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


_SOON: Final = Duration("10s")


def _waits(whole: Whole) -> Iterator[Concern]:
    """RFC 5321 4.5.4.1: the retry interval SHOULD be at least 30 minutes; the first ones are shorter today."""
    short = [str(wait) for wait in whole.section(DeliverySettings).retry_schedule if wait < _SOON]
    if short:
        yield Concern(
            "delivery/retry-after",
            f"{', '.join(short)}: a server that puts mail off is asked again without a pause, and will shut us out; "
            "write 5m or more",
        )


class DeliverySettings(Section, tag="delivery", checks=(_hosts, _waits)):
    """Sending mail to other servers, and the queue."""

    relay_host: str = setting(
        "",
        help=f"Server that takes all mail for other domains; empty: by MX. {_HOST_HELP}",
        row="S08",
        check="mail-server",
    )
    relay_port: int = setting(
        25, minimum=1, maximum=65535, help="Port of the relay host.", shown_if="relay-host", row="S08"
    )
    relay_user: str = setting(
        "", help="Name to sign in with at the relay host; empty: do not.", shown_if="relay-host", row="S08"
    )
    relay_password: Secret = setting(Secret(""), help="Password for the relay host.", shown_if="relay-host", row="S08")
    relay_tls: Tls = setting("opportunistic", help=_TLS_HELP, shown_if="relay-host", row="S08")
    routes: tuple[RelayRoute, ...] = setting((), help="Relay hosts of single domains.", row="S08")
    sender_routes: tuple[SenderRoute, ...] = setting((), help="Relay hosts of single senders.", row="S08")
    tls: Literal["none", "opportunistic", "required"] = setting(
        "opportunistic",
        help="TLS to servers found by MX: none, if offered, or always.",
        row="S65",
        danger=Danger(
            "all mail to other servers crosses the Internet where everybody on the way can read it", "no TLS", ("none",)
        ),
    )
    mx_port: int = setting(
        25, minimum=1, maximum=65535, help="Port of servers found by MX; another than 25 for tests.", advanced=True
    )
    tls_fallback: bool = setting(
        True, help="If TLS is not demanded and its handshake fails, try once more without it (RFC 7435).", row="S65"
    )
    source_address: str = setting(
        "", pattern=_IP, like=_IP_LIKE, help="Local address that connections come from; empty: any.", advanced=True
    )
    source_address_ipv6: str = setting(
        "", pattern=_IP, like=_IP_LIKE, help="Local IPv6 address that connections come from; empty: any.", advanced=True
    )
    sources: tuple[SourceAddress, ...] = setting((), help="Our addresses by the sender's domain.", row="S08")
    chunking: bool = setting(True, help="Send content by BDAT to servers that offer it (RFC 3030).", advanced=True)
    reuse_idle: Duration = setting(
        Duration("5s"),
        minimum=0,
        maximum=300,
        help="How long a connection is kept for the next message to the same server; 0: not at all.",
        advanced=True,
    )
    reuse_count: int = setting(
        100, minimum=1, maximum=10_000, help="Messages sent over one connection before it is closed.", advanced=True
    )
    unreachable_for: Duration = setting(
        Duration("2m"),
        minimum=0,
        maximum=3600,
        help="How long a server that did not answer a connection is passed over.",
        advanced=True,
    )
    hold_remote: bool = setting(False, help="Hold mail for other domains in the queue until it is released.")
    retry_schedule: tuple[Duration, ...] = setting(
        (Duration("5m"), Duration("15m"), Duration("30m"), Duration("1h"), Duration("2h"), Duration("4h")),
        item="retry-after",
        ordered=True,
        help="Waits after the first, second, ... failed attempt; the last one is repeated.",
        row="S48",
    )
    notify_after: Duration = setting(
        Duration("4h"), minimum=60, help="Tell the sender when a message has waited this long.", row="S48"
    )
    notify_again: tuple[Duration, ...] = setting(
        (), item="notify-again", help="Tell the sender once more after each of these times.", row="S48"
    )
    give_up_after: Duration = setting(
        Duration("5d"), minimum=60, help="Return a message to its sender after this time.", row="S48"
    )
    max_deliveries: int = setting(32, minimum=1, maximum=1000, help="Deliveries at once, in all.", row="S48")
    per_destination: int = setting(
        20,
        minimum=1,
        maximum=1000,
        help="Deliveries at once to one domain or relay host; fewer while it fails.",
        row="S48",
    )
    max_recipients: int = setting(
        100, minimum=1, maximum=1000, help="Recipients in one transaction; more are sent in several.", row="S48"
    )
    max_connecting: int = setting(
        5000,
        minimum=1,
        maximum=20_000,
        help="Deliveries that may look for a server of which nobody knows whether it answers, besides max-deliveries.",
        advanced=True,
    )
    connect_timeout: Duration = setting(
        Duration("30s"),
        minimum=1,
        maximum=600,
        help="Longest wait for a connection; at most 5 seconds while very many are being tried.",
        advanced=True,
    )
    command_timeout: Duration = setting(
        Duration("5m"), minimum=1, maximum=3600, help="Longest wait for a reply (RFC 5321 4.5.3.2).", advanced=True
    )
    final_timeout: Duration = setting(
        Duration("10m"), minimum=1, maximum=3600, help="Longest wait for the reply after content.", advanced=True
    )
