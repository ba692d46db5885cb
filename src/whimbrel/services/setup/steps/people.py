"""The step `people`: the first users, by a few names or by a table."""

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from typing import Final

from whimbrel.core.counting import counted
from whimbrel.core.directory import Rights
from whimbrel.core.people import full_address
from whimbrel.core.values import Secret
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.people.user_lines import UserLine, read_users
from whimbrel.services.setup.answers import Making
from whimbrel.services.setup.field import Field, Kind, Values, Wrong, lines, text, text_or_nothing
from whimbrel.services.setup.machine import Machine
from whimbrel.services.setup.step import Check, Finding, Level, Step, ok

_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what is taken for another: i, l, o, 0, 1."""
_SHOWN: Final = 20
_MOST_NAMES: Final = 200
MOST: Final = 16 << 20
"""Characters of a table."""


class Unconfirmed(Wrong):
    """The table makes administrators, and nobody typed the words that say so."""

    def __init__(self, words: str, text: str) -> None:
        super().__init__([("users", text)])
        self.words = words


def made_password() -> Secret:
    """Random (79 bits), to be read out and typed: `k3fh-7pwm-...`."""
    return Secret("-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4)))


def read_names(value: object) -> tuple[UserLine, ...]:
    """`anna`, `anna@example.org` or `Anna Example <anna>`, each."""
    if not isinstance(value, list | tuple):
        raise ValueError('a list is meant: ["anna", "Bob Brown <bob>"]')
    if len(value) > _MOST_NAMES:
        raise ValueError(f"has more than {_MOST_NAMES} names; use a table")
    users, faults = [], []
    for number, item in enumerate(value, 1):
        try:
            name, bracket, address = text(item).rstrip("> ").partition("<")
            local = (address if bracket else name).strip()
            full_address(local, "example.org")  # Is it an address?
            users.append(UserLine(number, local, full_name=name.strip() if bracket else ""))
        except ValueError as error:
            faults.append(("", f"name {number}: {error}"))
    if faults:
        raise Wrong(faults)
    return tuple(users)


def read_table(value: object) -> tuple[UserLine, ...]:
    """The lines of a CSV."""
    try:
        return tuple(read_users(lines(MOST)(value))) if value else ()
    except CallError as error:
        raise Wrong([("", f"{fault.name}: {fault.text}") for fault in error.fields]) from None


def administrators(users: Sequence[UserLine]) -> list[str]:
    """`line 3: anna becomes server-write` of each line that gives rights to administer."""
    named = []
    for line in users:
        grants = line.values.get("grant")
        words = [line.rights.value] if line.rights not in (None, Rights.NONE) else []
        words += [str(grant) for grant in grants] if isinstance(grants, tuple) else [str(grants)] if grants else []
        if words:
            named.append(f"line {line.number}: {line.address} becomes {', '.join(words)}")
    return named


def _look(values: Values, _machine: Machine) -> Sequence[Finding]:
    users: Sequence[UserLine] = values.get("users") or ()
    named = administrators(users)
    without = sum(1 for line in users if not line.password)
    findings = [ok(f"The table has {counted(len(users), 'user')}.")] if users else []
    if named:
        shown = "; ".join(named[:_SHOWN])
        findings.append(
            Finding(Level.WARNING, f"The table makes {counted(len(named), 'administrator')}: {shown}", "", "users")
        )
    if without:
        say = f"{counted(without, 'user')} of the table {'has' if without == 1 else 'have'} no password yet."
        findings.append(Finding(Level.WARNING, say, "They cannot sign in until they are given one.", "users"))
    return findings


def _add(values: Values, making: Making) -> None:
    users: Sequence[UserLine] = values.get("users") or ()
    if named := administrators(users):
        words = f"make {counted(len(named), 'administrator')}"
        if values.text("confirm").strip() != words:
            more = f"\nand {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
            raise Unconfirmed(
                words,
                f"the table would {words}, who may administer; if they are to, answer confirm = \"{words}\":\n"
                + "\n".join(named[:_SHOWN]) + more,
            )  # fmt: skip
    if twice := list(_twice(values, making)):
        raise Wrong(twice)
    refused = [
        ("users", f"line {line.number}: password: {text}")
        for line in users
        if (text := making.password_refusal(line.password, line.address, line.full_name))
    ]
    if refused:
        raise Wrong(refused)
    making.users += users
    for line in values.get("names") or ():
        password = made_password()
        making.made[line.address] = password
        making.users.append(UserLine(line.number, line.address, password, line.full_name))


def _twice(values: Values, making: Making) -> Iterator[tuple[str, str]]:
    """Field and words for whoever is named a second time."""
    if making.domain is None:
        return
    known = {}
    if making.administrator:
        known[full_address(making.administrator, making.domain).key] = "is the administrator already"
    for name, where in (("users", "line"), ("names", "name")):
        for line in values.get(name) or ():
            with contextlib.suppress(ValueError):  # Said where the whole is checked.
                address = full_address(line.address, making.domain)
                if why := known.get(address.key):
                    yield name, f"{where} {line.number}: {address} {why}"
                known.setdefault(address.key, f"stands at {where} {line.number} already")


def _words(values: Values) -> Sequence[str]:
    named, table = len(values.get("names") or ()), len(values.get("users") or ())
    words = [f"{counted(named, 'user')} by name, whose passwords are made and shown once."] if named else []
    words += [f"{counted(table, 'user')} from the table."] if table else []
    return words or ["No users yet besides the administrator."]


PEOPLE = Step(
    "people",
    "First users",
    "Whoever is to have mail from the first day on. None is a good answer: users are added in the console as well.",
    (
        Field(
            name="names",
            title="A few names",
            help="Such as anna, or Anna Example <anna>. A password is made for each and shown once at the end.",
            kind=Kind.LIST,
            read=read_names,
            default=[],
        ),
        Field(
            name="users",
            title="Table of users (CSV)",
            help="address, password, name, rights, quota; or as other servers write it, with a heading.",
            kind=Kind.FILE,
            read=read_table,
            default="",
        ),
        Field(
            name="confirm",
            title="Confirmation",
            help="The words that are asked for when the table makes administrators.",
            read=text_or_nothing,
            default="",
            rare=True,
        ),
    ),
    (Check("table", "Table", _look),),
    add=_add,
    words=_words,
)
