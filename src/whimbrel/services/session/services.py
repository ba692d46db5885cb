"""Settings of the network services: where each listens, with which TLS, within which limits."""

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from whimbrel.core.config import ConfigStore
from whimbrel.core.definitions import IP_GROUP, Clients, Definitions
from whimbrel.core.settings import Concern, Danger, Gravity, Section, Whole, setting
from whimbrel.core.values import HostPort

Tls = Literal["none", "starttls", "implicit"]


_IN_THE_CLEAR: Final = Danger(
    "passwords and mail of this service cross the network where everybody on the way can read them", "no TLS", ("none",)
)


class ServiceSettings(Section, tag="service"):
    """One network service."""

    enabled: bool = setting(True, help="Start this service with the server.", row="S21")
    listen: tuple[HostPort, ...] = setting(
        (), help="Addresses and ports, such as 127.0.0.1:143, [::1]:143 or *:143.", row="S21", check="listen"
    )
    tls: Tls = setting(
        "starttls", help="TLS: none, by STARTTLS, or implicit from the first byte.", danger=_IN_THE_CLEAR
    )
    max_connections: int = setting(
        2000, minimum=1, maximum=100_000, help="Connections at once to one worker.", row="S59"
    )
    max_connections_per_host: int = setting(
        200, minimum=1, maximum=100_000, help="Connections at once from one address to one worker.", row="S59"
    )
    allow_from: tuple[Clients, ...] = setting(
        (),
        ref=IP_GROUP,
        help="Networks and IP groups whose clients may connect, such as 10.0.0.0/8; empty: everybody.",
        row="S21",
    )


def console_url(hostname: str, listen: Sequence[HostPort]) -> str:
    """Of the first address that the console listens at; empty without one."""
    if not listen:
        return ""
    here = listen[0].host in ("localhost", "::1") or listen[0].host.startswith("127.")
    return f"https://{'localhost' if here else hostname}:{listen[0].port}"


def may_connect(config: ConfigStore, service: ServiceSettings, ip: str) -> bool:
    """Whether a client at `ip` may connect to a service."""
    clients = service.allow_from
    return not clients or config.section(Definitions).include(clients, ip)


class SmtpService(ServiceSettings, tag="smtp"):
    """Mail from other servers."""

    listen: tuple[HostPort, ...] = setting((HostPort("*:25"),), help="Addresses and ports.", check="listen")


class SubmissionService(ServiceSettings, tag="submission"):
    """Mail from signed-in users, TLS by STARTTLS. RFC 6409"""

    listen: tuple[HostPort, ...] = setting((HostPort("*:587"),), help="Addresses and ports.", check="listen")


class SubmissionsService(ServiceSettings, tag="submissions"):
    """Mail from signed-in users, implicit TLS. RFC 8314"""

    listen: tuple[HostPort, ...] = setting((HostPort("*:465"),), help="Addresses and ports.", check="listen")
    tls: Tls = setting("implicit", help="TLS: none, by STARTTLS, or implicit.", danger=_IN_THE_CLEAR)


class LmtpService(ServiceSettings, tag="lmtp"):
    """Mail from trusted programs beside us. RFC 2033. Off unless switched on."""

    enabled: bool = setting(False, help="Start this service with the server.")
    listen: tuple[HostPort, ...] = setting((HostPort("127.0.0.1:24"),), help="Addresses and ports.", check="listen")
    tls: Tls = setting("none", help="TLS: none, by STARTTLS, or implicit.")


class ImapService(ServiceSettings, tag="imap"):
    """IMAP, TLS by STARTTLS."""

    listen: tuple[HostPort, ...] = setting((HostPort("*:143"),), help="Addresses and ports.", check="listen")


class ImapsService(ServiceSettings, tag="imaps"):
    """IMAP, implicit TLS."""

    listen: tuple[HostPort, ...] = setting((HostPort("*:993"),), help="Addresses and ports.", check="listen")
    tls: Tls = setting("implicit", help="TLS: none, by STARTTLS, or implicit.", danger=_IN_THE_CLEAR)


class Pop3Service(ServiceSettings, tag="pop3"):
    """POP3, TLS by STLS."""

    listen: tuple[HostPort, ...] = setting((HostPort("*:110"),), help="Addresses and ports.", check="listen")


class Pop3sService(ServiceSettings, tag="pop3s"):
    """POP3, implicit TLS."""

    listen: tuple[HostPort, ...] = setting((HostPort("*:995"),), help="Addresses and ports.", check="listen")
    tls: Tls = setting("implicit", help="TLS: none, by STARTTLS, or implicit.", danger=_IN_THE_CLEAR)


_ANY: Final = {"*": "46", "0.0.0.0": "4", "::": "6"}  # noqa: S104 - told apart, not bound.


def _address(host: str) -> str:
    """The address that a socket for `host` is bound to, as the system writes it; `*` stays. OSError: a name that has no
    address, or one that is not of this machine."""
    if host == "*":
        return host
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        address = str(socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
    return address


def _overlap(one: str, other: str) -> bool:
    """Nobody can listen at both addresses with one port. `*` stands for all, 0.0.0.0 and :: for all of one family."""
    if one == other:
        return True
    families = ["6" if ":" in each else "4" for each in (one, other)]
    return families[1] in _ANY.get(one, "") or families[0] in _ANY.get(other, "")


def _shared(whole: Whole) -> Iterator[Concern]:
    services = whole.section(ServicesSettings)
    listening = [
        (name, address)
        for name in type(services).model_fields
        if services.named(name).enabled
        for address in services.named(name).listen
    ]
    places: list[tuple[str, HostPort, str]] = []
    for name, address in listening:
        try:
            place = _address(address.host)
        except (OSError, UnicodeError):
            yield Concern(
                f"services/{name}/listen",
                f"{address}: {address.host} is no address of this machine; write an IP address, or * for all",
                Gravity.WRONG,
            )
            continue
        for other, taken, where_taken in places:
            if address.port == taken.port != 0 and _overlap(place, where_taken):  # Port 0: any free one.
                where = f"services/{other}/listen" if other != name else "the same list"
                yield Concern(f"services/{name}/listen", f"{address} is taken by {taken} in {where}", Gravity.WRONG)
        places.append((name, address, place))


def _exposed(whole: Whole) -> Iterator[Concern]:
    """LMTP takes mail for everybody here from whoever can connect. RFC 2033 5"""
    services = whole.section(ServicesSettings)
    if "lmtp" not in type(services).model_fields or not services.named("lmtp").enabled:
        return
    for address in services.named("lmtp").listen:
        if address.host not in ("localhost", "::1") and not address.host.startswith("127."):
            yield Concern(
                "services/lmtp/listen", f"{address}: whoever reaches it delivers mail past every check of senders"
            )


def _nowhere(whole: Whole) -> Iterator[Concern]:
    services = whole.section(ServicesSettings)
    for name in type(services).model_fields:
        service = services.named(name)
        if service.enabled and not service.listen:
            yield Concern(
                f"services/{name}/listen",
                f"is empty, so {name} listens nowhere and nobody reaches it; name an address such as *, or switch the "
                f"service off by services/{name}/enabled no",
            )


class ServicesSettings(Section, tag="services", checks=(_shared, _exposed, _nowhere)):
    """Network services: addresses, ports, TLS and limits of each."""

    # The services themselves are added by their table, `app/services.py`.

    def named(self, name: str) -> ServiceSettings:
        """The service called `name`, such as imaps. KeyError if there is none."""
        if name not in type(self).model_fields:
            raise KeyError(name)
        service: ServiceSettings = getattr(self, name)
        return service
