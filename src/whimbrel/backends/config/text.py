"""Values of settings as people write them, and what a field's declaration says of its values.

Booleans are yes and no; everything else is written as its type's `str`. A Secret is revealed only by `written`.
"""

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from whimbrel.core.config import Fault, Text
from whimbrel.core.settings import Section, element_name, list_of, section_of
from whimbrel.core.values import Secret

S = TypeVar("S", bound=Section)
Place = tuple[int, str]
"""Line and path of a value."""

_BOOLEANS: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_MAX_VALUE: Final = 1 << 20
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""XML 1.0 2.2"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a field can hold."""

    kind: str
    choices: tuple[str, ...] = ()
    section: type[Section] | None = None
    """The sections it is made of."""
    many: bool = False


@lru_cache(4096)
def shape(kind: type[Section], field: str) -> Shape:
    """What the field `field` of `kind` holds."""
    info = kind.model_fields[field]
    inner = list_of(info)
    annotation = bare(inner if inner is not None else info.annotation)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return Shape("list" if inner is not None else "section", section=annotation, many=inner is not None)
    word, choices = form(annotation)
    return Shape(word if inner is None else "list", choices, many=inner is not None)


@dataclass(frozen=True, slots=True)
class Declared:
    """A field as the codec needs it: looked up once for each kind, since there may be 50,000 records."""

    field: str
    shape: Shape
    annotation: Any
    """Of one value."""
    default: Any
    required: bool


@lru_cache(1024)
def elements(kind: type[Section]) -> dict[str, Declared]:
    """What each element of a section stands for, in the order of declaration."""
    declared = {}
    for name, field in kind.elements().items():
        info = kind.model_fields[field]
        inner = list_of(info)
        required = info.is_required()
        declared[name] = Declared(
            field, shape(kind, field), bare(inner if inner is not None else info.annotation),
            None if required else info.default, required,
        )  # fmt: skip
    return declared


def bare(annotation: Any) -> Any:
    """Without Annotated and `| None`."""
    while typing.get_origin(annotation) is Annotated:
        annotation = annotation.__origin__
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        rest = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
        return bare(rest[0]) if len(rest) == 1 else annotation
    return annotation


@lru_cache(1024)
def form(annotation: Any) -> tuple[str, tuple[str, ...]]:
    """The word for what a value looks like, and the words it may be one of."""
    if annotation is bool:
        return "yes-no", ()
    if typing.get_origin(annotation) is Literal:
        return "choice", tuple(str(value) for value in typing.get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "choice", tuple(str(member.value) for member in annotation)
    if annotation in (int, float):
        return "number", ()
    schema = TypeAdapter(annotation).json_schema()
    return str(schema.get("format") or "text"), ()


def written(value: Any) -> str:
    """One value as it stands in the file, secrets in clear."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if value is None:
        return ""
    if type(value) is float:
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)


def shown(value: Any) -> Text:
    """A value, or a tuple of them, as it may be shown to anyone: secrets masked."""
    if isinstance(value, tuple):
        return tuple(str(item) if isinstance(item, Secret) else written(item) for item in value)
    return str(value) if isinstance(value, Secret) else written(value)


def given(annotation: Any, value: object) -> object:
    """One value from a file, a command line or JSON, ready for the model to validate. ValueError."""
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if isinstance(value, Secret):
        return value
    if isinstance(value, Enum):
        value = value.value
    text = value if isinstance(value, str) else str(value)
    if len(text) > _MAX_VALUE:
        raise ValueError("the value is too long")
    if _UNWRITABLE.search(text):
        raise ValueError("control characters cannot be written to the file")
    if annotation is bool or bare(annotation) is bool:
        if text.strip().lower() not in _BOOLEANS:
            raise ValueError(f"'{_short(text)}' is neither yes nor no")
        return _BOOLEANS[text.strip().lower()]
    return text


def member(kind: type[Section], field: str, value: str) -> str:
    """One member of a list as the file would show it (`127.0.0.1/32` for 127.0.0.1); as it is if it is none."""
    annotation = list_of(kind.model_fields[field])
    try:
        return (
            value if annotation is None else written(TypeAdapter(annotation).validate_python(given(annotation, value)))
        )
    except ValueError:
        return value


def many(value: object) -> tuple[object, ...]:
    """What a list is set to: a sequence as it is, text cut at its commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, Iterable):
        return tuple(value)
    return (value,)


def texts(section: Section) -> dict[str, Text]:
    """The values of a record that differ from the default, by element name, secrets in clear; no inner sections."""
    written_values: dict[str, Text] = {}
    kind = type(section)
    for name, declared in elements(kind).items():
        if declared.shape.section:
            continue
        value = getattr(section, declared.field)
        if value != declared.default:
            written_values[name] = (
                tuple(written(item) for item in value) if isinstance(value, tuple) else written(value)
            )
    return written_values


