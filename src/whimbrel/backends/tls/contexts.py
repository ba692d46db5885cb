"""TLS contexts of a worker: made once, replaced without a restart when settings or certificate files change.

A context holds the keys of session tickets; one made before the workers are forked lets a client resume with any of
them.
Standards: RFC 9325 (recommendations), RFC 7435 (opportunistic), RFC 8446 4.6.1 (tickets), RFC 9525 (names).
"""

import os
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from whimbrel.backends.tls import authority
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.backends.tls.shown import serves
from whimbrel.backends.tls.trust import Trust, peer_chain
from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.log import Log
from whimbrel.core.net import TlsMode, TlsPolicy

SELF_SIGNED = "self-signed.pem"
"""Key and certificate in one file, so that they are replaced together."""
RENEW_WITHIN = 30 * 86_400.0
"""Seconds before its end."""
_OPPORTUNISTIC_CIPHERS = "DEFAULT:@SECLEVEL=1"
"""RFC 7435 3: a weak key is better than none at all."""
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

_Stamp = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Served:
    settings: TlsSettings
    stamp: _Stamp
    context: ssl.SSLContext


class TlsContexts:
    """`folder` is where the self-signed certificate is kept (0700); `names` says for which names it is to be."""

    def __init__(
        self, config: ConfigStore, folder: Path, names: Callable[[], Sequence[str]], log: Log, clock: Clock
    ) -> None:
        self._config, self._folder, self._names, self._log, self._clock = config, folder, names, log, clock
        self._served: _Served | None = None
        self._checked = 0.0
        self._clients: dict[bool, ssl.SSLContext] = {}
        self._clients_of: tuple[str, _Stamp] | None = None
        self._trust = Trust()

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
        served = self._served
        if served is not None:
            if settings is served.settings and 0 <= now - self._checked < settings.reload_interval:
                return served.context
            stamp = _stamp(*self._files(settings))
            if stamp == served.stamp and settings == served.settings:
                self._checked = now
                self._served = _Served(settings, stamp, served.context)
                return served.context
        self._checked = now
        certificate, key = self._files(settings)
        # The stamp is of before the reading: a change during it is seen the next time.
        stamp = _stamp(certificate, key)
        try:
            context = _server_context(settings, certificate, key)
        except (OSError, ValueError) as error:
            if served is None:
                raise
            self._log.error("tls.certificate-unusable", file=certificate, reason=_reason(error))
            context = served.context
        else:
            if served is not None:
                self._log.info("tls.certificate-loaded", file=certificate)
        self._served = _Served(settings, stamp, context)
        return context

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
        identity = (path, _stamp(path) if path else ())
        if identity != self._clients_of:
            self._clients.clear()
            self._trust = Trust(path)
            self._clients_of = identity

    def _files(self, settings: TlsSettings) -> tuple[str, str]:
        if settings.certificate:
            return settings.certificate, settings.private_key or settings.certificate
        return str(self.self_signed), str(self.self_signed)


def check(settings: TlsSettings) -> None:
    """Raises ValueError, with words for a person, if these settings name files or ciphers that cannot be used."""
    try:
        if settings.certificate:
            _server_context(settings, settings.certificate, settings.private_key or settings.certificate)
        if settings.authorities:
            ssl.create_default_context(cafile=settings.authorities)
    except (OSError, ValueError) as error:
        raise ValueError(_reason(error)) from None


def _server_context(settings: TlsSettings, certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.minimum_version]
    context.set_ciphers(settings.ciphers)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_ECDH_USE
    # Let a phone without AES instructions choose ChaCha20; among ours there is no bad choice.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 1  # Mail clients resume once, if at all: each ticket costs a sealing and 250 octets.
    context.load_cert_chain(certificate, key, password=_no_password)
    return context


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


def _no_password() -> str:
    # Without this OpenSSL asks on the terminal, for ever.
    raise ValueError("the private key is protected by a password")


def _stamp(*paths: str) -> _Stamp:
    found = []
    for path in paths:
        try:
            stat = os.stat(path)
            found.append((stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size))
        except OSError:
            found.append((0, 0, 0, 0))
    return tuple(found)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        text = str(getattr(error, "reason", None) or error)  # Python's own ssl.SSLError has no reason.
        for found, words in _WORDS.items():
            if found in text:
                return words
        return text
    if isinstance(error, OSError):
        return f"{error.filename or 'file'}: {error.strerror}" if error.strerror else str(error)
    return str(error)


_WORDS = {
    "KEY_VALUES_MISMATCH": "the private key does not belong to the certificate",
    "No cipher": "no such cipher is known",
    "PEM lib": "the file holds no certificate and key in PEM",
    "NO_CERTIFICATE_OR_CRL_FOUND": "the file holds no certificate in PEM",
}
