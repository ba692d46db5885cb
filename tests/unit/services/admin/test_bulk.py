"""One call for many at once, and any change with a moment to take it back, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import Office, ask
from whimbrel.core.rights import Grant, Grants
from whimbrel.services.admin.bulk import MOST
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.context import AdminContext, Caller
from whimbrel.services.admin.server.operations import MOST_EACH, Operations, Work
from whimbrel.services.admin.table import calls_of


class Desk:
    """A context whose operations outlive a request, as control's do."""

    def __init__(self, office: Office, **more: Any) -> None:
        self.operations = Operations(office.state, office.clock, office.log, iter("abcdefgh").__next__)
        self._made = office.context(operations=self.operations, **more)

    def __call__(self) -> AdminContext:
        return self._made


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


BOTH = {"call": "user set", "each": [{"name": "alice", "description": "x1"}, {"name": "bob", "description": "x2"}]}


def test_many_are_checked_and_then_done_one_by_one(office: Office) -> None:
    office.do("user add", name="bob@example.org")

    async def end(desk: Desk) -> None:
        (operation,) = desk.operations.list()
        await operation.result()
        assert operation.state == "done" and operation.items_seen == 2 and operation.percent == 100

    desk = Desk(office)
    answer = ask(desk, "/api/admin/bulk", BOTH, after=lambda: end(desk))
    assert answer.status == 202 and answer.json == {"operation": "a", "undo": 0.0}
    assert "x1" in office.users and "x2" in office.users


def test_one_that_cannot_be_done_stops_all_of_them_before_anything_is_done(office: Office) -> None:
    desk = Desk(office)
    answer = ask(desk, "/api/admin/bulk", BOTH)
    assert answer.status == 422 and not desk.operations.list()
    assert [fault["name"] for fault in answer.json["error"]["fields"]] == ["each/1"]
    assert "x1" not in office.users


def test_with_undo_nothing_happens_before_the_time_is_over(office: Office) -> None:
    async def take_back(desk: Desk) -> None:
        (operation,) = desk.operations.list()
        assert operation.state == "waiting"
        await desk.operations.cancel(operation.id)

    desk = Desk(office)
    answer = ask(
        desk, "/api/admin/user/set?undo=10", {"name": "alice", "description": "x1"}, after=lambda: take_back(desk)
    )
    assert answer.status == 202 and answer.json["undo"] == 10
    assert "x1" not in office.users


def test_what_would_be_refused_is_refused_at_once_and_not_ten_seconds_later(office: Office) -> None:
    desk = Desk(office)
    assert ask(desk, "/api/admin/user/set?undo=10", {"name": "nobody", "description": "x"}).status == 404
    assert ask(desk, "/api/admin/user/set?undo=x", {"name": "alice", "description": "x"}).status == 400
    assert ask(desk, "/api/admin/user/set?undo=9999", {"name": "alice", "description": "x"}).status == 400
    assert not desk.operations.list()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"call": "user list", "each": [{}]}, 400),
        ({"call": "user lis", "each": [{}]}, 404),
        ({"call": ["user"], "each": [{}]}, 404),
        ({"call": "user enable"}, 400),
        ({"call": "user enable", "each": []}, 400),
        ({"call": "user enable", "each": ["alice"]}, 400),
        ({"call": "user enable", "each": [{"name": "alice"}] * (MOST + 1)}, 400),
    ],
)
def test_what_is_no_list_of_calls_is_refused(office: Office, body: dict[str, Any], status: int) -> None:
    assert ask(Desk(office), "/api/admin/bulk", body).status == status


def test_who_administers_one_domain_does_nothing_in_another(office: Office) -> None:
    desk = Desk(office, caller=Caller("carol", Grants((Grant("domain example.org"),))))
    each = [{"name": "alice@example.org"}, {"name": "bob@other.test"}]
    answer = ask(desk, "/api/admin/bulk", {"call": "user disable", "each": each})
    assert answer.status in (403, 422) and "each/1" in str(answer.json["error"]["fields"])
    assert not desk.operations.list() and "<enabled>no</enabled>" not in office.users


def test_who_loses_the_rights_amid_many_has_no_more_of_them_done(office: Office) -> None:
    office.do("user add", name="bob@example.org")
    asked: list[int] = []

    async def stands() -> str:
        asked.append(1)
        return "the rights were changed" if len(asked) > 1 else ""

    async def end(desk: Desk) -> None:
        (operation,) = desk.operations.list()
        with pytest.raises(CallError):
            await operation.result()
        assert operation.state == "failed" and "the rights were changed" in operation.error

    caller = Caller("dora@other.test", Grants(frozenset({Grant("server-write")})), stands=stands)
    desk = Desk(office, caller=caller)
    each = [{"name": name, "description": f"y{number}"} for number, name in enumerate(("alice", "bob", "alice"))]
    assert ask(desk, "/api/admin/bulk", {"call": "user set", "each": each}, after=lambda: end(desk)).status == 202
    assert "y0" in office.users and "y1" in office.users and "y2" not in office.users


def test_a_secret_that_is_shown_once_is_no_operation_that_others_watch(office: Office) -> None:
    desk, given = Desk(office), {"name": "robot", "right": "server-read"}
    assert ask(desk, "/api/admin/admin/token-create?undo=10", given).status == 400
    assert ask(desk, "/api/admin/bulk", {"call": "admin token-create", "each": [given]}).status == 400
    assert not desk.operations.list()


def test_nobody_takes_the_room_of_others_for_long_work(office: Office) -> None:
    async def nothing() -> AsyncIterator[object]:
        yield None

    async def work() -> None:
        numbers = (f"op{number}" for number in range(100))
        operations = Operations(office.state, office.clock, office.log, numbers.__next__)
        call = next(call for call in calls_of("user") if call.name == "user set")
        one = Work(call, Caller("dora@other.test", owner="d"), "user set", nothing(), wait=60.0)
        for _ in range(MOST_EACH):
            operations.start(one)
        with pytest.raises(CallError, match=r"of dora@other\.test are under way"):
            operations.start(one)
        operations.start(replace(one, caller=Caller("root")))
        for operation in operations.list():
            await operations.cancel(operation.id)

    asyncio.run(work())
