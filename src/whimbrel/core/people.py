"""The parts of users, aliases, groups and domains that the directory itself stands on, and what a name may be.

Names are safe as names of folders, because mail is kept under them: `mail/<domain>/<user>/`.
An address without @ means the same domain.

Standards: RFC 5321 4.1.2 (Local-part), 4.5.3.1.1 (64 octets), RFC 6531 3.3 (UTF-8), RFC 8264 (NFC)
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from whimbrel.core.address import Address, Domain
from whimbrel.core.directory import Rights
from whimbrel.core.record import ChangedBy, Part, value
from whimbrel.core.rights import Grant
from whimbrel.core.values import Secret

_MAX_LOCAL: Final = 64
_RESERVED: Final = frozenset('/\\@:"<>|')
"""Separators of paths and what Windows keeps for itself."""

_OURS: Final = "$argon2id$"
"""What the server makes itself, nearly all of a large file: not looked at further; what is no verifier fits nothing."""
_SIMPLE: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")


def _local(text: str, what: str) -> str:
    text = text.strip()
    if not text or len(text.encode("utf-8", "replace")) > _MAX_LOCAL:
        raise ValueError(f"{what} has 1 to {_MAX_LOCAL} octets")
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text):
        raise ValueError(f"{what} has no control characters")
    if unicodedata.normalize("NFC", text) != text:
        raise ValueError(f"{what} is written in Unicode's composed form (NFC)")
    if _RESERVED & set(text) or text.startswith("#"):
        raise ValueError(f"{what} has none of / \\ @ : \" < > | and does not begin with #: '{text}'")
    return text


def _plain(text: str, what: str) -> str:
    if _SIMPLE.match(text) and len(text) <= _MAX_LOCAL:
        return text  # By far the most.
    text = _local(text, what)
    if "*" in text or "?" in text:
        raise ValueError(f"{what} has no wildcards: '{text}'")
    try:
        Address.parse(f"{text}@example.org")
        dots = text.startswith(".") or text.endswith(".") or ".." in text  # Taken of others, given to nobody.
    except ValueError:
        dots = True
    if dots:
        raise ValueError(f"'{text}' cannot stand before the @ of an address")
    return text


def user_name(text: str) -> str:
    """A user's login name. ValueError."""
    return _plain(text, "a name")


def pattern(text: str) -> str:
    """An alias's name; `*` and `?` stand for any characters and for one. ValueError."""
    text = _local(text, "an alias")
    _plain(text.replace("*", "x").replace("?", "x"), "an alias")
    return text


def recipient(text: str) -> str:
    """An address in SMTP form, or a bare name in the same domain. ValueError."""
    text = text.strip()
    return str(Address.parse(text)) if "@" in text else _plain(text, "a name")


def recipient_or_none(text: str) -> str:
    """As `recipient`, or nothing."""
    return recipient(text) if text.strip() else ""


def full_address(text: str, domain: str) -> Address:
    """A `recipient` as the address it means inside `domain`."""
    return Address.parse(text if "@" in text else f"{text}@{domain}")


def _verifier(secret: Secret) -> Secret:
    # Never a password in clear: it would work for nobody, and stand in the file.
    if secret.reveal() and not secret.reveal().startswith(_OURS):
        from whimbrel.core.credentials import schemes  # Here: the command line's client checks nothing.

        schemes.read(secret)
    return secret


def _keys(secret: Secret) -> Secret:
    from whimbrel.core.credentials.stored import check_beside

    check_beside(secret.reveal())
    return secret


_ADMINISTRATOR: Final = "A remark for administrators."


@dataclass(frozen=True, slots=True)
class Person(Part):
    """Who a user is."""

    full_name: str = value(
        "", help="The person's name, as others see it.", columns=("display name", "fullname"), listed=True,
        longest=255,
    )  # fmt: skip
    description: str = value("", help=_ADMINISTRATOR, columns=("comment", "notes"))


@dataclass(frozen=True, slots=True)
class Access(Part):
    """How a user signs in, and what the user may administer."""

    enabled: bool = value(
        True, listed=True, changed_by=ChangedBy.OWN_CALL,
        help="May sign in. If not, mail to the user is refused too (550 5.2.1).",
    )  # fmt: skip
    password: Secret = value(
        Secret(""), check=_verifier, changed_by=ChangedBy.OWN_CALL, form="password",
        help="Verifier of the password, never the password: argon2id, or one of another server's ($2b$, $6$, {SSHA} "
        "...), which is replaced at the first sign-in. Empty: no sign-in.",
    )  # fmt: skip
    password_keys: Secret = value(
        Secret(""), check=_keys, changed_by=ChangedBy.OWN_CALL, form="password",
        help="What other ways of signing in need of the same password. Written by the server.",
    )  # fmt: skip
    rights: Rights = value(
        Rights.NONE, help="What the user may administer.", listed=True, changed_by=ChangedBy.OWN_CALL, row="S12"
    )
    grants: tuple[Grant, ...] = value(
        (), element="grant", option="grant", changed_by=ChangedBy.OWN_CALL,
        help="Further rights: 'domain' or 'accounts' with names of domains, as in domain example.org example.net; "
        "mail-read, for other people's mail.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class FurtherNames(Part):
    """Further addresses of a user."""

    aliases: tuple[str, ...] = value(
        (), element="alias", option="alias", check=user_name, form="local-part",
        columns=("aliases", "mailaddress", "mail addresses", "email aliases", "proxyaddresses"),

        help="Further names in this domain for this mailbox.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Forwarding(Part):
    """Where a user's mail goes besides, or instead."""

    forward_to: tuple[str, ...] = value(
        (), check=recipient, form="email", address=True, changed_by=ChangedBy.OWNER, columns=("forward", "forwarding"),
        help="Addresses that get this user's mail.",
    )  # fmt: skip
    keep_copy: bool = value(True, help="With forward-to: mail is also delivered here.", changed_by=ChangedBy.OWNER)


@dataclass(frozen=True, slots=True)
class AliasTargets(Part):
    """What an alias stands for."""

    to: tuple[str, ...] = value(
        (), check=recipient, form="email", address=True, reference="user",
        help="Addresses, here or elsewhere, that get the mail.",
    )  # fmt: skip
    description: str = value("", help=_ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class Membership(Part):
    """Who belongs to a group."""

    members: tuple[str, ...] = value(
        (), element="member", option="member", check=recipient, form="email", address=True, reference="user",
        help="Addresses of the members: users, other groups, or people elsewhere.",
    )  # fmt: skip
    description: str = value("", help=_ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class DomainNames(Part):
    """What a domain is called."""

    primary: bool = value(
        False, help="Its users sign in by bare name. Exactly one domain is it.", row="S35",
        changed_by=ChangedBy.OWN_CALL,
    )  # fmt: skip
    description: str = value("", help=_ADMINISTRATOR)
    domain_aliases: tuple[Domain, ...] = value(
        (), element="domain-alias", option="alias", shown_as="aliases", row="S34", form="host",
        help="Other names of this domain: every address works there too.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CatchAll(Part):
    """Mail to names that do not exist in a domain."""

    catch_all: str = value(
        "", check=recipient_or_none, form="email", address=True,
        help="Who gets mail to names that do not exist here; empty: it is refused.",
    )  # fmt: skip
