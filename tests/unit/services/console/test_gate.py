"""The gate: what lets a request in, and what another web page cannot make a browser do."""

from pathlib import Path

import pytest

from tests.unit.services.console.desk import COOKIE, HOST, INSTALLATION, ORIGIN, Desk, at_desk
from whimbrel.services.console.cookie import cookie_name

CHANGE = ("POST", "/api/admin/domain/add", {"name": "new.test"})


def test_without_a_session_nothing_is_answered(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        for method, path in (
            ("GET", "/api/session"),
            ("DELETE", "/api/session"),
            ("GET", "/api/admin/status"),
            ("GET", "/api/admin/nothing"),
            ("GET", "/"),
            ("POST", "/api/session/reauthenticate"),
        ):
            answer = await desk.browser().ask(method, path)
            assert (answer.status, answer.kind) == (401, "unauthorized"), path
            assert answer.headers["www-authenticate"].startswith("Bearer")

    at_desk(tmp_path, work)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "https://evil.test",
        f"http://{HOST}",
        "https://mail.example.org",
        "https://mail.example.org:443",
        f"{ORIGIN}.evil.test",
        f"https://evil.test@{HOST}",
    ],
)
def test_a_change_comes_from_a_page_of_this_scheme_host_and_port(tmp_path: Path, origin: str) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in()
        answer = await browser.ask(*CHANGE, origin=origin)
        assert (answer.status, answer.kind) == (403, "forbidden")
        assert "new.test" not in desk.office.users
        assert desk.office.log.named("console.refused")[0]["user"] == "alice@example.org"

    at_desk(tmp_path, work)


def test_the_port_of_https_itself_is_left_out_by_browsers(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser(headers={"host": "mail.example.org:443", "origin": "https://mail.example.org"})
        await browser.sign_in()
        assert (await browser.ask(*CHANGE)).status == 200

    at_desk(tmp_path, work)


@pytest.mark.parametrize("csrf", ["", "0" * 64, "ä"])
def test_a_change_carries_the_token_of_its_session(tmp_path: Path, csrf: str) -> None:
    async def work(desk: Desk) -> None:
        browser, other = desk.browser(), desk.browser()
        await browser.sign_in()
        await other.sign_in()
        for wrong in (csrf, other.csrf):
            answer = await browser.ask(*CHANGE, x_csrf_token=wrong)
            assert (answer.status, answer.kind) == (403, "forbidden")
        assert "new.test" not in desk.office.users

    at_desk(tmp_path, work)


def test_signing_in_for_somebody_from_another_page_is_refused(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser(headers={"origin": "https://evil.test"})
        assert (await browser.sign_in()).status == 403
        assert (await desk.browser(headers={"origin": ""}).sign_in()).status == 200  # No browser: curl, a program.

    at_desk(tmp_path, work)


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)]
)
def test_another_site_gets_not_even_what_only_reads(tmp_path: Path, site: str, status: int) -> None:
    """The webmail on port 443 is of the same site: cookies ignore ports."""

    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in()
        assert (await browser.ask("GET", "/api/admin/status", sec_fetch_site=site)).status == status

    at_desk(tmp_path, work)


@pytest.mark.parametrize("client", ["", "nonsense", "192.0.2.1, 192.0.2.2", "192.0.2.1\t"])
def test_the_address_of_the_client_is_known_or_nothing_happens(tmp_path: Path, client: str) -> None:
    async def work(desk: Desk) -> None:
        answer = await desk.browser(headers={"whimbrel-client": client}).sign_in()
        assert (answer.status, answer.kind) == (400, "usage")

    at_desk(tmp_path, work)


