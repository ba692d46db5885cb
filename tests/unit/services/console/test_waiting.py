"""What waits ten seconds, so that it can be undone, is done with the rights that its caller has by then."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fakes import FakeIds
from tests.unit.services.console.desk import Browser, Desk, at_desk
from whimbrel.core.errors import MailError
from whimbrel.services.admin.server.operations import Operation, Operations

CHANGE = {"name": "bob@other.test", "description": "waited"}
Meanwhile = Callable[[Desk, Browser], Awaitable[object]]


async def after(desk: Desk, browser: Browser, meanwhile: Meanwhile, path: str, body: object) -> Operation:
    """The change that `browser` asked for, when it has waited and `meanwhile` has happened."""
    over = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        await over.wait()

    office = desk.office
    operations = Operations(office.state, office.clock, office.log, FakeIds().session_id, sleep=sleep)
    desk.ctx = replace(desk.ctx, operations=operations)
    answer = await browser.ask("POST", f"{path}?undo=10", body)
    assert answer.status == 202, answer.body
    await meanwhile(desk, browser)
    over.set()
    operation = operations.named(answer.json["operation"])
    while operation.alive:
        await asyncio.sleep(0)
    return operation


async def nothing(_desk: Desk, _browser: Browser) -> None:
    pass


async def signs_out(_desk: Desk, browser: Browser) -> None:
    assert (await browser.ask("DELETE", "/api/session")).status == 204


async def idles(desk: Desk, browser: Browser) -> None:
    desk.office.clock.forward(40 * 86_400)
    assert (await browser.ask("GET", "/api/session")).status == 401


async def may_less(desk: Desk, _browser: Browser) -> None:
    await desk.do("user rights", name="dora@other.test", rights="none")


async def other_password(desk: Desk, _browser: Browser) -> None:
    await desk.do("user password", name="dora@other.test", password="another-horse-4712")


async def disabled(desk: Desk, _browser: Browser) -> None:
    await desk.do("user disable", name="dora@other.test")


async def ended_by_another(desk: Desk, _browser: Browser) -> None:
    await desk.do("admin session-end", user="dora@other.test")


async def ended_and_back(desk: Desk, browser: Browser) -> None:
    """A session that was taken away is not made good by a new one."""
    await ended_by_another(desk, browser)
    await desk.browser().sign_in("dora@other.test")


async def everywhere(desk: Desk, _browser: Browser) -> None:
    second = desk.browser()
    await second.sign_in("dora@other.test")
    assert (await second.ask("DELETE", "/api/session?everywhere=1")).status == 204


async def unknown(desk: Desk, _browser: Browser) -> None:
    async def fails(_id: object) -> None:
        raise MailError(451, "4.3.0", "not now")

    desk.sessions._directory = type("Gone", (), {"account": staticmethod(fails)})()


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        (nothing, ""),
        (signs_out, ""),
        (idles, ""),
        (may_less, "the rights were changed"),
        (other_password, "password"),
        (disabled, "disabled"),
        (ended_by_another, "ended by local"),
        (ended_and_back, "ended by local"),
        (everywhere, "signed out everywhere"),
        (unknown, "cannot be looked up"),
    ],
)
def test_who_lost_the_rights_meanwhile_has_nothing_done(
    tmp_path: Path, meanwhile: Meanwhile, reason: str, bulk: bool
) -> None:
    async def work(desk: Desk) -> None:
        dora = desk.browser()
        await dora.sign_in("dora@other.test")
        path, body = (
            ("/api/admin/bulk", {"call": "user set", "each": [CHANGE]}) if bulk else ("/api/admin/user/set", CHANGE)
        )
        operation = await after(desk, dora, meanwhile, path, body)
        changed = "waited" in desk.office.users
        assert (operation.state, changed) == (("failed", False) if reason else ("done", True)), operation.error
        assert reason in operation.error

    at_desk(tmp_path, work)


async def token_revoked(desk: Desk, _browser: Browser) -> None:
    await desk.do("admin token-revoke", names=["robot"])


async def maker_may_less(desk: Desk, _browser: Browser) -> None:
    await desk.do("user rights", name="alice@example.org", rights="server-read")


async def token_expired(desk: Desk, _browser: Browser) -> None:
    desk.office.clock.forward(400 * 86_400)


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [(nothing, ""), (token_revoked, "unknown token"), (maker_may_less, "may do less"), (token_expired, "expired")],
)
def test_a_token_that_opens_nothing_any_more_has_nothing_done(
    tmp_path: Path, meanwhile: Meanwhile, reason: str
) -> None:
    async def work(desk: Desk) -> None:
        alice = desk.browser()
        await alice.sign_in()
        made = await alice.call("admin token-create", name="robot", right="server-write")
        program = desk.program(made.json["result"]["token"])
        operation = await after(desk, program, meanwhile, "/api/admin/user/set", CHANGE)
        changed = "waited" in desk.office.users
        assert (operation.state, changed) == (("failed", False) if reason else ("done", True)), operation.error
        assert reason in operation.error

    at_desk(tmp_path, work)