def typed(kind: type[S], key: str, values: Mapping[str, object], file: str = "") -> tuple[S | None, list[Fault]]:
    """A record from values by element name (None: the default), and what is wrong with them."""
    raw: dict[str, Any] = {}
    faults: list[Fault] = []
    places: dict[tuple[str | int, ...], Place] = {(): (0, "")}
    if kind.key:
        raw[kind.key] = key
        places[kind.key,] = (0, kind.key)
    for name, value in values.items():
        field = kind.field_for(name)
        if field is None or shape(kind, field).section:
            # `members` says the same as `member`, `aliases` as `alias`.
            own = name.replace("-", "_")
            field = own if own in kind.model_fields and own != kind.key else None
        if field is None or shape(kind, field).section:
            known = [n for n, f in kind.elements().items() if not shape(kind, f).section]
            faults.append(Fault(file, 0, name, f"unknown{nearest(name, known)}"))
            continue
        places[field,] = (0, name)
        if value is None:
            continue
        try:
            raw[field] = field_value(kind, field, value)
        except ValueError as error:
            faults.append(Fault(file, 0, name, str(error)))
    try:
        made = kind.model_validate(raw)
    except ValidationError as error:
        return None, [*faults, *from_pydantic(error, kind, file, places)]
    return (None if faults else made), faults


def field_value(kind: type[Section], field: str, value: object) -> object:
    """What a field without inner sections is set to, ready for the model. ValueError."""
    info = kind.model_fields[field]
    inner = list_of(info)
    if inner is None:
        if isinstance(value, list | tuple | dict):
            raise ValueError("one value is meant, not a list")
        return given(info.annotation, value)
    return tuple(given(inner, item) for item in many(value))


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing."""
    close = difflib.get_close_matches(name, list(known), 1, 0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def from_pydantic(
    error: ValidationError, kind: type[Section], file: str, places: Mapping[tuple[str | int, ...], Place]
) -> list[Fault]:
    """Each of pydantic's errors as a fault at the line and path of the value it is about."""
    faults = []
    for item in error.errors(include_url=False, include_input=True):
        loc = tuple(item["loc"])
        known = next(loc[:n] for n in range(len(loc), -1, -1) if loc[:n] in places)
        line, path = places[known]
        rest = loc[len(known) :]
        if item["type"] == "missing" and rest:
            text = f"{_named(kind, loc)} is missing"
        else:
            text = _sentence(
                item["type"],
                item["msg"],
                item.get("ctx") or {},
                item.get("input"),
                _secret(kind, loc),
                _like(kind, loc),
            )
        faults.append(Fault(file, line, path, text))
    return faults


def _sentence(code: str, message: str, context: Mapping[str, Any], value: object, secret: bool, like: str) -> str:
    shown_value = "the value" if secret or not isinstance(value, str) else f"'{_short(value)}'"
    if code in ("literal_error", "enum"):
        allowed = str(context.get("expected", ""))
        words = [word.strip("' ") for word in allowed.replace(" or ", ", ").split(",")]
        hint = nearest(value, words) if isinstance(value, str) and not secret else ""
        return f"{shown_value} is not one of {allowed}{hint}"
    if code in ("int_parsing", "int_type", "int_from_float"):
        return f"{shown_value} is not a whole number"
    if code in ("float_parsing", "float_type"):
        return f"{shown_value} is not a number"
    if code == "string_pattern_mismatch":
        return f"{shown_value} is not {like}"
    if code == "value_error" and secret and (not isinstance(value, str) or _reveal(value) in message):
        return "the value is not allowed here"
    return message.removeprefix("Value error, ")


def _reveal(value: str) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _step(kind: type[Section] | None, loc: tuple[str | int, ...]) -> tuple[type[Section] | None, str]:
    """The section that the field at `loc` belongs to, and its name."""
    field = ""
    for index, part in enumerate(loc):
        if isinstance(part, int) or kind is None or part not in kind.model_fields:
            continue
        field = part
        if any(isinstance(later, str) for later in loc[index + 1 :]):
            kind = shape(kind, part).section or section_of(kind.model_fields[part])
    return kind, field


def _like(kind: type[Section], loc: tuple[str | int, ...]) -> str:
    """What a value must look like, in words."""
    owner, field = _step(kind, loc)
    extra = owner.model_fields[field].json_schema_extra if owner and field in owner.model_fields else None
    return str(extra.get("x-like", "")) if isinstance(extra, dict) else ""


def _named(kind: type[Section], loc: tuple[str | int, ...]) -> str:
    owner, field = _step(kind, loc)
    return element_name(owner, field) if owner and field in owner.model_fields else field


def _secret(kind: type[Section], loc: tuple[str | int, ...]) -> bool:
    owner, field = _step(kind, loc)
    return bool(owner and field in owner.model_fields and shape_is_secret(owner, field))


def shape_is_secret(kind: type[Section], field: str) -> bool:
    """The field holds what must not be shown."""
    info: FieldInfo = kind.model_fields[field]
    inner = bare(list_of(info) or info.annotation)
    return isinstance(inner, type) and issubclass(inner, Secret)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
