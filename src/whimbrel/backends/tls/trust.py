"""Was the certificate that a server showed a good one, where any would have done?

With opportunistic TLS (RFC 7435) the handshake accepts every certificate, yet the log should say whether it proved
the server's name. OpenSSL cannot be asked both at once, so the chain is checked afterwards.
Standards: RFC 5280 6, RFC 9525 6.
"""

import contextlib
import ipaddress
import ssl
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509.verification import Store

_REMEMBERED = 1000
_FRESH = 3600.0
"""Seconds after which a chain is checked again: certificates end."""
MAX_CHAIN = 10
_MAX_ROOTS = 2000


class Trust:
    """The authorities that are believed: the system's, and those of `authorities` (a PEM file), if any."""

    def __init__(self, authorities: str = "") -> None:
        self._authorities = authorities
        self._store: Store | None = None
        self._known: OrderedDict[bytes, tuple[float, bool]] = OrderedDict()

    def verified(self, chain: Sequence[bytes], name: str, now: float) -> bool:
        """Does `chain` (DER, the server's own first) lead to an authority and prove `name`, a domain or address?"""
        if not chain or not name:
            return False
        key = sha256(b"\0".join([name.encode("utf-8", "replace"), *chain[:MAX_CHAIN]])).digest()
        known = self._known.get(key)
        if known is not None and now - known[0] < _FRESH:
            return known[1]
        answer = self._check(chain[:MAX_CHAIN], name)
        self._known[key] = (now, answer)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return answer

    def _check(self, chain: Sequence[bytes], name: str) -> bool:
        from cryptography import x509
        from cryptography.x509.verification import PolicyBuilder, VerificationError

        subject: x509.DNSName | x509.IPAddress
        try:
            try:
                subject = x509.IPAddress(ipaddress.ip_address(name))
            except ValueError:
                subject = x509.DNSName(name)
            certificates = [x509.load_der_x509_certificate(der) for der in chain]
            store = self._authorities_store()
            if store is None:
                return False
            PolicyBuilder().store(store).build_server_verifier(subject).verify(certificates[0], certificates[1:])
        except (VerificationError, ValueError):
            return False
        return True

    def _authorities_store(self) -> "Store | None":
        if self._store is None:
            from cryptography import x509
            from cryptography.x509.verification import Store

            roots = []
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Old roots with serial numbers that RFC 5280 forbids.
                for der in _roots(self._authorities):
                    try:
                        roots.append(x509.load_der_x509_certificate(der))
                    except ValueError:
                        continue  # Not to the letter: OpenSSL would take it, this check does not.
            self._store = Store(roots) if roots else None
        return self._store


def _roots(authorities: str) -> list[bytes]:
    context = ssl.create_default_context()
    if authorities:
        context.load_verify_locations(authorities)
    system = ssl.create_default_context().get_ca_certs(binary_form=True)
    folder = ssl.get_default_verify_paths().capath
    if not system and folder:
        # OpenSSL reads a folder of authorities one by one as they are needed, and lists none.
        for path in sorted(Path(folder).glob("*.[0-9]"))[:_MAX_ROOTS]:
            with contextlib.suppress(OSError, ssl.SSLError):
                context.load_verify_locations(path)
    return context.get_ca_certs(binary_form=True)


def peer_chain(tls: object) -> list[bytes]:
    """The certificates that the peer of an ssl.SSLObject or SSLSocket sent, DER, its own first."""
    if hasattr(tls, "get_unverified_chain"):  # Python 3.13
        return list(tls.get_unverified_chain())
    inner = getattr(tls, "_sslobj", None)
    if inner is not None and hasattr(inner, "get_unverified_chain"):  # There since 3.10, without a public name.
        return [certificate.public_bytes(2) for certificate in inner.get_unverified_chain() or ()]  # 2: DER
    if isinstance(tls, ssl.SSLObject | ssl.SSLSocket):
        own = tls.getpeercert(binary_form=True)
        return [own] if own else []
    return []
