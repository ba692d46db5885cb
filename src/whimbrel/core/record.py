"""What a record of the directory (user, alias, group, template, domain) is made of: parts, declared by the rooms that
read them.

    @dataclass(frozen=True, slots=True)
    class MailboxLimits(Part):
        \"\"\"How much a mailbox may hold.\"\"\"

        quota: Size = value(Size(0), minimum=0, help="Largest size of the mailbox; 0: no limit.")

The table `services/admin/people/records.py` names the parts of each kind of record. The XML codec, validation, the
generated documentation, admin calls with their options and completion, views and the columns of a CSV derive from both:
a new setting of a user is one field here and, for a new part, one line there. Code reads
`account.part(MailboxLimits).quota`.

Only the standard library is loaded: the command line reads these declarations before it draws its first letter.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Annotated, Any, Final, TypeVar

from whimbrel.core.visible import refuse_hidden

T = TypeVar("T")
P = TypeVar("P", bound="Part")
Texts = Mapping[str, str | tuple[str, ...]]
"""Values as they stand in the file, by element: text, or a tuple of text for a list. Defaults are left out."""
_DECLARED: Final = "whimbrel"


class Kind(StrEnum):
    """What stands in the directory."""

    DOMAIN = "domain"
    USER = "user"
    ALIAS = "alias"
    GROUP = "group"
    TEMPLATE = "template"


class ChangedBy(Enum):
    """Who may change a value, from the least right on; administrators of more may too."""

    OWNER = "owner"
    """The person whose record it is."""
    DOMAIN = "domain"
    """Who administers the domain."""
    SERVER = "server"
    """Who administers the whole server."""
    OWN_CALL = "own-call"
    """Nobody by the general `set`: an admin call of its own looks at what else must hold."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What `value` was given for a field."""

    help: str
    element: str
    option: str
    shown_as: str
    columns: tuple[str, ...]
    reference: str
    address: bool
    check: Callable[[Any], Any] | None
    form: str
    minimum: float | None
    maximum: float | None
    pattern: str | None
    like: str
    """What `pattern` demands, in words."""
    changed_by: ChangedBy
    listed: bool
    row: str
    longest: int
    """Characters of text that people write for people."""


def value(
    default: T,
    *,
    help: str,
    element: str = "",
    option: str = "",
    shown_as: str = "",
    columns: tuple[str, ...] = (),
    reference: str = "",
    address: bool = False,
    check: Callable[[Any], Any] | None = None,
    form: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    pattern: str | None = None,
    like: str = "",
    changed_by: ChangedBy = ChangedBy.DOMAIN,
    listed: bool = False,
    row: str = "",
    longest: int = 1000,
) -> T:
    """A field of a Part: its default, bounds and help.

    `element` is its XML element, `option` its name as an option of admin calls and `shown_as` in what they answer,
    where they are not the field's own; `columns` are further headings under which a CSV may have it; `reference` names
    the kind of record a value points to, for completion. `address`: values are addresses, which follow when the user or
    group they name is renamed, and are reported when they lead nowhere. `check` reads one value (ValueError says what
    is wrong), `form` is the word for what it looks like. `listed`: shown in lists too; `longest`: most characters of
    free text. `row`: the mission's row.
    """
    declared = Declared(
        help, element, option, shown_as, columns, reference, address, check, form, minimum, maximum, pattern, like,
        changed_by, listed, row, longest,
    )  # fmt: skip
    made: Any = dataclasses.field(default=default, metadata={_DECLARED: declared})
    return made  # type: ignore[no-any-return]  # As with dataclasses.field: it stands where the value will be.


@dataclass(frozen=True, slots=True)
class Part:
    """Some values of one kind of record. Subclasses are frozen dataclasses whose fields are made by `value`."""


