"""The set-up in a browser, by what one reads: from an empty directory to a first mail that was sent and read."""

import contextlib
import json
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support import other_user
from tests.support.browser import Visit, setting
from tests.support.mail import eventually, letter, subjects, submit
from tests.support.server import ENV, PASSWORD, Running, free_ports

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.xdist_group("browser")]
STANDARD = (25, 110, 143, 465, 587, 993, 995, 44337)


@pytest.fixture
def ports_held() -> Iterator[None]:
    """By this test, unless somebody else has them: so the wizard must offer others, and takes none that matter."""
    with contextlib.ExitStack() as stack:
        for port in STANDARD:
            held = stack.enter_context(socket.socket(socket.AF_INET))
            with contextlib.suppress(OSError):
                held.bind(("", port))
                held.listen(1)
        yield


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the user to run as may enter: pytest's own folder is root's."""
    with tempfile.TemporaryDirectory(prefix="whimbrel-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def empty(folder: Path, ports_held: None) -> Iterator[tuple[Path, str, subprocess.Popen[bytes]]]:
    """A server in an empty directory, its address and its process."""
    program = other_user.program(folder)
    if program is None:
        pytest.skip(f"no Python that {other_user.OTHER} may run")
    port, directory = free_ports(["console"])["console"], folder / "server"
    words = ["-m", "whimbrel.app.cli", "--dir", str(directory), "serve", "--setup-listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen([program, *words], env=ENV)
    try:
        assert any((directory / "run" / "setup.json").exists() for _ in eventually())
        yield directory, f"https://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(40)


@pytest.mark.root  # Only root is asked whom the server runs as.
def test_from_nothing_to_the_first_mail_sent_and_read(
    browser: Browser, empty: tuple[Path, str, subprocess.Popen[bytes]]
) -> None:
    directory, url, process = empty
    with Visit(browser, url, size=(1024, 768)) as visit:
        page = visit.page
        page.goto("/")
        expect(page.get_by_role("heading", name="Set up Whimbrel")).to_be_visible()
        # The page asks first whose session this is, and is answered that there is none to be had.
        visit.faults.said.clear()
        page.get_by_label("One-time code").fill(json.loads((directory / "run" / "setup.json").read_text())["code"])
        page.get_by_role("button", name="Begin").click()

        def step(title: str) -> None:
            expect(page.locator("main h2")).to_have_text(title)
            visit.calm()
            said = visit.axe()
            assert not said, "\n".join(said)

        def further() -> None:
            page.get_by_role("button", name="Next").click()

        step("Language")
        further()
        step("This machine")
        other = page.get_by_role("button", name="Use the other port")
        expect(other).to_have_count(len(STANDARD), timeout=30_000)
        for left in range(len(STANDARD), 0, -1):
            other.first.click()
            expect(other).to_have_count(left - 1, timeout=30_000)
        run_as = page.get_by_label("User that the server runs as")
        run_as.fill("")
        further()
        expect(page.get_by_text("is missing: the server must not run as root")).to_be_visible()
        run_as.fill("root")
        further()
        expect(page.get_by_text("root may do everything on this machine")).to_be_visible()
        run_as.fill(other_user.OTHER)
        further()
        step("Names")
        page.get_by_label("Internet hostname of this server").fill("192.0.2.1")
        further()
        expect(page.get_by_text("192.0.2.1 is an address, and a name is meant")).to_be_visible()
        page.get_by_label("Internet hostname of this server").fill("localhost")
        page.get_by_label("Primary mail domain").fill("example.test")
        further()
        step("Administrator")
        page.get_by_label("Login name of the administrator").fill("admin")
        page.get_by_label("Password", exact=True).fill("short")
        page.get_by_role("button", name="Back").click()
        step("Names")
        further()
        step("Administrator")
        assert page.get_by_label("Password", exact=True).input_value() == "short", "Back loses nothing"
        further()
        expect(page.get_by_text("must have at least 8 characters; this one has 5").first).to_be_visible()
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        for title in ("Storage", "Certificate", "Outgoing mail"):
            further()
            step(title)
        page.get_by_label("Not yet: mail to others waits in the queue").check()
        further()
        step("First users")
        page.wait_for_timeout(1500)  # After a pause the server has the answers.
        page.reload()
        step("First users")
        visit.faults.said.clear()
        page.get_by_role("button", name="Administrator").click()
        secret = page.get_by_label("Password", exact=True)
        expect(secret).to_have_attribute("placeholder", "Kept; type to replace it")
        assert secret.input_value() == "", "a password is not sent back"
        further()
        step("Storage")
        page.get_by_role("button", name="First users").click()
        step("First users")
        page.get_by_label("A few names").fill("Anna Example <anna>")
        further()
        step("Review")
        assert not (directory / "mailserver.cfg").exists(), "nothing is written before the last step"
        expect(page.get_by_text("admin@example.test administers the server.")).to_be_visible()
        page.get_by_role("button", name="Set it up").click()
        expect(page.locator("main h2")).to_have_text("The server is set up")
        password = page.get_by_role("row", name="anna@example.test").locator("code").inner_text()
        assert not visit.faults.said, "\n".join(visit.faults.said)
        assert any((directory / "run" / "ready.json").exists() for _ in eventually())
        assert setting(directory, "delivery/hold-remote") == "yes"
        page.get_by_role("button", name="Open the console").click()
        # It is at another port now, with a certificate of its own.
        page.get_by_label("Name").fill("admin")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1, name="Dashboard")).to_be_visible()

        state = json.loads((directory / "run" / "ready.json").read_text())
        ports = {name: int(listening[0][1]) for name, listening in state["services"].items()}
        running = Running(directory, process.pid, ports, 0.0)
        submit(running, "admin@example.test", "anna@example.test", letter("The first"))
        assert any(subjects(running, "anna@example.test", password=password) == ["The first"] for _ in eventually())
        page.keyboard.press("Control+k")
        expect(page.get_by_role("combobox", name="Search screens")).to_be_focused()
        page.keyboard.type("anna@example.test")
        page.get_by_role("option", name="Trace mail from and to this address").click()
        expect(page.get_by_text("Delivered to anna / INBOX").first).to_be_visible()
