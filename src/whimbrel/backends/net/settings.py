"""Settings of requests that this server makes on others' behalf."""

import re
from collections.abc import Iterator
from typing import Final

from whimbrel.core.definitions import IP_GROUP, Clients
from whimbrel.core.settings import Concern, Gravity, Section, Whole, setting
from whimbrel.core.values import Secret

_PLACE: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):([0-9]{1,5})")


def proxy_place(text: str) -> tuple[str, int] | None:
    """Host and port of `proxy.example.org:3128`; None: it is none."""
    match = _PLACE.fullmatch(text.removeprefix("http://").removesuffix("/"))
    if match is None or not 0 < int(match[2]) < 65536:
        return None
    return match[1].strip("[]"), int(match[2])


def _proxy(whole: Whole) -> Iterator[Concern]:
    settings = whole.section(OutgoingSettings)
    if settings.proxy and proxy_place(settings.proxy) is None:
        yield Concern("outgoing/proxy", "write host and port, such as proxy.example.org:3128", Gravity.WRONG)


class OutgoingSettings(Section, tag="outgoing", checks=(_proxy,)):
    """Requests on others' behalf: webhooks, test tools. They never reach private networks or this machine."""

    allow: tuple[Clients, ...] = setting(
        (),
        item="allow",
        ref=IP_GROUP,
        help="Private networks and IP groups that such requests may reach all the same, such as 10.1.2.0/24.",
        row="B14",
    )
    proxy: str = setting(
        "",
        help="HTTP proxy through which webhooks go, such as proxy.example.org:3128; empty: none. It looks names up and "
        "decides what may be reached. `whimbrel alert test` tries it.",
        row="B14",
        check="proxy",
    )
    proxy_user: str = setting("", help="Name at the proxy; empty: it asks for none.", row="B14")
    proxy_password: Secret = setting(Secret(""), help="Password at the proxy.", row="B14")
