"""Each fault points into the body that was sent, so that a console puts it at its field. RFC 6901"""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import Office, ask
from whimbrel.services.admin.pointers import joined
from whimbrel.services.admin.server.operations import Operations

API = "/api/admin"
CSV = "address,password,quota\na@example.org,eine-gute-geheime,50M\nb@example.org,eine-gute-geheime,many\n"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def led_to(pointer: str, body: Any) -> Any:
    """What a pointer leads to. KeyError, IndexError: to nothing. RFC 6901 4"""
    assert not pointer or pointer.startswith("/")
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body


def faults(office: Office, path: str, body: dict[str, Any], method: str = "POST") -> list[tuple[str, str]]:
    made = office.context(operations=Operations(office.state, office.clock, office.log, iter("abcdefgh").__next__))
    answer = ask(lambda: made, API + path, body, method=method)
    assert answer.status >= 400, answer.body
    return [(each["pointer"], each["text"]) for each in answer.json["error"]["fields"]]


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/user/set", {"name": "bob@other.test", "alias": ["alice@example.org"]}, "/alias"),
        ("/user/set", {"name": "bob@other.test", "quota": "many"}, "/quota"),
        ("/user/add", {"name": "bob@other.test"}, "/name"),
        ("/alias/add", {"address": "bob@other.test", "to": ["alice@example.org"]}, "/address"),
        ("/config/set", {"path": "smtp/max-message-size", "value": ["many"]}, "/value"),
        ("/config/set", {"path": "alerts/webhook", "secret": "https://[::1"}, "/secret"),
        ("/config/unset", {"path": ["smtp/hostname", "smtp/nonsense"]}, "/path/1"),
        ("/user/import", {"file": CSV}, "/file"),
    ],
)
def test_a_fault_points_to_what_was_sent(office: Office, path: str, body: dict[str, Any], pointer: str) -> None:
    said = faults(office, path, body)
    assert pointer in [where for where, _ in said], said
    for where, _ in said:
        led_to(where, body)


def test_values_by_their_paths_are_members_of_the_body(office: Office) -> None:
    body = {"smtp/max-message-size": "many", "delivery/route[example.org]/port": "x"}
    said = faults(office, "/settings", body, "PATCH")
    assert {where for where, _ in said} == {"/smtp~1max-message-size", "/delivery~1route[example.org]~1port"}
    assert [led_to(where, body) for where, _ in said]


def test_a_fault_of_many_calls_points_into_the_call_that_has_it(office: Office) -> None:
    body = {"call": "user set", "each": [{"name": "bob@other.test", "quota": "1G"}, {"name": "x@other.test"},
                                         {"name": "alice@example.org", "quota": "many"}]}  # fmt: skip
    said = [where for where, _ in faults(office, "/bulk", body)]
    assert said == ["/each/1", "/each/2/quota"]
    assert [led_to(where, body) for where in said] == [body["each"][1], "many"]


def test_a_fault_of_a_table_names_line_and_column_and_no_option(office: Office) -> None:
    body = {"file": CSV.replace("50M", "5 apples") + "alice@example.org,,\nx@nowhere.test,,maybe\n"}
    answer = ask(office.context, f"{API}/user/import", body)
    text = answer.json["error"]["text"]
    assert "line 2: quota: " in text and "line 3: quota: " in text and "line 5: quota: " in text and "--" not in text
    assert {each["pointer"] for each in answer.json["error"]["fields"]} == {"/file"}


def test_steps_are_escaped() -> None:
    assert joined("a~b", "c/d", 3) == "/a~0b/c~1d/3" and joined() == ""
