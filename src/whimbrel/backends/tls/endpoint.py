"""The channel binding tls-server-end-point: a hash of the certificate that a server shows.

Which hash says the certificate's own signature, read here by the few octets of DER that it takes: `cryptography` would
cost each process 12 MB. A signature that has no hash of its own (Ed25519) gives no binding.

Standards: RFC 5929 4.1, RFC 5280 4.1.1.2, RFC 4055 3.1, RFC 5758 3.2
"""

import hashlib
import ssl
from typing import Final

_SHA256: Final = "sha256"
_SIGNATURES: Final = {
    "2a864886f70d010104": _SHA256,  # MD5 and SHA-1 count as SHA-256. RFC 5929 4.1
    "2a864886f70d010105": _SHA256,
    "2a864886f70d01010e": "sha224",
    "2a864886f70d01010b": _SHA256,
    "2a864886f70d01010c": "sha384",
    "2a864886f70d01010d": "sha512",
    "2a8648ce3d0401": _SHA256,
    "2a8648ce3d040301": "sha224",
    "2a8648ce3d040302": _SHA256,
    "2a8648ce3d040303": "sha384",
    "2a8648ce3d040304": "sha512",
}
_PSS: Final = "2a864886f70d01010a"
_HASHES: Final = {
    "2b0e03021a": _SHA256,
    "608648016503040204": "sha224",
    "608648016503040201": _SHA256,
    "608648016503040202": "sha384",
    "608648016503040203": "sha512",
}
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


def endpoint_of_pem(pem: bytes) -> bytes:
    """Of the first certificate in the text. Empty: none is defined for it. ValueError: there is no certificate."""
    text = pem.decode("ascii", "replace")
    begin = text.index(_BEGIN)
    end = text.index(_END, begin) + len(_END)
    return endpoint_of(ssl.PEM_cert_to_DER_cert(text[begin:end]))


def endpoint_of(der: bytes) -> bytes:
    """Empty: none is defined for the certificate, or it cannot be read."""
    try:
        certificate, _ = element(der)
        _, rest = element(certificate)  # tbsCertificate
        algorithm, _ = element(rest)
        name, parameters = element(algorithm)
        signature = name.hex()
        hashed = _hash_of_pss(parameters) if signature == _PSS else _SIGNATURES.get(signature, "")
    except (IndexError, ValueError):
        return b""
    return hashlib.new(hashed, der).digest() if hashed else b""


def _hash_of_pss(parameters: bytes) -> str:
    """RSASSA-PSS-params: hashAlgorithm is its field [0]; left out, it is SHA-1. RFC 4055 3.1"""
    inner, _ = element(parameters)
    if not inner or inner[0] != 0xA0:
        return _SHA256
    tagged, _ = element(inner)
    algorithm, _ = element(tagged)
    name, _ = element(algorithm)
    return _HASHES.get(name.hex(), "")


def element(data: bytes) -> tuple[bytes, bytes]:
    """The content of the first element of DER, and what follows it. IndexError, ValueError."""
    length, at = data[1], 2
    if length & 0x80:
        octets = length & 0x7F
        if not 0 < octets <= 4:
            raise ValueError("no length of DER")
        length, at = int.from_bytes(data[2 : 2 + octets], "big"), 2 + octets
    if at + length > len(data):
        raise ValueError("cut off")
    return data[at : at + length], data[at + length :]
