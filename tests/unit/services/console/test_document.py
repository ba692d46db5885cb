"""All that the API answers stands in its OpenAPI document, and all that stands there is answered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.routing import BaseRoute, Mount, Route

from tests.unit.services.admin.office import Office, ask
from tests.unit.services.console.desk import Desk, at_desk
from tests.unit.services.console.test_session_calls import signed_in
from whimbrel.services.admin.schema import openapi
from whimbrel.services.admin.schema_beside import ME
from whimbrel.services.admin.server.operations import Operations
from whimbrel.services.admin.table import all_calls
from whimbrel.services.console.application import console
from whimbrel.services.console.events import events
from whimbrel.services.console.metrics import metrics
from whimbrel.services.console.sign_in import SignIn

DOCUMENT = openapi(all_calls(), "1")
NONE = cast(Any, None)


def routed(routes: Any) -> Iterator[tuple[str, str]]:
    """Method and path of all that is answered."""
    for route in cast(list[BaseRoute], routes):
        if isinstance(route, Mount):
            yield from routed(route.routes)
        elif isinstance(route, Route):
            yield from ((method.lower(), route.path) for method in route.methods or () if method != "HEAD")


def _sign_in() -> SignIn:
    return SignIn(authenticator=NONE, sessions=NONE, config=NONE, state=NONE, ids=NONE, log=NONE, server=NONE)


def test_routes_and_document_are_the_same_both_ways() -> None:
    gate = console(
        all_calls(), NONE, sign_in=_sign_in(), sessions=NONE, bearer=NONE, log=NONE, installation="x",
        routes=(events(NONE, NONE), metrics(NONE, NONE)),
    )  # fmt: skip
    answered = set(routed(cast(Any, gate)._inner.routes))
    declared = {(method, path) for path, operations in DOCUMENT["paths"].items() for method in operations}
    assert answered == declared
    names = [each["operationId"] for operations in DOCUMENT["paths"].values() for each in operations.values()]
    assert len(names) == len(set(names))


def schema_of(path: str, method: str, status: int) -> dict[str, Any]:
    response = DOCUMENT["paths"][path][method]["responses"][str(status)]
    schema = response["content"]["application/json"]["schema"]
    return resolved(schema)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return cast(dict[str, Any], DOCUMENT["components"]["schemas"][name]) if name else schema


def fits(schema: dict[str, Any], value: Any, where: str = "") -> None:
    """Each member of an object is declared, and what is required is there."""
    schema = resolved(schema)
    if isinstance(value, dict) and "properties" in schema:
        assert set(value) <= set(schema["properties"]), (where, set(value) - set(schema["properties"]))
        assert set(schema.get("required", ())) <= set(value), where
        for name, inner in value.items():
            fits(schema["properties"][name], inner, f"{where}/{name}")
    elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for name, inner in value.items():
            fits(schema["additionalProperties"], inner, f"{where}/{name}")
    elif isinstance(value, list) and "items" in schema:
        for inner in value:
            fits(schema["items"], inner, f"{where}/0")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def test_settings_and_many_calls_answer_what_the_document_says(office: Office) -> None:
    made = office.context(operations=Operations(office.state, office.clock, office.log, iter("abcdefgh").__next__))
    settings = "/api/admin/settings"

    def asked(status: int, path: str, body: Any, method: str, where: str = "", **more: Any) -> Any:
        answer = ask(lambda: made, path, body, method=method, **more)
        assert answer.status == status, answer.body
        fits(schema_of(where or path.partition("?")[0], method.lower(), status), answer.json)
        return answer

    read = asked(200, settings, b"", "GET")
    asked(200, f"{settings}/smtp", b"", "GET", f"{settings}/{{section}}")
    asked(200, f"{settings}?check=1", {"smtp/max-recipients": 500}, "PATCH")
    asked(200, settings, {"smtp/max-recipients": 500}, "PATCH", headers={"if-match": read.headers["etag"]})
    asked(412, settings, {"smtp/max-recipients": 600}, "PATCH", headers={"if-match": read.headers["etag"]})
    asked(422, settings, {"smtp/max-recipients": "x"}, "PATCH")
    file = office.folder / "mailserver.cfg"
    file.write_text(file.read_text("utf-8").replace("500", "501"), "utf-8")
    conflict = asked(409, settings, {"smtp/max-recipients": 600}, "PATCH")
    assert conflict.json["error"]["differs"][0]["on_disk"] == "501"
    many = {"call": "user disable", "each": [{"name": "bob@other.test"}]}
    asked(202, "/api/admin/bulk?undo=10", many, "POST")
    asked(400, "/api/admin/bulk", {"call": "user set", "each": [{"name": "alice@example.org", "quota": "x"}]}, "POST")


def test_a_session_answers_what_the_document_says(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        (alice,) = await signed_in(desk, "alice@example.org")
        answer = await alice.ask("GET", "/api/session")
        fits(schema_of("/api/session", "get", 200), answer.json)
        assert set(answer.json["result"]) == set(ME["properties"])
        fits(schema_of("/api/session", "post", 401), (await alice.ask("POST", "/api/session", {"name": "x"})).json)

    at_desk(tmp_path, work)
