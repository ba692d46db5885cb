"""What a webhook gets: an event as JSON, signed.

    Whimbrel-Signature: t=1795910400,v1=5257a869e7...      HMAC-SHA256 of "<t>.<body>" with the secret, in hex

Whoever gets it makes the same of the body and compares, and refuses a `t` that is minutes old.
Standards: RFC 2104 (HMAC), RFC 8259 (JSON).
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Final

from whimbrel.core.values import Secret

SIGNATURE: Final = "Whimbrel-Signature"
EVENT: Final = "Whimbrel-Event"


def request(
    values: Mapping[str, object], event: str, secret: Secret, now: float, version: str
) -> tuple[bytes, dict[str, str]]:
    """Body and headers."""
    body = json.dumps(values, ensure_ascii=False).encode("utf-8", "replace")
    headers = {"Content-Type": "application/json", "User-Agent": f"Whimbrel/{version}", EVENT: event}
    if secret:
        headers[SIGNATURE] = signature(body, secret, now)
    return body, headers


def signature(body: bytes, secret: Secret, now: float) -> str:
    at = str(int(now))
    made = hmac.new(secret.reveal().encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"
