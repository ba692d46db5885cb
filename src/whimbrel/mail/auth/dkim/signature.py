"""A DKIM-Signature field, taken apart; the ARC fields are of the same kind.

Standards: RFC 6376 3.5 (tags), 3.5 i= and 6.1.1 (what makes a signature unusable), 5.4 (h=), RFC 8301 3.1 (no SHA-1),
RFC 8463 3 (Ed25519), RFC 8616 4 (names in U-labels), RFC 8617 4.1.2 (ARC-Message-Signature)
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from whimbrel.mail.auth.dkim import canonical
from whimbrel.mail.auth.tags import TagError, packed, tags
from whimbrel.mail.structure.header import Field

MAX_NAMES: Final = 1000
"""Names in h=."""
ALGORITHMS: Final[Mapping[str, str]] = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
"""What is verified, and the kind of key it takes."""
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[^\s.;@]{1,63}(?:\.[^\s.;@]{1,63})*\Z")
_B: Final = re.compile(rb"((?:\A|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*", re.DOTALL)


class SignatureError(Exception):
    """The field cannot be used: `result` is the word for Authentication-Results. RFC 8601 2.7.1"""

    def __init__(self, reason: str, result: str = "neutral") -> None:
        super().__init__(reason)
        self.result = result


@dataclass(frozen=True, slots=True)
class Signature:
    """What a usable field says. Names in lower case."""

    field: bytes
    """As it stands in the message."""
    algorithm: str
    domain: str
    selector: str
    identity: str
    """i=, with its `@`."""
    names: tuple[bytes, ...]
    """h=: the fields that are signed, in lower case."""
    relaxed_header: bool
    relaxed_body: bool
    body_hash: bytes
    value: bytes
    """b="""
    signed: int | None = None
    """t="""
    expires: int | None = None
    """x="""
    length: int | None = None
    """l=, which nothing here obeys: whoever adds text behind what was signed must not borrow its proof. 8.2"""

    def signed_header(self, fields: "Fields") -> bytes:
        """What is hashed of the header."""
        parts = [canonical.field(raw, relaxed=self.relaxed_header) for raw in fields.chosen(self.names)]
        parts.append(canonical.field(without_value(self.field), relaxed=self.relaxed_header).removesuffix(b"\r\n"))
        return b"".join(parts)


class Fields:
    """The fields of a header, chosen from the last to the first. RFC 6376 5.4.2"""

    def __init__(self, fields: Iterable[Field]) -> None:
        self._by_name: dict[bytes, list[bytes]] = defaultdict(list)
        for each in fields:
            # What is hashed ends in CRLF, also where the message ended within its header.
            raw = each.raw if each.raw.endswith(b"\n") else each.raw + b"\r\n"
            self._by_name[each.name.lower()].append(raw)

    def named(self, name: bytes) -> Sequence[bytes]:
        return self._by_name.get(name, ())

    def chosen(self, names: Iterable[bytes]) -> Iterable[bytes]:
        """A name that stands there more often than there are fields chooses nothing."""
        left: dict[bytes, int] = {}
        for name in names:
            fields = self._by_name.get(name, ())
            at = left.get(name, len(fields)) - 1
            if at >= 0:
                left[name] = at
                yield fields[at]
            else:
                left[name] = 0


def without_value(raw: bytes) -> bytes:
    """The field with nothing behind b=. RFC 6376 3.7"""
    name, colon, value = raw.partition(b":")
    return name + colon + _B.sub(rb"\1", value, count=1)


def parse(raw: bytes, *, version: str = "1", demand: Iterable[str] = ("h", "bh")) -> tuple[Signature, dict[str, str]]:
    """A field with its CRLF, and all its tags. SignatureError"""
    try:
        given = tags(raw.partition(b":")[2].decode("ascii" if raw.isascii() else "utf-8"))
    except (TagError, UnicodeDecodeError) as error:
        raise SignatureError(f"the signature cannot be read: {error}") from None
    if version and given.get("v") != version:
        raise SignatureError("the signature has no version that is known")
    for tag in ("a", "b", "d", "s", *demand):
        if not given.get(tag):
            raise SignatureError(f"the signature lacks {tag}=")
    algorithm, domain, selector = given["a"].lower(), given["d"].lower(), given["s"].lower()
    if algorithm not in ALGORITHMS:  # RFC 8301 3.1
        raise SignatureError(f"the algorithm {_word(algorithm)} is not accepted", "policy")
    if not (_NAME.match(domain) and _NAME.match(selector)):
        raise SignatureError("d= or s= is no name")
    names = tuple(name.strip().lower().encode() for name in given.get("h", "").split(":", MAX_NAMES))
    if len(names) >= MAX_NAMES:
        raise SignatureError("the signature names too many fields", "policy")
    relaxed_header, relaxed_body = _forms(given.get("c", "simple/simple"))
    made = Signature(
        raw, algorithm, domain, selector, _identity(given.get("i", ""), domain) if version else f"@{domain}", names,
        relaxed_header, relaxed_body, _octets(given.get("bh", "")), _octets(given["b"]),
        _number(given, "t"), _number(given, "x"), _number(given, "l"),
    )  # fmt: skip
    return made, given


def _forms(text: str) -> tuple[bool, bool]:
    header, _, body = packed(text).lower().partition("/")
    body = body or "simple"
    if not {header, body} <= {"simple", "relaxed"}:
        raise SignatureError("c= is not known")
    return header == "relaxed", body == "relaxed"


def _identity(text: str, domain: str) -> str:
    if not text:
        return f"@{domain}"
    _, at, name = text.rpartition("@")
    name = name.lower()
    if not at or not (name == domain or name.endswith(f".{domain}")):
        raise SignatureError("i= is not within d=")
    return f"@{name}"


def _number(given: Mapping[str, str], tag: str) -> int | None:
    text = given.get(tag)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 76):
        raise SignatureError(f"{tag}= is no number")
    return int(text)


def _octets(text: str) -> bytes:
    try:
        return b64decode(packed(text), validate=True)
    except (Base64Error, ValueError):
        raise SignatureError("the signature is not base64") from None


def _word(text: str) -> str:
    return "".join(letter for letter in text[:40] if letter.isascii() and (letter.isalnum() or letter in "-_"))
