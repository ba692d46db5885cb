"""What a console must know to draw forms, lists and actions of which it has no code: all settings, all kinds of
records with their parts, all calls with their parameters.

Made at build time (`make docs`), as the API's description is; a running server hands out the file.
"""

from collections.abc import Callable, Sequence
from typing import Any

from whimbrel.core.record import Field, Kind, RecordType, fields_of
from whimbrel.core.settings import Section
from whimbrel.services.admin.calls import Call
from whimbrel.services.admin.invoke import model
from whimbrel.services.admin.schema import words_of
from whimbrel.services.admin.settings.settings_schema import DIALECT, section_schema, settings_schema, title

SectionOf = Callable[[Kind], type[Section]]
"""A kind of record as a section of `users.cfg`."""


def console_schema(
    root: type[Section], records: Sequence[RecordType], section: SectionOf, calls: Sequence[Call]
) -> dict[str, Any]:
    """One JSON object."""
    return {
        "$schema": DIALECT,
        "settings": settings_schema(root),
        "records": {record.kind.value: _record(record, section) for record in records},
        "calls": [_call(call) for call in calls],
    }


def _record(record: RecordType, section: SectionOf) -> dict[str, Any]:
    drawn = section_schema(section(record.kind), record.plural)["properties"]
    return {
        "plural": record.plural,
        "help": record.help,
        "name": {"description": record.name_help, "format": record.name_form},
        "parts": [
            {
                "name": part.__name__,
                "description": " ".join((part.__doc__ or "").split()),
                "fields": [_field(field, drawn[field.element]) for field in fields_of(part)],
            }
            for part in record.parts
        ],
    }


def _field(field: Field, drawn: dict[str, Any]) -> dict[str, Any]:
    """`parameter` is its name in calls, `shown` in what they answer."""
    schema = {word: value for word, value in drawn.items() if word != "x-path"}
    return schema | {
        "title": title(field.element),
        "parameter": field.parameter,
        "shown": field.shown,
        "listed": field.declared.listed,
        "changed-by": field.declared.changed_by.value,
        **({"x-ref": field.declared.reference} if field.declared.reference else {}),
    }


def _call(call: Call) -> dict[str, Any]:
    parameters = model(call).model_json_schema()
    return words_of(call) | {"path": call.path, "help": call.help, "parameters": parameters}
