"""axe (WCAG 2.2 AA, good practice) on each screen and with a record open: light and dark, wide and on a phone."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import PHONE, WIDE, Screen, Visit, screens, url_of
from tests.support.server import Running, command

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


def press(*names: str) -> Callable[[Page], None]:
    """Buttons by their names, one after the other; `/` stands before that of a menu's item."""

    def go(page: Page) -> None:
        for name in names:
            role = "menuitem" if name.startswith("/") else "button"
            page.get_by_role(role, name=name.removeprefix("/"), exact=True).first.click()  # type: ignore[arg-type]

    return go


def edit(page: Page) -> None:
    page.get_by_label("Full name").fill("Another name")
    page.get_by_role("button", name="Review").click()


OPEN: dict[str, tuple[str, Callable[[Page], None]]] = {
    "palette": ("/about", lambda page: page.keyboard.press("Control+k")),
    "columns": ("/users", press("Columns")),
    "add-user": ("/users?add=1", lambda page: None),
    "user-menu": ("/users?open=user1@example.test", press("More actions")),
    "remove-user": ("/users?open=user1@example.test", press("More actions", "/Remove user")),
    "leave-user": ("/users?open=user1@example.test", press("More actions", "/User leaves")),
    "review": ("/users?open=user1@example.test", edit),
    "nothing-matches": ("/users?q=zzz", lambda page: None),
    "no-trace": ("/trace?q=nobody@x.test", lambda page: None),
    "no-screen": ("/no-such-screen", lambda page: None),
}


@pytest.mark.parametrize("what", OPEN)
def test_axe_is_content_with_what_opens_over_a_screen(window: Visit, what: str) -> None:
    path, act = OPEN[what]
    window.go(path)
    if what == "columns" and window.page.viewport_size == {"width": PHONE[0], "height": PHONE[1]}:
        # Rows of a phone have no columns to choose.
        assert not window.page.get_by_role("button", name="Columns", exact=True).count()
        return
    act(window.page)
    window.calm()
    # Menus are children of the body, outside of any landmark, as menus mostly are.
    said = [each for each in violations(window) if ("menu" not in what and what != "columns") or "region (" not in each]
    assert not said, "\n".join(said)


def test_axe_is_content_with_the_sign_in(browser: Browser, house: Running) -> None:
    with Visit(browser, url_of(house)) as visit:
        visit.go("/")
        said = violations(visit)
        visit.page.get_by_label("Name").fill("admin")
        visit.page.get_by_label("Password", exact=True).fill("wrong words")
        visit.page.get_by_role("button", name="Sign in").click()
        visit.page.get_by_text("The name or the password is wrong.").wait_for()
        said += violations(visit)
    assert not said, "\n".join(said)


def test_axe_is_content_with_the_page_of_a_link(browser: Browser, house: Running) -> None:
    link = command(house.directory, "user", "password-link", "user2@example.test").strip()
    with Visit(browser, url_of(house), size=PHONE) as visit:
        visit.go(link)
        visit.page.get_by_label("New password").wait_for()
        said = violations(visit)
        wide = visit.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        command(house.directory, "user", "password-link-revoke", "user2@example.test")
        visit.page.reload()
        visit.page.get_by_text("This link opens nothing").wait_for()
        said += violations(visit)
    assert not said and wide <= 0, "\n".join(said)


def test_axe_sees_what_is_wrong(window: Visit) -> None:
    window.go("/about")
    window.page.evaluate("() => document.querySelector('main h1').insertAdjacentHTML('beforeend', '<button></button>')")
    window.page.evaluate("() => { document.querySelector('main h1').style.color = '#777' }")
    said = "\n".join(violations(window))
    assert "button-name" in said and "color-contrast" in said and "dark: " in said