@dataclass(frozen=True, slots=True)
class Field:
    """A declared field, ready for whoever derives something from it."""

    part: type[Part]
    name: str
    kind: Any
    """The type of one value."""
    many: bool
    optional: bool
    """None stands for "not set"."""
    default: Any
    declared: Declared

    @property
    def element(self) -> str:
        return self.declared.element or self.name.replace("_", "-")

    @property
    def parameter(self) -> str:
        """Its name in admin calls."""
        return self.declared.option or self.name

    @property
    def shown(self) -> str:
        """Its name in what admin calls answer."""
        return self.declared.shown_as or self.name

    @property
    def free_text(self) -> bool:
        """Words that people write for people: a name, a description."""
        declared = self.declared
        return self.kind is str and not (self.many or declared.check or declared.pattern or declared.address)

    def check_text(self, value: object) -> None:
        """ValueError: a text that is typed now has what nobody sees in it, or is too long. Not asked of what stands in
        the file: it was taken once, and must not keep the server from starting."""
        for text in value if isinstance(value, tuple) else (value,):
            if not isinstance(text, str) or self.declared.form == "password":
                continue
            refuse_hidden(text)
            if self.free_text and len(text) > self.declared.longest:
                raise ValueError(f"has {len(text)} characters; at most {self.declared.longest} are kept")

    @property
    def choices(self) -> tuple[str, ...]:
        if isinstance(self.kind, type) and issubclass(self.kind, Enum):
            return tuple(str(member.value) for member in self.kind)
        return ()

    def read(self, texts: Texts) -> Any:
        """The value in a record that is valid."""
        text = texts.get(self.element)
        if text is None:
            return self.default
        if self.many:
            return tuple(self._read(item) for item in ((text,) if isinstance(text, str) else text))
        return self._read(text)

    def _read(self, text: Any) -> Any:
        return text == "yes" if self.kind is bool else self.kind(text)


_FIELDS: dict[type[Part], tuple[Field, ...]] = {}


def fields_of(part: type[Part]) -> tuple[Field, ...]:
    """In the order of declaration."""
    known = _FIELDS.get(part)
    if known is None:
        hints = typing.get_type_hints(part, include_extras=True)
        known = _FIELDS[part] = tuple(
            Field(part, field.name, *_shape(hints[field.name]), field.default, field.metadata[_DECLARED])
            for field in dataclasses.fields(part)
        )
    return known


def _shape(hint: Any) -> tuple[Any, bool, bool]:
    """The type of one value; whether it is a list; whether it may be None."""
    optional = False
    if typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint, optional = next(arm for arm in typing.get_args(hint) if arm is not type(None)), True
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True, optional
    return hint, False, optional


class Record:
    """The values of one record, read part by part when they are asked for."""

    __slots__ = ("_parts", "texts")

    def __init__(self, texts: Texts | None = None, *parts: Part) -> None:
        """From what stands in the file, or from `parts` as they are (fakes, tests)."""
        self.texts: Texts = texts or {}
        self._parts: dict[type[Part], Part] = {type(part): part for part in parts}

    def part(self, kind: type[P]) -> P:
        """The values of one part; its defaults where the record says nothing."""
        made = self._parts.get(kind)
        if made is None:
            made = self._parts[kind] = kind(**{field.name: field.read(self.texts) for field in fields_of(kind)})
        return made  # type: ignore[return-value]  # Kept under its own type.

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        kinds = self._parts.keys() | other._parts.keys()
        return self.texts == other.texts and all(self.part(kind) == other.part(kind) for kind in kinds)

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.texts)))

    def __repr__(self) -> str:
        return f"Record({', '.join(sorted(self.texts))})"  # Not the values: some are secret.


NO_RECORD: Final = Record()


@dataclass(frozen=True, slots=True)
class RecordType:
    """One kind of record: how it is named, and its parts in the order in which they are written."""

    kind: Kind
    plural: str
    help: str
    """What such a record is."""
    name_help: str
    name_check: Callable[[str], str]
    name_form: str
    parts: tuple[type[Part], ...]

    def __post_init__(self) -> None:
        for words in ("name", "element", "parameter", "shown"):
            names = [getattr(field, words) for field in self.fields]
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"{self.kind}: declared by two parts: {', '.join(sorted(twice))}")

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(field for part in self.parts for field in fields_of(part))

    def with_part(self, part: type[Part]) -> "RecordType":
        """The same with one part more, the last."""
        return dataclasses.replace(self, parts=(*self.parts, part))
