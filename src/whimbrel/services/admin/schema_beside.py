"""What the API answers beside the calls, as OpenAPI: many calls at once, settings as a whole, sessions, the stream of
events, and numbers for Prometheus.

Each stands where its route stands (`web.py`, `services/console`); a test compares the routes with these, both ways.
"""

from collections.abc import Mapping
from typing import Any, Final

_TEXT: Final[dict[str, Any]] = {"type": "string"}
_WORD: Final[dict[str, Any]] = {"type": "string", "pattern": "^[A-Za-z0-9-]*$"}
_NAME: Final[dict[str, Any]] = {"type": "string", "minLength": 1, "maxLength": 1000}
ME: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Who is signed in. Times are of RFC 3339.",
    "properties": {
        **dict.fromkeys(
            ("name", "account", "full_name", "right", "csrf", "session", "signed_in", "expires", "language", "density"),
            _TEXT,
        ),
        "grants": {"type": "array", "items": _TEXT},
        "domains": {"type": ["array", "null"], "items": _TEXT, "description": "Null: all."},
        "mail_read": {"type": "boolean"},
        "reauthenticate": {"type": "boolean", "description": "The password is asked for again before some calls."},
        "idle_seconds": {"type": "number"},
        "server": {"type": "object"},
    },
    "required": ["name", "account", "grants", "right", "csrf", "session", "expires"],
}
_SIGNED_IN: Final[dict[str, Any]] = {"type": "object", "properties": {"result": ME}, "required": ["result"]}
OPERATION: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"operation": _TEXT, "undo": {"type": "number", "description": "Seconds in which it is taken back."}},
    "required": ["operation"],
}
_UNDO: Final[dict[str, Any]] = {
    "name": "undo", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 0, "maximum": 60},
    "description": "Seconds after which it is made; `operation cancel` takes it back until then.",
}  # fmt: skip
_CONFIRM: Final[dict[str, Any]] = {
    "name": "confirm", "in": "query", "required": False, "schema": _TEXT,
    "description": "The words that something dangerous asks for.",
}  # fmt: skip
_CHECK: Final[dict[str, Any]] = {
    "name": "check", "in": "query", "required": False, "schema": _TEXT,
    "description": "1: it is validated only, nothing is changed.",
}  # fmt: skip
_MATCH: Final[dict[str, Any]] = {
    "name": "If-Match", "in": "header", "required": False, "schema": {"type": "string", "pattern": r'^(\*|"[^"]+")$'},
    "description": "The version that was read: 412 if it is another by now.",
}  # fmt: skip
_SECTION: Final[dict[str, Any]] = {
    "name": "section", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[a-z0-9-]+$"},
    "description": "A section of the configuration, such as smtp.",
}  # fmt: skip
_VALUES: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Values by path; null: the default, or that an entry of a list goes. RFC 7396",
    "maxProperties": 5000,
    "additionalProperties": {
        "type": ["boolean", "number", "string", "array", "null"],
        "items": {"type": ["boolean", "number", "string"]},
    },
}


