"""An SPF record as its terms.

`parse` checks the syntax of the whole record before anything of it is evaluated, as 4.6 demands: a mistake in the last
term makes the record unusable, whatever the first one says.

Standards: RFC 7208 3, 4.5 (selecting records), 4.6 (evaluation), 5 (mechanisms), 6 (modifiers), 7.1 (macros), 12 (ABNF)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, Literal

Qualifier = Literal["pass", "fail", "softfail", "neutral"]
_QUALIFIERS: Final[dict[str, Qualifier]] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_EXPAND: Final = r"%(?:\{[slodiphcrtv]\d*r?[.\-+,/_=]*\}|[%_-])"
_LITERAL: Final = r"[!-$&-~]"
_MACRO_STRING: Final = re.compile(rf"(?:{_EXPAND}|{_LITERAL})*\Z", re.IGNORECASE)
_LABEL: Final = r"(?:[a-z0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])"
_DOMAIN_END: Final = re.compile(rf"(?:\.{_LABEL}\.?|%\{{[slodiphcrtv]\d*r?[.\-+,/_=]*\}})\Z", re.IGNORECASE)
_ZERO: Final = re.compile(r"%\{[a-z]0+[r.\-+,/_=}]", re.IGNORECASE)
_ONLY_EXP: Final = re.compile(r"%\{[crt]", re.IGNORECASE)
_MODIFIER: Final = re.compile(r"([a-z][a-z0-9._-]*)=(.*)\Z", re.IGNORECASE | re.DOTALL)
_MECHANISM: Final = re.compile(r"([+\-?~]?)([a-z][a-z0-9._-]*)(.*)\Z", re.IGNORECASE | re.DOTALL)
_CIDRS: Final = re.compile(r"(.*?)(?:/(0|[1-9]\d?))?(?://(0|[1-9]\d{0,2}))?\Z", re.DOTALL)
_NETWORK: Final = re.compile(r"([^/]+)(?:/(0|[1-9]\d{0,2}))?\Z")
_VERSION: Final = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
LONGEST: Final = 65_535
"""Characters of a record: no answer of the name system is larger."""


class PermError(Exception):
    """The record cannot be used, by a mistake that only its owner can mend. RFC 7208 2.6.7"""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """`name` in lower case; `domain` is a domain-spec with its macros, empty for the domain that is checked."""

    qualifier: Qualifier
    name: str
    domain: str = ""
    cidr4: int = 32
    cidr6: int = 128
    network: IPv4Address | IPv6Address | None = None
    """Of ip4 and ip6."""

    def __str__(self) -> str:
        """As it would stand in a record; for people."""
        domain = f":{self.network or self.domain}" if self.network or self.domain else ""
        return f"{self.name}{domain}"


@dataclass(frozen=True, slots=True)
class Record:
    mechanisms: tuple[Mechanism, ...] = ()
    redirect: str | None = None
    """A domain-spec."""
    exp: str | None = None
    """A domain-spec."""


def selected(texts: Sequence[str]) -> str | None:
    """The SPF record among the TXT records of a name; None if there is none. PermError: there are several. 4.5"""
    records = [text for text in texts if _VERSION.match(text)]
    if len(records) > 1:
        raise PermError("there are several SPF records")
    return records[0] if records else None


def parse(text: str) -> Record:
    """PermError"""
    if len(text) > LONGEST:
        raise PermError("the record is too long")
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in text.split(" ")[1:]:
        if not term:
            continue
        modifier = _MODIFIER.match(term)
        if modifier is None:
            mechanisms.append(_mechanism(term))
            continue
        name, value = modifier[1].lower(), modifier[2]
        if name in ("redirect", "exp"):
            if name in modifiers:
                raise PermError(f"{name}= stands there twice")
            modifiers[name] = _domain_spec(value, term)
        elif not macro_string(value):
            raise PermError(f"'{_shown(term)}' is not a modifier")
    return Record(tuple(mechanisms), modifiers.get("redirect"), modifiers.get("exp"))


def macro_string(text: str) -> bool:
    """Whether it can be expanded."""
    return _MACRO_STRING.match(text) is not None and _ZERO.search(text) is None


def _mechanism(term: str) -> Mechanism:
    match = _MECHANISM.match(term)
    if match is None:
        raise PermError(f"'{_shown(term)}' is not a term")
    qualifier, name, rest = _QUALIFIERS[match[1] or "+"], match[2].lower(), match[3]
    if name == "all" and not rest:
        return Mechanism(qualifier, name)
    if name in ("include", "exists") and rest.startswith(":"):
        return Mechanism(qualifier, name, _domain_spec(rest[1:], term))
    if name in ("a", "mx"):
        cidrs = _CIDRS.match(rest)
        assert cidrs is not None  # It matches everything.
        cidr4, cidr6 = int(cidrs[2] or 32), int(cidrs[3] or 128)
        if cidr4 > 32 or cidr6 > 128:
            raise PermError(f"'{_shown(term)}' has too long a prefix")
        return Mechanism(qualifier, name, _optional(cidrs[1], term), cidr4, cidr6)
    if name == "ptr":
        return Mechanism(qualifier, name, _optional(rest, term))
    if name in ("ip4", "ip6") and rest.startswith(":"):
        return _network(qualifier, name, rest[1:], term)
    raise PermError(f"'{_shown(term)}' is not a mechanism")


def _network(qualifier: Qualifier, name: str, text: str, term: str) -> Mechanism:
    match = _NETWORK.match(text)
    if match is None:
        raise PermError(f"'{_shown(term)}' is not a network")
    most = 32 if name == "ip4" else 128
    cidr = int(match[2] or most)
    try:
        if "%" in match[1] or cidr > most:  # A zone of an interface is no address.
            raise AddressValueError
        network = IPv4Address(match[1]) if name == "ip4" else IPv6Address(match[1])
    except AddressValueError:
        raise PermError(f"'{_shown(term)}' is not a network") from None
    return Mechanism(qualifier, name, "", cidr, cidr, network)


def _optional(text: str, term: str) -> str:
    """`:` and a domain-spec, or nothing."""
    if not text:
        return ""
    if not text.startswith(":"):
        raise PermError(f"'{_shown(term)}' is not a mechanism")
    return _domain_spec(text[1:], term)


def _domain_spec(text: str, term: str) -> str:
    if not macro_string(text) or _ONLY_EXP.search(text) or _DOMAIN_END.search(text) is None:
        raise PermError(f"'{_shown(term)}' names no domain")
    return text


def _shown(term: str) -> str:
    """What stands in a DNS record may be anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in term[:80])
