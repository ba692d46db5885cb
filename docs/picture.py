"""Makes the picture of the console in README.md: a demonstration in a temporary folder, its mail, Chromium.

    .venv/bin/python docs/picture.py            writes docs/console.webp

It needs what the tests of the console need (`make peers`): Chromium, driven by Playwright. What is seen is made
by the demonstration alone; run it when the console looks different from the picture.
"""

import base64
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.browser import Visit, chromium  # noqa: E402  # The folder above is known from here on.

PICTURE: Final = ROOT / "docs" / "console.webp"
SIZE: Final = (1360, 800)
MOST: Final = 120_000
"""Octets: whoever clones the sources fetches it."""
SCREEN: Final = "/trace?q=example.test"
WITHIN: Final = 90.0


def main() -> int:
    subprocess.run([sys.executable, str(ROOT / "web" / "build.py")], check=True)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "var"
        program = [sys.executable, "-I", "-m", "whimbrel.app.demo", str(directory)]
        demo = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        try:
            content = taken(*ready(directory))
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait(60)
    if len(content) > MOST:
        sys.stderr.write(f"The picture has {len(content)} octets, and may have {MOST}: it is left as it was.\n")
        return 1
    PICTURE.write_bytes(content)
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)}: {len(content)} octets\n")
    return 0


def ready(directory: Path) -> tuple[str, str, str]:
    """Address of the console, name and password of its administrator. TimeoutError"""
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        try:
            card: dict[str, Any] = json.loads((directory / "demo.json").read_text())
        except (OSError, ValueError):
            time.sleep(0.5)
            continue
        user = next(each for each in card["users"] if each["address"].startswith("admin@"))
        return f"https://localhost:{card['services']['console']['port']}", user["address"], user["password"]
    raise TimeoutError(f"the demonstration was not ready within {WITHIN:g} seconds")


def taken(url: str, name: str, password: str) -> bytes:
    """The screen as WebP, twice as fine as it is large."""
    with chromium() as browser, Visit(browser, url, size=SIZE, device_scale_factor=1.5) as visit:
        visit.sign_in(name, password)
        visit.go(SCREEN)
        visit.first_row()
        visit.calm(600)
        session = visit.context.new_cdp_session(visit.page)
        shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": 82})
        return base64.b64decode(shot["data"])


if __name__ == "__main__":
    sys.exit(main())
