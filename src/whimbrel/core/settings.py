"""What a section of the configuration and a setting are.

One declaration serves the XML codec, validation, API schema, console form, command line, samples and documentation:

    class SmtpSettings(Section, tag="smtp"):
        \"\"\"Receiving and sending mail over SMTP.\"\"\"

        max_message_size: Size = setting(Size("50M"), minimum=Size("1M"), help="Largest message accepted.")

Sections are frozen; lists are tuples. In XML a field is the element named like it with hyphens; the `key` field of
a section is its attribute; a tuple is its element repeated. Sections live beside the code that uses them;
`app/settings.py` is the table of all.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

T = TypeVar("T")
S = TypeVar("S", bound="Section")
Applies = Literal["now", "service", "restart"]


@dataclass(frozen=True, slots=True)
class Danger:
    """Values that a setting takes only from who types `words`."""

    text: str
    """What would be so, as a sentence without its end."""
    words: str
    values: tuple[str, ...] = ()
    """Those that are meant, as people write them, of a list its members; none: any other than the one in use."""

    def __post_init__(self) -> None:
        if not self.text or not self.words or self.words != self.words.strip():
            raise TypeError("a danger needs a sentence, and words that can be typed")

    def threatens(self, value: str | tuple[str, ...]) -> bool:
        """Whether to set this is dangerous, where it is not so already."""
        return not self.values or any(each in self.values for each in ((value,) if isinstance(value, str) else value))


def setting(
    default: T,
    *,
    help: str,
    minimum: float | None = None,
    maximum: float | None = None,
    pattern: str | None = None,
    like: str = "",
    item: str = "",
    applies: Applies = "now",
    advanced: bool = False,
    ref: str = "",
    row: str = "",
    group: str = "",
    ordered: bool = False,
    shown_if: str = "",
    enabled_if: str = "",
    examples: tuple[str, ...] = (),
    danger: Danger | None = None,
    check: str = "",
) -> T:
    """A field of a Section: its default, bounds and help.

    `item` is the XML element of one value of a tuple (the field's own name unless given); `applies` says when a
    change takes effect; `ref` names the kind of record a value points to; `row` the mission's row it fulfils. `like`
    says in words what `pattern` demands (`a time of day such as 03:30, or nothing`): people read it when a value does
    not fit. For forms: `group` is the heading it stands under, `ordered` tells of a list whose order counts,
    `shown_if` is a condition on a setting beside it without which it means nothing: `transport = udp, tcp` (one of
    these), or `relay-host` (not empty); with `enabled_if` it stays in sight, but cannot be changed. `danger` has words
    typed before some values are taken. `check` names what can try a value before it is saved
    (`services/admin/settings/value_checks.py`): forms have a button for it, the command line `config test`.
    """
    if pattern is not None and not like:
        raise TypeError("a pattern needs `like`: nobody reads a regular expression")
    extra: dict[str, Any] = {"x-applies": applies}
    extra |= {f"x-{name}": value for name, value in (("item", item), ("ref", ref), ("mission", row)) if value}
    conditions = (("show-if", shown_if), ("enable-if", enabled_if))
    extra |= {
        f"x-{name}": value for name, value in (("like", like), ("group", group), *conditions, ("check", check)) if value
    }
    if danger is not None:
        extra["x-danger"] = {"text": danger.text, "confirm": danger.words, "values": list(danger.values)}
    if advanced:
        extra["x-advanced"] = True
    if ordered:
        extra["x-list"] = "ordered"
    if examples:
        extra["examples"] = list(examples)
    if minimum is not None:
        extra["minimum"] = minimum
    if maximum is not None:
        extra["maximum"] = maximum
    field: Any = Field(default, description=help, pattern=pattern, json_schema_extra=extra)
    if minimum is not None or maximum is not None:
        field.metadata.append(AfterValidator(_bounds(minimum, maximum)))
    return field  # type: ignore[no-any-return]  # pydantic's own trick: a FieldInfo stands where the value will be.


def required(*, help: str, pattern: str | None = None, like: str = "", ref: str = "") -> Any:
    """A field that must be given, such as a user's name."""
    if pattern is not None and not like:
        raise TypeError("a pattern needs `like`: nobody reads a regular expression")
    extra: dict[str, Any] = {"x-applies": "now"} | ({"x-ref": ref} if ref else {}) | ({"x-like": like} if like else {})
    return Field(description=help, pattern=pattern, json_schema_extra=extra)


class Gravity(IntEnum):
    """What a cross-check makes of what it sees."""

    WARNING = 1
    """It is said, and done."""
    DANGER = 2
    """It is done only for who types the words; status shows it for as long as it stands."""
    WRONG = 3
    """It is refused."""


@dataclass(frozen=True, slots=True)
class Concern:
    """What a cross-check has to say of settings that are each well formed."""

    path: str
    """`relay/allow-from`."""
    text: str
    gravity: Gravity = Gravity.WARNING
    words: str = ""
    """With DANGER: what must be typed."""

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


class Whole(Protocol):
    """A whole configuration, in use or proposed, as cross-checks see it."""

    @property
    def folder(self) -> str:
        """Of the installation: paths in settings may be relative to it."""
        ...

    def section(self, kind: "type[S]") -> "S": ...

    def references(self) -> "Iterable[tuple[str, str, str]]":
        """Path, kind of record (`ref`) and value of all that refers to records by their names."""
        ...


Check = Callable[[Whole], Iterable[Concern]]
"""Looks at settings together, and at the world where their meaning is there (a file, a user). It never raises and takes
milliseconds; it runs when a setting is changed, in `config check` and in `status`, never at a start."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A value that stood at `path` in files of former releases, and is read as a member of the list `to` now."""

    path: str
    """`space/notify`."""
    to: str
    """`alerts/event[disk-low]/to`."""
    beside: str = ""
    """The list that an empty one at `to` stands for: its members come along."""
    switch: str = ""
    """A setting beside `to` that switches it off: it is on again, since at the former place nothing was off."""


class Section(BaseModel):
    """A part of the configuration. Subclasses give `tag`, `key` if the section stands in a list, and their `checks`;
    the root has what `moved` since former releases."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False, arbitrary_types_allowed=False)

    tag: ClassVar[str] = ""
    key: ClassVar[str] = ""

    checks: ClassVar[tuple[Check, ...]] = ()
    moved: ClassVar[tuple[Moved, ...]] = ()

    def __init_subclass__(
        cls,
        *,
        tag: str = "",
        key: str = "",
        checks: tuple[Check, ...] = (),
        moved: tuple[Moved, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.tag, cls.key, cls.checks = tag or cls.tag, key or cls.key, checks or cls.checks
        cls.moved = moved or cls.moved

    @classmethod
    def field_for(cls, xml_name: str) -> str | None:
        """The field that the element `xml_name` sets, or None."""
        return _elements(cls).get(xml_name)

    @classmethod
    def elements(cls) -> dict[str, str]:
        """XML element name -> field name, in the order of declaration; without the key."""
        return dict(_elements(cls))


def assembled(base: type[S], parts: Mapping[str, type[Section]]) -> type[S]:
    """A subclass of `base` with one field for each section of a table: by its name, with that section's defaults and
    the first sentence of its docstring as help. Whoever asks the configuration for `base` gets it."""
    fields: dict[str, Any] = {}
    for name, kind in parts.items():
        words = " ".join((kind.__doc__ or "").split())
        fields[name] = (kind, setting(kind(), help=words.partition(". ")[0].rstrip(".") + "."))
    made: type[S] = create_model(
        base.__name__, __base__=base, __doc__=base.__doc__, __module__=base.__module__, **fields
    )
    return made


def _bounds(low: float | None, high: float | None) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, int | float):
            if low is not None and value < low:
                raise ValueError(f"{value} is below the minimum of {type(value)(low)}")
            if high is not None and value > high:
                raise ValueError(f"{value} is above the maximum of {type(value)(high)}")
        return value

    return check


_ELEMENTS: dict[type[Section], dict[str, str]] = {}


def _elements(section: type[Section]) -> dict[str, str]:
    elements = _ELEMENTS.get(section)
    if elements is None:
        elements = _ELEMENTS[section] = {
            element_name(section, name): name for name in section.model_fields if name != section.key
        }
    return elements


def xml_name(field: str) -> str:
    """`max_message_size` -> `max-message-size`."""
    return field.replace("_", "-")


def element_name(section: type[Section], name: str) -> str:
    """The XML element in which a field of `section` stands: a section's tag, a tuple's item, or the field's name."""
    inner = list_of(section.model_fields[name])
    if isinstance(inner, type) and issubclass(inner, Section):
        return inner.tag
    extra = section.model_fields[name].json_schema_extra
    item = extra.get("x-item") if isinstance(extra, dict) else None
    return str(item) if item else xml_name(name)


def list_of(field: FieldInfo) -> Any:
    """The type of the items of a tuple field, else None."""
    kind: Any = field.annotation
    return kind.__args__[0] if getattr(kind, "__origin__", None) is tuple else None


def section_of(field: FieldInfo) -> type[Section] | None:
    """The Section a field holds directly, else None."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def danger_of(field: FieldInfo) -> Danger | None:
    """What was declared as dangerous in a field."""
    extra = field.json_schema_extra
    said = extra.get("x-danger") if isinstance(extra, dict) else None
    if not isinstance(said, dict):
        return None
    values = said["values"]
    return Danger(str(said["text"]), str(said["confirm"]), tuple(map(str, values if isinstance(values, list) else ())))


def default_of(field: FieldInfo) -> Any:
    """The default, or None where a value is required."""
    return None if field.default is PydanticUndefined else field.default
