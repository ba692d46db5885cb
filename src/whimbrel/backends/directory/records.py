"""What stands in `users.cfg`: domains with their users, aliases and groups.

Names are safe as names of folders, because mail is kept under them: `mail/<domain>/<user>/`.
An address without @ means the same domain.

Standards: RFC 5321 4.1.2 (Local-part), 4.5.3.1.1 (64 octets), RFC 6531 3.3 (UTF-8), RFC 8264 (NFC)
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from whimbrel.core.address import Address, Domain
from whimbrel.core.cleanout import CleanOut
from whimbrel.core.credentials import schemes
from whimbrel.core.credentials.stored import check_beside
from whimbrel.core.directory import Rights
from whimbrel.core.rights import Grant
from whimbrel.core.settings import Section, required, setting
from whimbrel.core.values import Secret, Size

_MAX_LOCAL: Final = 64
_RESERVED: Final = frozenset('/\\@:"<>|')
"""Separators of paths and what Windows keeps for itself."""

_OURS: Final = "$argon2id$"
"""What the server makes itself, nearly all of a large file: not looked at further; what is no verifier fits nothing."""
ADDED: Final = (b"<password-keys>", b"<grant>")
"""Elements of format 1.1: a file that has one says so."""
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
    except ValueError:
        raise ValueError(f"'{text}' cannot stand before the @ of an address") from None
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


def _verifier(value: Secret) -> Secret:
    # Never a password in clear: it would work for nobody, and stand in the file.
    if value.reveal() and not value.reveal().startswith(_OURS):
        schemes.read(value)
    return value


def _keys(value: Secret) -> Secret:
    check_beside(value.reveal())
    return value


def _schema(form: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "format": form})


def _checked(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(check)


UserName = Annotated[str, _checked(user_name), _schema("local-part")]
Pattern = Annotated[str, _checked(pattern), _schema("local-part")]
Recipient = Annotated[str, _checked(recipient), _schema("email")]
CatchAll = Annotated[str, _checked(lambda text: recipient(text) if text.strip() else ""), _schema("email")]
Verifier = Annotated[Secret, AfterValidator(_verifier)]
Keys = Annotated[Secret, AfterValidator(_keys)]


class UserRecord(Section, tag="user", key="name"):
    """A user: a mailbox, and someone who signs in."""

    name: UserName = required(help="Login name; also the address before @. Fixed once the user exists.")
    full_name: str = setting("", help="The person's name, as others see it.")
    description: str = setting("", help="A remark for administrators.")
    enabled: bool = setting(True, help="May sign in. Mail is received in any case.")
    password: Verifier = setting(
        Secret(""),
        help="Verifier of the password, never the password: argon2id, or one of another server's ($2b$, $6$, {SSHA} "
        "...), which is replaced at the first sign-in. Empty: no sign-in.",
    )
    password_keys: Keys = setting(
        Secret(""), help="What other ways of signing in need of the same password. Written by the server."
    )
    rights: Rights = setting(Rights.NONE, help="What the user may administer.", row="S12")
    grants: tuple[Grant, ...] = setting(
        (),
        item="grant",
        help="Further rights: 'domain' or 'accounts' with names of domains, as in domain example.org example.net; "
        "mail-read, for other people's mail.",
    )
    aliases: tuple[UserName, ...] = setting((), item="alias", help="Further names in this domain for this mailbox.")
    quota: Size = setting(Size(0), minimum=0, help="Largest size of the mailbox; 0: no limit.")
    quota_messages: int = setting(0, minimum=0, help="Most messages in the mailbox; 0: no limit.")
    clean_out: tuple[CleanOut, ...] = setting(
        (), help="Deletes what lay in a folder for so many days, as in deleted 30d; before the domain's rules."
    )
    max_message_size: Size = setting(
        Size(0), minimum=0, help="Largest message from and to this user; 0: the domain's limit.", row="S63"
    )
    forward_to: tuple[Recipient, ...] = setting((), help="Addresses that get this user's mail.")
    keep_copy: bool = setting(True, help="With forward-to: mail is also delivered here.")


class AliasRecord(Section, tag="alias", key="name"):
    """A name that stands for other addresses."""

    name: Pattern = required(help="The name before @. * stands for any characters, ? for one.")
    to: tuple[Recipient, ...] = setting((), help="Addresses, here or elsewhere, that get the mail.", ref="user")
    description: str = setting("", help="A remark for administrators.")


class GroupRecord(Section, tag="group", key="name"):
    """Several people under one address."""

    name: UserName = required(help="The name before @.")
    members: tuple[Recipient, ...] = setting(
        (), item="member", help="Addresses of the members: users, other groups, or people elsewhere.", ref="user"
    )
    description: str = setting("", help="A remark for administrators.")


class DomainRecord(Section, tag="domain", key="name"):
    """A domain we receive mail for."""

    name: Domain = required(help="The domain's name.")
    primary: bool = setting(False, help="Its users sign in by bare name. Exactly one domain is it.", row="S35")
    description: str = setting("", help="A remark for administrators.")
    domain_aliases: tuple[Domain, ...] = setting(
        (), item="domain-alias", help="Other names of this domain: every address works there too.", row="S34"
    )
    max_message_size: Size = setting(
        Size(0), minimum=0, help="Largest message in this domain; 0: the server's limit.", row="S63"
    )
    quota: Size = setting(Size(0), minimum=0, help="Largest size of all mailboxes together; 0: no limit.")
    quota_messages: int = setting(0, minimum=0, help="Most messages in all mailboxes together; 0: no limit.")
    default_quota: Size = setting(Size(0), minimum=0, help="Quota of users that are added without one; 0: none.")
    keep_deleted: str = setting(
        "",
        pattern=r"^$|^\d{1,6}(s|m|h|d|w)$",
        help="How long deleted mail of this domain can be restored, such as 30d; empty: as the server says.",
    )
    clean_out: tuple[CleanOut, ...] = setting(
        (), help="Deletes what lay in a folder for so many days: deleted, junk, sent, inbox or all, as in deleted 30d."
    )
    catch_all: CatchAll = setting("", help="Who gets mail to names that do not exist here; empty: it is refused.")
    users: tuple[UserRecord, ...] = setting((), help="Users of the domain.")
    aliases: tuple[AliasRecord, ...] = setting((), help="Aliases of the domain.")
    groups: tuple[GroupRecord, ...] = setting((), help="Groups of the domain.")


class UsersFile(Section, tag="users"):
    """All domains and everyone in them."""

    domains: tuple[DomainRecord, ...] = setting((), help="The domains.", row="S34")


def full_address(text: str, domain: str) -> Address:
    """A Recipient as the address it means inside `domain`."""
    return Address.parse(text if "@" in text else f"{text}@{domain}")
