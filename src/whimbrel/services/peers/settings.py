"""Settings of other servers whose state is shown here."""

from collections.abc import Iterator

from whimbrel.core.settings import Concern, Section, Whole, required, setting
from whimbrel.core.urls import ServerUrl
from whimbrel.core.values import Duration, Secret


def _without_token(whole: Whole) -> Iterator[Concern]:
    """Servers that cannot be asked."""
    for server in whole.section(PeersSettings).servers:
        if not server.url or not server.token:
            what = "url" if not server.url else "token"
            yield Concern(f"servers/server[{server.name}]/{what}", "not set: the server is not asked")


class PeerServer(Section, tag="server", key="name"):
    """Another server, asked with a token that may read its state."""

    name: str = required(
        help="What it is called here, such as mx2.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        like="letters, digits, dots, dashes and underscores, such as mx2",
    )
    url: ServerUrl = setting(
        ServerUrl(""),
        examples=("https://mx2.example.org:44337",),
        help="Address of its console.",
    )
    token: Secret = setting(
        Secret(""),
        help="A token of that server with the right server-read: `whimbrel admin token-create` makes it there.",
    )
    fingerprint: str = setting(
        "",
        pattern=r"^$|^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$",
        like="the SHA-256 fingerprint of a certificate, 64 hex digits with or without colons",
        help="SHA-256 fingerprint of the certificate that it must show; empty: one that an authority vouches for.",
    )

    @property
    def pin(self) -> str:
        """64 small hex digits, or nothing."""
        return self.fingerprint.replace(":", "").lower()


class PeersSettings(Section, tag="servers", checks=(_without_token,)):
    """Other servers, whose state is shown in this console."""

    interval: Duration = setting(Duration("1m"), minimum=10, maximum=86_400, help="How often they are asked.")
    servers: tuple[PeerServer, ...] = setting((), help="The servers.")
