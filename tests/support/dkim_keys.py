"""Keys to sign with in tests, and their records. Made once: RSA takes its time."""

from base64 import b64encode
from collections.abc import Sequence
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from whimbrel.core.errors import MailError
from whimbrel.mail.auth.dkim.signing import SigningKey


@cache
def rsa(bits: int = 2048) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


@cache
def ed25519() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def rsa_key(domain: str = "example.test", selector: str = "r", bits: int = 2048) -> SigningKey:
    return SigningKey(domain, selector, rsa(bits))


def ed_key(domain: str = "example.test", selector: str = "e") -> SigningKey:
    return SigningKey(domain, selector, ed25519())


def record(key: SigningKey, more: str = "") -> str:
    """Its public half, as it is published."""
    if isinstance(key.key, RSAPrivateKey):
        octets = key.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; {more}p={b64encode(octets).decode()}"
    octets = key.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; {more}p={b64encode(octets).decode()}"


def name(key: SigningKey) -> str:
    return f"{key.selector}._domainkey.{key.domain}"


def pem(key: SigningKey) -> bytes:
    """For dkimpy and OpenDKIM."""
    return key.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


class Keys:
    """The port SigningKeys: RSA and Ed25519 for some domains."""

    def __init__(self, *domains: str, failure: MailError | None = None) -> None:
        self.domains, self.failure = domains, failure

    async def signing(self, domain: str) -> Sequence[SigningKey]:
        if self.failure is not None:
            raise self.failure
        return (rsa_key(domain), ed_key(domain)) if domain in self.domains else ()
