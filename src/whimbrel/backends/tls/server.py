"""What a server shows to its clients: one context that every connection begins with, and a certificate for each name.

The first context has the versions, the ciphers and the keys of session tickets, and no certificate: the client's SNI,
or its lack, chooses that of another context. So a certificate is replaced by a new context while the ticket keys stay,
and a client resumes with any of the processes that were forked after the first context was made.

Standards: RFC 6066 3 (SNI), RFC 8446 4.6.1, RFC 5077 (tickets), RFC 9325 (recommendations)
"""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whimbrel.backends.tls.endpoint import endpoint_of_pem
from whimbrel.backends.tls.settings import TlsSettings

Pair = tuple[str, str]
"""File of the certificate with its chain, and file of the key."""
Stamp = tuple[tuple[int, int, int, int], ...]

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_MOST: Final = 1 << 20
"""Octets of a file that is read as a certificate or key."""


class CertificateContext(ssl.SSLContext):
    """A certificate as it is shown. It does not change; a new one is another object."""

    endpoint: bytes = b""
    """Channel binding tls-server-end-point; empty where none is defined. RFC 5929 4"""
    first: bool = True
    """No other was shown under its name since the ticket keys were made: who resumes knows this one."""


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
        self._settings: TlsSettings | None = None
        self._shown: dict[Pair, _Shown] = {}
        self._names: dict[str, Pair] = {}
        self._default: Pair = ("", "")

    @property
    def usable(self) -> bool:
        """There is a certificate for who names no host."""
        return self._context(self._default) is not None

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
            context = load(*pair)
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
        context = None
        if name and self._names:
            name = name.lower().rstrip(".")
            pair = self._names.get(name) or self._names.get(f"*.{name.partition('.')[2]}")
            context = self._context(pair) if pair is not None else None
        context = context or self._context(self._default)
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = context
        return None


def default_pair(settings: TlsSettings, self_signed: Path) -> Pair:
    if settings.certificate:
        return settings.certificate, settings.private_key or settings.certificate
    return str(self_signed), str(self_signed)


def load(certificate: str, key: str) -> CertificateContext:
    """OSError (ssl.SSLError is one), ValueError: it cannot be used."""
    context = CertificateContext(ssl.PROTOCOL_TLS_SERVER)
    pem = _read(certificate)
    with _held(pem) as chain, _held(pem if key == certificate else _read(key)) as secret:
        # From a copy: the files may be replaced between two looks.
        context.load_cert_chain(chain, secret, password=_no_password)
    context.endpoint = endpoint_of_pem(pem)
    return context


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        content = file.read(_MOST + 1)
    if len(content) > _MOST:
        raise ValueError(f"{path} is too large for a certificate or key")
    return content


@contextlib.contextmanager
def _held(content: bytes) -> Iterator[str]:
    """A name for the content, of memory where the system can."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor = os.memfd_create("pem")
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


def _no_password() -> str:
    # Without this OpenSSL asks on the terminal, for ever.
    raise ValueError("the private key is protected by a password")


def stamp_of(*paths: str) -> Stamp:
    """Changes when one of the files does."""
    stamps = []
    for path in paths:
        try:
            stat = os.stat(path)
            stamps.append((stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size))
        except OSError:
            stamps.append((0, 0, 0, 0))
    return tuple(stamps)


def reason_of(error: Exception) -> str:
    """Why a file cannot be used, in words for a person."""
    if isinstance(error, ssl.SSLError):
        text = str(getattr(error, "reason", None) or error)  # Python's own ssl.SSLError has no reason.
        return next((words for sign, words in _WORDS.items() if sign in text), text)
    if isinstance(error, OSError):
        return f"{error.filename or 'file'}: {error.strerror}" if error.strerror else str(error)
    return str(error)


_WORDS: Final = {
    "KEY_VALUES_MISMATCH": "the private key does not belong to the certificate",
    "No cipher": "no such cipher is known",
    "PEM lib": "the file holds no certificate and key in PEM",
    "NO_CERTIFICATE_OR_CRL_FOUND": "the file holds no certificate in PEM",
}
