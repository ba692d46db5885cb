"""axe (WCAG 2.2 AA, good practice) on each screen and with a record open: light and dark, wide and on a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import PHONE, WIDE, Screen, Visit, screens, url_of
from tests.support.server import Running

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.xdist_group("browser")]
SIZES = {"wide": WIDE, "phone": PHONE}


@pytest.fixture(scope="module", params=SIZES)
def window(request: pytest.FixtureRequest, browser: Browser, house: Running) -> Iterator[Visit]:
    with Visit(browser, url_of(house), size=SIZES[request.param]) as visit:
        visit.sign_in()
        yield visit


def violations(visit: Visit) -> list[str]:
    """Of both themes; only colours can differ between them."""
    visit.theme("light")
    light = visit.axe()
    visit.theme("dark")
    return light + [f"dark: {each}" for each in visit.axe("color-contrast")]


@pytest.mark.parametrize("screen", screens(), ids=lambda screen: screen.id)
def test_axe_is_content_with_a_screen_and_its_drawer(window: Visit, screen: Screen) -> None:
    window.go(screen.filled)
    said = violations(window)
    if window.first_row():
        said += [f"drawer: {each}" for each in violations(window)]
    assert not said, "\n".join(said)


def test_axe_sees_what_is_wrong(window: Visit) -> None:
    window.go("/about")
    window.page.evaluate("() => document.querySelector('main h1').insertAdjacentHTML('beforeend', '<button></button>')")
    window.page.evaluate("() => { document.querySelector('main h1').style.color = '#777' }")
    said = "\n".join(violations(window))
    assert "button-name" in said and "color-contrast" in said and "dark: " in said
