"""Sessions as administrators see and end them, and what asks for the password once more."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import CALLS, item
from tests.unit.services.console.desk import COOKIE, PASSWORD, Browser, Desk, at_desk


async def signed_in(desk: Desk, *names: str) -> list[Browser]:
    browsers = []
    for name in names:
        browsers.append(desk.browser())
        await browsers[-1].sign_in(name)
    return browsers


async def listed(browser: Browser) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await browser.ask("GET", "/api/admin/admin/session-list")).json["result"]["items"]
    return rows


def test_everybody_sees_the_own_sessions_and_those_of_users_one_administers(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        alice, dora = await signed_in(desk, "alice@example.org", "dora@other.test")
        assert {row["user"] for row in await listed(alice)} == {"alice@example.org", "dora@other.test"}
        (row,) = await listed(dora)
        assert (row["user"], row["address"]) == ("dora@other.test", "192.0.2.7")
        assert dora.id not in str(row)
        assert (
            await desk.browser(headers={"cookie": f"{COOKIE}={row['id']}"}).ask("GET", "/api/session")
        ).status == 401

    at_desk(tmp_path, work)


def test_the_own_session_is_told_from_others(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        first, second = await signed_in(desk, "alice@example.org", "alice@example.org")
        own = [[row["id"] for row in await listed(browser) if row["current"]] for browser in (first, second)]
        assert [len(ids) for ids in own] == [1, 1] and own[0] != own[1]
        assert not any(row.current for row in (await desk.do("admin session-list")).items)

    at_desk(tmp_path, work)


def test_who_administers_the_user_ends_a_session(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        alice, dora = await signed_in(desk, "alice@example.org", "dora@other.test")
        mine = next(row["id"] for row in await listed(alice) if row["user"] == "alice@example.org")
        refused = await dora.call("admin session-end", ids=[mine])
        assert (refused.status, refused.kind) == (404, "not_found")
        assert (await dora.call("admin session-end", user="alice@example.org")).status == 403
        assert (await alice.call("admin session-end", user="dora@other.test")).status == 200
        assert (await dora.ask("GET", "/api/session")).status == 401
        assert (await alice.ask("GET", "/api/session")).status == 200

    at_desk(tmp_path, work)


def test_who_only_reads_ends_only_the_own(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        await desk.do("user rights", name="bob@other.test", rights="server-read")
        bob, again, dora = await signed_in(desk, "bob@other.test", "bob@other.test", "dora@other.test")
        assert len(await listed(bob)) == 3
        assert (await bob.call("admin session-end", user="dora@other.test")).status == 403
        assert (await bob.call("admin session-end", user="bob@other.test")).status == 200
        assert [(await each.ask("GET", "/api/session")).status for each in (bob, again, dora)] == [401, 401, 200]

    at_desk(tmp_path, work)


def test_nothing_is_ended_where_nothing_was_named(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        (alice,) = await signed_in(desk, "alice@example.org")
        assert (await alice.call("admin session-end")).status == 422
        assert (await alice.call("admin session-end", ids=["0" * 16])).status == 404

    at_desk(tmp_path, work)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("user rights", {"name": "bob@other.test", "rights": "domain"}),
        ("user add", {"name": "eve@other.test", "rights": "domain"}),
        ("user import", {"file": "address,rights\neve@other.test,domain\n"}),
        ("user export", {}),
        ("user password", {"name": "dora@other.test", "password": "x-horse-4711"}),
        ("queue source", {"id": "q1"}),
        ("store undelete-list", {"account": "bob@other.test"}),
        ("admin token-create", {"name": "x", "right": "server-read"}),
    ],
)
def test_rights_exports_and_mail_ask_for_the_password_once_more(
    tmp_path: Path, call: str, arguments: dict[str, Any]
) -> None:
    async def work(desk: Desk) -> None:
        desk.office.queue.items.append(item(1))
        (alice,) = await signed_in(desk, "alice@example.org")
        desk.office.clock.forward(301)
        before = desk.office.users
        answer = await alice.call(call, **arguments)
        assert (answer.status, answer.kind) == (403, "reauthenticate")
        assert desk.office.users == before
        again = await alice.ask("POST", "/api/session/reauthenticate", {"password": PASSWORD})
        assert again.status == 200
        answer = await alice.call(call, **arguments)
        assert answer.status == 200 or answer.kind != "reauthenticate"

    at_desk(tmp_path, work)


def test_what_asks_for_the_password_is_declared() -> None:
    asks = {name for name, call in CALLS.items() if call.reauthenticates}
    shows_mail = {name for name, call in CALLS.items() if call.shows_mail is not None}
    assert asks - shows_mail == {
        "user rights", "user export", "user import", "admin token-create", "store move", "store old-delete",
    }  # fmt: skip


def test_what_asks_nothing_goes_on_without(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        (alice,) = await signed_in(desk, "alice@example.org")
        desk.office.clock.forward(301)
        assert (await alice.call("user add", name="eve@other.test")).status == 200
        assert (await alice.call("user password", name="eve@other.test", password="x-horse-4711")).status == 200

    at_desk(tmp_path, work)
