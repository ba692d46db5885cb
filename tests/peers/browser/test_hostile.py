"""HTML in what strangers write: shown as it was written, never an element, never run. And all of it over HTTP/3."""

import base64
import hashlib
import ssl
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, expect

from tests.peers.browser.conftest import HOSTILE
from tests.support.browser import Visit, launch, url_of
from tests.support.mail import letter, submit
from tests.support.server import Running

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.xdist_group("browser")]
SHOWN = {
    "/queue": '"<img src=x onerror=alert(4)>"@far.test',
    "/queue?q=img": "onerror=alert(4)",
    "/trace?q=else.test": '"<img src=x onerror=alert(3)>"@else.test',
    "/logs?log=security": "<script>alert(5)</script>",
    "/logs?log=mail": "onerror=alert",
    "/logs?log=config": "onerror=alert(1)",
    "/users?q=onerror": HOSTILE,
    "/users?open=user1@example.test": HOSTILE,
    "/dashboard": "onerror=alert",
    "/statistics?tab=figures": "onerror=alert",
    "/trace?q=" + "%3Cscript%3Ealert(6)%3C/script%3E": "<script>alert(6)</script>",
}


@pytest.mark.parametrize("path", SHOWN)
def test_html_in_mail_and_logs_is_text(visit: Callable[..., Visit], path: str) -> None:
    seen = visit()
    seen.go(path)
    expect(seen.page.get_by_text(SHOWN[path]).first).to_be_visible()
    assert not seen.page.locator("img[src=x], body script").count()
    assert not seen.faults.said, "\n".join(seen.faults.said)


def test_the_source_of_a_message_is_text(visit: Callable[..., Visit], house: Running) -> None:
    content = letter("x", body=f"<html><body onload=alert(7)>{HOSTILE}")
    submit(house, "bob@example.test", "page@far.test", content)
    seen = visit()
    seen.go("/queue?q=page@far.test")
    assert seen.first_row()
    seen.page.get_by_role("button", name="View source").click()
    expect(seen.page.get_by_text(f"<html><body onload=alert(7)>{HOSTILE}")).to_be_visible()
    assert not seen.page.locator("img[src=x], body script").count()
    assert not seen.faults.said, "\n".join(seen.faults.said)


def test_a_table_that_is_exported_runs_nothing_in_a_spreadsheet(visit: Callable[..., Visit], house: Running) -> None:
    formula = "=HYPERLINK@far.test"
    submit(house, "bob@example.test", formula, letter("x"))
    seen = visit()
    seen.go("/queue?q=HYPERLINK")
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="Export as CSV").click()
    text = download.value.path().read_text()
    assert f"'{formula}" in text and not any(
        cell.startswith(("=", '"=')) for cell in text.replace("\n", ",").split(",")
    )


def _spki(running: Running) -> str:
    """What Chromium is to trust without an authority: it takes HTTP/3 from no other private certificate."""
    pem = ssl.get_server_certificate(("127.0.0.1", running.ports["console"]))
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    return base64.b64encode(
        hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    ).decode()


def test_chromium_speaks_http_3_with_events_and_all(house: Running, browser: Browser) -> None:
    port = house.ports["console"]
    arguments = (
        f"--origin-to-force-quic-on=localhost:{port}",
        f"--ignore-certificate-errors-spki-list={_spki(house)}",
        "--host-resolver-rules=MAP localhost 127.0.0.1",
    )
    launched = launch(browser.browser_type, *arguments)
    try:
        with Visit(launched, url_of(house), ignore_https_errors=False) as seen:
            seen.sign_in()
            seen.go("/about")
            expect(seen.page.get_by_text("HTTP/3").first).to_be_visible()
            seen.go("/queue")
            before = seen.page.get_by_role("grid").get_attribute("aria-rowcount")
            submit(house, "bob@example.test", "by-quic@far.test", letter("x"))
            expect(seen.page.get_by_role("grid")).not_to_have_attribute("aria-rowcount", before or "")
            protocols = seen.page.evaluate(
                "() => [...new Set(performance.getEntriesByType('resource').map((each) => each.nextHopProtocol))]"
            )
            assert protocols == ["h3"]
            assert not seen.faults.said, "\n".join(seen.faults.said)
    finally:
        launched.close()
