"""Links to set a password: what opens one, what ends one, and what nobody gets to see."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.services.console.desk import PASSWORD, Answer, Browser, Desk, at_desk
from whimbrel.core.errors import MailError
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller
from whimbrel.services.console.password_link import MAX_WRONG, WINDOW
from whimbrel.services.probing.ports import Probes

LOOK, SET = "/api/password-link", "/api/password-link/set"
NEW = "seven-green-kites"
NINA = "nina@other.test"


def secret_of(made: Any) -> str:
    base, _, secret = made.link.partition("#")
    assert base == "https://localhost:44337/set-password" or base.endswith(":44337/set-password")
    return str(secret)


async def new_link(desk: Desk, name: str = NINA, **more: Any) -> str:
    return secret_of(await desk.do("user password-link", name=name, **more))


async def look(browser: Browser, secret: str) -> Answer:
    return await browser.ask("POST", LOOK, {"link": secret})


async def set_password(browser: Browser, secret: str, password: str = NEW, **headers: str) -> Answer:
    return await browser.ask("POST", SET, {"link": secret, "password": password}, **headers)


def with_nina(folder: Path, work: Callable[[Desk, Browser], Awaitable[None]]) -> Desk:
    async def begin(desk: Desk) -> None:
        await desk.do("user add", name=NINA, full_name="Nina Nord")
        await work(desk, desk.browser())

    return at_desk(folder, begin)


def test_a_link_sets_the_password_once_and_the_file_and_the_logs_never_have_the_secret(tmp_path: Path) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        secret = await new_link(desk)
        seen = (await look(browser, secret)).json["result"]
        assert (seen["address"], seen["full_name"], seen["min_length"]) == (NINA, "Nina Nord", 8)
        stored = (desk.office.folder / "password-links.json").read_text()
        assert secret not in stored and (desk.office.folder / "password-links.json").stat().st_mode & 0o777 == 0o600
        answer = await set_password(browser, secret)
        assert answer.status == 200 and answer.headers["cache-control"] == "no-store, no-transform"
        assert any(each["service"] == "imaps" for each in answer.json["result"]["services"])
        for again in (await set_password(browser, secret, "another-green-kite"), await look(browser, secret)):
            assert again.status == 404 and again.kind == "not_found"
        user = await desk.do("user show", name=NINA)
        assert user.has_password and not user.password_link_expires
        logged = str(desk.office.log.records)
        assert secret not in logged and NEW not in logged
        assert "signin.link-made" in logged and "signin.link-used" in logged and "config.value" in logged

    with_nina(tmp_path, work)


def test_what_the_policy_refuses_is_said_at_the_field_and_leaves_the_link_as_it_was(tmp_path: Path) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        secret = await new_link(desk)
        for password in ("short", "Nina Nord", "password", "aaaaaaaaaaaa"):
            answer = await set_password(browser, secret, password)
            assert answer.status == 422 and answer.json["error"]["fields"][0]["name"] == "password"
        assert (await set_password(browser, secret)).status == 200

    with_nina(tmp_path, work)


def test_what_looks_like_a_verifier_is_a_password_like_any_other(tmp_path: Path) -> None:
    """Else whoever has a link would choose what runs at each sign-in."""

    async def work(desk: Desk, browser: Browser) -> None:
        assert (await set_password(browser, await new_link(desk), "{PLAIN}seven-green-kites")).status == 200
        assert "seven-green" not in desk.office.users
        account = await desk.ctx.directory.sign_in(NINA)
        assert account is not None and account.password.reveal().startswith("$argon2id$")

    with_nina(tmp_path, work)


async def _password(desk: Desk) -> None:
    await desk.do("user password", name=NINA, password=PASSWORD)


async def _newer(desk: Desk) -> None:
    await new_link(desk)


async def _revoked(desk: Desk) -> None:
    await desk.do("user password-link-revoke", name=NINA)


async def _disabled(desk: Desk) -> None:
    await desk.do("user disable", name=NINA)


async def _made_anew(desk: Desk) -> None:
    await desk.do("user remove", name=NINA)
    desk.office.clock.forward(1)
    await desk.do("user add", name=NINA)


async def _expired(desk: Desk) -> None:
    desk.office.clock.forward(3 * 86_400)


async def _unreadable(desk: Desk) -> None:
    (desk.office.folder / "password-links.json").unlink()


ENDS = [_password, _newer, _revoked, _disabled, _made_anew, _expired, _unreadable]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__.strip("_"))
def test_a_link_ends_with_what_it_was_made_for(tmp_path: Path, end: Callable[[Desk], Awaitable[None]]) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        secret = await new_link(desk)
        assert (await look(browser, secret)).status == 200
        await end(desk)
        assert (await look(browser, secret)).status == 404
        before = desk.office.users
        assert (await set_password(browser, secret)).status == 404
        assert desk.office.users == before, "nothing was set"

    with_nina(tmp_path, work)


def test_a_kept_copy_of_the_file_opens_nothing_for_another_account_of_the_name(tmp_path: Path) -> None:
    """As after a restored backup: the id of the account tells, and not that the link was taken out."""

    async def work(desk: Desk, browser: Browser) -> None:
        secret, file = await new_link(desk), desk.office.folder / "password-links.json"
        kept = file.read_text()
        await _made_anew(desk)
        file.write_text(kept)
        assert (await look(browser, secret)).status == 404
        reasons = [each for each in map(str, desk.office.log.records) if "link-refused" in each]
        assert "another one of the same name" in reasons[-1]

    with_nina(tmp_path, work)


def dora() -> Caller:
    from whimbrel.core.rights import Grants

    return Caller("dora@other.test", Grants.of("domain", own=cast(Any, "other.test")), "dora@other.test", "192.0.2.9")


async def as_dora(desk: Desk, call: str, **arguments: Any) -> Any:
    from tests.unit.services.admin.office import CALLS
    from whimbrel.services.admin.invoke import invoke

    return await invoke(CALLS[call], desk.ctx.request(dora()), arguments)


def test_rights_raised_above_who_made_it_or_lost_by_who_made_it_end_a_link(tmp_path: Path) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        secret = secret_of(await as_dora(desk, "user password-link", name=NINA))
        await desk.do("user rights", name=NINA, rights="server-read")
        assert (await look(browser, secret)).status == 404
        await desk.do("user rights", name=NINA, rights="none")
        assert (await look(browser, secret)).status == 200
        await desk.do("user rights", name="dora@other.test", rights="none")
        assert (await set_password(browser, secret)).status == 404
        await desk.do("user rights", name="dora@other.test", rights="domain")
        await desk.do("user disable", name="dora@other.test")
        assert (await set_password(browser, secret)).status == 404

    with_nina(tmp_path, work)


def test_nobody_makes_or_revokes_one_of_a_mightier_user_or_of_another_domain(tmp_path: Path) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        await desk.do("user rights", name=NINA, rights="server-read")
        await new_link(desk)
        for call in ("user password-link", "user password-link-revoke"):
            for name in (NINA, "alice@example.org"):
                with pytest.raises(CallError) as error:
                    await as_dora(desk, call, name=name)
                assert error.value.kind is Failure.FORBIDDEN

    with_nina(tmp_path, work)


def test_a_person_makes_none_for_himself_without_rights(tmp_path: Path) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        from tests.unit.services.admin.office import CALLS
        from whimbrel.services.admin.invoke import invoke

        ctx = desk.ctx.request(Caller(NINA, account=NINA, grants=(await _account(desk)).grants))
        with pytest.raises(CallError):
            await invoke(CALLS["user password-link"], ctx, {"name": NINA})

    with_nina(tmp_path, work)


async def _account(desk: Desk) -> Any:
    return await desk.ctx.directory.sign_in(NINA)


def test_wrong_links_are_answered_so_often_from_one_address_and_others_go_on(tmp_path: Path) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        secret = await new_link(desk)
        for number in range(MAX_WRONG):
            assert (await look(browser, f"{number:043d}")).status == 404
        locked = await look(browser, secret)
        assert locked.status == 429 and int(locked.headers["retry-after"]) == WINDOW
        assert (await set_password(browser, secret)).status == 429
        assert (await look(desk.browser(ip="192.0.2.99"), secret)).status == 200
        desk.office.clock.forward(WINDOW)

    with_nina(tmp_path, work)


def test_pages_of_other_sites_forms_and_reading_requests_change_nothing(tmp_path: Path) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        secret = await new_link(desk)
        before = desk.office.users
        assert (await set_password(browser, secret, origin="https://evil.test")).status == 403
        assert (await set_password(browser, secret, sec_fetch_site="cross-site")).status == 403
        assert (await set_password(browser, secret, content_type="text/plain")).status == 400
        assert (await browser.ask("GET", f"{SET}?link={secret}&password={NEW}")).status in (401, 405)
        assert (await browser.ask("GET", f"{LOOK}?link={secret}")).status in (401, 405)
        assert desk.office.users == before
        assert (await set_password(browser, secret)).status == 200

    with_nina(tmp_path, work)


def test_two_at_once_set_one_password(tmp_path: Path) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        secret = await new_link(desk)
        answers = await asyncio.gather(
            set_password(browser, secret, "first-green-kite"), set_password(desk.browser(), secret, "other-green-kite")
        )
        assert sorted(each.status for each in answers) == [200, 404]

    with_nina(tmp_path, work)


def test_sessions_of_the_console_end_as_at_any_other_change_of_the_password(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        signed_in = desk.browser()
        await signed_in.sign_in()
        secret = await new_link(desk, "alice@example.org")
        assert (await set_password(desk.browser(ip="192.0.2.8"), secret)).status == 200
        assert (await signed_in.ask("GET", "/api/session")).status == 401
        assert (await desk.browser().sign_in(password=NEW)).status == 200

    at_desk(tmp_path, work)


@pytest.mark.parametrize("expires", ["4m", "31d", "soon", "-1d"])
def test_a_link_lasts_for_a_time_that_makes_sense(tmp_path: Path, expires: str) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        with pytest.raises(CallError) as error:
            await new_link(desk, expires=expires)
        assert error.value.fields[0].name == "expires"
        before = desk.office.clock.now()
        assert (await desk.do("user password-link", name=NINA, expires="2h")).expires == before + 7200
        assert (await desk.do("user password-link", name=NINA)).expires == before + 3 * 86_400

    with_nina(tmp_path, work)


class Pigeon:
    """A Post that keeps what it is given, or takes nothing."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.sent: list[tuple[Sequence[str], str, str, str]] = []

    async def send(self, to: Sequence[str], subject: str, text: str, *, language: str = "en") -> str:
        if self.refuses:
            raise MailError(452, "4.3.1", "The disk is full")
        self.sent.append((to, subject, text, language))
        return "q1"


