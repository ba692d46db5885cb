"""Steps, findings and faults as JSON, for faces that draw them."""

from collections.abc import Sequence
from typing import Any, Final

from whimbrel.core.config import Fault
from whimbrel.services.setup.field import Field, Kind, Values
from whimbrel.services.setup.looking import Result
from whimbrel.services.setup.machine import Machine
from whimbrel.services.setup.step import Step

_SCHEMAS: Final[dict[Kind, dict[str, Any]]] = {
    Kind.TEXT: {"type": "string"},
    Kind.SECRET: {"type": "string", "writeOnly": True},
    Kind.CHOICE: {"type": "string"},
    Kind.NUMBER: {"type": ["integer", "string"]},
    Kind.FILE: {"type": "string", "contentMediaType": "text/plain"},
    Kind.LIST: {"type": "array", "items": {"type": "string"}},
    Kind.SERVICES: {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {
                "listen": {"type": "array", "items": {"type": "string"}},
                "enabled": {"type": "boolean"},
            },
            "additionalProperties": False,
        },
    },
    Kind.SETTINGS: {"type": "object"},
}


def schema_of(field: Field) -> dict[str, Any]:
    """JSON Schema 2020-12 of what may be answered."""
    schema = dict(_SCHEMAS[field.kind])
    if field.choices:
        schema["enum"] = [word for word, _ in field.choices]
    return schema


def drawn_step(step: Step, machine: Machine, values: Values) -> dict[str, object]:
    """`values`: what was answered before; what this step's fields propose is put in for those that come after."""
    fields = []
    for field in step.fields:
        if field.root and not machine.root:
            continue
        described = field.described(machine, values)
        fields.append(described | {"schema": schema_of(field)})
        if field.name not in values and isinstance(described["default"], str):
            values[field.name] = described["default"]
    checks = [{"name": each.name, "title": each.title, "on_demand": each.on_demand} for each in step.checks]
    return {"name": step.name, "title": step.title, "help": step.help, "fields": fields, "checks": checks}


def drawn_results(results: Sequence[Result]) -> list[dict[str, object]]:
    return [
        {
            "name": result.check.name,
            "title": result.check.title,
            "findings": [
                {"level": each.level.value, "text": each.text, "advice": each.advice, "field": each.field,
                 "offer": each.offer, "lines": list(each.lines)}
                for each in result.findings
            ],
        }
        for result in results
    ]  # fmt: skip


def drawn_faults(faults: Sequence[Fault]) -> list[dict[str, str]]:
    return [{"name": fault.path, "text": fault.text} for fault in faults]
