"""What comes between: somebody edits the file, the server goes away and comes back, a session ends in mid-edit."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.peers.browser.conftest import NAMES
from tests.support.browser import ADMIN, Visit, url_of
from tests.support.mail import letter, submit
from tests.support.server import PASSWORD, Running, command, free_ports, serving, set_up

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.xdist_group("browser")]
SETTINGS = {"server/mail-workers": "1", "delivery/hold-remote": "yes"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a server that these tests may stop and start."""
    directory = tmp_path_factory.mktemp("interrupted") / "whimbrel"
    set_up(directory, 1, free_ports(NAMES), SETTINGS)
    return directory


@pytest.fixture
def running(directory: Path) -> Iterator[Running]:
    with serving(directory) as running:
        yield running


def test_an_edit_of_the_file_shows_what_it_was_theirs_and_ours(browser: Browser, running: Running) -> None:
    file = running.directory / "mailserver.cfg"
    command(running.directory, "config", "set", "smtp/max-recipients", "150")
    with Visit(browser, url_of(running)) as visit:
        visit.sign_in()
        page = visit.page
        visit.go("/settings/smtp?setting=smtp/max-recipients")
        field = page.get_by_label(re.compile("recipients", re.I)).first
        expect(field).to_have_value("150")
        field.fill("175")
        text = file.read_text()
        assert "<max-recipients>150<" in text
        file.write_text(text.replace("<max-recipients>150<", "<max-recipients>160<"))
        page.get_by_role("button", name="Save 1 change").click()
        dialog = page.get_by_role("dialog", name="The file was edited meanwhile")
        expect(dialog.get_by_role("columnheader")).to_have_text(["Setting", "When you began", "Theirs, now", "Yours"])
        row = dialog.get_by_role("row").nth(1)
        for cell in ("150", "160", "175"):
            expect(row.get_by_role("cell").filter(has_text=cell)).to_have_count(1)
        assert "<max-recipients>160<" in file.read_text(), "nothing is written over while one decides"
        visit.faults.said.clear()  # 409 is the answer one came for.
        row.get_by_role("button", name="Keep mine").click()
        dialog.get_by_role("button", name="Take the file into use").click()
        expect(field).to_have_value("175")
        page.get_by_role("button", name="Save 1 change").click()
        expect(page.get_by_role("region", name="Changes")).to_have_count(0)
        assert "<max-recipients>175<" in file.read_text()
        assert not visit.faults.said, "\n".join(visit.faults.said)


def test_a_server_that_goes_away_is_said_and_live_data_come_back_with_it(browser: Browser, directory: Path) -> None:
    with contextlib.ExitStack() as stack:
        with serving(directory) as first:
            submit(first, "user1@example.test", "carol@far.test", letter("One"))
            visit = stack.enter_context(Visit(browser, url_of(first)))
            visit.sign_in()
            page = visit.page
            visit.go("/queue")
            rows = page.get_by_role("row").filter(has_text="far.test")
            expect(rows).to_have_count(1)
        bar = page.get_by_text("Not live since")
        expect(bar).to_be_visible()
        expect(rows).to_have_count(1)  # What was seen stays.
        with serving(directory) as second:
            expect(bar).to_have_count(0, timeout=30_000)
            submit(second, "user1@example.test", "dave@far.test", letter("Two"))
            expect(rows).to_have_count(2)


def test_a_session_that_ends_in_mid_edit_loses_nothing_that_was_typed(browser: Browser, running: Running) -> None:
    with Visit(browser, url_of(running)) as visit:
        visit.sign_in()
        page = visit.page
        visit.go("/users?open=user1@example.test")
        drawer = page.locator("main aside")
        drawer.get_by_label("Full name").fill("Una Typed")
        command(running.directory, "admin", "session-end", "--user", ADMIN)
        drawer.get_by_role("button", name="Save 1 change").click()
        dialog = page.get_by_role("dialog", name="Your session has ended")
        expect(dialog.get_by_label("Name")).to_have_value(ADMIN)
        dialog.get_by_label("Password", exact=True).fill(PASSWORD)
        dialog.get_by_role("button", name="Sign in").click()
        expect(dialog).to_have_count(0)
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        assert "Una Typed" in command(running.directory, "user", "show", "user1@example.test")
