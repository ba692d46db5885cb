"""Files of certificates and keys: read, checked, and looked at for a change.

Standards: RFC 5929 4 (tls-server-end-point)
"""

import contextlib
import os
import re
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from typing import Final

from whimbrel.backends.tls.endpoint import endpoint_of_pem

Pair = tuple[str, str]
"""File of the certificate with its chain, and file of the key."""
Stamp = tuple[tuple[int, int, int, int, int], ...]

_MOST: Final = 1 << 20
"""Octets of a file that is read as a certificate or key."""
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_KEY: Final = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----[^-]+-----END \1-----\n?")


class CertificateContext(ssl.SSLContext):
    """A certificate as it is shown. It does not change; a new one is another object."""

    chain: tuple[bytes, ...] = ()
    """In DER, the server's own first."""
    endpoint: bytes = b""
    """Channel binding tls-server-end-point; empty where none is defined. RFC 5929 4"""
    first: bool = True
    """No other was shown under its name since the ticket keys were made: who resumes knows this one."""


def load(certificate: str, key: str, protocols: Sequence[str] = ()) -> CertificateContext:
    """`protocols` are offered by ALPN. OSError (ssl.SSLError is one), ValueError: it cannot be used."""
    context = CertificateContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(list(protocols))
    pem = _read(certificate)
    with _held(pem) as chain, _held(pem if key == certificate else _read(key)) as secret:
        # From a copy: the files may be replaced between two looks.
        context.load_cert_chain(chain, secret, password=_no_password)
    context.endpoint = endpoint_of_pem(pem)
    context.chain = tuple(
        ssl.PEM_cert_to_DER_cert(text) for text in _CERTIFICATE.findall(pem.decode("ascii", "replace"))
    )
    return context


def read_key(path: str) -> bytes:
    """The private key in the file, PEM. OSError, ValueError: there is none."""
    match = _KEY.search(_read(path))
    if match is None:
        raise ValueError(f"{path} holds no private key in PEM")
    return match[0]


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
    """Changes when one of the files does, or who may read it (ctime)."""
    stamps = []
    for path in paths:
        try:
            stat = os.stat(path)
            stamps.append((stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size))
        except OSError:
            stamps.append((0, 0, 0, 0, 0))
    return tuple(stamps)


def reason_of(error: Exception) -> str:
    """Why a file cannot be used, in words for a person."""
    if isinstance(error, ssl.SSLError):
        text = str(getattr(error, "reason", None) or error)  # Python's own ssl.SSLError has no reason.
        return next((words for sign, words in _WORDS.items() if sign in text), f"it cannot be used (OpenSSL: {text})")
    if isinstance(error, OSError):
        return f"{error.filename or 'file'}: {error.strerror}" if error.strerror else str(error)
    return str(error)


_WORDS: Final = {
    "KEY_VALUES_MISMATCH": "the private key does not belong to the certificate",
    "No cipher": "no such cipher is known",
    "PEM lib": "the file holds no certificate and key in PEM",
    "NO_CERTIFICATE_OR_CRL_FOUND": "the file holds no certificate in PEM",
    "NO_CERTIFICATE_ASSIGNED": "the file holds no certificate and key in PEM",
    "NO_START_LINE": "the file holds no certificate and key in PEM",
    "EE_KEY_TOO_SMALL": "its key is too short to be safe: 2048 bits of RSA, or 256 of EC, are the least",
    "CA_KEY_TOO_SMALL": "the key of its issuer is too short to be safe",
    "MD_TOO_WEAK": "it is signed with a hash that is not safe any more, such as SHA-1",
    "BAD_BASE64": "the file is damaged: what stands between BEGIN and END is no PEM",
    "BAD_END_LINE": "the file is damaged: a BEGIN has no END",
}
