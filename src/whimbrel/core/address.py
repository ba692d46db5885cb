"""Mail addresses and domains as values that cannot be built wrong.

Standards: RFC 5321 4.1.2 (Mailbox, Domain, address literals), 4.5.3.1 (sizes), RFC 6531 3.3 (UTF-8), 3.7.1 (names)
"""

import ipaddress
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from whimbrel.core.idna_names import to_ascii
from whimbrel.core.values import text_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-"
_DOT_STRING = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*\Z")
_DOTS_ANYWHERE = re.compile(rf"(?=[^@]*[^.@])[{_ATEXT}.]+\Z")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"\Z')
_MAX_LOCAL, _MAX_DOMAIN = 64, 255


class Domain(str):
    """A domain name in lower case, internationalised labels as A-labels. Raises ValueError for anything else."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Domain":
        if isinstance(text, Domain):
            return text
        return str.__new__(cls, _domain(text))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        return text_schema(cls, "host")


@lru_cache(4096)
def _domain(text: str) -> str:
    name = text.removesuffix(".")
    try:
        name = name.lower() if name.isascii() else to_ascii(name).removesuffix(".")
    except ValueError as error:
        raise ValueError(f"'{text}' is not a domain name: {error}") from None
    if not name or len(name) > _MAX_DOMAIN or not all(_LABEL.match(label) for label in name.split(".")):
        raise ValueError(f"'{text}' is not a domain name, such as example.org")
    return name


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox, `local@domain`. `local` is unquoted text; `domain` a Domain, or an address literal in brackets."""

    local: str
    domain: str
    key: str = field(init=False, compare=False, repr=False)
    """The address folded for look-ups: our mailboxes ignore case (RFC 5321 2.4 leaves that to the receiving host)."""
    _text: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.local or len(self.local.encode()) > _MAX_LOCAL:
            raise ValueError("the part before @ has 1 to 64 octets")
        if any(ord(char) < 32 or ord(char) == 127 for char in self.local):
            raise ValueError("control characters are not allowed in an address")
        if not self.domain.startswith("["):
            object.__setattr__(self, "domain", Domain(self.domain))
        object.__setattr__(self, "key", f"{self.local.casefold()}@{self.domain}")
        object.__setattr__(self, "_text", f"{_quoted(self.local)}@{self.domain}")

    @classmethod
    def parse(cls, text: str) -> "Address":
        """`text` in SMTP form, quoted local part or not, without angle brackets; ValueError says what is wrong."""
        return _parse(text)

    def __str__(self) -> str:
        """In SMTP form, quoted where it must be."""
        return self._text

    @property
    def ascii(self) -> bool:
        """Can be sent to a server without SMTPUTF8. RFC 6531"""
        return self.local.isascii()


def _quoted(local: str) -> str:
    if _DOT_STRING.match(local):
        return local
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@lru_cache(8192)
def _parse(text: str) -> Address:
    local, at, domain = text.rpartition("@")
    if not at:
        raise ValueError(f"'{text}' has no @")
    if domain.startswith("["):
        domain = _literal(domain)
    if _QUOTED.match(local):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    elif not _DOT_STRING.match(local) and not _DOTS_ANYWHERE.match(local):
        # Quirk (docomo, au): `ab..cd.@docomo.example` are addresses of phones in Japan. What we send on is quoted, as
        # the grammar has it, and it is one address with the quoted form.
        raise ValueError(f"'{local}' cannot stand before @ unquoted")
    return Address(local, domain)


def _literal(text: str) -> str:
    """RFC 5321 4.1.3"""
    if not text.endswith("]"):
        raise ValueError("an address literal ends with ]")
    inside = text[1:-1]
    try:
        if inside[:5].lower() == "ipv6:":
            return f"[IPv6:{ipaddress.IPv6Address(inside[5:])}]"
        return f"[{ipaddress.IPv4Address(inside)}]"
    except ValueError:
        raise ValueError(f"'{text}' is not an address literal") from None


@lru_cache(1024)
def folded(pattern: str) -> str:
    """An address, a domain or `*.domain` as an administrator wrote it, to be compared with keys and with Domains."""
    star = "*." if pattern.startswith("*.") else ""
    try:
        return as_written(pattern).key if "@" in pattern else star + Domain(pattern.removeprefix(star))
    except ValueError:
        return pattern.casefold()


def as_written(text: str) -> Address:
    """An address as a person writes it: quotes may be missing where SMTP needs them. ValueError"""
    try:
        return Address.parse(text)
    except ValueError:
        local, _, domain = text.rpartition("@")
        if domain.startswith("[") or any(mark in local for mark in '"\\<>'):
            raise
        return Address(local, domain)


def unquoted(name: str) -> str:
    """`name@domain` with its local part as text: `"ann"@x` is `ann@x`. What is no address stays as it is."""
    if not name.startswith('"'):
        return name
    try:
        address = Address.parse(name)
    except ValueError:
        return name
    return f"{address.local}@{address.domain}"


def as_recorded(text: str) -> str:
    """(Part of) an address as a person looks for it, in the form that queue and logs have: its domain in A-labels.
    What has no `@` is taken for a domain if it has a dot."""
    local, at, domain = text.rpartition("@")
    if domain and local and not _DOT_STRING.match(local):  # Quoted, or in need of it: one address in all spellings.
        try:
            return str(as_written(text))
        except ValueError:
            return text
    if domain.isascii() or not (at or "." in domain):
        return text
    try:
        return f"{local}{at}{Domain(domain)}"
    except ValueError:
        return text


ReversePath = Address | None
"""The envelope sender; None is the null reverse-path `<>` of reports. RFC 5321 4.5.5"""


def path_text(path: ReversePath) -> str:
    """`<a@b>` or `<>`, as in MAIL FROM and in logs."""
    return f"<{path}>" if path else "<>"
