"""The API as an OpenAPI 3.1 description (JSON Schema 2020-12 with the words of the console).

Made at build time (`make docs` writes docs/gen/openapi.json), never in a running server: making it takes the memory of
all models at once.
"""

from collections.abc import Sequence
from typing import Any

from whimbrel.services.admin.calls import Call, Failure, FileText, Parameter
from whimbrel.services.admin.invoke import MAX_FILE, MAX_QUERY, MAX_TEXT, model, result_adapter
from whimbrel.services.admin.schema_beside import beside
from whimbrel.services.admin.settings import settings_calls
from whimbrel.services.admin.versions import version_for

_REFS = "#/components/schemas/{model}"


def openapi(calls: Sequence[Call], version: str) -> dict[str, Any]:
    """The whole description; components are shared by name."""
    components: dict[str, Any] = {"Refusal": _refusal()}
    paths = {call.path: _path(call, components) for call in calls}
    reads, changes = (_whole(call, components) for call in (settings_calls.READ, settings_calls.CHANGE))
    paths |= beside(reads, changes, _refusals())
    return {
        "openapi": "3.1.0",
        "info": {"title": "Whimbrel administration", "version": version},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "paths": paths,
        "security": [{"token": []}, {"session": []}],
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token: `admin token-create`."},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-whimbrel-console-<installation>-<port>",
                    "description": "Set by `POST /api/session`; changes want the header X-CSRF-Token as well.",
                },
            },
        },
    }


def _whole(call: Call, components: dict[str, Any]) -> dict[str, Any]:
    """What a call answers."""
    return _answer(
        call, _shared(result_adapter(call).json_schema(mode="serialization", ref_template=_REFS), components)
    )


def _path(call: Call, components: dict[str, Any]) -> dict[str, Any]:
    parameters = _shared(model(call).model_json_schema(ref_template=_REFS), components)
    for parameter in call.parameters:
        _bounded(parameter, parameters["properties"][parameter.name])
    operation = {
        "operationId": call.name.replace(" ", "_").replace("-", "_"),
        "tags": [call.noun],
        "summary": call.help,
        "x-call": words_of(call),
        "responses": {
            "200": _whole(call, components),
            **_refusals(),
        },
    }
    post = operation | {"requestBody": {"required": True, "content": {"application/json": {"schema": parameters}}}}
    if not call.reads:
        return {"post": post}
    get = operation | {
        "operationId": f"get_{operation['operationId']}",
        "parameters": [
            {
                "name": parameter.name, "in": "query", "required": parameter.required,
                "description": parameter.help, "schema": _in_query(parameters["properties"][parameter.name]),
            }
            for parameter in call.parameters
        ],
    }  # fmt: skip
    return {"get": get, "post": post}


def _in_query(schema: dict[str, Any]) -> dict[str, Any]:
    """An address has less room than a body."""
    shorter: dict[str, Any] = {name: _in_query(inner) for name, inner in schema.items() if name == "items"}
    shorter |= {name: [_in_query(each) for each in inner] for name, inner in schema.items() if name == "anyOf"}
    if "maxLength" in schema:
        shorter["maxLength"] = min(schema["maxLength"], MAX_QUERY)
    return schema | shorter


def _bounded(parameter: Parameter, schema: dict[str, Any]) -> None:
    """Says of texts what `invoke` refuses: control characters, too many characters, nothing at all."""
    for each in (schema.get("items"), *schema.get("anyOf", ())):
        if each is not None:
            _bounded(parameter, each)
    if schema.get("type") == "string" and "enum" not in schema:
        lines = parameter.kind is FileText
        schema.setdefault("maxLength", MAX_FILE if lines else MAX_TEXT)
        schema.setdefault("pattern", _LINES if lines else _LINE)
        if parameter.required and not lines:
            schema.setdefault("minLength", 1)


_LINE = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
_LINES = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]*$"


def _refusals() -> dict[str, Any]:
    """By status, each with the kinds of refusal that have it."""
    kinds: dict[int, list[str]] = {}
    for kind in Failure:
        kinds.setdefault(kind.http_status, []).append(kind.word)
    schema = {"$ref": _REFS.format(model="Refusal")}
    kinds[422].append(f"{Failure.USAGE.word} (of the right shape, but it names nothing or does not go together)")
    kinds[414] = ["the address is too long, as the web worker says; give the parameters by POST"]
    return {str(status): _content(schema, f"Refused: {', '.join(words)}.") for status, words in sorted(kinds.items())}


def _answer(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    if call.streams:
        line = {
            "type": "object",
            "description": "One a line; the last one has `end`, or `error`.",
            "properties": {"item": result, "operation": {"type": "string"}, "end": {"type": "boolean"},
                           "warnings": _WARNINGS},
        }  # fmt: skip
        return {"description": "A stream of lines.", "content": {"application/x-ndjson": {"schema": line}}}
    whole = {
        "type": "object",
        "properties": {
            "result": result,
            "warnings": _WARNINGS,
            "version": {"type": "string"},
            "change": {"type": "string"},
        },
        "required": ["result", "warnings", "version", "change"],
    }
    return _content(whole, "The result.")


_WARNINGS = {"type": "array", "items": {"type": "string"}}


def _content(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def words_of(call: Call) -> dict[str, Any]:
    """What the console must know beside the schema."""
    return {
        "noun": call.noun,
        "verb": call.verb,
        "reads": call.reads,
        "right": str(call.right),
        "needs": [need.name for need in call.needs],
        "streams": call.streams,
        "operation": call.operation,
        "asks": bool(call.confirm),
        "dangerous": call.dangerous,
        "versioned": version_for(call) is not None,
        "shows_mail": call.shows_mail is not None,
        "reauthenticates": call.reauthenticates,
        "own": None if call.own is None else {"parameter": call.own.parameter, "fields": list(call.own.fields)},
        "problems": call.problems,
        "names": list(call.names) if call.names[0] else [],
        "positional": [parameter.name for parameter in call.parameters if parameter.positional],
    }


def _refusal() -> dict[str, Any]:
    text = {"type": "string"}
    fault = {"type": "object", "properties": {"name": text, "pointer": text, "text": text}}
    value = {"type": ["string", "array", "null"], "items": text, "description": "Null: it is not there."}
    differs = {"type": "object", "properties": {"path": text, "in_use": value, "on_disk": value}}
    error = {
        "type": "object",
        "properties": {
            "kind": {"enum": [kind.word for kind in Failure]}, "text": text,
            "fields": {"type": "array", "items": fault}, "confirm": text,
            "differs": {"type": "array", "items": differs, "description": "With conflict: what differs in the file."},
        },
    }  # fmt: skip
    return {"type": "object", "properties": {"error": error}}


def _shared(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """The schema without its own definitions, which become components."""
    for name, definition in schema.pop("$defs", {}).items():
        components.setdefault(name, definition)
    return schema
