"""Calls over HTTP: routes, statuses, streams, and what is not let in."""

from pathlib import Path

import pytest

from tests.unit.services.admin.office import Office, ask, item
from whimbrel.services.admin import web


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def test_a_call_answers_its_result(office: Office) -> None:
    answer = ask(office.context, "/api/admin/user/show", {"name": "alice"})
    assert answer.status == 200
    assert answer.json["result"]["address"] == "alice@example.org"
    assert answer.json["result"]["has_password"] is True
    assert answer.json["warnings"] == []
    assert b"argon2" not in answer.body


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/api/admin/user/show", {"name": "alicia"}, 404, "not_found"),
        ("/api/admin/user/show", {"nam": "alice"}, 400, "usage"),
        ("/api/admin/user/show", {}, 400, "usage"),
        ("/api/admin/user/show", b"[1]", 400, "usage"),
        ("/api/admin/user/show", b"{", 400, "usage"),
        ("/api/admin/user/show", b"[" * 100_000, 400, "usage"),
        ("/api/admin/user/show", b"\xff", 400, "usage"),
        ("/api/admin/user/add", {"name": "alice@example.org"}, 422, "refused"),
        ("/api/admin/config/get", {"path": "smtp/hostnam"}, 404, "not_found"),
        ("/api/admin/no/such", {}, 404, "not_found"),
    ],
)
def test_a_refusal_has_kind_text_and_status(office: Office, path: str, body: bytes, status: int, kind: str) -> None:
    answer = ask(office.context, path, body)
    assert (answer.status, answer.json["error"]["kind"]) == (status, kind)
    assert answer.json["error"]["text"]


def test_an_edit_made_outside_is_a_conflict_with_its_difference(office: Office) -> None:
    ctx = office.context()
    path = office.folder / "users.cfg"
    path.write_text(path.read_text().replace("Alice Adams", "Alice Evans"))
    answer = ask(lambda: ctx, "/api/admin/user/set", {"name": "alice", "description": "x"})
    assert answer.status == 409
    assert "Alice Evans" in answer.json["error"]["text"]
    assert "Alice Evans" in path.read_text()


def test_what_only_reads_is_a_get_too(office: Office) -> None:
    assert ask(office.context, "/api/admin/user/show?name=alice", method="GET").json["result"]["full_name"]
    page = ask(office.context, "/api/admin/user/list?limit=1&search=example", method="GET").json["result"]
    assert [row["address"] for row in page["items"]] == ["alice@example.org"]
    words = ask(office.context, "/api/admin/config/search?words=largest&words=message", method="GET").json["result"]
    assert words["items"]
    assert ask(office.context, "/api/admin/user/show?nam=alice", method="GET").status == 400
    assert ask(office.context, "/api/admin/user/remove?name=alice", method="GET").status == 405
    assert "alice" in office.users


def test_a_call_is_a_post_of_json_and_nothing_else(office: Office) -> None:
    # What a form of a web page could send by itself.
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert ask(office.context, "/api/admin/domain/add", {"name": "evil.test"}, kind=kind).status == 400
    assert "evil.test" not in office.users


def test_check_validates_without_changing(office: Office) -> None:
    assert ask(office.context, "/api/admin/domain/add?check=1", {"name": "new.test"}).status == 200
    assert "new.test" not in office.users


def test_a_request_in_any_pieces_is_the_same_request(office: Office) -> None:
    body = {"name": "alice", "description": "ä" * 100}
    assert ask(office.context, "/api/admin/user/set", body, pieces=50).status == 200
    assert ask(office.context, "/api/admin/user/show", {"name": "alice"}).json["result"]["description"] == "ä" * 100


def test_a_request_that_is_too_large_is_refused(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MAX_BODY", 1000)
    answer = ask(office.context, "/api/admin/user/import", {"file": "x" * 2000}, pieces=10)
    assert (answer.status, answer.json["error"]["kind"]) == (400, "usage")


def test_a_stream_ends_with_its_end(office: Office) -> None:
    answer = ask(office.context, "/api/admin/log/tail", {"log": ["mail"], "lines": 2, "follow": True})
    assert answer.status == 200
    assert answer.lines == [{"item": line} for line in ("two Alice", "three", "new 0", "new 1", "new 2")] + [
        {"end": True, "warnings": []}
    ]


def test_a_stream_that_fails_on_its_way_ends_with_the_error(office: Office) -> None:
    answer = ask(office.context, "/api/admin/store/check", {"account": "bob@other.test"})
    assert answer.lines[-1]["error"]["kind"] == "not_found"


def test_a_stream_refuses_bad_arguments_with_their_status(office: Office) -> None:
    assert ask(office.context, "/api/admin/log/tail", {"log": "nothing"}).status == 400


def test_numbers_stay_numbers_and_times_are_of_rfc_3339(office: Office) -> None:
    office.queue.items.append(item(1))
    row = ask(office.context, "/api/admin/queue/list").json["result"]["items"][0]
    assert (row["size"], row["created"], row["held"]) == (4096, "2026-09-21T11:26:40Z", False)
