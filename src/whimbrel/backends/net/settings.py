"""Settings of requests that this server makes on others' behalf."""

from whimbrel.core.network import Network
from whimbrel.core.settings import Section, setting


class OutgoingSettings(Section, tag="outgoing"):
    """Requests on others' behalf: webhooks, test tools. They never reach private networks or this machine."""

    allow: tuple[Network, ...] = setting(
        (),
        item="allow",
        help="Private networks that such requests may reach all the same, such as 10.1.2.0/24.",
        row="B14",
    )
