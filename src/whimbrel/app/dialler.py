"""Guarded connections on others' behalf: for the test tools, whose TLS takes any certificate and remembers it, for
webhooks, whose TLS is verified, and to the consoles of other servers, whose certificate may be pinned.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from whimbrel.backends.net.guard import GuardedConnector
from whimbrel.backends.net.https import get, place_of, post
from whimbrel.backends.tls.contexts import TlsContexts
from whimbrel.backends.tls.pinned import PinnedContexts
from whimbrel.backends.tls.probe import ProbeContexts
from whimbrel.core.net import Link, Resolver, TlsMode, TlsPolicy
from whimbrel.core.pool import Pool
from whimbrel.services.peers.ports import Said, ShownCertificate, UntrustedError
from whimbrel.services.probing.certificate import chain_steps
from whimbrel.services.probing.ports import Dialled

CONNECT: Final = 10.0
"""Seconds for each address."""
MOST_STATUS: Final = 512 << 10
"""Octets of what another server says of its state."""


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


class GuardedAsker:
    """The Asker port: what was shown is looked at before anything is sent."""

    def __init__(
        self, contexts: TlsContexts, resolver: Resolver, allowed: Callable[[], Sequence[str]], pool: Pool
    ) -> None:
        """`allowed`: private networks that may be reached by a name."""
        self._contexts, self._resolver, self._allowed, self._pool = contexts, resolver, allowed, pool

    async def get(self, url: str, path: str, token: str, pin: str) -> Said:
        async def open_link(host: str, port: int, source: str, policy: TlsPolicy) -> Link:
            link, contexts = await self._open(host, port, source, policy)
            why = _untrusted(contexts.fingerprint, pin, verified=link.tls is not None and link.tls.verified)
            if why:
                await link.close()
                raise UntrustedError(why)
            return link

        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        answer = await get(open_link, url.rstrip("/") + path, headers, MOST_STATUS)
        return Said(answer.status, answer.body)

    async def certificate(self, url: str) -> ShownCertificate:
        place = place_of(url)
        host = place.hostname or ""
        link, contexts = await self._open(host, place.port or 443, "", TlsPolicy(TlsMode.IMPLICIT, host))
        verified = link.tls is not None and link.tls.verified
        await link.close()
        if not contexts.certificate:
            raise OSError("no certificate was shown")
        steps = await self._pool.run(lambda: chain_steps([contexts.certificate], host, 0.0, 0.0, verified=verified))
        facts = steps[0].facts
        return ShownCertificate(contexts.fingerprint, facts.get("names", ""), facts.get("until", ""), verified)

    async def _open(self, host: str, port: int, source: str, policy: TlsPolicy) -> tuple[Link, PinnedContexts]:
        contexts = PinnedContexts(self._contexts)
        connector = GuardedConnector(contexts, self._resolver, self._allowed, connect_timeout=CONNECT)
        return await connector.open_named(host, port, source, policy), contexts


def _untrusted(shown: str, pin: str, *, verified: bool) -> str:
    """Why a certificate is not to be trusted; empty: it is."""
    digits = shown.upper()
    spelled = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    if pin:
        if shown == pin:
            return ""
        return f"it shows another certificate than the one that was set; now its SHA-256 fingerprint is {spelled}"
    if verified:
        return ""
    return f"no authority vouches for its certificate, and no fingerprint is set; it shows {spelled}"


if TYPE_CHECKING:
    from whimbrel.services.alerts.teller import Webhooks
    from whimbrel.services.peers.ports import Asker
    from whimbrel.services.probing.ports import Dialler

    def _port(dialler: GuardedDialler) -> Dialler:
        return dialler

    def _webhooks(webhooks: GuardedWebhooks) -> Webhooks:
        return webhooks

    def _asker(asker: GuardedAsker) -> Asker:
        return asker
