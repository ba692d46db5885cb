"""Validates the chain of ARC seals: what servers on the way saw of a message before they changed it.

A valid chain says who handled the message, not that they are honest: it counts only for sealers that an administrator
trusts. Each set is an ARC-Authentication-Results, an ARC-Message-Signature and an ARC-Seal with the same i=; the newest
message signature covers the message as it came here, each seal covers all sets before it.

Standards: RFC 8617 4.1 (the fields), 4.2.1 (at most 50 sets), 5.1.1 (how seals are computed), 5.2 (validation)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from whimbrel.core.net import Resolver
from whimbrel.mail.auth.dkim import canonical
from whimbrel.mail.auth.dkim.canonical import BodyHash
from whimbrel.mail.auth.dkim.keys import published
from whimbrel.mail.auth.dkim.signature import Fields, Signature, SignatureError, parse, without_value
from whimbrel.mail.structure.header import Field, fields

MAX_SETS: Final = 50
"""4.2.1"""
MOST_VERIFIED: Final = 15
"""Sets of a chain that is verified: longer ones cost more than they say."""
_RESULTS, _SIGNATURE, _SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
_INSTANCE: Final = re.compile(rb"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*(\d{1,2})[ \t\r\n]*;")


@dataclass(frozen=True, slots=True)
class Chain:
    """`none`: there is none; `pass`; `fail`; `temperror`: a key was not to be had."""

    result: str
    reason: str = ""
    sealers: tuple[str, ...] = ()
    """d= of the seals, the newest first; of a valid chain only."""
    results: bytes = b""
    """What the newest set says the methods had found: the value of its ARC-Authentication-Results, without i=."""


@dataclass(frozen=True, slots=True)
class _Set:
    results: bytes
    signature: bytes
    seal: bytes


class ArcVerifier:
    """Of one message: made of its header, `feed` the body if it `wants_body`, then `chain`."""

    def __init__(self, header: bytes) -> None:
        listed = fields(header)
        self._fields = Fields(listed)
        self._sets: list[_Set] = []
        self._newest: Signature | None = None
        self._body: BodyHash | None = None
        self._early: Chain | None = None
        try:
            self._sets = _sets(listed)
            if self._sets:
                self._newest = self._message_signature()
                self._body = BodyHash(relaxed=self._newest.relaxed_body)
        except SignatureError as error:
            self._early = Chain("fail", str(error))

    @property
    def wants_body(self) -> bool:
        return self._body is not None

    def feed(self, piece: bytes) -> None:
        if self._body is not None:
            self._body.feed(piece)

    async def chain(self, resolver: Resolver) -> Chain:
        if self._early is not None:
            return self._early
        if not self._sets or self._newest is None or self._body is None:
            return Chain("none")
        try:
            if self._body.digest() != self._newest.body_hash:
                raise SignatureError("the body was changed after the last seal", "fail")
            signed = sha256(self._newest.signed_header(self._fields)).digest()
            if not (await published(resolver, self._newest)).verifies(self._newest.value, signed):
                raise SignatureError("the newest message signature does not hold", "fail")
            sealers = [await self._seal(number, resolver) for number in range(len(self._sets), 0, -1)]
        except SignatureError as error:
            return Chain("temperror" if error.result == "temperror" else "fail", str(error))
        value = self._sets[-1].results.partition(b":")[2]
        return Chain("pass", "", tuple(sealers), _INSTANCE.sub(b"", value, count=1).strip())

    def _message_signature(self) -> Signature:
        signature, _ = parse(self._sets[-1].signature, version="")
        if b"from" not in signature.names or b"arc-seal" in signature.names:  # 4.1.2
            raise SignatureError("the newest message signature covers the wrong fields")
        return signature

    async def _seal(self, number: int, resolver: Resolver) -> str:
        """The domain of a seal that holds. SignatureError. 5.1.1: over all sets up to its own, by their order."""
        seal, given = parse(self._sets[number - 1].seal, version="", demand=("cv",))
        wanted = "none" if number == 1 else "pass"
        if given["cv"].lower() != wanted or "h" in given:
            raise SignatureError(f"seal {number} says of the chain before it: {given['cv'][:10]}", "fail")
        parts: list[bytes] = []
        for at, each in enumerate(self._sets[:number], 1):
            parts += [canonical.field(each.results, relaxed=True), canonical.field(each.signature, relaxed=True)]
            if at < number:
                parts.append(canonical.field(each.seal, relaxed=True))
        own = canonical.field(without_value(self._sets[number - 1].seal), relaxed=True).removesuffix(b"\r\n")
        digest = sha256(b"".join((*parts, own))).digest()
        if not (await published(resolver, seal)).verifies(seal.value, digest):
            raise SignatureError(f"seal {number} does not hold", "fail")
        return seal.domain


def _sets(listed: Sequence[Field]) -> list[_Set]:
    """By their numbers. SignatureError: they are not one unbroken chain."""
    kinds: dict[bytes, dict[int, bytes]] = {_RESULTS: {}, _SIGNATURE: {}, _SEAL: {}}
    for each in listed:
        of_kind = kinds.get(each.name.lower())
        if of_kind is None:
            continue
        match = _INSTANCE.match(each.raw.partition(b":")[2]) or _inside(each.raw)
        number = int(match[1]) if match else 0
        if not 1 <= number <= MAX_SETS or number in of_kind:
            raise SignatureError("the numbers of the ARC sets are not right")
        of_kind[number] = each.raw if each.raw.endswith(b"\n") else each.raw + b"\r\n"
    count = len(kinds[_SEAL])
    if any(sorted(of_kind) != list(range(1, count + 1)) for of_kind in kinds.values()):
        raise SignatureError("an ARC set is not whole")
    if count > MOST_VERIFIED:
        raise SignatureError(f"the chain has more than {MOST_VERIFIED} sets")
    return [_Set(kinds[_RESULTS][n], kinds[_SIGNATURE][n], kinds[_SEAL][n]) for n in range(1, count + 1)]


def _inside(raw: bytes) -> re.Match[bytes] | None:
    """i= need not be the first tag of a seal or signature."""
    return re.search(rb"[:;][ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*(\d{1,2})[ \t\r\n]*(?:;|\Z)", raw.rstrip(b"\r\n"))
