"""Headers that keep browsers from doing with our pages what nobody wants.

Standards: CSP Level 3, RFC 6797 (HSTS), Fetch (nosniff, CORP), HTML (COOP), Permissions Policy
"""

import base64
import hashlib
import re
from typing import Final

from whimbrel.services.webd.exchange import Headers

_FEATURES: Final = (
    "accelerometer", "browsing-topics", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer",
    "microphone", "midi", "payment", "usb",
)  # fmt: skip
_CLOSED: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Of what is no page of the console."""
_YEAR: Final = 31_536_000

COMMON: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    # Not `no-referrer`: with it browsers send `Origin: null`, by which our own pages could not be told. Fetch 3.2
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", ", ".join(f"{feature}=()" for feature in _FEATURES).encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]
CLOSED: Final = (b"content-security-policy", _CLOSED.encode())
HSTS: Final = (b"strict-transport-security", b"max-age=%d" % _YEAR)
"""Without subdomains: they may belong to other machines."""
_INLINE: Final = re.compile(rb"<script(?![^>]*\ssrc\s*=)[^>]*>(.*?)</script\s*>", re.IGNORECASE | re.DOTALL)


def console_policy(page: bytes, nonce: str) -> tuple[bytes, bytes]:
    """The policy of `page`: scripts that stand in it are named by their hashes, and `nonce` is that of its style sheets
    (empty: it makes none)."""
    scripts = ["'self'", *(f"'sha256-{_digest(script)}'" for script in _INLINE.findall(page) if script.strip())]
    styles = ["'self'", *([f"'nonce-{nonce}'"] if nonce else [])]
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(scripts),
        "style-src": " ".join(styles),
        "img-src": "'self' data: blob:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "worker-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
    }
    return b"content-security-policy", "; ".join(f"{name} {value}" for name, value in policy.items()).encode()


def _digest(script: bytes) -> str:
    return base64.b64encode(hashlib.sha256(script).digest()).decode()
