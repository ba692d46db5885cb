"""Health, alerts, tools, the guide and other servers, by the words that a person reads and presses."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visit, setting
from tests.support.server import Running, command

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.xdist_group("browser")]


def test_a_check_says_what_mends_it_and_leads_there(visit: Callable[..., Visit]) -> None:
    window = visit()
    window.go("/health")
    window.page.get_by_text("Outgoing port 25").click()
    window.page.get_by_role("link", name="Open Health checks").click()
    window.page.get_by_label("Port 25 host", exact=True).wait_for()
    assert "setting=health%2Fport-25-host" in window.page.url
    window.go("/dashboard")
    window.page.get_by_role("link", name="All health checks").click()
    window.page.get_by_role("button", name="Run checks").click()
    window.calm()
    assert not window.faults.said


def test_recipients_of_one_event_come_to_the_file_and_a_test_reaches_them(
    visit: Callable[..., Visit], house: Running
) -> None:
    window = visit()
    page = window.page
    window.go("/alerts")
    page.get_by_text("Nobody is told when something goes wrong.").wait_for()
    page.get_by_role("gridcell", name="Disk space is low").click()
    drawer = page.get_by_role("complementary", name="Disk space is low")
    drawer.get_by_role("button", name="To", exact=True).click()
    page.keyboard.type("anna@example.test")
    page.get_by_role("button", name=re.compile("^Save")).click()
    page.get_by_text("Saved", exact=True).wait_for()
    assert setting(house.directory, "alerts/event[@name='disk-low']/to") == "anna@example.test"
    drawer.get_by_role("button", name="Send a test").click()
    page.get_by_text("anna@example.test was told").wait_for()
    assert "Test: Disk space is low" not in command(house.directory, "log", "show", "error")
    drawer.get_by_role("button", name="As for all events").click()
    page.get_by_role("button", name=re.compile("^Save")).click()
    drawer.get_by_text("Nobody is told of it.").wait_for()
    assert not window.faults.said


def test_a_call_to_our_own_port_is_shown_line_by_line_and_stays_while_one_looks_elsewhere(
    visit: Callable[..., Visit], house: Running
) -> None:
    window = visit()
    page = window.page
    window.go("/tools?tab=smtp")
    page.get_by_label("Domain, host or address").fill("127.0.0.1")
    page.get_by_label("Port", exact=True).fill(str(house.ports["smtp"]))
    page.keyboard.press("Enter")
    page.get_by_text("> QUIT").wait_for()
    page.get_by_role("link", name="Alerts").click()
    page.get_by_role("link", name="Tools").click()
    page.get_by_role("tab", name="SMTP").click()
    assert page.get_by_text("> STARTTLS").count() == 1
    page.get_by_role("tab", name="Ports").click()
    page.get_by_role("button", name="Try all ports").click()
    page.get_by_role("rowheader", name="imap", exact=True).wait_for()
    assert not window.faults.said


def test_a_setting_leads_to_the_guide_and_the_guide_to_the_setting(visit: Callable[..., Visit]) -> None:
    window = visit()
    page = window.page
    window.go("/settings/storage?setting=quota/warn-at")
    page.get_by_role("button", name="More about Warn at").click()
    page.get_by_role("menuitem", name="What the guide says").click()
    page.get_by_role("heading", name="Quota", exact=True).wait_for()
    page.get_by_role("link", name="quota/warn-at").click()
    page.get_by_label("Warn at", exact=True).wait_for()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search screens")).to_be_focused()
    page.keyboard.type("quiet hours")
    page.get_by_role("listbox", name="Found").get_by_role("option").first.wait_for()
    window.go("/help?q=HMAC-SHA256")
    page.get_by_role("link", name=re.compile("^Alerts")).last.click()
    page.get_by_role("heading", name="Alerts", exact=True).wait_for()
    assert not window.faults.said


def test_a_server_is_added_with_the_certificate_that_it_shows(visit: Callable[..., Visit], house: Running) -> None:
    """Here it is the very same server: an address that was typed may be any."""
    window = visit()
    page = window.page
    token = command(house.directory, "admin", "token-create", "browser", "--right", "server-read").strip()
    window.go("/servers")
    page.get_by_role("button", name="Add server").click()
    page.keyboard.type("mx2")
    page.keyboard.press("Enter")
    drawer = page.get_by_role("complementary", name="mx2")
    drawer.get_by_role("textbox", name="URL").fill(f"https://127.0.0.1:{house.ports['console']}")
    drawer.get_by_role("button", name="Token", exact=True).click()
    page.keyboard.type(token)
    drawer.get_by_role("button", name="Show its certificate").click()
    drawer.get_by_role("button", name="Take this fingerprint").click()
    page.get_by_role("button", name=re.compile("^Save")).click()
    page.get_by_text("Saved", exact=True).wait_for()
    drawer.get_by_text("Version", exact=True).wait_for()
    assert token not in page.content()
    assert setting(house.directory, "servers/server[@name='mx2']/url") == f"https://127.0.0.1:{house.ports['console']}"
    drawer.locator("footer").get_by_role("button", name="Remove").click()
    page.get_by_role("button", name=re.compile("^Save")).click()
    page.get_by_text("No other server is shown here.").wait_for()
    assert not window.faults.said


def test_a_disk_at_its_hard_limit_is_said_on_every_screen_with_what_frees_space(
    visit: Callable[..., Visit], house: Running
) -> None:
    window = visit()
    page = window.page
    bar = page.get_by_role("alert").filter(has_text="Mail is being put off, nothing is lost")
    window.go("/users")
    try:
        command(house.directory, "config", "set", "space/soft-limit", "99%")
        command(house.directory, "config", "set", "space/hard-limit", "99%")
        bar.wait_for()
        expect(bar).to_contain_text("since")
        assert not window.axe()
        bar.get_by_role("link", name="Make room").click()
        page.get_by_role("heading", name="What frees space").wait_for()
        page.get_by_text("The store on a larger disk").wait_for()
        page.get_by_role("main").get_by_role("listitem").filter(has_text=re.compile("^Queue")).wait_for()
        assert not window.axe()
    finally:
        command(house.directory, "config", "set", "space/hard-limit", "200M")
        command(house.directory, "config", "set", "space/soft-limit", "1G")
    bar.wait_for(state="hidden")
