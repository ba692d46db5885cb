"""Signs a message that passes by, with one key or several.

What is signed survives what servers on the way may do: fields that are added (Sender, List-*, Received, another
Subject in front of none) break nothing, since no absent field is signed but a second From, which is what forgers add.
There is no l=.

Standards: RFC 6376 3.5, 3.7, 5.4 (which fields), 5.4.2 (over-signing), RFC 8301 3, RFC 8463 3, 5 (two signatures),
RFC 8058 4 (List-Unsubscribe is signed)
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from whimbrel.core.signing import SigningKey as Key
from whimbrel.mail.auth.dkim import canonical
from whimbrel.mail.auth.dkim.canonical import BodyHash
from whimbrel.mail.auth.dkim.signature import Fields
from whimbrel.mail.structure.header import fields

SIGNED: Final = (
    b"from", b"reply-to", b"subject", b"date", b"to", b"cc", b"message-id", b"in-reply-to", b"references",
    b"mime-version", b"content-type", b"content-transfer-encoding", b"list-unsubscribe", b"list-unsubscribe-post",
)  # fmt: skip
"""Fields that are signed as often as they stand there; From once more."""
MAX_HEADER: Final = 1 << 20
_WIDTH: Final = 72
_PADDING: Final = PKCS1v15()
_PREHASHED: Final = Prehashed(SHA256())


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of ours and where its public half is published."""

    domain: str
    """In A-labels."""
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey

    @property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"

    def sign(self, digest: bytes) -> bytes:
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(digest, _PADDING, _PREHASHED)
        return self.key.sign(digest)


class Signing:
    """`feed` the whole message in pieces of any size, then `fields`."""

    def __init__(self) -> None:
        self._head = b""
        self._complete = self._too_long = False
        self._body = BodyHash(relaxed=True)

    def feed(self, piece: bytes) -> None:
        if self._complete:
            self._body.feed(piece)
            return
        if self._too_long:
            return
        head = self._head + piece
        # The empty line may have begun before.
        end = 0 if head.startswith(b"\r\n") else head.find(b"\r\n\r\n", max(0, len(self._head) - 3)) + 2
        if end == 1:
            self._head, self._too_long = head, len(head) > MAX_HEADER
            return
        self._head, self._complete = head[:end], True
        if len(head) > end + 2:
            self._body.feed(head[end + 2 :])

    def fields(self, keys: Sequence[Key], now: float) -> bytes:
        """DKIM-Signature fields for the front of the message, one for each key; none if it has no From, or a header
        that nobody reads."""
        listed = Fields(fields(self._head))
        if not keys or self._too_long or not listed.named(b"from"):
            return b""
        names = [name for name in SIGNED for _ in listed.named(name)]
        names.insert(0, b"from")
        signed = b"".join(canonical.field(raw, relaxed=True) for raw in listed.chosen(names))
        body = b64encode(self._body.digest()).decode()
        h = ":".join(name.decode() for name in names)
        return b"".join(_field(key, h, body, signed, int(now)) for key in keys)


def leading(head: bytes) -> int:
    """Octets of the DKIM-Signature fields with which a message begins."""
    at = 0
    for each in fields(head):
        if each.name.lower() != b"dkim-signature":
            break
        at += len(each.raw)
    return at


def _field(key: Key, h: str, body: str, signed: bytes, now: int) -> bytes:
    parts = (f"v=1; a={key.algorithm}; c=relaxed/relaxed;", f"d={key.domain}; s={key.selector}; t={now};")
    text = "DKIM-Signature: " + "\r\n\t".join((*parts, *_folded(f"h={h};", ":"), f"bh={body};")) + "\r\n\tb="
    raw = text.encode()
    digest = sha256(signed + canonical.field(raw + b"\r\n", relaxed=True).removesuffix(b"\r\n")).digest()
    return raw + "\r\n\t ".join(_cut(b64encode(key.sign(digest)).decode())).encode() + b"\r\n"


def _folded(text: str, at: str) -> list[str]:
    """In lines, broken behind `at`. White space there means nothing. RFC 6376 3.5 h="""
    lines, line = [], ""
    for part in text.replace(at, f"{at} ").split(" "):
        if line and len(line) + len(part) > _WIDTH:
            lines.append(line)
            line = ""
        line += part
    return [*lines, line]


def _cut(text: str) -> list[str]:
    return [text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH)]
