"""The fingerprint by which people know this server's certificate before anybody vouches for it."""

import hashlib
import re
import ssl
from pathlib import Path
from typing import Final

_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


def fingerprint_of(file: Path) -> str:
    """SHA-256 of the first certificate in `file`, as browsers show it: `4F:1C:...`. Empty: there is none to be read."""
    try:
        match = _CERTIFICATE.search(file.read_bytes().decode("ascii", "replace"))
        der = ssl.PEM_cert_to_DER_cert(match[0]) if match else b""
    except (OSError, ValueError):
        return ""
    return hashlib.sha256(der).digest().hex(":").upper() if der else ""
