"""Sections of every shape, for the tests of the codec."""

from typing import Literal

from whimbrel.core.address import Domain
from whimbrel.core.settings import Section, required, setting
from whimbrel.core.values import Duration, HostPort, Secret, Size


class Zone(Section, tag="zone", key="name"):
    """A list of hosts."""

    name: str = required(help="Its name.")
    score: float = setting(3.0, minimum=0, help="Points.")
    ask: tuple[str, ...] = setting((), help="Servers.")


class Rule(Section, tag="rule"):
    """No key."""

    text: str = setting("", help="Words.")


class Service(Section, tag="imap"):
    """Inner."""

    enabled: bool = setting(True, help="On.")
    listen: tuple[HostPort, ...] = setting((HostPort("*:143"),), help="Where.", applies="service")


class Services(Section, tag="services"):
    """Middle."""

    imap: Service = setting(Service(), help="IMAP.")


class Smtp(Section, tag="smtp"):
    """Values."""

    max_message_size: Size = setting(Size("50M"), minimum=Size("1M"), help="Largest message.")
    hostname: Domain = setting(Domain("localhost"), applies="restart", help="Our name.")
    wait: Duration = setting(Duration("4h"), help="Wait.")
    tls: Literal["none", "starttls", "implicit"] = setting("none", help="TLS.")
    count: int = setting(5, minimum=1, maximum=10, help="How many.")
    greeting: str = setting("", help="Words.")
    password: Secret = setting(Secret(""), help="Secret.")
    names: tuple[str, ...] = setting((), item="name", help="Names.")


class Root(Section, tag="mailserver"):
    """All."""

    smtp: Smtp = setting(Smtp(), help="SMTP.")
    services: Services = setting(Services(), help="Services.")
    zones: tuple[Zone, ...] = setting((), help="Zones.")
    rules: tuple[Rule, ...] = setting((), help="Rules.")
