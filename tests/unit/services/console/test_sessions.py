"""Sessions end when they must, and survive what they should."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.console.desk import PASSWORD, Browser, Desk, at_desk
from whimbrel.core.errors import MailError
from whimbrel.services.console import sessions
from whimbrel.services.console.settings import ConsoleSettings


async def status(browser: Browser) -> int:
    return (await browser.ask("GET", "/api/session")).status


async def call_status(browser: Browser) -> int:
    return (await browser.ask("GET", "/api/admin/status")).status


@pytest.mark.parametrize(
    ("call", "arguments", "reason"),
    [
        ("user disable", {}, "the user was disabled"),
        ("user remove", {}, "the user was removed"),
        ("user password", {"password": "another-horse-4711"}, "the password was changed"),
        ("user rights", {"rights": "server-read"}, "the rights were changed"),
        ("user rights", {"rights": "none"}, "the rights were changed"),
        ("user rename", {"new": "eve"}, "the user was removed"),
    ],
)
def test_a_session_ends_with_what_it_was_begun_with(
    tmp_path: Path, call: str, arguments: dict[str, Any], reason: str
) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in("dora@other.test")
        await desk.do(call, name="dora@other.test", **arguments)
        assert await call_status(browser) == 401
        assert [line["reason"] for line in desk.office.log.named("signin.ended")] == [reason]

    at_desk(tmp_path, work)


def test_what_changes_nothing_of_the_sign_in_ends_nothing(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in("dora@other.test")
        await desk.do("user set", name="dora@other.test", full_name="Dora")
        assert (await browser.ask("GET", "/api/session")).json["result"]["full_name"] == "Dora"

    at_desk(tmp_path, work)


def test_a_stream_hears_of_the_end_of_its_session_without_a_request(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        await desk.browser().sign_in("dora@other.test")
        (session,) = await desk.sessions.list()
        await desk.do("user disable", name="dora@other.test")
        assert not session.ended.is_set()
        desk.sessions.directory_changed()
        await asyncio.wait_for(session.ended.wait(), 10)

    at_desk(tmp_path, work)


def test_an_idle_session_ends_and_one_in_use_goes_on(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        idle, busy = desk.browser(), desk.browser()
        await idle.sign_in()
        await busy.sign_in()
        for _ in range(4):
            desk.office.clock.forward(500)
            assert await call_status(busy) == 200
        assert (await call_status(idle), await call_status(busy)) == (401, 200)

    at_desk(tmp_path, work)


def test_what_a_page_asks_by_itself_keeps_no_session_alive(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in()
        for _ in range(3):
            desk.office.clock.forward(500)
            assert await status(browser) == 200
        desk.office.clock.forward(500)
        assert await status(browser) == 401

    at_desk(tmp_path, work)


def test_no_session_outlives_its_lifetime(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in()
        for _ in range(9):
            desk.office.clock.forward(100)
            assert await call_status(browser) == 200
        desk.office.clock.forward(100)
        assert await call_status(browser) == 401

    at_desk(tmp_path, work, ConsoleSettings(session_lifetime=1000, session_idle=300))


def test_a_restart_of_control_ends_no_session_and_revives_none(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        kept, left, removed = desk.browser(), desk.browser(), desk.browser()
        await kept.sign_in()
        await left.sign_in()
        await removed.sign_in("dora@other.test")
        assert (await left.ask("DELETE", "/api/session")).status == 204
        desk.office.clock.forward(1000)
        await call_status(kept)
        await desk.sessions.close()
        await desk.do("user disable", name="dora@other.test")
        await desk.start()
        assert [await call_status(each) for each in (kept, left, removed)] == [200, 401, 401]
        desk.office.clock.forward(1700)  # Of the last use before the restart.
        assert await call_status(kept) == 200

    at_desk(tmp_path, work)


def test_what_state_holds_of_another_release_is_dropped(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        await desk.office.state.set(sessions.KIND, "ab" * 32, '{"account": 1}')
        await desk.office.state.set(sessions.KIND, "cd" * 32, "[]")
        await desk.start()
        assert await desk.sessions.list() == [] and await desk.office.state.list(sessions.KIND) == []

    at_desk(tmp_path, work)


def test_signing_out_takes_the_cookie_back(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in()
        id = browser.id
        answer = await browser.ask("DELETE", "/api/session")
        assert "max-age=0" in answer.headers["set-cookie"].lower() and browser.id == ""
        assert await status(desk.browser(id=id)) == 401

    at_desk(tmp_path, work)


def test_signing_out_everywhere_ends_all_sessions_of_the_user_alone(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        first, second, other = desk.browser(), desk.browser(), desk.browser()
        await first.sign_in()
        await second.sign_in()
        await other.sign_in("dora@other.test")
        await first.ask("DELETE", "/api/session?everywhere=1")
        assert (await status(second), await status(other)) == (401, 200)

    at_desk(tmp_path, work)


def test_a_user_has_so_many_sessions_and_the_least_used_ends(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browsers = [desk.browser() for _ in range(3)]
        for browser in browsers[:2]:
            await browser.sign_in()
            desk.office.clock.forward(1)
        await call_status(browsers[0])
        await browsers[2].sign_in()
        assert [await status(each) for each in browsers] == [200, 401, 200]

    at_desk(tmp_path, work, ConsoleSettings(sessions_per_user=2))


def test_all_sessions_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 2)

    async def work(desk: Desk) -> None:
        for name in ("alice@example.org", "dora@other.test", "dora@other.test"):
            desk.office.clock.forward(1)
            await desk.browser().sign_in(name)
        assert [each.account for each in await desk.sessions.list()] == ["dora@other.test"] * 2

    at_desk(tmp_path, work)


def test_a_session_is_written_down_once_a_minute_not_with_each_request(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in()
        (before,) = await desk.office.state.list(sessions.KIND)
        desk.office.clock.forward(59)
        await call_status(browser)
        assert await desk.office.state.list(sessions.KIND) == [before]
        desk.office.clock.forward(1)
        await call_status(browser)
        assert await desk.office.state.list(sessions.KIND) != [before]

    at_desk(tmp_path, work)


def test_while_nobody_can_be_looked_up_nobody_is_let_in_or_thrown_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(desk: Desk) -> None:
        async def away(_account: str) -> None:
            raise MailError(451, "4.3.0", "try again later")

        browser = desk.browser()
        await browser.sign_in()
        with monkeypatch.context() as patch:
            patch.setattr(desk.ctx.directory, "account", away)
            answer = await browser.ask("GET", "/api/admin/status")
            assert (answer.status, answer.kind) == (503, "unavailable")
        assert await call_status(browser) == 200

    at_desk(tmp_path, work)


def test_a_new_password_is_needed_after_the_old_one_was_changed(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        await desk.do("user password", name="alice@example.org", password="another-horse-4711")
        assert (await desk.browser().sign_in(password=PASSWORD)).status == 401
        assert (await desk.browser().sign_in(password="another-horse-4711")).status == 200

    at_desk(tmp_path, work)
