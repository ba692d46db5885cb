"""The Dialler port of the test tools: a guarded connection whose TLS takes any certificate and remembers it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from whimbrel.backends.net.guard import GuardedConnector
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


if TYPE_CHECKING:
    from whimbrel.services.probing.ports import Dialler

    def _port(dialler: GuardedDialler) -> Dialler:
        return dialler
