"""The server's certificates for QUIC, whose TLS is not OpenSSL's: by name, and true to the files as long as it runs."""

from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import Certificate, load_der_x509_certificate

from whimbrel.core.net import OwnCertificates

_MOST: Final = 100
"""Names whose certificate is kept as objects."""


@dataclass(frozen=True, slots=True)
class QuicCertificate:
    chain: tuple[bytes, ...]
    certificate: Certificate
    others: list[Certificate]
    key: Any


class QuicCertificates:
    def __init__(self, certificates: OwnCertificates) -> None:
        self._certificates = certificates
        self._loaded: dict[str, QuicCertificate] = {}

    def of(self, name: str) -> QuicCertificate | None:
        """That for a client which asks for `name`, or for none (empty). While a file cannot be used, the one before."""
        shown = self._certificates.shown(name)
        before = self._loaded.get(name)
        if shown is None or (before is not None and before.chain == shown.chain):
            return before
        try:
            certificate, *others = map(load_der_x509_certificate, shown.chain)
            key = load_pem_private_key(shown.key, None)
        except (ValueError, TypeError):  # TypeError: a password would be needed.
            return before
        if _public(key) != _public(certificate):  # The two files are being replaced one after the other.
            return before
        if len(self._loaded) >= _MOST:
            self._loaded.clear()
        loaded = self._loaded[name] = QuicCertificate(shown.chain, certificate, others, key)
        return loaded


def _public(of: Any) -> bytes:
    public: bytes = of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public
