"""Signing in to the console: one answer for every failure, a session of 256 random bits, kept as a hash."""

import json
from pathlib import Path

import pytest

from tests.unit.services.console.desk import COOKIE, PASSWORD, Desk, at_desk
from whimbrel.services.console.sessions import KIND
from whimbrel.services.session.settings import SecuritySettings


def test_who_signs_in_is_told_who_that_is_and_makes_calls(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        answer = await browser.sign_in("alice")
        me = answer.json["result"]
        assert (answer.status, me["account"], me["right"], me["domains"]) == (
            200,
            "alice@example.org",
            "server-write",
            None,
        )
        assert (me["full_name"], me["mail_read"], me["idle_seconds"]) == ("Alice Adams", False, 1800)
        assert me["server"] == {"hostname": "mail.example.org", "version": "1.0", "protocol": 1}
        assert (await browser.ask("GET", "/api/session")).json["result"] == me
        assert (await browser.ask("POST", "/api/admin/domain/add", {"name": "new.test"})).status == 200
        assert "new.test" in desk.office.users

    at_desk(tmp_path, work)


def test_the_cookie_is_out_of_reach_of_scripts_subdomains_and_plain_http(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        cookie = (await desk.browser().sign_in()).headers["set-cookie"]
        name, *attributes = cookie.split("; ")
        assert name.startswith(f"{COOKIE}=") and COOKIE.startswith("__Host-")
        assert {each.lower() for each in attributes} == {"path=/", "secure", "httponly", "samesite=strict"}

    at_desk(tmp_path, work)


def test_who_administers_domains_is_told_which(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        me = (await desk.browser().sign_in("dora@other.test")).json["result"]
        assert (me["right"], me["domains"]) == ("domain", ["other.test"])

    at_desk(tmp_path, work)


@pytest.mark.parametrize(
    ("name", "password", "reason"),
    [
        ("alice@example.org", "wrong", "wrong password"),
        ("nobody@example.org", PASSWORD, "unknown user"),
        ("bob@other.test", PASSWORD, "the user administers nothing"),
        ("bob@other.test", "wrong", "the user administers nothing"),
        ("carol@example.org", PASSWORD, "the user is disabled"),
    ],
)
def test_every_failure_has_one_answer_and_the_log_the_reason(
    tmp_path: Path, name: str, password: str, reason: str
) -> None:
    async def work(desk: Desk) -> None:
        await desk.do("user add", name="carol@example.org", password=PASSWORD, rights="server-read")
        await desk.do("user disable", name="carol@example.org")
        answer = await desk.browser().sign_in(name, password)
        text = "Name or password is wrong, or the user administers nothing"
        assert (answer.status, answer.json["error"]["text"], desk.pauses) == (401, text, [1.0])
        assert (answer.kind, "set-cookie" in answer.headers) == ("unauthorized", False)
        (line,) = desk.office.log.named("signin.failed")
        assert (line["service"], line["sender_host"], line["reason"]) == ("console", "192.0.2.7", reason)

    at_desk(tmp_path, work)


def test_the_password_of_who_administers_nothing_is_not_even_looked_at(tmp_path: Path) -> None:
    """A right one would be answered faster the second time, and so be known."""

    async def work(desk: Desk) -> None:
        for _ in range(2):
            await desk.browser().sign_in("bob@other.test")
        assert desk.counters.get("signin:192.0.2.7:bob@other.test", window=900) == 2

    at_desk(tmp_path, work)


def test_guessing_locks_out_by_the_counters_of_the_mail_services(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        for _ in range(3):
            await desk.browser().sign_in(password="wrong")
        answer = await desk.browser().sign_in()
        assert (answer.status, answer.kind, answer.headers["retry-after"]) == (429, "locked", "900")
        assert (await desk.browser(ip="192.0.2.8").sign_in()).status == 200

    at_desk(tmp_path, work, SecuritySettings(lock_out_after=3))


def test_each_sign_in_has_a_new_id_and_the_former_one_ends(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser(id="planted-by-somebody-else")
        await browser.sign_in()
        first = browser.id
        assert first != "planted-by-somebody-else" and len(first) == 43  # 256 bits in base64
        await browser.sign_in()
        assert browser.id != first
        assert (await desk.browser(id=first).ask("GET", "/api/session")).status == 401

    at_desk(tmp_path, work)


def test_what_is_stored_opens_nothing(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in()
        (stored,) = await desk.office.state.list(KIND)
        assert browser.id not in json.dumps(stored) and browser.csrf not in json.dumps(stored)
        assert (await desk.browser(id=stored[0]).ask("GET", "/api/session")).status == 401

    at_desk(tmp_path, work)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "alice"}, 400),
        ({"name": "alice", "password": ["x"]}, 400),
        ({"name": "alice", "password": "x", "more": "y"}, 400),
        ([], 400),
        (b"{", 400),
        (b"[" * 9000, 400),
        ({"name": "a" * 20_000, "password": "x"}, 400),
        ({"name": "\ud800", "password": "\ud800"}, 400),
        ({"name": "", "password": ""}, 401),
        ({"name": "alice\r\nSecurity: all is well", "password": "x"}, 401),
    ],
)
def test_what_is_no_sign_in_is_refused_as_such(tmp_path: Path, body: object, status: int) -> None:
    async def work(desk: Desk) -> None:
        assert (await desk.browser().ask("POST", "/api/session", body)).status == status

    at_desk(tmp_path, work)


def test_the_password_once_more_within_the_session(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in()
        desk.office.clock.forward(301)
        assert (await browser.ask("GET", "/api/session")).json["result"]["reauthenticate"] is True
        again = "/api/session/reauthenticate"
        wrong = await browser.ask("POST", again, {"password": "wrong"})
        assert (wrong.status, wrong.kind) == (403, "reauthenticate")
        assert (await browser.ask("GET", "/api/session")).status == 200
        assert (await browser.ask("POST", again, {"password": PASSWORD})).json["result"]["reauthenticate"] is False

    at_desk(tmp_path, work)


def test_how_a_person_wants_the_console_is_the_same_in_every_browser(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser, other = desk.browser(), desk.browser()
        await browser.sign_in()
        assert (await browser.ask("PATCH", "/api/session", {"density": "compact"})).status == 200
        assert (await browser.ask("PATCH", "/api/session", {"language": "de"})).status == 200
        me = (await other.sign_in()).json["result"]
        assert (me["language"], me["density"]) == ("de", "compact")
        for wrong in ({"language": "<script>"}, {"density": 3}, {"colour": "red"}):
            assert (await browser.ask("PATCH", "/api/session", wrong)).status == 400

    at_desk(tmp_path, work)
