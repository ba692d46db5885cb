"""What a server shows to its clients: one context that every connection begins with, and a certificate for each name.

The first context has the versions, the ciphers and the keys of session tickets, and no certificate: the client's SNI,
or its lack, chooses that of another context. So a certificate is replaced by a new context while the ticket keys stay,
and a client resumes with any of the processes that were forked after the first context was made.

Standards: RFC 6066 3 (SNI), RFC 8446 4.6.1, RFC 5077 (tickets), RFC 9325 (recommendations)
"""

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whimbrel.backends.tls.certificate_files import CertificateContext, Pair, Stamp, load, reason_of, stamp_of
from whimbrel.backends.tls.settings import TlsSettings

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A certificate file that was looked at because it is new or changed. `reason`: why it cannot be used."""

    file: str
    reason: str = ""
    replaced: bool = False
    """Another one was in use before."""


@dataclass(slots=True)
class _Shown:
    stamp: Stamp
    context: CertificateContext | None


class ServerContexts:
    """Made before processes are forked, and then by each of them kept true to its settings and files."""

    def __init__(self) -> None:
        self.base = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.base.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_ECDH_USE
        # Let a phone without AES instructions choose ChaCha20; among ours there is no bad choice.
        self.base.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        self.base.num_tickets = 1  # Mail clients resume once, if at all: each ticket costs a sealing and 250 octets.
        self.base.sni_callback = self._choose
        self._protocols: tuple[str, ...] = ()
        self._settings: TlsSettings | None = None
        self._shown: dict[Pair, _Shown] = {}
        self._names: dict[str, Pair] = {}
        self._default: Pair = ("", "")

    @property
    def usable(self) -> bool:
        """There is a certificate for who names no host."""
        return self._context(self._default) is not None

    @property
    def shown(self) -> Iterator[CertificateContext]:
        """All certificates that some client can get."""
        return (shown.context for shown in self._shown.values() if shown.context is not None)

    def offer(self, protocols: Sequence[str]) -> None:
        """What ALPN may choose from now on, the best first; the certificate's context decides. RFC 7301"""
        self._protocols = tuple(protocols)
        for context in self.shown:
            context.set_alpn_protocols(list(protocols))

    def of_name(self, name: str | None) -> tuple[Pair, CertificateContext] | None:
        """What is shown to a client that asks for `name`, or for none."""
        pair = self._default
        if name and self._names:
            name = name.lower().rstrip(".")
            pair = self._names.get(name) or self._names.get(f"*.{name.partition('.')[2]}") or pair
        context = self._context(pair)
        if context is None:
            pair, context = self._default, self._context(self._default)
        return (pair, context) if context is not None else None

    def refresh(self, settings: TlsSettings, self_signed: Path) -> list[Loaded]:
        """Makes true what settings and files say now; what was looked at anew. A file that cannot be used leaves the
        certificate before it in use. ValueError: the ciphers; nothing has changed."""
        if settings != self._settings:
            self.base.set_ciphers(settings.ciphers)
            self.base.minimum_version = _VERSIONS[settings.minimum_version]
            self._settings = settings
        self._default = default_pair(settings, self_signed)
        self._names = {
            str(host.name).lower(): (host.certificate, host.private_key or host.certificate) for host in settings.hosts
        }
        wanted = {self._default, *self._names.values()}
        former = self._shown
        self._shown = {pair: former[pair] for pair in wanted if pair in former}
        # Another file for a name: whoever resumes may know the certificate of the one before.
        fresh = not former
        return [loaded for pair in sorted(wanted) if (loaded := self._load(pair, first=fresh)) is not None]

    def _load(self, pair: Pair, *, first: bool) -> Loaded | None:
        shown = self._shown.get(pair)
        # Of before the reading: a change during it is seen the next time.
        stamp = stamp_of(*pair)
        if shown is not None and shown.stamp == stamp:
            return None
        before = shown.context if shown is not None else None
        try:
            context = load(*pair, self._protocols)
        except (OSError, ValueError) as error:
            self._shown[pair] = _Shown(stamp, before)
            return Loaded(pair[0], reason_of(error), before is not None)
        context.first = first
        self._shown[pair] = _Shown(stamp, context)
        return Loaded(pair[0], replaced=before is not None)

    def _context(self, pair: Pair) -> CertificateContext | None:
        shown = self._shown.get(pair)
        return shown.context if shown is not None else None

    def _choose(self, connection: ssl.SSLObject, name: str | None, _base: ssl.SSLContext) -> int | None:
        shown = self.of_name(name)
        if shown is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = shown[1]
        return None


def default_pair(settings: TlsSettings, self_signed: Path) -> Pair:
    if settings.certificate:
        return settings.certificate, settings.private_key or settings.certificate
    return str(self_signed), str(self_signed)
