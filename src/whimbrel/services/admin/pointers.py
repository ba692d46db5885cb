"""Where in the body of a request a fault is: a JSON Pointer into what was sent, for forms and programs.

Faults are named as a person reads them: by parameter, by the path of a setting, by a record and its field, by the line
of a table. What has no place in the body points to the whole of it.

Standards: RFC 6901 3 (syntax), 5 (an empty pointer is the whole document).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from whimbrel.services.admin.calls import Call, CallError, FieldFault, FileText

WHOLE: Final = ""
_RECORD: Final = re.compile(r"(?:domain|user|alias|group) (\S+?)(?:: ([\w-]+))?")
_LINE: Final = re.compile(r"line \d+")


def joined(*steps: str | int) -> str:
    """RFC 6901 3"""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def placed(error: CallError, call: Call, body: Mapping[str, object]) -> CallError:
    """The same, each of its faults with its place in `body`."""
    error.fields = tuple(
        fault if fault.pointer is not None else replace(fault, pointer=pointer(call, body, fault.name))
        for fault in error.fields
    )
    return error


def below(each: CallError, call: Call, body: Mapping[str, object], *steps: str | int) -> tuple[FieldFault, ...]:
    """The faults of one call of many, whose body stands at `steps` and gives them their name."""
    start, name = joined(*steps), "/".join(map(str, steps))
    faults = placed(each, call, body).fields
    return tuple(FieldFault(name, fault.text, f"{start}{fault.pointer}") for fault in faults) or (
        FieldFault(name, each.text, start),
    )


def pointer(call: Call, body: Mapping[str, object], name: str) -> str:
    """Where in `body`, the parameters of `call` or values by their paths, the fault called `name` is."""
    if name in body:
        return joined(name)
    first, *rest = name.split(".")
    if first in body and all(step.isdigit() for step in rest):
        return joined(first, *rest)
    parameters = {parameter.option: parameter.name for parameter in call.parameters}
    option = name.removeprefix("--").replace("_", "-")
    if option in parameters:  # It was not given, and should have been.
        return joined(parameters[option])
    if match := _RECORD.fullmatch(name):
        return _of_record(call, body, match[1], match[2] or "", parameters)
    if _LINE.fullmatch(name):
        return next((joined(each.name) for each in call.parameters if each.kind is FileText), WHOLE)
    return _of_setting(body, name)


def _of_record(call: Call, body: Mapping[str, object], record: str, field: str, parameters: Mapping[str, str]) -> str:
    """A field of a record that was sent by its parameter, else the parameter that names the record."""
    if parameters.get(field, "") in body:
        return joined(parameters[field])
    words = {record.casefold(), record.partition("@")[0].casefold()}
    for parameter in call.parameters:
        if parameter.required and str(body.get(parameter.name, "")).casefold() in words:
            return joined(parameter.name)
    return WHOLE


def _of_setting(body: Mapping[str, object], name: str) -> str:
    """A setting whose path and value were sent as parameters."""
    path = body.get("path")
    if isinstance(path, str) and path.strip("/") == name:
        return joined(next((each for each in ("secret", "value") if body.get(each) not in (None, "", [])), "path"))
    if isinstance(path, list) and name in path:
        return joined("path", path.index(name))
    return WHOLE
