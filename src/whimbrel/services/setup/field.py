"""A question of the set-up: declared once; terminal, answers file and browser derive what they ask from it.

The answers are a tree, as TOML and JSON have it; the name of a field is the way to its value: `administrator.name`.
"""

import contextlib
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from whimbrel.core.address import Domain
from whimbrel.core.people import user_name
from whimbrel.core.values import Secret
from whimbrel.services.setup.machine import Machine

LONGEST: Final = 4096
"""Characters of a text."""


class Kind(Enum):
    """How a person is asked."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - a kind of field
    """Never shown, never sent back; typed twice on a terminal."""
    CHOICE = "choice"
    NUMBER = "number"
    FILE = "file"
    """The content of a file: a browser sends it, an answers file and a terminal name the file."""
    LIST = "list"
    """Several texts."""
    SERVICES = "services"
    """Addresses of the services: `{"smtp": {"listen": ["*:25"], "enabled": true}}`."""
    SETTINGS = "settings"
    """Any settings of mailserver.cfg by path, for who knows them."""


class Wrong(ValueError):
    """Faults inside of a value: the way from it, such as `.smtp.listen`, and what is wrong."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(text for _, text in faults))
        self.faults = faults


class Values(dict[str, Any]):
    """Values by the names of fields, each as its field reads it. A field that was not asked has none."""

    def text(self, name: str) -> str:
        """Empty where there is none."""
        return str(self.get(name) or "")

    def secret(self, name: str) -> Secret:
        value = self.get(name)
        return value if isinstance(value, Secret) else Secret("")


Read = Callable[[object], Any]
"""What was given, as a value. ValueError tells what is wrong with it; Wrong, what is wrong inside of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One question."""

    name: str
    title: str
    help: str
    read: Read
    judge: Callable[[Any, Machine], str] | None = None
    """What the machine has against a value that is well formed, in a sentence; empty: nothing."""
    kind: Kind = Kind.TEXT
    default: object = None
    """None: it must be answered."""
    ask: Callable[[Machine, Values], object] | None = None
    """A default that the machine, or what was answered before, knows; an empty one counts as none."""
    choices: tuple[tuple[str, str], ...] = ()
    """Word and what it means."""
    shown_if: tuple[str, str] | None = None
    """It means something only where that field has this value."""
    root: bool = False
    """Only for whoever sets up as root."""
    rare: bool = False
    """For an answers file; a terminal and a browser need not ask."""

    def applies(self, values: Values, machine: Machine) -> bool:
        if self.root and not machine.root:
            return False
        return self.shown_if is None or str(values.get(self.shown_if[0])) == self.shown_if[1]

    def value(self, given: object, machine: Machine) -> Any:
        """What was given, read and judged. ValueError, Wrong."""
        value = self.read(given)
        if self.judge is not None and (fault := self.judge(value, machine)):
            raise ValueError(fault)
        return value

    def proposed(self, machine: Machine, values: Values) -> object:
        """What it is if nobody answers; None: that is for a person to say."""
        asked = self.ask(machine, values) if self.ask is not None else None
        return asked or self.default

    def described(self, machine: Machine, values: Values) -> dict[str, object]:
        """For faces that draw it."""
        proposed = self.proposed(machine, values)
        return {
            "name": self.name,
            "title": self.title,
            "help": self.help,
            "kind": self.kind.value,
            "default": proposed,
            "required": proposed is None,
            "choices": [{"value": value, "title": title} for value, title in self.choices],
            "shown_if": {"name": self.shown_if[0], "value": self.shown_if[1]} if self.shown_if else None,
            "rare": self.rare,
        }


def given(tree: Mapping[str, object], name: str) -> object:
    """The value at the end of a way; None: there is none, or something else stands in the way."""
    at: object = tree
    for part in name.split("."):
        if not isinstance(at, Mapping):
            return None
        at = at.get(part)
    return at


def text(value: object) -> str:
    """A text of one line."""
    if not isinstance(value, str):
        raise ValueError("text in quotes is meant")
    if not value.strip():
        raise ValueError("must not be empty")
    if any(char < " " or char == "\x7f" for char in value):
        raise ValueError("control characters are not allowed")
    if len(value) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters")
    _whole(value)
    return value


def _whole(value: str) -> None:
    """ValueError: JSON can hold halves of characters, which nothing can be called or written by."""
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("holds half a character (an unpaired surrogate)")


def text_or_nothing(value: object) -> str:
    return "" if value == "" else text(value)


def secret(value: object) -> Secret:
    return Secret(text(value))


def secret_or_nothing(value: object) -> Secret:
    return Secret(text_or_nothing(value))


def domain(value: object) -> Domain:
    """The domain of mail addresses."""
    name = text(value).strip()
    if "@" in name:
        raise ValueError(f"'{name}' is an address: the part behind its @ is meant")
    return _name(name)


def host(value: object) -> Domain:
    """The full name of a server. RFC 1123 2.1, RFC 5321 2.3.5 (fully-qualified)"""
    name = _name(text(value).strip())
    if "_" in name:
        raise ValueError(f"'{name}' has an underscore, which names of servers have not: write a hyphen instead")
    if "." not in name and name != "localhost":
        raise ValueError(f"'{name}' has no domain, and others refuse mail of such a server: mail.example.org is meant")
    return name


def server(value: object) -> str:
    """Another server, by its name or address, in the form that settings have."""
    name = text(value).strip()
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(name.strip("[]")))
    if name.count(":") == 1 and name.rpartition(":")[2].isdigit():
        raise ValueError(f"the name alone is meant, without the port: {name.partition(':')[0]}")
    return str(_name(name))


def server_or_nothing(value: object) -> str:
    return "" if value == "" else server(value)


def _name(name: str) -> Domain:
    scheme, slashes, rest = name.partition("://")
    if slashes:
        raise ValueError(f"a name is meant, without {scheme}:// before it: {rest.partition('/')[0]}")
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        pass
    else:
        raise ValueError(f"{name} is an address, and a name is meant, such as mail.example.org")
    read = Domain(name)
    # RFC 3696 2: the last label is never all digits, so that no name looks like an address.
    if (last := read.rpartition(".")[2]).isdigit():
        raise ValueError(f"'{name}' ends with {last}, and no domain name ends with digits alone")
    return read


def login(value: object) -> str:
    """A login name, with or without its domain."""
    local, at, rest = text(value).strip().partition("@")
    return user_name(local) + (at + Domain(rest) if at else "")


def number(minimum: int, maximum: int) -> Read:
    def read(value: object) -> int:
        digits = str(value).strip()
        if isinstance(value, bool) or not digits.isascii() or not digits.isdigit() or len(digits) > 12:
            raise ValueError("a whole number is meant")
        if not minimum <= int(digits) <= maximum:
            raise ValueError(f"a number from {minimum} to {maximum} is meant")
        return int(digits)

    return read


def choice(*words: str) -> Read:
    def read(value: object) -> str:
        if value not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return str(value)

    return read


def lines(most: int) -> Read:
    """A text of several lines, at most `most` characters."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("text is meant")
        if len(value) > most:
            raise ValueError(f"is longer than {most} characters")
        if any(char < " " and char not in "\t\r\n" for char in value):
            raise ValueError("control characters are not allowed")
        _whole(value)
        return value

    return read
