"""API tokens: shown once, kept as a hash, never mightier than their maker."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.console.desk import Desk, at_desk
from whimbrel.services.admin.access.token_text import LENGTH, new_token, well_formed
from whimbrel.services.admin.calls import CallError, Failure


async def made(desk: Desk, by: str = "alice@example.org", **arguments: Any) -> str:
    browser = desk.browser()
    await browser.sign_in(by)
    answer = await browser.call("admin token-create", **{"name": "monitoring", "right": "server-read", **arguments})
    assert answer.status == 200, answer.json
    return str(answer.json["result"]["token"])


def test_a_token_calls_without_cookie_origin_and_csrf(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        program = desk.program(await made(desk))
        assert (await program.ask("GET", "/api/admin/status")).status == 200
        refused = await program.call("domain add", name="new.test")
        assert (refused.status, refused.kind) == (403, "forbidden")
        assert (await program.ask("GET", "/api/session")).status == 401

    at_desk(tmp_path, work)


def test_what_is_stored_and_listed_does_not_hold_the_token(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        token = await made(desk)
        stored = (desk.office.folder / "tokens.json").read_text()
        assert token not in stored and token[4:20] not in stored
        assert (desk.office.folder / "tokens.json").stat().st_mode & 0o777 == 0o600
        (row,) = (await desk.do("admin token-list")).items
        assert (row.name, row.rights, row.user, row.expired) == (
            "monitoring",
            "server-read",
            "alice@example.org",
            False,
        )
        logged = " ".join(map(str, desk.office.log.records))
        assert token not in logged
        assert desk.office.log.named("token.made")[0]["user"] == "alice@example.org"

    at_desk(tmp_path, work)


def test_a_list_tells_when_a_token_was_last_used_and_from_where(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        token = await made(desk)
        assert (await desk.do("admin token-list")).items[0].last_used == 0
        desk.office.clock.forward(1000)
        for _ in range(3):
            await desk.program(token, "2001:db8::5").ask("GET", "/api/admin/status")
        (row,) = (await desk.do("admin token-list")).items
        assert (row.last_used, row.last_address) == (desk.office.clock.now(), "2001:db8::5")
        lines = [line for line in desk.office.log.named("signin.ok") if line["method"] == "token monitoring"]
        assert [line["sender_host"] for line in lines] == ["2001:db8::5"]

    at_desk(tmp_path, work)


def test_a_token_expires(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        program = desk.program(await made(desk, expires="1h"))
        desk.office.clock.forward(3599)
        assert (await program.ask("GET", "/api/admin/status")).status == 200
        desk.office.clock.forward(1)
        assert (await program.ask("GET", "/api/admin/status")).status == 401
        assert desk.office.log.named("signin.failed")[0]["reason"] == "the token has expired"

    at_desk(tmp_path, work)


@pytest.mark.parametrize("expires", ["0s", "yesterday", "soon", "2020-01-01", ""])
def test_an_end_that_is_none_is_refused(tmp_path: Path, expires: str) -> None:
    async def work(desk: Desk) -> None:
        with pytest.raises(CallError) as refused:
            await desk.do("admin token-create", name="x", right="server-read", expires=expires)
        assert refused.value.fields[0].name == "expires"

    at_desk(tmp_path, work)


def test_a_revoked_token_opens_nothing_at_once(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        program = desk.program(await made(desk))
        assert await desk.programs.lasts("monitoring")
        await desk.do("admin token-revoke", names=["monitoring"])
        assert not await desk.programs.lasts("monitoring")  # A stream that it opened ends too.
        assert (await program.ask("GET", "/api/admin/status")).status == 401
        assert (await desk.do("admin token-list")).items == ()

    at_desk(tmp_path, work)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("user rights", {"rights": "none"}),
        ("user rights", {"rights": "domain"}),
        ("user remove", {}),
        ("user rename", {"new": "eve"}),
    ],
)
def test_a_token_ends_for_good_with_the_rights_of_its_maker(
    tmp_path: Path, call: str, arguments: dict[str, Any]
) -> None:
    async def work(desk: Desk) -> None:
        await desk.do("user rights", name="bob@other.test", rights="server-read")
        program = desk.program(await made(desk, "bob@other.test"))
        await desk.do(call, name="bob@other.test", **arguments)
        assert (await program.ask("GET", "/api/admin/status")).status == 401
        await desk.programs.review()
        assert await desk.tokens.tokens() == []
        assert "bob@other.test" in str(desk.office.log.named("token.ended")[0]["reason"])
        if call == "user rights":
            await desk.do("user rights", name="bob@other.test", rights="server-write")
            assert (await program.ask("GET", "/api/admin/status")).status == 401

    at_desk(tmp_path, work)


def test_a_disabled_makers_token_waits(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        program = desk.program(await made(desk))
        await desk.do("user disable", name="alice")
        assert (await program.ask("GET", "/api/admin/status")).status == 401
        await desk.programs.review()
        await desk.do("user enable", name="alice")
        assert (await program.ask("GET", "/api/admin/status")).status == 200

    at_desk(tmp_path, work)


@pytest.mark.parametrize(
    "arguments",
    [
        {"right": "server-write"},
        {"right": "server-read"},
        {"right": "none", "grant": ["mail-read"]},
        {"right": "none", "grant": ["mail-read other.test"]},
        {"right": "none", "grant": ["domain example.org"]},
        {"right": "domain", "grant": ["accounts example.org"]},
    ],
)
def test_nobody_makes_a_token_that_may_more(tmp_path: Path, arguments: dict[str, Any]) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in("dora@other.test")
        answer = await browser.call("admin token-create", name="x", **arguments)
        assert (answer.status, answer.kind) == (403, "forbidden")
        assert await desk.tokens.tokens() == []

    at_desk(tmp_path, work)


def test_a_token_of_the_own_domain_names_that_domain(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        program = desk.program(await made(desk, "dora@other.test", right="domain"))
        rows = (await program.ask("GET", "/api/admin/user/list")).json["result"]["items"]
        assert {row["address"] for row in rows} == {"bob@other.test", "dora@other.test"}
        assert (await program.call("user set", name="bob@other.test", full_name="Bob")).status == 200
        assert (await program.call("user set", name="alice@example.org", full_name="x")).status == 403
        (line,) = [line for line in desk.office.log.named("config.value") if line["field"] == "full-name"]
        assert line["user"] == "token monitoring of dora@other.test"

    at_desk(tmp_path, work)


def test_a_token_makes_no_tokens_and_is_nobodys_own_account(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        program = desk.program(await made(desk, "dora@other.test", right="domain"))
        assert (await program.call("admin token-create", name="y", right="domain")).status == 403
        reader = desk.program(await made(desk, name="reader"))
        assert (
            await reader.call("user password", name="alice@example.org", password="four words that fit")
        ).status == 403

    at_desk(tmp_path, work)


def test_without_a_word_on_domains_the_machine_itself_makes_no_domain_token(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        with pytest.raises(CallError):
            await desk.do("admin token-create", name="x", right="domain")
        token = (await desk.do("admin token-create", name="x", grant=["domain other.test"], expires="never")).token
        desk.office.clock.forward(10 * 365 * 86400)
        assert (await desk.program(token).ask("GET", "/api/admin/user/list")).status == 200
        await desk.programs.review()  # Nobody's rights can be lost here.
        assert len(await desk.tokens.tokens()) == 1

    at_desk(tmp_path, work)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "x"},
        {"name": " ", "right": "server-read"},
        {"name": "x" * 101, "right": "server-read"},
        {"name": "x", "grant": ["nonsense"]},
        {"name": "x", "grant": ["domain nowhere.test"]},
    ],
)
def test_what_makes_no_token_is_refused(tmp_path: Path, arguments: dict[str, Any]) -> None:
    async def work(desk: Desk) -> None:
        with pytest.raises(CallError) as refused:
            await desk.do("admin token-create", **arguments)
        assert refused.value.kind in (Failure.USAGE, Failure.NOT_FOUND)

    at_desk(tmp_path, work)


def test_two_tokens_have_two_names(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        await made(desk)
        with pytest.raises(CallError, match="there is a token 'monitoring' already"):
            await desk.do("admin token-create", name="monitoring", right="server-read")

    at_desk(tmp_path, work)


def test_who_administers_a_domain_sees_and_revokes_tokens_of_its_users_alone(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        await made(desk, name="of-alice")
        await made(desk, "dora@other.test", name="of-dora", right="domain")
        await desk.do("admin token-create", name="of-nobody", right="server-write")
        browser, reader = desk.browser(), desk.browser()
        await browser.sign_in("dora@other.test")
        rows = (await browser.ask("GET", "/api/admin/admin/token-list")).json["result"]["items"]
        assert [row["name"] for row in rows] == ["of-dora"]
        for name in ("of-alice", "of-nobody"):
            assert (await browser.call("admin token-revoke", names=[name])).status == 404
        await desk.do("user rights", name="bob@other.test", rights="server-read")
        await reader.sign_in("bob@other.test")
        rows = (await reader.ask("GET", "/api/admin/admin/token-list")).json["result"]["items"]
        assert [row["name"] for row in rows] == ["of-alice", "of-dora", "of-nobody"]
        for name in ("of-alice", "of-dora", "of-nobody"):
            assert (await reader.call("admin token-revoke", names=[name])).status == 403
        assert (await browser.call("admin token-revoke", names=["of-dora"])).status == 200

    at_desk(tmp_path, work)


def test_making_a_token_asks_for_the_password_once_more(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in()
        desk.office.clock.forward(301)
        answer = await browser.call("admin token-create", name="x", right="server-read")
        assert (answer.status, answer.kind) == (403, "reauthenticate")

    at_desk(tmp_path, work)


def test_a_trial_makes_none(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        desk.ctx = replace(desk.ctx, dry_run=True)
        browser = desk.browser()
        await browser.sign_in()
        answer = await browser.ask(
            "POST", "/api/admin/admin/token-create?check=1", {"name": "x", "right": "server-read"}
        )
        assert answer.json["result"]["token"] == "" and await desk.tokens.tokens() == []

    at_desk(tmp_path, work)


def test_a_mistyped_token_is_known_by_its_checksum() -> None:
    text = new_token()
    assert len(text) == LENGTH and text.startswith("wbt_") and well_formed(text)
    for wrong in (text[:-1], text + "0", text.replace(text[10], "_", 1), text.swapcase(), "", "ä" * LENGTH):
        assert not well_formed(wrong)
    assert new_token() != text
