"""An account that is made again under an old name shows nothing of its predecessor unasked."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import MemoryKeeper
from tests.unit.services.console.desk import PASSWORD, Browser, Desk, at_desk
from whimbrel.core.directory import Kind
from whimbrel.core.mailbox import AccountId
from whimbrel.core.state import CONSOLE_SESSION
from whimbrel.services.admin.people.lifecycle import account_id, remove_user
from whimbrel.services.console.preferences import preferences_of
from whimbrel.services.session import account_ids

NAME = "dora@other.test"


async def again(desk: Desk, name: str = NAME) -> Browser:
    """A new user has the name, with the same rights and password, and signs in."""
    await desk.do("user add", name=name, password=PASSWORD)
    await desk.do("user rights", name=name, rights="domain")
    return await signed_in(desk, name)


async def signed_in(desk: Desk, name: str) -> Browser:
    browser = desk.browser()
    assert (await browser.sign_in(name)).status == 200
    return browser


async def removed(desk: Desk) -> None:
    await desk.do("user remove", name=NAME)


async def renamed(desk: Desk) -> None:
    await desk.do("user rename", name=NAME, new="deborah@other.test")


async def removed_by_an_edit(desk: Desk) -> None:
    office = desk.office
    text = office.users
    begin = text.index("<user", text.index("other.test"))
    while 'name="dora"' not in text[begin : text.index(">", begin)] and "<name>dora" not in text[begin : begin + 200]:
        begin = text.index("<user", begin + 1)
    end = text.index("</user>", begin) + len("</user>")
    (office.folder / "users.cfg").write_text(text[:begin] + text[end:])
    await desk.do("config reload")


WAYS = (removed, renamed, removed_by_an_edit)
Way = Callable[[Desk], Awaitable[None]]


async def with_everything(desk: Desk) -> tuple[Browser, str]:
    """Dora has a session, a token, an operation and preferences; and the token."""
    desk.ctx = replace(desk.ctx, store=MemoryKeeper())
    dora = await signed_in(desk, NAME)
    assert (await dora.ask("PATCH", "/api/session", {"language": "de"})).status == 200
    made = await dora.call("admin token-create", name="robot", right="domain")
    token = made.json["result"]["token"]
    body = {"call": "user set", "each": [{"name": NAME, "description": "a secret of hers"}]}
    assert (await dora.ask("POST", "/api/admin/bulk", body)).status == 202
    while any(operation.alive for operation in operations(desk).list()):
        await asyncio.sleep(0)
    assert await listed(dora, "operation list") and await listed(dora, "admin token-list")
    return dora, token


def operations(desk: Desk) -> Any:
    assert desk.ctx.operations is not None
    return desk.ctx.operations


async def listed(browser: Browser, call: str) -> list[dict[str, Any]]:
    answer = await browser.ask("GET", f"/api/admin/{call.replace(' ', '/')}")
    assert answer.status == 200, answer.body
    rows: list[dict[str, Any]] = answer.json["result"]["items"]
    return rows


@pytest.mark.parametrize("way", WAYS)
def test_who_gets_an_old_name_sees_and_has_nothing_of_its_predecessor(tmp_path: Path, way: Way) -> None:
    async def work(desk: Desk) -> None:
        before, token = await with_everything(desk)
        (operation,) = operations(desk).list()
        await way(desk)
        after = await again(desk)
        assert await listed(after, "operation list") == []
        assert (await after.ask("POST", "/api/admin/operation/watch", {"id": operation.id})).status in (200, 404)
        refused = await after.ask("POST", "/api/admin/operation/cancel", {"id": operation.id})
        assert (refused.status, refused.kind) == (404, "not_found")
        assert await listed(after, "admin token-list") == []
        assert [row["current"] for row in await listed(after, "admin session-list")] == [True]
        assert (await after.ask("GET", "/api/session")).json["result"]["language"] == ""
        assert (await before.ask("GET", "/api/session")).status == 401
        assert (await desk.program(token).ask("GET", "/api/admin/domain/list")).status == 401

    at_desk(tmp_path, work)


def test_a_user_who_is_renamed_keeps_what_was_begun(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        await with_everything(desk)
        await renamed(desk)
        after = await signed_in(desk, "deborah@other.test")
        assert [row["work"] for row in await listed(after, "operation list")] == ["user set, 1 times"]
        assert (await preferences_of(desk.office.state, AccountId("deborah@other.test"))).language == "de"

    at_desk(tmp_path, work)


def test_a_token_made_again_under_an_old_name_sees_nothing_of_the_one_before(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        for name, revoked in ((NAME, True), ("alice@example.org", False)):
            maker = await signed_in(desk, name)
            made = await maker.call("admin token-create", name="robot", right="domain")
            program = desk.program(made.json["result"]["token"])
            assert await listed(program, "operation list") == []
            if revoked:
                body = {"call": "user set", "each": [{"name": NAME, "description": "x"}]}
                assert (await program.ask("POST", "/api/admin/bulk", body)).status == 202
                assert len(await listed(program, "operation list")) == 1
                await maker.call("admin token-revoke", names=["robot"])

    at_desk(tmp_path, work)


def test_without_a_server_the_sessions_and_tokens_of_a_removed_user_end_too(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        dora, _token = await with_everything(desk)
        ctx = replace(desk.ctx, sessions=None)
        user = await ctx.editor.entry(Kind.USER, "other.test", "dora")
        assert user is not None
        await remove_user(ctx, user)
        assert account_id(user) == NAME
        kept = [json.loads(text)["account"] for _, text in await desk.office.state.list(CONSOLE_SESSION)]
        assert NAME not in kept
        assert not [token for token in await desk.tokens.tokens() if token.maker == NAME]
        assert dora.id

    at_desk(tmp_path, work)


def test_attempts_to_sign_in_under_the_name_before_are_not_those_of_the_new_user(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        state = desk.office.state
        first = await account_ids.account_id(state, NAME)
        assert await account_ids.account_id(state, NAME) == first
        begun = await account_ids.made_at(state, NAME)
        await removed(desk)
        desk.office.clock.forward(61)
        await again(desk)
        assert await account_ids.account_id(state, NAME) != first
        assert await account_ids.made_at(state, NAME) >= begun + 60

    at_desk(tmp_path, work)
