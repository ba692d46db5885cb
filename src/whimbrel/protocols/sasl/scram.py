"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server side.

Not in the table of mechanisms: imported accounts have no keys until their first sign-in, and SCRAM must not be offered
while accounts lack keys.

Standards: RFC 5802 (messages, 5.1 attributes, 6 channel binding), RFC 7677 (SHA-256), RFC 5929, RFC 9266 (bindings)
RFC 5802 7 server-error: not done, the protocols around it say what failed.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from whimbrel.core.credentials.scram import SCRAM_SHA_256, ScramKeys
from whimbrel.protocols.sasl.exchange import (
    MAX_NAME,
    MAX_RESPONSE,
    Channel,
    Exchange,
    Form,
    Mechanism,
    Rejected,
    SaslError,
    Success,
    ask,
    keys,
    read_name,
)

MAX_NONCE: Final = 256
BINDINGS: Final = frozenset({"tls-exporter", "tls-server-end-point", "tls-unique"})


@dataclass(frozen=True, slots=True)
class _First:
    """The client's first message. RFC 5802 7 client-first-message"""

    header: bytes
    """The GS2 header, repeated in the client-final-message."""
    binding: str
    """`n`, `y`, or the type of the channel binding after `p=`."""
    authzid: str
    bare: bytes
    name: str
    nonce: bytes


def _server(initial: bytes | None, channel: Channel, plus: bool) -> Exchange:
    # An empty initial response counts as none: in SCRAM the client speaks first. RFC 4422 3.3
    first = _read_first(initial if initial else (yield from ask(b"")))
    if plus is not (first.binding in BINDINGS):
        raise SaslError("a channel binding goes with -PLUS, and only with it")
    if first.binding == "y" and f"{SCRAM_SHA_256}-PLUS" in channel.offered():
        raise Rejected("the client was not shown -PLUS, though it was offered")  # RFC 5802 6: an attacker removed it.
    binding = channel.binding(first.binding) if plus else b""
    stored = ScramKeys.read((yield from keys(first.name, SCRAM_SHA_256)).reveal())
    nonce = first.nonce + channel.nonce().encode("ascii")
    salt = base64.b64encode(stored.salt)
    challenge = b"r=%b,s=%b,i=%d" % (nonce, salt, stored.iterations)
    final = yield from ask(challenge)
    without_proof, mark, proof = final.rpartition(b",p=")
    attributes = without_proof.split(b",")
    if not mark or len(attributes) < 2 or attributes[0][:2] != b"c=" or attributes[1][:2] != b"r=":
        raise SaslError("a client-final-message has c=, r= and p=")
    if any(part[:2] == b"m=" for part in attributes):
        raise SaslError("mandatory extensions are not known here")
    signature = _octets(proof)
    if binding is None or not hmac.compare_digest(_octets(attributes[0][2:]), first.header + binding):
        raise Rejected("the channel binding is of another connection")
    if not hmac.compare_digest(attributes[1][2:], nonce):
        raise Rejected("the nonce is not the one of this exchange")
    message = b"%b,%b,%b" % (first.bare, challenge, without_proof)
    expected = hmac.digest(stored.stored_key, message, "sha256")
    if len(signature) != len(expected):
        raise Rejected("wrong proof")
    key = bytes(left ^ right for left, right in zip(signature, expected, strict=True))
    if not hmac.compare_digest(hashlib.sha256(key).digest(), stored.stored_key):
        raise Rejected("wrong proof")
    verifier = base64.b64encode(hmac.digest(stored.server_key, message, "sha256"))
    return Success(first.name, first.authzid, b"v=" + verifier)


def _read_first(message: bytes) -> _First:
    """RFC 5802 7: gs2-cbind-flag "," [a=authzid] "," n=name "," r=nonce [extensions]"""
    parts = message.split(b",", 4) if len(message) <= MAX_RESPONSE else []
    if len(parts) < 4:
        raise SaslError("a client-first-message has a header, n= and r=")
    flag, authzid, name, nonce = parts[:4]
    if name[:2] == b"m=":
        raise SaslError("mandatory extensions are not known here")
    if name[:2] != b"n=" or nonce[:2] != b"r=" or (authzid and authzid[:2] != b"a="):
        raise SaslError("a client-first-message has a header, n= and r=")
    if flag not in (b"n", b"y") and flag[:2] != b"p=":
        raise SaslError("the channel binding flag is n, y or p=")
    binding = flag.decode("ascii", "replace") if flag in (b"n", b"y") else flag[2:].decode("ascii", "replace")
    if flag[:2] == b"p=" and binding not in BINDINGS:
        raise SaslError("this channel binding is not known here")
    if not 1 <= len(nonce) - 2 <= MAX_NONCE or not all(0x21 <= octet <= 0x7E for octet in nonce[2:]):
        raise SaslError("a nonce has 1 to 256 printable characters")
    return _First(
        flag + b"," + authzid + b",", binding, _name(authzid[2:]) if authzid else "", b",".join(parts[2:]),
        _name(name[2:]), nonce[2:],
    )  # fmt: skip


def _name(text: bytes) -> str:
    """RFC 5802 5.1 saslname: `=2C` is a comma, `=3D` an equals sign, and no other `=`."""
    if len(text) > 3 * MAX_NAME or text.count(b"=") != text.count(b"=2C") + text.count(b"=3D"):
        raise SaslError("a name writes = as =3D and , as =2C")
    return read_name(text.replace(b"=2C", b",").replace(b"=3D", b"="))


def _octets(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SaslError("not base64") from None


SCRAM: Final = Mechanism(
    SCRAM_SHA_256,
    Form.KEYS,
    lambda initial, channel: _server(initial, channel, plus=False),
    scheme=SCRAM_SHA_256,
)
SCRAM_PLUS: Final = Mechanism(
    f"{SCRAM_SHA_256}-PLUS",
    Form.KEYS,
    lambda initial, channel: _server(initial, channel, plus=True),
    scheme=SCRAM_SHA_256,
    binds=True,
)
