"""What is saved in the console stands in the XML files, and is gone from them when it is taken back."""

import re
from collections.abc import Iterator

import pytest
from lxml import etree
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import Screen, Visit, screens, setting, url_of
from tests.support.server import Running

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.xdist_group("browser")]
SETTINGS = [screen.path for screen in screens() if screen.path.startswith("/settings/")]
SETTINGS.remove("/settings/definitions")  # Lists alone: they are a test of their own.
SETTINGS += [f"{screen.path}?tab=settings" for screen in screens() if screen.id in ("alerts", "health")]


@pytest.fixture(scope="module")
def window(browser: Browser, house: Running) -> Iterator[Visit]:
    with Visit(browser, url_of(house)) as visit:
        visit.sign_in()
        yield visit


def a_default_number(page: Page) -> Locator | None:
    """The first field that holds a number and has its default, on any tab of the page."""
    for tab in page.get_by_role("tab").all() or [None]:
        if tab and "?tab=settings" not in page.url:
            tab.click()
        for row in page.locator("main div:has(> div > label)").all():
            number = row.locator("input[inputmode]:not([readonly])")
            if number.count() == 1 and row.get_by_text("default", exact=True).count():
                return row
    return None


def save(page: Page) -> None:
    page.get_by_role("button", name="Save 1 change").click()
    expect(page.get_by_text("Saved", exact=True).last).to_be_visible()
    expect(page.get_by_role("region", name="Changes")).to_have_count(0)


@pytest.mark.parametrize("path", SETTINGS)
def test_a_setting_is_saved_to_the_file_and_taken_back(window: Visit, house: Running, path: str) -> None:
    page, before = window.page, (house.directory / "mailserver.cfg").read_bytes()
    window.go(path)
    row = a_default_number(page)
    assert row, "no field that can be tried"
    number, title = row.locator("input[inputmode]"), row.locator("label").inner_text()
    old = int(number.input_value())
    number.fill(str(old + 1))
    save(page)
    row.get_by_role("button", name=f"More about {title}").click()
    name = page.get_by_role("menu").locator("code").first.inner_text()
    assert str(old + 1) in (setting(house.directory, name) or ""), name
    page.get_by_role("menuitem", name="Back to the default").click()
    save(page)
    assert setting(house.directory, name) is None
    assert (house.directory / "mailserver.cfg").read_bytes() == before
    assert not window.faults.said, "\n".join(window.faults.said)


RECORDS = [screen for screen in screens() if screen.id in ("users", "domains", "groups", "aliases", "templates")]


@pytest.mark.parametrize("screen", RECORDS, ids=lambda screen: screen.id)
def test_a_record_is_saved_to_the_file(window: Visit, house: Running, screen: Screen) -> None:
    window.go(screen.path)
    assert window.first_row()
    drawer = window.page.locator("main aside")
    general, described = drawer.get_by_role("tab", name="General"), drawer.get_by_label("Description")
    general.or_(described).first.wait_for()
    if general.count():
        general.click()
    described.fill(f"Seen & saved by <{screen.id}>")
    save(window.page)
    table = etree.parse(house.directory / "users.cfg")
    assert f"Seen & saved by <{screen.id}>" in [each.text for each in table.iter()]
    window.go(screen.path)
    assert window.first_row()
    general.or_(described).first.wait_for()
    if general.count():
        general.click()
    assert described.input_value() == f"Seen & saved by <{screen.id}>"
    assert not window.faults.said, "\n".join(window.faults.said)


def test_a_definition_is_made_and_taken_back(window: Visit, house: Running) -> None:
    page, before = window.page, (house.directory / "mailserver.cfg").read_bytes()
    window.go("/settings/definitions")
    page.get_by_role("button", name="Add: IP group").click()
    page.keyboard.type("scanners")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Member", exact=True).click()
    page.keyboard.type("10.0.0.5-10.0.0.9")
    page.get_by_role("button", name=re.compile("^Save")).click()
    expect(page.get_by_text("Saved", exact=True).last).to_be_visible()
    path = "definitions/ip-group[@name='scanners']"
    assert setting(house.directory, f"{path}/member") == "10.0.0.5-10.0.0.9"
    page.get_by_role("button", name="Remove scanners").click()
    page.get_by_role("button", name=re.compile("^Save")).click()
    expect(page.get_by_text("Saved", exact=True).last).to_be_visible()
    expect(page.get_by_role("region", name="Changes")).to_have_count(0)
    assert (house.directory / "mailserver.cfg").read_bytes() == before
    assert not window.faults.said, "\n".join(window.faults.said)