def test_an_ipv4_client_of_an_ipv6_socket_is_counted_alone(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        await desk.browser(ip="::ffff:192.0.2.9").sign_in(password="wrong")
        assert desk.office.log.named("signin.failed")[0]["sender_host"] == "192.0.2.9"

    at_desk(tmp_path, work)


def test_two_cookies_of_the_name_are_none(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in()
        good = f"{COOKIE}={browser.id}"
        for cookie, status in ((f"a=b; {good}; c", 200), (f"{good}; {good}x", 401), (f"{good}; {good}", 401)):
            assert (await browser.ask("GET", "/api/session", cookie=cookie)).status == status

    at_desk(tmp_path, work)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wbt_nothing",
        "Basic YWxpY2U6eA==",
        "Bearer",
        "",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_an_authorization_that_opens_nothing_is_not_made_good_by_a_cookie(tmp_path: Path, header: str) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in()
        answer = await browser.ask("GET", "/api/admin/status", authorization=header)
        assert answer.status == (401 if header else 200)

    at_desk(tmp_path, work)


def test_nothing_of_the_api_is_kept_by_anybody_on_the_way(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        unsaid = "no-store, no-transform"  # What may hold a secret is not packed either. Decision 0022
        assert (await browser.ask("GET", "/api/session")).headers["cache-control"] == unsaid
        assert (await browser.sign_in()).headers["cache-control"] == unsaid
        assert (await browser.ask("GET", "/api/nothing")).headers["cache-control"] == unsaid
        assert (await browser.call("admin token-create", name="x")).headers["cache-control"] == unsaid
        assert (await browser.ask("GET", "/api/admin/status")).headers["cache-control"] == "no-store"

    at_desk(tmp_path, work)


def test_a_caller_over_the_console_is_never_the_local_one(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        browser = desk.browser()
        await browser.sign_in("dora@other.test")
        answer = await browser.ask("POST", "/api/admin/domain/add", {"name": "new.test"})
        assert (answer.status, answer.kind) == (403, "forbidden")
        await browser.ask("POST", "/api/admin/user/set", {"name": "bob@other.test", "full_name": "Bob"})
        (line,) = [line for line in desk.office.log.named("config.value") if line["user"] != "local"]
        assert (line["user"], line["origin"]) == ("dora@other.test", "192.0.2.7")

    at_desk(tmp_path, work)


def test_consoles_of_other_ports_and_installations_on_the_host_have_other_cookies(tmp_path: Path) -> None:
    """A browser sends all cookies of a host to each of its ports. RFC 6265 8.5"""

    async def work(desk: Desk) -> None:
        first, second = desk.browser(), desk.browser()
        second.headers = {"host": "mail.example.org:8443", "origin": "https://mail.example.org:8443"}
        names = [(await each.sign_in()).headers["set-cookie"].partition("=")[0] for each in (first, second)]
        assert names == [f"__Host-whimbrel-console-{INSTALLATION}-{port}" for port in (44337, 8443)]
        both = "; ".join(f"{name}={each.id}" for name, each in zip(names, (first, second), strict=True))
        stranger = f"{cookie_name('ffffffff', HOST)}=x; __Host-whimbrel-webmail=y; {both}"
        csrf = [each.csrf for each in (first, second)]
        assert csrf[0] != csrf[1]
        for each in (first, second):
            assert (await each.ask("GET", "/api/session", cookie=stranger)).json["result"]["csrf"] == each.csrf
        out = await second.ask("DELETE", "/api/session", cookie=stranger)
        assert out.headers["set-cookie"].partition("=")[0] == names[1]
        assert (await first.ask("GET", "/api/session", cookie=stranger)).status == 200
        assert (await second.ask("GET", "/api/session", cookie=stranger)).status == 401

    at_desk(tmp_path, work)


@pytest.mark.parametrize(
    ("authority", "port"),
    [
        ("mail.example.org", "443"),
        ("mail.example.org:443", "443"),
        ("mail.example.org:044337", "443"),
        ("[2001:db8::1]", "443"),
        ("[2001:db8::1]:44337", "44337"),
        ("mail.example.org:1; a=b", "443"),
        ("mail.example.org:\u0664\u0662", "443"),
        ("", "443"),
    ],
)
def test_the_name_of_the_cookie_takes_nothing_but_a_port_from_a_request(authority: str, port: str) -> None:
    assert cookie_name("0a1b2c3d", authority) == f"__Host-whimbrel-console-0a1b2c3d-{port}"
