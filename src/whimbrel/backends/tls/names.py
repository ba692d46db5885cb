"""The host names in a certificate, and whether somebody else vouches for them, read from the few octets of DER.

Standards: RFC 5280 4.1, 4.2.1.6 (subjectAltName)
"""

from functools import lru_cache
from typing import Final

from whimbrel.backends.tls.certificate_check import read
from whimbrel.backends.tls.endpoint import element

_ALTERNATIVE_NAMES: Final = bytes.fromhex("551d11")
_EXTENSIONS, _DNS_NAME = 0xA3, 0x82


@lru_cache(64)
def names_of(der: bytes) -> frozenset[str]:
    """In lower case. Empty: there are none, or it cannot be read."""
    try:
        return frozenset(_names(der))
    except (IndexError, ValueError):
        return frozenset()


def issued_by_itself(der: bytes) -> bool:
    """Whether its issuer is its subject, or it cannot be read. RFC 5280 4.1.2.4, 4.1.2.6"""
    try:
        certificate = read(der)
    except (IndexError, ValueError):
        return True
    return certificate.issuer == certificate.subject


def _names(der: bytes) -> list[str]:
    rest = element(element(der)[0])[0]  # tbsCertificate
    while rest and rest[0] != _EXTENSIONS:
        _, rest = element(rest)
    if not rest:
        return []
    extensions, _ = element(element(rest)[0])
    while extensions:
        extension, extensions = element(extensions)
        identifier, rest = element(extension)
        if identifier == _ALTERNATIVE_NAMES:
            if rest[0] == 0x01:  # BOOLEAN: whether it is critical
                _, rest = element(rest)
            return _dns_names(element(element(rest)[0])[0])
    return []


def _dns_names(general: bytes) -> list[str]:
    names = []
    while general:
        kind = general[0]
        value, general = element(general)
        if kind == _DNS_NAME:
            names.append(value.decode("ascii").lower())
    return names
