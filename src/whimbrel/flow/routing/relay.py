"""Who may send to other servers through us without signing in. By default nobody."""

from collections.abc import Iterator
from typing import Final

from whimbrel.core.config import ConfigStore
from whimbrel.core.definitions import IP_GROUP, Clients, Definitions
from whimbrel.core.errors import MailError
from whimbrel.core.network import reach, widest
from whimbrel.core.settings import Concern, Danger, Gravity, Section, Whole, setting


class RelayDenied(MailError):
    """A client that may not relay wanted us to send to another server, openly or by a trick."""

    def __init__(self, *, detail: str = "") -> None:
        super().__init__(550, "5.7.1", "Relaying denied", detail=detail)


MOST_IPV4: Final = 2.0**-12
MOST_IPV6: Final = 2.0**-28
"""Parts of all addresses: more than a /12, or than a /28 of IPv6, is not one's own network any more."""
WIDEST_IPV4: Final = 1 << 16
WIDEST_IPV6: Final = 1 << 96
"""Public addresses side by side: no more than a /16, or a /32 of IPv6."""
OPEN: Final = Danger(
    "this is an open relay: anybody in so large a part of the Internet can send mail to everybody through this server "
    "without signing in",
    "open relay",
    ("0.0.0.0/0", "::/0"),
)
"""The cross-check knows smaller networks that are too large, and shows for as long as it is so."""


def _open(whole: Whole) -> Iterator[Concern]:
    """Whoever can send through us to everybody will: the server is on every block list within hours."""
    networks = whole.section(Definitions).networks(whole.section(RelaySettings).allow_from)
    four, six = reach(networks)
    wide_four, wide_six = widest(networks)
    if four > MOST_IPV4 or six > MOST_IPV6 or wide_four > WIDEST_IPV4 or wide_six > WIDEST_IPV6:
        yield Concern("relay/allow-from", OPEN.text, Gravity.DANGER, OPEN.words)


class RelaySettings(Section, tag="relay", checks=(_open,)):
    """Relaying: mail from one stranger to another."""

    allow_from: tuple[Clients, ...] = setting(
        (),
        ref=IP_GROUP,
        help="Networks and IP groups whose mail to other domains is sent on without signing in, such as 192.0.2.0/28.",
        row="S56",
        danger=OPEN,
    )


def allowed(config: ConfigStore, ip: str) -> bool:
    """Whether a client at `ip` may relay. What is no address may not."""
    clients = config.section(RelaySettings).allow_from
    return bool(clients) and config.section(Definitions).include(clients, ip)
