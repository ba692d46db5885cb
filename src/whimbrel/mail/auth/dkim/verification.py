"""Verifies the DKIM signatures of a message.

    verifier = Verifier(header, now=clock.now())
    if verifier.wants_body:
        for piece in body: verifier.feed(piece)
    results = await verifier.results(resolver)

The body is hashed once for each form that a signature uses, however many there are.

Standards: RFC 6376 3.9, 6.1 (verifying), 8.2 (l= is ignored), 8.15 (fields that may stand there once), RFC 8301,
RFC 8463, RFC 8601 2.7.1 (results)
"""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from whimbrel.core.net import Resolver
from whimbrel.mail.auth.dkim.canonical import BodyHash
from whimbrel.mail.auth.dkim.keys import published
from whimbrel.mail.auth.dkim.signature import Fields, Signature, SignatureError, parse
from whimbrel.mail.structure.header import Field, fields

MAX_SIGNATURES: Final = 8
"""Of one message that are verified; each costs look-ups and arithmetic."""
FUTURE: Final = 300
"""Seconds by which the clock of a signer may be ahead."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of one signature."""

    result: str
    """pass, fail, policy, neutral, temperror, permerror. RFC 8601 2.7.1"""
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    identity: str = ""
    reason: str = ""
    """Why it is not `pass`."""
    testing: bool = False
    bits: int = 0
    value: str = ""
    """The first letters of b=, by which Authentication-Results tells signatures apart. RFC 6008 4"""
    names: frozenset[bytes] = frozenset()
    """Fields that it covers."""


class Verifier:
    """Of one message."""

    def __init__(self, header: bytes, *, now: float, prefer: str = "", most: int = MAX_SIGNATURES) -> None:
        """`header` is the header section. Signatures of the domain `prefer`, and of those above it, are looked at
        first: padding a message with signatures of others hides none of them."""
        listed = fields(header)
        self._fields, self._now = Fields(listed), now
        self._usable: list[tuple[int, Signature]] = []
        self._unusable: list[tuple[int, Verified]] = []
        raws = [each.raw for each in listed if each.name.lower() == b"dkim-signature"]
        self.count = len(raws)
        """Signatures in the message."""
        if len(raws) > most:
            raws = sorted(raws, key=lambda raw: not _of(raw, prefer))[:most]
        for place, raw in enumerate(raws):
            self._add(place, raw)
        self._hashes = {signature.relaxed_body: BodyHash(relaxed=signature.relaxed_body)
                        for _, signature in self._usable}  # fmt: skip

    @property
    def wants_body(self) -> bool:
        return bool(self._hashes)

    def feed(self, piece: bytes) -> None:
        """The body, behind the empty line."""
        for form in self._hashes.values():
            form.feed(piece)

    async def results(self, resolver: Resolver) -> list[Verified]:
        """In the order of the fields."""
        digests = {relaxed: form.digest() for relaxed, form in self._hashes.items()}
        made = list(self._unusable)
        for place, signature in self._usable:
            made.append((place, await self._verified(signature, digests[signature.relaxed_body], resolver)))
        return [verified for _, verified in sorted(made, key=lambda pair: pair[0])]

    def _add(self, place: int, raw: bytes) -> None:
        try:
            signature, given = parse(raw if raw.endswith(b"\n") else raw + b"\r\n")
            self._check(signature, given.get("q", "dns/txt"))
        except SignatureError as error:
            self._unusable.append((place, Verified(error.result, reason=str(error))))
            return
        self._usable.append((place, signature))

    def _check(self, signature: Signature, queries: str) -> None:
        """What can be said without the body."""
        if b"from" not in signature.names:  # 5.4
            raise SignatureError("From is not signed", "permerror")
        if "dns/txt" not in [query.strip().lower() for query in queries.split(":")]:
            raise SignatureError("its key is not in the name system")
        if signature.expires is not None:
            if signature.signed is not None and signature.expires <= signature.signed:
                raise SignatureError("it expires before it was made")
            if signature.expires < self._now:
                raise SignatureError("it has expired", "fail")
        if signature.signed is not None and signature.signed > self._now + FUTURE:
            raise SignatureError("it was made in the future", "policy")

    async def _verified(self, signature: Signature, digest: bytes, resolver: Resolver) -> Verified:
        result, reason, testing, bits = "pass", "", False, 0
        try:
            key = await published(resolver, signature)
            testing, bits = key.testing, key.bits
            if key.exact and signature.identity != f"@{signature.domain}":
                raise SignatureError("the key is not for domains below its own", "permerror")
            if digest != signature.body_hash:
                raise SignatureError("the body was changed", "fail")
            if not key.verifies(signature.value, sha256(signature.signed_header(self._fields)).digest()):
                raise SignatureError("the header was changed, or it was signed with another key", "fail")
        except SignatureError as error:
            result, reason = error.result, str(error)
        if testing and result != "temperror":  # 3.6.1: as if it was not there.
            result, reason = "neutral", reason or "its domain tries signing out"
        return Verified(
            result, signature.domain, signature.selector, signature.algorithm, signature.identity, reason, testing,
            bits, _letters(signature), frozenset(signature.names),
        )  # fmt: skip


def signed(listed: Iterable[Field]) -> bool:
    """Whether there is any signature."""
    return any(each.name.lower() == b"dkim-signature" for each in listed)


def _letters(signature: Signature) -> str:
    return b64encode(signature.value[:9]).decode()[:8]


def _of(raw: bytes, domain: str) -> bool:
    """Whether it may be a signature of this domain, or of one above it."""
    if not domain:
        return False
    try:
        signature, _ = parse(raw if raw.endswith(b"\n") else raw + b"\r\n")
    except SignatureError:
        return False
    return domain == signature.domain or domain.endswith(f".{signature.domain}")
