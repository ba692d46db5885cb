"""TLS contexts of a process: kept true to settings and certificate files without a restart.

Standards: RFC 7435 (opportunistic), RFC 9525 (names).
"""

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

from whimbrel.backends.tls import authority
from whimbrel.backends.tls.certificate_files import Stamp, read_key, reason_of, stamp_of
from whimbrel.backends.tls.names import issued_by_itself, names_of
from whimbrel.backends.tls.server import ServerContexts, default_pair
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.backends.tls.shown import serves
from whimbrel.backends.tls.trust import Trust, peer_chain
from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.log import Log
from whimbrel.core.net import ShownCertificate, TlsMode, TlsPolicy

SELF_SIGNED = "self-signed.pem"
"""Key and certificate in one file, so that they are replaced together."""
RENEW_WITHIN = 30 * 86_400.0
"""Seconds before its end."""
_OPPORTUNISTIC_CIPHERS = "DEFAULT:@SECLEVEL=1"
"""RFC 7435 3: a weak key is better than none at all."""


class TlsContexts:
    """`folder` is where the self-signed certificate is kept (0700); `names` says for which names it is to be. `server`
    are the contexts that were made before this process was forked."""

    def __init__(
        self,
        config: ConfigStore,
        folder: Path,
        names: Callable[[], Sequence[str]],
        log: Log,
        clock: Clock,
        server: ServerContexts | None = None,
    ) -> None:
        self._config, self._folder, self._names, self._log, self._clock = config, folder, names, log, clock
        self._server = ServerContexts() if server is None else server
        self._settings: TlsSettings | None = None
        self._checked = 0.0
        self._clients: dict[bool, ssl.SSLContext] = {}
        self._clients_of: tuple[str, Stamp] | None = None
        self._trust = Trust()
        self._public = Trust()
        """Without `tls/authorities`, which only this server believes."""

    @property
    def self_signed(self) -> Path:
        return self._folder / SELF_SIGNED

    def ensure_certificate(self) -> bool:
        """Makes the self-signed certificate if it is needed and is missing, near its end or for other names.

        Called at start before workers are forked, and daily by the one process that writes. True: it was made.
        """
        if self._config.section(TlsSettings).certificate:
            return False
        names = list(self._names())
        if serves(self.self_signed, self.self_signed, names, self._clock.now() + RENEW_WITHIN):
            return False
        pair = authority.self_signed(names)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority.write_file(self.self_signed, pair.key + pair.certificate, 0o600)
        self._log.info("tls.certificate-made", name=names[0], file=str(self.self_signed))
        return True

    def server_context(self) -> ssl.SSLContext:
        """The context for accepted connections. Cheap: files are looked at now and then.

        A changed certificate that cannot be used is logged, and the one before stays in use. OSError (ssl.SSLError is
        one) if there is none yet.
        """
        settings, now = self._config.section(TlsSettings), self._clock.monotonic()
        if settings is self._settings and 0 <= now - self._checked < settings.reload_interval and self._server.usable:
            return self._server.base
        try:
            looked_at = self._server.refresh(settings, self.self_signed)
        except (OSError, ValueError) as error:  # The ciphers: the settings before stay in use.
            looked_at = []
            if settings is not self._settings:
                self._log.error("tls.certificate-unusable", file="", reason=reason_of(error))
        self._settings, self._checked = settings, now
        for loaded in looked_at:
            if loaded.reason:
                self._log.error("tls.certificate-unusable", file=loaded.file, reason=loaded.reason)
            elif loaded.replaced:
                self._log.info("tls.certificate-loaded", file=loaded.file)
        if not self._server.usable:
            raise OSError(f"there is no certificate: {default_pair(settings, self.self_signed)[0]} cannot be used")
        return self._server.base

    # For protocols that need more than a context

    def offer(self, *protocols: str) -> None:
        """What ALPN may choose for connections accepted by this process, the best first. RFC 7301"""
        self._server.offer(protocols)

    def shown(self, name: str) -> ShownCertificate | None:
        """OwnCertificates. OSError, ValueError: its key cannot be read."""
        self.server_context()
        chosen = self._server.of_name(name)
        if chosen is None:
            return None
        (_, key), context = chosen
        return ShownCertificate(context.chain, read_key(key))

    def names(self) -> frozenset[str]:
        """OwnCertificates. OSError: there is no certificate yet."""
        self.server_context()
        return frozenset().union(*(names_of(context.chain[0]) for context in self._server.shown if context.chain))

    def publicly_trusted(self, name: str) -> bool:
        """OwnCertificates. OSError: there is no certificate yet."""
        self.server_context()
        chosen = self._server.of_name(name)
        if chosen is None or issued_by_itself(chosen[1].chain[0]):
            return False  # Without reading all the authorities of the system.
        return self._public.verified(chosen[1].chain, name, self._clock.now())

    def client_context(self, policy: TlsPolicy) -> ssl.SSLContext:
        """The context for a connection of ours: verified and implicit check the chain and the server's name."""
        self._renew_clients()
        checked = policy.mode in (TlsMode.VERIFIED, TlsMode.IMPLICIT)
        context = self._clients.get(checked)
        if context is None:
            context = self._clients[checked] = _client_context(checked, self._config.section(TlsSettings).authorities)
        return context

    def verified(self, tls: object, server_name: str) -> bool:
        """Did the peer of `tls` (an ssl.SSLObject) prove to be `server_name`, whether or not that was demanded?"""
        if isinstance(tls, ssl.SSLObject | ssl.SSLSocket) and tls.context.check_hostname:
            return True  # Or the handshake had failed.
        self._renew_clients()
        return self._trust.verified(peer_chain(tls), server_name, self._clock.now())

    def _renew_clients(self) -> None:
        path = self._config.section(TlsSettings).authorities
        identity = (path, stamp_of(path) if path else ())
        if identity != self._clients_of:
            self._clients.clear()
            self._trust = Trust(path)
            self._clients_of = identity


def _client_context(checked: bool, authorities: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authorities:
        context.load_verify_locations(authorities)
    if not checked:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers(_OPPORTUNISTIC_CIPHERS)
    return context
