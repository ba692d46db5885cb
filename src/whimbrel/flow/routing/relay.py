"""Who may send to other servers through us without signing in. By default nobody."""

from whimbrel.core.errors import MailError
from whimbrel.core.network import Network, contains
from whimbrel.core.settings import Section, setting


class RelayDenied(MailError):
    """A client that may not relay wanted us to send to another server, openly or by a trick."""

    def __init__(self, *, detail: str = "") -> None:
        super().__init__(550, "5.7.1", "Relaying denied", detail=detail)


class RelaySettings(Section, tag="relay"):
    """Relaying: mail from one stranger to another."""

    allow_from: tuple[Network, ...] = setting(
        (),
        help="Networks whose mail to other domains is sent on without signing in, such as 192.0.2.0/28.",
        row="S56",
    )


def allowed(settings: RelaySettings, ip: str) -> bool:
    """Whether a client at `ip` may relay. What is no address may not."""
    return contains(settings.allow_from, ip)
