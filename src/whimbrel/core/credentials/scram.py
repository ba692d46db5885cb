"""Stored keys of SCRAM, derived from a password.

Standards: RFC 5802 3 (StoredKey, ServerKey), RFC 7677 (SHA-256, at least 4096 iterations), RFC 5803 2 (as text)
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from whimbrel.core.credentials.spelling import saslprep

SCRAM_SHA_256: Final = "SCRAM-SHA-256"
ITERATIONS: Final = 100_000
"""For new keys."""
MAX_ITERATIONS: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """SCRAM-SHA-256 keys of one password."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def of(cls, password: str, salt: bytes, iterations: int = ITERATIONS) -> "ScramKeys":
        """Derives the keys. Takes tens of milliseconds: run it off the loop."""
        salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode("utf-8", "surrogatepass"), salt, iterations)
        client = hmac.digest(salted, b"Client Key", "sha256")
        return cls(salt, iterations, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))

    @classmethod
    def unknown(cls, key: bytes, name: str) -> "ScramKeys":
        """Returns keys for a user without any, derived from the installation's key: the same each time and in each
        process. No password matches. RFC 5802 9"""
        salt = hmac.digest(key, b"scram salt\0" + name.encode("utf-8", "surrogatepass"), "sha256")[:16]
        return cls(salt, ITERATIONS, hmac.digest(key, b"scram keys\0" + salt, "sha256"), b"\0" * 32)

    @classmethod
    def read(cls, text: str) -> "ScramKeys":
        """Reads `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. ValueError does not show the keys."""
        try:
            scheme, parameters, keys = text.split("$")
            iterations, salt = parameters.split(":")
            stored, server = keys.split(":")
            made = cls(_octets(salt), int(iterations), _octets(stored), _octets(server))
        except (ValueError, binascii.Error):
            raise ValueError("keys of SCRAM are scheme$iterations:salt$StoredKey:ServerKey") from None
        if scheme != SCRAM_SHA_256:
            raise ValueError(f"keys of {SCRAM_SHA_256} are meant")
        if not (4096 <= made.iterations <= MAX_ITERATIONS and made.salt):
            raise ValueError(f"keys of SCRAM have a salt, and from 4096 to {MAX_ITERATIONS} iterations")
        if len(made.stored_key) != 32 or len(made.server_key) != 32:
            raise ValueError("keys of SCRAM-SHA-256 have 32 octets each")
        return made

    def text(self) -> str:
        salt, stored, server = (
            base64.b64encode(part).decode() for part in (self.salt, self.stored_key, self.server_key)
        )
        return f"{SCRAM_SHA_256}${self.iterations}:{salt}${stored}:{server}"

    def fit(self, password: str) -> bool:
        """True if they are derived from this password. Costs as much as deriving them."""
        return hmac.compare_digest(ScramKeys.of(password, self.salt, self.iterations).stored_key, self.stored_key)


def _octets(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
