"""The console in Chromium at a server with 50,000 users, 100,000 messages in the queue and a mail log of 5 GB.

Times are taken inside of the page: from the press or the last key until what was asked for is on the screen. The shell
is opened with an empty cache, its processor slowed four times, over 10 Mbit/s with 40 ms.
"""

import json
import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, expect

from bench.directory import VERIFIER
from bench.logs import make_log
from bench.measure import pss_alone
from bench.queue_big import fill
from bench.report import Line, spread
from tests.support.browser import Visit, chromium, url_of
from tests.support.server import Running, command, free_ports, serving, set_up
from whimbrel.backends.logs.index import Indexer

USERS, MESSAGES, DOMAINS = 50_000, 100_000, 1000
SETTINGS = {"server/mail-workers": "1", "logs/rotate": "never", "logs/max-size": "100G"}
SCROLLED = 5.0
"""Seconds of scrolling."""
_TIMED = """async () => {
  const begun = performance.now();
  %s;
  while (!(%s)) {
    if (performance.now() - begun > 60000) return -1;
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - begun;
}"""
_TYPE = """(() => {
  const input = document.querySelector("main input");
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, %s);
  input.dispatchEvent(new Event("input", {bubbles: true}));
})()"""
_ROW = "main [role=row][aria-rowindex='2'] [role=gridcell]"
_SCROLL = """async (seconds) => {
  const grid = document.querySelector("main [role=grid]");
  const frames = [];
  const begun = performance.now();
  let before = begun;
  while (before - begun < seconds * 1000) {
    grid.scrollTop += 400;
    if (grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 1) grid.scrollTop = 0;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - before);
    before = now;
  }
  return frames.slice(1);
}"""
_READY = """(() => {
  const look = () => {
    if (document.querySelector("nav a[aria-current=page]") && document.querySelector("main h1"))
      window.shellReady = performance.now();
    else requestAnimationFrame(look);
  };
  look();
})()"""


def measure(runs: int) -> list[Line]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name, chromium() as browser:
        directory = Path(name) / "whimbrel"
        set_up(directory, 0, free_ports(["smtp", "console"]), SETTINGS)
        _add_users(directory / "users.cfg")
        with serving(directory):
            pass  # Makes the store.
        queue = directory / "store" / "queue"
        fill(queue, MESSAGES, DOMAINS, lambda number: f"d{number}.test", dead=True, held=True)
        log = directory / "store" / "logs" / "mail.log"
        log.unlink(missing_ok=True)
        make_log(log)
        while Indexer(log).advance(256, final=True):
            pass
        with serving(directory) as running:
            return _measured(browser, running, runs)


def _add_users(path: Path) -> None:
    """As a person would with an editor: an import hashes and checks what is not measured here."""
    head, end, tail = path.read_text().rpartition("</domain>")
    users = "".join(
        f'    <user name="user{number}">\n      <full-name>User number {number}</full-name>\n'
        f"      <password>{VERIFIER}</password>\n    </user>\n"
        for number in range(USERS)
    )
    path.write_text(f"{head}{users}  {end}{tail}")


def _measured(browser: Browser, running: Running, runs: int) -> list[Line]:
    with Visit(browser, url_of(running)) as visit:
        visit.sign_in()
        state = visit.context.storage_state()
        ready = [_shell(browser, running, state) for _ in range(runs)]
        queue, users, opened, logs = list[float](), list[float](), list[float](), list[float]()
        frames = list[float]()
        page = visit.page
        for run in range(runs):
            visit.go("/about")
            _timed(page, _press("/queue"), f"document.querySelector({json.dumps(_ROW)})")
            queue.append(_filter(page, f"user@d{run}.test", str(MESSAGES // DOMAINS)))
            visit.go("/queue")
            expect(page.get_by_role("grid")).to_have_attribute("aria-rowcount", str(MESSAGES + 1))
            frames += page.evaluate(_SCROLL, SCROLLED)
            visit.go("/about")
            opened.append(_timed(page, _press("/users"), f"document.querySelector({json.dumps(_ROW)})"))
            users.append(_filter(page, f"user{run + 300}@", "1"))
            opened.append(
                _timed(
                    page, f"document.querySelectorAll({json.dumps(_ROW)})[1].click()",
                    "document.querySelector('main aside [role=tab]')",
                )
            )  # fmt: skip
            visit.go("/about")
            logs.append(
                _timed(page, _press("/logs"), "/user[0-9]+@b.test/.test(document.querySelector('main').innerText)")
            )
        status = json.loads(command(running.directory, "status", "--json"))
        web = next(each["pid"] for each in status["processes"] if each["name"] == "web/1")
        memory = pss_alone(web) / (1 << 20)
    frames.sort()
    late = frames[int(len(frames) * 0.95)]
    return [
        Line("console: shell ready, slowed 4x, 10 Mbit/s", spread(ready, ".0f"), "", median(ready), 1000, False, " ms"),
        Line(f"{MESSAGES} rows scrolled: longest frame", f"95%: {late:.0f} ms", "", frames[-1], 50, False, " ms"),
        Line(f"queue of {MESSAGES}: filter", spread(queue, ".0f"), "", median(queue), 200, False, " ms"),
        Line(f"{USERS} users: list, open", spread(opened, ".0f"), "", median(opened), 200, False, " ms"),
        Line(f"{USERS} users: filter", spread(users, ".0f"), "", median(users), 200, False, " ms"),
        Line("5 GB log: opened at its end", spread(logs, ".0f"), "", median(logs), 500, False, " ms"),
        Line("web worker", f"{memory:.1f} MB", "", memory, 40, False, " MB"),
    ]


def _timed(page: Page, act: str, until: str) -> float:
    taken = float(page.evaluate(_TIMED % (act, until)))
    assert taken >= 0, f"{act} did not come to {until}"
    return taken


def _press(path: str) -> str:
    return f"document.querySelector(\"nav a[href='{path}']\").click()"


def _filter(page: Page, text: str, rows: str) -> float:
    """From the last key until the rows are those that match; what the page waits for further keys is part of it."""
    count = int(rows) + 1
    return _timed(
        page, _TYPE % json.dumps(text),
        f"document.querySelector('main [role=grid]')?.getAttribute('aria-rowcount') === '{count}'",
    )  # fmt: skip


def _shell(browser: Browser, running: Running, state: object) -> float:
    with Visit(browser, url_of(running), storage_state=state) as visit:
        session = visit.context.new_cdp_session(visit.page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        session.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": 40, "downloadThroughput": 1_250_000, "uploadThroughput": 1_250_000},
        )
        visit.page.add_init_script(_READY)
        visit.page.goto("/dashboard", wait_until="commit")
        visit.page.wait_for_function("() => window.shellReady")
        return float(visit.page.evaluate("() => window.shellReady"))
