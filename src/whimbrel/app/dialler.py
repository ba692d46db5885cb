"""Guarded connections on others' behalf: for the test tools, whose TLS takes any certificate and remembers it, and for
webhooks, whose TLS is verified.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from whimbrel.backends.net.guard import GuardedConnector
from whimbrel.backends.net.https import post
from whimbrel.backends.tls.contexts import TlsContexts
from whimbrel.backends.tls.probe import ProbeContexts
from whimbrel.core.net import Resolver, TlsMode, TlsPolicy
from whimbrel.services.probing.ports import Dialled

CONNECT: Final = 10.0
"""Seconds for each address."""


class GuardedDialler:
    """Of one process."""

    def __init__(self, contexts: TlsContexts, resolver: Resolver, allowed: Callable[[], Sequence[str]]) -> None:
        """`allowed`: private networks that such calls may reach."""
        self._contexts, self._resolver, self._allowed = contexts, resolver, allowed

    async def open(self, host: str, port: int, *, version: str = "", server_name: str = "") -> Dialled:
        contexts = ProbeContexts(self._contexts, version)
        connector = GuardedConnector(contexts, self._resolver, self._allowed, connect_timeout=CONNECT)
        link = await connector.open_named(host, port, "", TlsPolicy(TlsMode.OPPORTUNISTIC, server_name or host))
        return Dialled(link, lambda: contexts.chain)


class GuardedWebhooks:
    """The Webhooks port: an administrator set the URL, so an address in it may be any; a name leads to public ones."""

    def __init__(self, connector: GuardedConnector) -> None:
        self._connector = connector

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> str:
        try:
            answer = await post(self._connector.open_named, url, body, headers)
        except (OSError, ValueError) as error:
            return str(error) or type(error).__name__
        if answer.ok:
            return ""
        moved = "; redirects are not followed: set the new URL" if 300 <= answer.status < 400 else ""
        return f"the answer is {answer.status}{moved}{f': {answer.text}' if answer.text else ''}"


if TYPE_CHECKING:
    from whimbrel.services.alerts.teller import Webhooks
    from whimbrel.services.probing.ports import Dialler

    def _port(dialler: GuardedDialler) -> Dialler:
        return dialler

    def _webhooks(webhooks: GuardedWebhooks) -> Webhooks:
        return webhooks