def carried_by(desk: Desk, post: Pigeon) -> None:
    nothing = cast(Any, None)
    desk.ctx = replace(desk.ctx, probes=Probes(nothing, nothing, nothing, post))


def test_it_is_mailed_where_the_colleague_reads_already_and_the_subject_has_no_secret(tmp_path: Path) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        post = Pigeon()
        carried_by(desk, post)
        secret = await new_link(desk, mail_to="nina@private.example")
        ((to, subject, text, language),) = post.sent
        assert to == ("nina@private.example",) and language == "en"
        assert secret not in subject and NINA in subject and f"#{secret}" in text
        user = await desk.do("user show", name=NINA)
        assert user.password_link_sent_to == "nina@private.example" and user.password_link_expires
        with pytest.raises(CallError, match="is the mailbox that the link opens"):
            await new_link(desk, mail_to=NINA)
        with pytest.raises(CallError, match="mail_to"):
            await new_link(desk, mail_to="nobody at all")

    with_nina(tmp_path, work)


def test_a_link_that_could_not_be_mailed_is_void(tmp_path: Path) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        carried_by(desk, Pigeon(refuses=True))
        with pytest.raises(CallError, match="The disk is full"):
            await new_link(desk, mail_to="nina@private.example")
        assert not (await desk.do("user show", name=NINA)).password_link_expires

    with_nina(tmp_path, work)


def test_it_is_made_at_once_or_not_and_for_no_crowd(tmp_path: Path) -> None:
    async def work(desk: Desk, browser: Browser) -> None:
        await browser.sign_in()
        answer = await browser.ask("POST", "/api/admin/user/password-link?undo=10", {"name": NINA})
        assert answer.status == 400
        answer = await browser.ask("POST", "/api/admin/user/password-link?check=1", {"name": NINA})
        assert answer.status == 200 and answer.json["result"]["link"] == ""
        assert not (desk.office.folder / "password-links.json").exists()

    with_nina(tmp_path, work)
