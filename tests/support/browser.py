"""Debian's Chromium at the console of a real server: pages that remember what went wrong, axe, the table of screens.

Playwright drives it; Chromium is the system's own (`make peers`). Its synchronous interface keeps an event loop running
in the thread, so fixtures end with their package and tests beside them must not call `asyncio.run`.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree
from playwright.sync_api import (
    Browser,
    BrowserContext,
    BrowserType,
    ConsoleMessage,
    Dialog,
    Error,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.support.server import PASSWORD, ROOT, Running

CONSOLE = ROOT / "web" / "console"
ADMIN = "admin@example.test"
WIDE, PHONE = (1440, 900), (390, 844)
AXE = CONSOLE / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_PAINTED = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  await frame();
  await Promise.allSettled(document.getAnimations().map((each) => each.finished));
  await frame();
}"""
_AXE = """async (only) => {
  const {violations} = await axe.run(document, {runOnly: only, resultTypes: ['violations']});
  const why = (node) => [...node.any, ...node.all, ...node.none].map((each) => each.message).join('; ');
  return violations.flatMap(({id, impact, nodes}) => nodes.map((node) =>
    `${id} (${impact}): ${node.target.join(' ')} ${node.html.slice(0, 160)} -- ${why(node)}`));
}"""
PATIENCE = 15_000
"""Milliseconds within which what must come comes, on a machine with much else to do."""
expect.set_options(timeout=PATIENCE)
_STREAMS = re.compile(r"/api/events|[?&]follow=")


@dataclass(frozen=True, slots=True)
class Screen:
    id: str
    path: str
    title: str

    @property
    def filled(self) -> str:
        """Its address with something to see: a few screens are empty until one asks."""
        return self.path + {"trace": "?q=else.test", "logs": "?log=security"}.get(self.id, "")


def screens() -> tuple[Screen, ...]:
    """The table of screens as it is written; that the navigation has the same is a test of its own."""
    table = (CONSOLE / "src" / "app" / "screens.ts").read_text()
    pages = (CONSOLE / "src" / "screens" / "settings" / "pages.ts").read_text()
    plain = re.findall(r'id: "([\w-]+)",\s*path: "(/[\w/-]+)",\s*title: msg`([^`]+)`', table)
    # Other lists of pages name screens that are in the table.
    pages = pages.partition("SETTINGS_PAGES")[2].partition("\n];")[0]
    settings = re.findall(r'id: "([\w-]+)",\s*title: msg`([^`]+)`,\s*area:', pages)
    return (
        *(Screen(*each) for each in plain),
        *(Screen(f"settings-{name}", f"/settings/{name}", title) for name, title in settings),
    )


def launch(kind: BrowserType, *arguments: str) -> Browser:
    """`arguments` are Chromium's own switches."""
    return kind.launch(
        executable_path=shutil.which("chromium"),
        args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", *arguments],
    )


@contextlib.contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """The browser, headless."""
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium, *arguments)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Faults:
    """What went wrong in a page since it was opened, in words."""

    said: list[str] = field(default_factory=list)
    pending: set[Request] = field(default_factory=set)

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.said.append(f"thrown: {error}"))
        page.on("dialog", self._dialog)
        page.on("request", self._request)
        page.on("requestfinished", lambda request: self.pending.discard(request))
        page.on("requestfailed", self._failed)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(f"console: {message.text}")

    def _dialog(self, dialog: Dialog) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not _STREAMS.search(request.url):
            self.pending.add(request)

    def _failed(self, request: Request) -> None:
        self.pending.discard(request)
        if request.failure != "net::ERR_ABORTED":  # The page itself gave it up, as one went elsewhere.
            self.said.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.said.append(f"{response.status}: {response.request.method} {response.url}")


class Visit:
    """One person's window: a context of its own, one page, and what went wrong in it."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        size = options.pop("size", WIDE)
        self.url = url
        self.context: BrowserContext = browser.new_context(
            base_url=url,
            ignore_https_errors=options.pop("ignore_https_errors", True),
            viewport={"width": size[0], "height": size[1]},
            locale="en-GB",
            reduced_motion="reduce",
            **options,
        )
        self.context.set_default_timeout(PATIENCE)
        self.faults = Faults()
        self.page = self.context.new_page()
        self.faults.watch(self.page)

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def sign_in(self, name: str = ADMIN, password: str = PASSWORD, path: str = "/about") -> None:
        """By the form; 401 to the first question whose session this is belongs to it, and is no fault."""
        self.page.goto(path)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", level=1).first.wait_for()
        self.page.get_by_role("navigation").first.wait_for()
        self.faults.said.clear()

    def go(self, path: str) -> None:
        """Opens an address of the console as one that was sent to somebody, and waits until it has what it asks for."""
        try:
            self.page.goto(path)
        except Error as error:
            if "ERR_ABORTED" not in error.message:  # The page was on its way to another address of its own.
                raise
            self.page.goto(path)
        self.calm()

    def calm(self, rest: int = 120, most: int = PATIENCE) -> None:
        """Waits until nothing that ends is under way, and nothing on the screen says that it is loading."""
        waited = quiet = 0
        while quiet < rest and waited < most:
            self.page.wait_for_timeout(30)
            waited += 30
            busy = self.faults.pending or self.page.locator("[aria-busy=true]").count()
            quiet = 0 if busy else quiet + 30
        assert waited < most, f"still busy with {[each.url for each in self.faults.pending]}"

    def theme(self, scheme: str) -> None:
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        self.page.wait_for_function("(theme) => document.documentElement.dataset.theme === theme", arg=scheme)
        self.page.wait_for_timeout(300)  # Colours that change by degrees have changed.

    def axe(self, *rules: str) -> list[str]:
        """Violations of WCAG 2.2 AA and of good practice; with `rules` of those alone."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text() + "\n;0")
        self.page.evaluate(_PAINTED)
        only = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": list(TAGS)}
        return [str(each) for each in self.page.evaluate(_AXE, only)]

    def first_row(self) -> bool:
        """Opens the first row of the screen's list in the drawer, if it has one."""
        rows = self.page.locator("main [role=row][aria-rowindex]:not([aria-rowindex='1'])")
        if not rows.count():
            return False
        rows.first.locator("[role=gridcell]:not(:has(input))").first.click()
        self.page.locator("main aside").wait_for()
        self.calm()
        return True


def url_of(running: Running) -> str:
    return f"https://localhost:{running.ports['console']}"


def setting(directory: Path, path: str) -> str | None:
    """What mailserver.cfg says of a setting; None: nothing, so its default holds."""
    text = etree.parse(directory / "mailserver.cfg").findtext(path)
    return text if text is None else str(text)
