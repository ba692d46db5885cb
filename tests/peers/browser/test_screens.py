"""Each screen of the console in a real browser: it opens without a fault, and nothing a stranger wrote is run."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Screen, Visit, screens, url_of
from tests.support.server import Running

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.xdist_group("browser")]
each_screen = pytest.mark.parametrize("screen", screens(), ids=lambda screen: screen.id)


@pytest.fixture(scope="module")
def window(browser: Browser, house: Running) -> Iterator[Visit]:
    """One window for the walk: signing in for each screen would take longer than looking at it."""
    with Visit(browser, url_of(house)) as visit:
        visit.sign_in()
        yield visit


def test_the_table_is_what_the_navigation_shows(visit: Callable[..., Visit]) -> None:
    page = visit().page
    navigation = page.get_by_role("navigation", name="Main")
    for folded in navigation.locator("button[aria-expanded=false]").all():
        folded.click()
    shown = {link.get_attribute("href"): link.inner_text().split("\n")[0] for link in navigation.locator("li a").all()}
    assert shown == {screen.path: screen.title for screen in screens()}


@each_screen
def test_a_screen_opens_without_a_fault(window: Visit, screen: Screen) -> None:
    window.go(screen.filled)
    assert window.page.get_by_role("heading", level=1).inner_text() == screen.title
    assert window.page.title() == f"{screen.title} · Whimbrel"
    opened = window.first_row()
    assert not window.page.locator("img[src=x], body script:not([src])").count()
    assert not window.page.locator(".error[role=alert]:not(:empty)").count(), "says that something failed"
    assert not window.faults.said, f"with drawer: {opened}\n" + "\n".join(window.faults.said)
