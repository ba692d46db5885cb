"""All calls as one JSON Schema (2020-12) with the words of the console: what a client needs to know."""

from collections.abc import Sequence
from typing import Any

from whimbrel.services.admin.calls import Call
from whimbrel.services.admin.invoke import model, result_adapter


def describe(calls: Sequence[Call]) -> dict[str, Any]:
    """`{"calls": [{noun, verb, path, help, reads, rights, needs_server, streams, confirm, parameters, result}]}`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "calls": [_call(call) for call in calls]}


def _call(call: Call) -> dict[str, Any]:
    return {
        "noun": call.noun,
        "verb": call.verb,
        "path": call.path,
        "help": call.help,
        "reads": call.reads,
        "rights": call.rights.value,
        "needs_server": call.needs_server,
        "streams": call.streams,
        "confirm": call.confirm,
        "problems": call.problems,
        "positional": [parameter.name for parameter in call.parameters if parameter.positional],
        "parameters": model(call).model_json_schema(),
        "result": result_adapter(call).json_schema(mode="serialization"),
    }
