"""The application answers as its OpenAPI document says: methods, statuses, texts, and where a fault is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.services.admin.office import Office, ask
from whimbrel.services.admin.calls import Call, Failure
from whimbrel.services.admin.invoke import MAX_QUERY, MAX_TEXT, _meant_so, model
from whimbrel.services.admin.schema import openapi
from whimbrel.services.admin.table import all_calls

DOCUMENT = openapi(all_calls(), "1.0")
CALLED = {call.path: DOCUMENT["paths"][call.path] for call in all_calls()}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("openapi") / "office")


def answers(office: Office) -> Any:
    """Asks with the same files each time."""
    ctx: list[Any] = []

    def context() -> Any:
        ctx[:] = ctx or [office.context()]
        return ctx[0]

    return lambda *arguments, **more: ask(context, *arguments, **more)


def test_a_method_that_is_not_declared_is_405_and_allow_names_those_that_are(office: Office) -> None:
    request = answers(office)
    for path, operations in CALLED.items():
        for method in METHODS:
            if method.lower() not in operations:
                answer = request(path, method=method)
                allowed = {word.strip() for word in answer.headers["allow"].split(",")}
                assert (answer.status, answer.json["error"]["kind"]) == (405, "method"), (method, path)
                assert allowed - {"HEAD"} == {word.upper() for word in operations}, path


def test_settings_say_that_they_are_read_and_patched(office: Office) -> None:
    for path in ("/api/admin/settings", "/api/admin/settings/smtp"):
        answer = answers(office)(path, method="DELETE")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, PATCH")


def test_every_status_that_a_refusal_can_have_is_declared() -> None:
    statuses = {str(kind.http_status) for kind in Failure}
    assert {"400", "401", "403", "404", "405", "409", "412", "422", "429", "500", "503"} <= statuses
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            assert statuses <= operation["responses"].keys() and "default" not in operation["responses"]


def texts(schema: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [schema, schema.get("items", {}), *schema.get("anyOf", ())]
    inner += [each["items"] for each in schema.get("anyOf", ()) if "items" in each]
    return [each for each in inner if each.get("type") == "string" and "enum" not in each]


def test_a_text_that_the_schema_forbids_is_refused_at_its_place(office: Office) -> None:
    request, seen = answers(office), 0
    for path, operations in CALLED.items():
        properties = operations["post"]["requestBody"]["content"]["application/json"]["schema"].get("properties", {})
        for name, schema in properties.items():
            for text in texts(schema):
                assert not re.search(text["pattern"], "a\x01b") and re.search(text["pattern"], "Ünà + 1"), (path, name)
                value: Any = ["a\x01b"] if schema.get("type") == "array" or "items" in str(schema) else "a\x01b"
                answer = request(path, {name: value})
                if answer.status == 503 or path == "/api/admin/domain/rename":
                    continue  # Its part is not at this office; it is done while no server runs.
                assert answer.status == 400, (path, name, answer.body)
                places = {fault["pointer"].removesuffix("/0") for fault in answer.json["error"]["fields"]}
                assert f"/{name}" in places, (path, answer.body)
                seen += 1
    assert seen > 100


VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 5.0, 1 << 60, 1.5, 1e400, "", "0", "yes", "mail", "a\x01b", "\u2028", "Ünà",
    "x" * MAX_TEXT, "x" * (MAX_TEXT + 1), "0" * 5000, [], [None], [None, None], [0], ["x"], ["x", 1], [[]], ["a\nb"],
    {}, {"a": None},
)  # fmt: skip


def fits(schema: dict[str, Any], value: Any) -> bool:
    """JSON Schema, as far as our schemas say anything."""
    if "$ref" in schema:
        return fits(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], value)
    if "anyOf" in schema and not any(fits(each, value) for each in schema["anyOf"]):
        return False
    kinds = {
        "null": value is None,
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0,
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "string": isinstance(value, str),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }
    if not kinds.get(schema.get("type", ""), True) or ("enum" in schema and value not in schema["enum"]):
        return False
    if isinstance(value, str):
        length = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        return length and re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, list) and "items" in schema:
        return all(fits(schema["items"], each) for each in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def faults_of(call: Call, name: str, value: Any) -> list[Any]:
    try:
        model(call).model_validate({name: value})
    except ValidationError as error:
        return [fault for fault in error.errors(include_url=False) if fault["loc"][:1] == (name,)]
    return []


def test_each_parameter_takes_what_its_schema_has_and_nothing_else() -> None:
    """A value that the schema forbids is malformed (400). One that it allows may name nothing (422), no more."""
    seen = 0
    for call in all_calls():
        body = DOCUMENT["paths"][call.path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        for parameter in call.parameters:
            schema = body["properties"][parameter.name]
            for value in VALUES:
                faults, where = faults_of(call, parameter.name, value), (call.name, parameter.name, str(value)[:40])
                if parameter.kind in (int, float) and isinstance(value, str) and not faults:
                    continue  # A number may come as text, as it does in an address.
                if not fits(schema, value):
                    assert faults, where
                    assert not any(map(_meant_so, faults)), where
                else:
                    assert all(map(_meant_so, faults)), (*where, faults)
                seen += 1
    assert seen > 5000


def test_a_required_value_of_a_wrong_type_is_refused_and_no_fault_of_ours(office: Office) -> None:
    """`{"name": null}` was a 500."""
    request = answers(office)
    for call in all_calls():
        required = [parameter for parameter in call.parameters if parameter.required]
        for value in (None, [None, None], 0, {}):
            if required:
                answer = request(call.path, dict.fromkeys((each.name for each in required), value))
                assert answer.status in (400, 503) or call.name == "domain rename", (call.name, value, answer.body)


def test_the_query_of_an_address_has_shorter_texts(office: Office) -> None:
    for path, operations in CALLED.items():
        for parameter in operations.get("get", {}).get("parameters", ()):
            for text in texts(parameter["schema"]):
                assert text["maxLength"] <= MAX_QUERY, (path, parameter["name"])
    request = answers(office)
    answer = request(f"/api/admin/user/list?search={'x' * (MAX_QUERY + 1)}", method="GET")
    assert (answer.status, answer.json["error"]["fields"][0]["pointer"]) == (400, "/search")
    assert request(f"/api/admin/user/list?search={'x' * MAX_QUERY}", method="GET").status == 200
    assert request("/api/admin/user/list?over_quota=true&enabled=yes", method="GET").status == 200
    assert request("/api/admin/user/list?over_quota=perhaps", method="GET").status == 400


def test_the_document_says_who_is_let_in() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert schemes["token"]["scheme"] == "bearer" and schemes["session"]["in"] == "cookie"
    assert {name for each in DOCUMENT["security"] for name in each} == schemes.keys()


def test_what_must_be_given_is_not_nothing() -> None:
    for path, operations in CALLED.items():
        schema = operations["post"]["requestBody"]["content"]["application/json"]["schema"]
        for name in schema.get("required", ()):
            for text in texts(schema["properties"][name]):
                assert text.get("minLength") == 1 or text["maxLength"] > MAX_TEXT, (path, name)  # Or it is a file.


def test_the_document_that_is_kept_is_this_one() -> None:
    kept = json.loads((Path(__file__).resolve().parents[4] / "docs" / "gen" / "openapi.json").read_text())
    assert kept["paths"].keys() == DOCUMENT["paths"].keys()
