"""Lines of a table of users: which columns it may have, and what a line says of one user.

The columns are what the record of a user declares, under the headings that people and other mail servers give them
(`_HEADINGS`, and `columns` of each declaration). A ready verifier may stand for a password, also one of another
server's (`core/credentials/schemes.py`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from whimbrel.core.credentials.schemes import password_or_verifier
from whimbrel.core.directory import NO_SECRET, Rights
from whimbrel.core.record import Field
from whimbrel.core.values import Secret, Size
from whimbrel.core.visible import refuse_hidden
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, nearest
from whimbrel.services.admin.people.fields import options
from whimbrel.services.admin.people.records import USER
from whimbrel.services.admin.people.table_text import Row, folded, read_rows

T = TypeVar("T")
STANDARD: Final = ("address", "password", "full-name", "rights", "quota")
"""Columns of a table without a heading."""
_HEADINGS: Final = {
    "address": (
        "address", "email", "e mail", "mail", "email address", "e mail address", "primary email", "user principal name",
        "userprincipalname", "upn", "mailbox", "account", "adresse", "e mail adresse",
    ),
    "login": ("username", "user", "user name", "login", "login name", "loginname", "benutzername", "uid"),
    "domain": ("domain", "domain name", "domäne"),
    "password": ("password", "pass", "pwd", "passwort", "kennwort", "password hash", "encrypted password", "verifier"),
    "hash": ("password hash function",),
    "first-name": ("first name", "firstname", "given name", "givenname", "vorname"),
    "last-name": ("last name", "lastname", "surname", "sn", "nachname"),
    "rights": ("rights", "role"),
    "enabled": ("enabled", "active", "is enabled", "isenabled"),
    "disabled": ("disabled", "suspended", "blocked", "block credential"),
    "name": ("name",),
    "groups": ("groups", "group", "member of", "memberof", "user groups"),
    "template": ("template", "user template", "vorlage", "benutzervorlage"),
    "quota-mb": ("quota mb", "quota in mb", "mailbox quota mb", "disk quota mb"),
}  # fmt: skip
"""What a heading means that is no field of the record; as `folded` writes headings."""
_LIST: Final = re.compile(r"[;,|\n]")
_PREFIXES: Final = ("smtp:", "mailto:")
_YES: Final = frozenset({"yes", "true", "1", "on", "active", "enabled", "ja", "x"})
_NO: Final = frozenset({"no", "false", "0", "off", "inactive", "suspended", "disabled", "nein", "", "-"})
_UNLIMITED: Final = frozenset({"0", "unlimited", "none", "-"})
_SMALLEST: Final = 1 << 20
MAX_FAULTS: Final = 200


def columns() -> tuple[Field, ...]:
    """The fields of a user that a table can have."""
    return options(USER)


def headings() -> dict[str, str]:
    """Each heading, folded, and what it means: an element of the record, or a key of `_HEADINGS`."""
    known = {text: meaning for meaning, texts in _HEADINGS.items() for text in texts}
    for column in columns():
        for text in (column.element, column.name, column.parameter, *column.declared.columns):
            known.setdefault(folded(text), column.element)
    return known


@dataclass(frozen=True, slots=True)
class UserLine:
    """One line of the table, checked as far as it can be alone."""

    number: int
    address: str
    password: Secret = NO_SECRET
    full_name: str = ""
    rights: Rights | None = None
    quota: Size | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    """All other fields, by element; an empty cell says nothing."""
    groups: tuple[str, ...] = ()
    template: str = ""
    """From which a new user is added; it says nothing to one that exists."""


def read_users(text: str) -> list[UserLine]:
    """The lines of a table. CallError tells every fault."""
    parsed = parse(text)
    if parsed.faults:
        raise refused(parsed.faults)
    return parsed.lines


@dataclass(frozen=True, slots=True)
class Parsed:
    """The lines that can be read, all that is wrong, and the headings that mean nothing here."""

    lines: list[UserLine]
    faults: list[FieldFault]
    ignored: list[str]
    wrong: list[UserLine]
    """What is understood of lines that have faults: more may be wrong with them."""


def parse(text: str) -> Parsed:
    table = read_rows(text, headings(), _names_users, STANDARD)
    faults = [(number, message) for number, message in table.faults]
    meanings = {meaning for row in table.rows[:1] for meaning in row.cells}
    lines, wrong = list[UserLine](), list[UserLine]()
    for row in table.rows:
        texts: list[str] = []
        line = _line(row, meanings, texts)
        (wrong if texts else lines).append(line)
        faults += [(row.number, text) for text in texts]
    named = [FieldFault(f"line {number}", message) for number, message in sorted(faults, key=lambda each: each[0])]
    return Parsed(lines, named, table.ignored, [line for line in wrong if line.address])


def _tried(texts: list[str], work: Callable[..., T], *given: Any) -> T | None:
    """Its result; None, and why, where it means nothing: all that is wrong with a line is said in one round."""
    try:
        return work(*given)
    except ValueError as error:
        texts.append(str(error))
        return None


def _names_users(meanings: set[str]) -> bool:
    return bool({"address", "login"} & meanings) or {"name", "full-name"} <= meanings


def _line(row: Row, meanings: set[str], texts: list[str]) -> UserLine:
    """What a line says; `texts` gets what is wrong with it."""
    cells = {name: cell if name == "password" else cell.strip() for name, cell in row.cells.items()}
    full_name = cells.get("full-name", "")
    login = cells.get("login", "")
    if not {"address", "login"} & meanings:
        login = cells.get("name", "")  # Of Kerio, which has FullName beside it.
    elif not full_name:
        full_name = cells.get("name", "")
    address = cells.get("address", "") or login
    if "@" not in address and cells.get("domain"):
        address = f"{address}@{cells['domain'].removeprefix('@')}"
    if not address:
        texts.append("has no address")
    if not full_name:
        full_name = " ".join(filter(None, (cells.get("first-name", ""), cells.get("last-name", ""))))
    values = {
        column.element: _tried(texts, _value, column, cells[column.element])
        for column in columns()
        if cells.get(column.element) and column.element not in ("full-name", "quota", "enabled")
    }
    for each in USER.fields:
        _tried(texts, _check_text, each, {**values, "full-name": full_name}.get(each.element))
    _tried(texts, refuse_hidden, address)
    enabled = _tried(texts, _enabled, cells)
    return UserLine(
        row.number,
        _bare(address),
        _tried(texts, _password, cells) or NO_SECRET,
        full_name,
        _tried(texts, _rights, cells.get("rights", "")),
        _tried(texts, _quota, cells),
        values | ({} if enabled is None else {"enabled": enabled}),
        tuple(_split(cells.get("groups", ""))),
        _bare(cells.get("template", "")),
    )


def _check_text(field: Field, value: object) -> None:
    try:
        field.check_text(value)
    except ValueError as error:
        raise ValueError(f"{field.element}: {error}") from None


def _value(column: Field, cell: str) -> object:
    if column.many:
        return tuple(_bare(item) if column.declared.form in ("email", "local-part") else item for item in _split(cell))
    if column.kind is bool:
        return _yes(column.element, cell)
    return cell


def _split(cell: str) -> list[str]:
    return [item.strip() for item in _LIST.split(cell) if item.strip()]


def _bare(address: str) -> str:
    """`SMTP:anna@example.org`, `<anna@example.org>`: as directories write them."""
    address = address.strip().strip("<>")
    prefix = next((each for each in _PREFIXES if address.lower().startswith(each)), "")
    return address[len(prefix) :]


def _yes(name: str, cell: str) -> bool:
    if cell.lower() not in _YES | _NO:
        raise ValueError(f"{name}: '{cell}' is neither yes nor no")
    return cell.lower() in _YES


def _enabled(cells: Mapping[str, str]) -> bool | None:
    if cells.get("enabled"):
        return _yes("enabled", cells["enabled"])
    return not _yes("disabled", cells["disabled"]) if cells.get("disabled") else None


def _password(cells: Mapping[str, str]) -> Secret:
    text = cells.get("password", "")
    function = cells.get("hash", "").upper().replace("-", "").replace("_", "")
    if text.strip() and function and function != "CRYPT" and not text.startswith("{"):
        text = f"{{{'SHA' if function == 'SHA1' else function}.HEX}}{text.strip()}"
    password = Secret("" if text.strip() in ("", "*", "****", "[hidden]") else text)
    try:
        password_or_verifier(password)
    except ValueError as error:
        raise ValueError(f"password: {error}") from None
    return password


def _rights(word: str) -> Rights | None:
    known = [right.value for right in Rights]
    if not word or word.lower() == "user":
        return None
    if word not in known:
        raise ValueError(f"rights: '{word}' is not one of {', '.join(known)}{nearest(word, known)}")
    return Rights(word)


def _quota(cells: Mapping[str, str]) -> Size | None:
    megabytes, cell = cells.get("quota-mb", ""), cells.get("quota", "")
    if (megabytes or cell).lower() in _UNLIMITED:
        return Size(0)
    if megabytes:
        try:
            return Size(megabytes if not megabytes.isdigit() else int(megabytes) << 20)
        except ValueError as error:
            raise ValueError(f"quota mb: {error}") from None
    if not cell:
        return None
    try:
        quota = Size(cell)
    except ValueError as error:
        raise ValueError(f"quota: {error}") from None
    if cell.isdigit() and quota < _SMALLEST:
        raise ValueError(f"quota: {cell} would be so many octets; write {cell}M, or call the column 'quota mb'")
    return quota


def refused(faults: Sequence[FieldFault]) -> CallError:
    shown = faults[:MAX_FAULTS]
    more = f"\nand {len(faults) - len(shown)} more" if len(faults) > len(shown) else ""
    text = "\n".join(f"{fault.name}: {fault.text}" for fault in shown)
    return CallError(Failure.REFUSED, f"No user was taken:\n{text}{more}", *shown)
