"""Options and views of the calls about records, made from what the records declare (`core/record.py`).

    @call("group", "set", ...)
    @takes(GROUP, "set")
    async def group_set(ctx: AdminContext, name: Name, **values: object) -> Done: ...

`takes` gives the call an option for each field that may be changed so; the function gets those that were named.
`view` is the dataclass of what a call shows of a record.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Final, TypeVar

from whimbrel.core.directory import DirectoryChange, Entry, Op
from whimbrel.core.record import ChangedBy, Field, RecordType
from whimbrel.core.values import Secret, Size, refuse_bare
from whimbrel.core.visible import refuse_hidden
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Known
from whimbrel.services.admin.numbers import LARGEST, Between
from whimbrel.services.admin.people.people import flag, value_of, values_of
from whimbrel.services.admin.views import Octets, Words

F = TypeVar("F", bound=Callable[..., Any])
_TYPED: Final = (bool, int, float, Size)
"""Checked as such before the call; everything else is text, which the record checks."""
_SHOWN_AS: Final[Mapping[Any, Any]] = {bool: bool, int: int, Size: Octets}
"""Types of what is shown; everything else is text."""


def options(record: RecordType) -> tuple[Field, ...]:
    """The fields that `add` and `set` take."""
    return tuple(field for field in record.fields if field.declared.changed_by is not ChangedBy.OWN_CALL)


def own_options(record: RecordType) -> tuple[str, ...]:
    """Those of them that the person may change whose record it is."""
    return tuple(field.parameter for field in options(record) if field.declared.changed_by is ChangedBy.OWNER)


def takes(record: RecordType) -> Callable[[F], F]:
    """Gives a function that has `**values` a parameter for each field instead of that."""

    def declare(function: F) -> F:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        given = {each.name for each in own}
        added = [
            inspect.Parameter(
                field.parameter, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(field)
            )
            for field in options(record)
            if field.parameter not in given
        ]
        places = [each for each in own if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        rest = [each for each in own if each.kind is inspect.Parameter.KEYWORD_ONLY]
        function.__dict__["__signature__"] = signature.replace(parameters=[*places, *added, *rest])
        function.__annotations__ |= {each.name: each.annotation for each in added}
        return function

    return declare


def answers(kind: Any) -> Callable[[F], F]:
    """Says what a call returns, where that type is made from a declaration."""

    def declare(function: F) -> F:
        function.__annotations__["return"] = kind
        return function

    return declare


def _annotation(field: Field) -> Any:
    help = field.declared.help
    extra: list[object] = []
    if field.declared.reference:
        extra.append(Known(field.declared.reference))
    if field.many:
        return Annotated[tuple[str, ...] | None, f"{help} Repeat for several; '' for none.", *extra]  # type: ignore[unused-ignore]
    if isinstance(field.kind, type) and issubclass(field.kind, Enum) and not field.optional:
        return Annotated[field.kind | None, help, *extra]
    if field.kind in _TYPED and not field.optional:
        extra.append(_bounds(field))
        return Annotated[field.kind | None, help, *extra]
    return Annotated[str | None, help, *extra]


def _bounds(field: Field) -> Between:
    least, most = field.declared.minimum, field.declared.maximum
    such_as = 50 << 20 if field.kind is Size else 1000
    return Between(0 if least is None else least, LARGEST if most is None else most, such_as)


def step_of(
    record: RecordType, op: Op, domain: str, name: str, values: Mapping[str, object], **more: object
) -> DirectoryChange:
    """A change from the parameters of a call, of which None says nothing; `more` by the names of the file."""
    fields = {field.parameter: field for field in record.fields}
    if op is Op.ADD:
        _check_name(name)
    for parameter, value in values.items():
        try:
            refuse_bare(fields[parameter].kind, value)
            fields[parameter].check_text(value)
        except ValueError as error:
            raise CallError(Failure.USAGE, f"{parameter}: {error}", FieldFault(parameter, str(error))) from None
    named = {
        # Empty text is how a person says `not set`.
        fields[parameter].element: None if value == "" and fields[parameter].optional else _written(value)
        for parameter, value in values.items()
        if value is not None
    }
    named |= {element.replace("_", "-"): _written(value) for element, value in more.items() if value is not None}
    return DirectoryChange(op, record.kind, domain, name, named)


def _check_name(name: str) -> None:
    try:
        refuse_hidden(name)
    except ValueError as error:
        raise CallError(Failure.USAGE, f"name: {error}", FieldFault("name", str(error))) from None


def _written(value: object) -> object:
    """As the file has it; empty text in a list is how a person says `none`."""
    if isinstance(value, tuple):
        return tuple(str(item) for item in value if str(item))
    if isinstance(value, Enum):
        return str(value.value)
    return value


def usual(default: object) -> str:
    """A default as it would stand in the file."""
    if default is None:
        return ""
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default.value) if isinstance(default, Enum) else str(default)


Extra = Sequence[tuple[str, Any]]


def view(
    name: str, record: RecordType, doc: str, *, before: Extra = (), after: Extra = (), listed: bool = False
) -> Any:
    """A dataclass with the fields of a record, `listed` ones only or all, as they stand in the file; never a secret."""
    fields = [
        (field.shown, _shown_type(field))
        for field in record.fields
        if field.kind is not Secret and (field.declared.listed or not listed)
    ]
    made = dataclasses.make_dataclass(name, [*before, *fields, *after], frozen=True, slots=True)
    made.__doc__, made.__module__ = doc, __name__
    return made


def shown(record: RecordType, entry: Entry, *, listed: bool = False) -> dict[str, object]:
    """The values for a `view`."""
    return {
        field.shown: _shown_value(field, entry)
        for field in record.fields
        if field.kind is not Secret and (field.declared.listed or not listed)
    }


def _shown_type(field: Field) -> Any:
    if field.many:
        return tuple[str, ...]
    if field.optional:
        return str
    return Words if field.free_text else _SHOWN_AS.get(field.kind, str)


def _shown_value(field: Field, entry: Entry) -> object:
    if field.many:
        return values_of(entry, field.element)
    if field.kind is bool:
        return flag(entry, field.element, bool(field.default))
    text = value_of(entry, field.element)
    if _shown_type(field) in (str, Words):
        return text
    return int(Size(text) if field.kind is Size else text) if text else int(field.default)