def beside(
    reads: Mapping[str, Any], changes: Mapping[str, Any], refusals: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """By path. `reads` and `changes`: the answers of settings; `refusals`: of what is refused, by status."""
    settings: dict[str, Any] = {
        "get": _operation("settings_read", "settings", "All settings of a part of the configuration.", reads, refusals),
        "patch": _operation("settings_change", "settings", "Changes any number of settings at once.", changes, refusals)
        | {"parameters": [_CHECK, _CONFIRM, _UNDO, _MATCH], "requestBody": _body(_VALUES)},
    }
    settings["patch"]["responses"] |= {"202": _json("It is made later.", OPERATION)}
    section = {
        method: {
            **each,
            "operationId": f"{each['operationId']}_section",
            "parameters": [_SECTION, *each.get("parameters", ())],
        }
        for method, each in settings.items()
    }
    return {
        "/api/admin/settings": settings,
        "/api/admin/settings/{section}": section,
        "/api/admin/bulk": {"post": _bulk(refusals)},
        "/api/admin/schema": {"get": _schema(refusals)},
        "/api/session": _session(refusals),
        "/api/session/reauthenticate": {"post": _reauthenticate(refusals)},
        "/api/events": {"get": _events(refusals)},
        "/metrics": {"get": _metrics(refusals)},
    }


def _bulk(refusals: Mapping[str, Any]) -> dict[str, Any]:
    body = {
        "type": "object",
        "properties": {
            "call": {"type": "string", "description": "Noun and verb, such as `user disable`."},
            "each": {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 2000,
                     "description": "Parameters of each call."},
        },
        "required": ["call", "each"],
    }  # fmt: skip
    words = "One call for each of many: all of it is checked before any of it is done."
    made = _operation("bulk", "bulk", words, {}, refusals)
    made["responses"] = {"202": _json("The operation that does it.", OPERATION), **refusals}
    return made | {"parameters": [_CONFIRM, _UNDO], "requestBody": _body(body)}


def _schema(refusals: Mapping[str, Any]) -> dict[str, Any]:
    answer = _json("What consoles draw forms from.", {"type": "object"})
    made = _operation("schema", "schema", "Settings, records and calls, described for consoles.", answer, refusals)
    made["responses"]["304"] = {"description": "It is the one of If-None-Match."}
    return made


def _session(refusals: Mapping[str, Any]) -> dict[str, Any]:
    signed_in = _json("Who it is.", _SIGNED_IN)
    sign_in = {
        "type": "object", "properties": {"name": _NAME, "password": _NAME}, "required": ["name", "password"],
        "additionalProperties": False,
    }  # fmt: skip
    wishes = {"type": "object", "properties": {"language": _WORD, "density": _WORD}, "additionalProperties": False}
    everywhere = {
        "name": "everywhere", "in": "query", "required": False, "schema": {"enum": ["0", "1"]},
        "description": "1: all sessions of the user.",
    }  # fmt: skip
    methods = {
        "get": _operation("session", "session", "Who is signed in.", signed_in, refusals),
        "post": _operation("sign_in", "session", "Signs in: the answer sets the cookie.", signed_in, refusals)
        | {"requestBody": _body(sign_in), "security": []},
        "patch": _operation("session_change", "session", "How the person wants the console.", signed_in, refusals)
        | {"requestBody": _body(wishes)},
        "delete": _operation("sign_out", "session", "Ends the session.", {}, refusals) | {"parameters": [everywhere]},
    }
    del methods["delete"]["responses"]["200"]
    methods["delete"]["responses"]["204"] = {"description": "The session is over."}
    return methods


def _reauthenticate(refusals: Mapping[str, Any]) -> dict[str, Any]:
    body = {
        "type": "object", "properties": {"password": _NAME}, "required": ["password"], "additionalProperties": False,
    }  # fmt: skip
    words = "Gives the password again, before rights, exports and people's mail."
    made = _operation("reauthenticate", "session", words, _json("Who it is.", _SIGNED_IN), refusals)
    return made | {"requestBody": _body(body)}


def _events(refusals: Mapping[str, Any]) -> dict[str, Any]:
    topics = {
        "name": "topics", "in": "query", "required": True, "schema": {"type": "string", "minLength": 1},
        "description": "1 to 24 topics with commas between them, such as counters,queue,log:mail.",
    }  # fmt: skip
    last = {
        "name": "Last-Event-ID", "in": "header", "required": False, "schema": _TEXT,
        "description": "The id of the last event that was seen: what was missed comes first.",
    }  # fmt: skip
    stream = {
        "description": "Server-sent events, without an end; each has a topic, an id and an object of JSON.",
        "content": {"text/event-stream": {"schema": _TEXT}},
    }
    return _operation("events", "events", "All that is live, as one stream.", stream, refusals) | {
        "parameters": [topics, last]
    }


def _metrics(refusals: Mapping[str, Any]) -> dict[str, Any]:
    answer = {"description": "In the text format of Prometheus.", "content": {"text/plain": {"schema": _TEXT}}}
    return _operation("metrics", "metrics", "Numbers for Prometheus.", answer, refusals)


def _operation(
    name: str, tag: str, summary: str, answer: Mapping[str, Any], refusals: Mapping[str, Any]
) -> dict[str, Any]:
    return {"operationId": name, "tags": [tag], "summary": summary, "responses": {"200": dict(answer), **refusals}}


def _body(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _json(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
