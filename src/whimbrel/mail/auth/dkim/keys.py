"""Public keys in the name system.

Standards: RFC 6376 3.6.1 (key records), 3.6.2.1 (where they are), 6.1.2, RFC 8301 3.2 (sizes), RFC 8463 4 (Ed25519)
"""

from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from whimbrel.core.errors import MailError
from whimbrel.core.net import NoSuchName, Resolver
from whimbrel.mail.auth.dkim.signature import ALGORITHMS, Signature, SignatureError
from whimbrel.mail.auth.tags import TagError, packed, tags

LEAST_BITS: Final = 1024
"""RFC 8301 3.2"""
MOST_BITS: Final = 8192
_MOST_EXPONENT: Final = 33
"""Bits: a huge exponent makes each verification slow."""
_TEXT: Final = 16_384
"""Characters of a record."""
_RSA: Final = bytes.fromhex("300d06092a864886f70d0101010500")
"""AlgorithmIdentifier of a public key that stands there without one, as RFC 6376 says that RSA keys do."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    key: RSAPublicKey | Ed25519PublicKey
    testing: bool = False
    """t=y: its owner tries signing out; a broken signature says nothing. 3.6.1"""
    exact: bool = False
    """t=s: i= must be of d= itself."""

    @property
    def bits(self) -> int:
        return self.key.key_size if isinstance(self.key, RSAPublicKey) else 256

    def verifies(self, value: bytes, digest: bytes) -> bool:
        """`digest` is the SHA-256 of the signed header."""
        try:
            if isinstance(self.key, RSAPublicKey):
                self.key.verify(value, digest, PKCS1v15(), Prehashed(SHA256()))
            else:
                self.key.verify(value, digest)
        except InvalidSignature:
            return False
        return True


async def published(resolver: Resolver, signature: Signature) -> PublicKey:
    """SignatureError, also where the name system does not answer (`temperror`)."""
    name = f"{signature.selector}._domainkey.{signature.domain}"
    try:
        texts = await resolver.txt(name)
    except NoSuchName:
        texts = []
    except MailError as error:
        raise SignatureError(f"the key was not to be had: {error.detail or error.text}", "temperror") from None
    if not texts:
        raise SignatureError("there is no key", "permerror")
    failure: SignatureError | None = None
    for text in texts[:5]:  # 3.6.2.2: several leave it open which counts.
        made = read(text, ALGORITHMS[signature.algorithm])
        if isinstance(made, PublicKey):
            return made
        failure = failure or SignatureError(*made)
    assert failure is not None
    raise failure


@lru_cache(2048)
def read(text: str, kind: str) -> PublicKey | tuple[str, str]:
    """The key of a record, `kind` being that of the signature; or the reason and the result why there is none. Kept: a
    key is read once for all mail of its domain."""
    if len(text) > _TEXT:
        return "the key record is too long", "permerror"
    try:
        given = tags(text)
    except TagError as error:
        return f"the key record cannot be read: {error}", "permerror"
    if "v" in given and (given["v"] != "DKIM1" or next(iter(given)) != "v"):
        return "the key record has another version", "permerror"
    if packed(given.get("k", "rsa")).lower() != kind:
        return "the key is of another kind", "permerror"
    if "h" in given and "sha256" not in packed(given["h"]).lower().split(":"):
        return "the key is not for this hash", "permerror"
    if not {"*", "email"} & set(packed(given.get("s", "*")).lower().split(":")):
        return "the key is not for mail", "permerror"
    if "p" not in given:
        return "the key record has no key", "permerror"
    if not packed(given["p"]):
        return "the key was revoked", "permerror"
    flags = packed(given.get("t", "")).lower().split(":")
    try:
        octets = b64decode(packed(given["p"]), validate=True)
        key = Ed25519PublicKey.from_public_bytes(octets) if kind == "ed25519" else _rsa(octets)
    except (Base64Error, ValueError, UnsupportedAlgorithm):
        return "the key cannot be read", "permerror"
    if isinstance(key, RSAPublicKey):
        if key.key_size < LEAST_BITS:
            return f"the key has only {key.key_size} bits", "policy"
        if key.key_size > MOST_BITS or key.public_numbers().e.bit_length() > _MOST_EXPONENT:
            return "the key is too large", "policy"
    return PublicKey(key, "y" in flags, "s" in flags)


def _rsa(octets: bytes) -> RSAPublicKey:
    """SubjectPublicKeyInfo, as nearly all have it, or RSAPublicKey. ValueError"""
    try:
        key = load_der_public_key(octets)
    except ValueError:
        bits = _der(0x03, b"\0" + octets)
        key = load_der_public_key(_der(0x30, _RSA + bits))
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA key")
    return key


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
