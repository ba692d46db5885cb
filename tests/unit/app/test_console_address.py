"""What a start tells first of all."""

import hashlib
import ssl
from pathlib import Path

import pytest

from whimbrel.app import console_address
from whimbrel.app.console_address import fingerprint_of, lines
from whimbrel.app.setup.writing import set_up
from whimbrel.core.address import Domain
from whimbrel.core.values import HostPort, Secret
from whimbrel.services.session.services import console_url
from whimbrel.services.setup.answers import Answers, ServiceAnswer


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        (["*:44337"], "https://mail.example.org:44337"),
        (["192.0.2.1:8443", "127.0.0.1:1"], "https://mail.example.org:8443"),
        (["127.0.0.1:64337"], "https://localhost:64337"),
        (["[::1]:5"], "https://localhost:5"),
        ([], ""),
    ],
)
def test_the_address_is_one_that_a_browser_can_use(listen: list[str], address: str) -> None:
    assert console_url("mail.example.org", [HostPort(text) for text in listen]) == address


def test_nothing_is_told_of_a_console_that_is_nowhere() -> None:
    assert lines("", "AA:BB") == []
    assert lines("https://x:1", "") == ["Console: https://x:1"]


def test_a_file_without_a_certificate_has_no_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    assert fingerprint_of(tmp_path / "none.pem") == "" == fingerprint_of(tmp_path / "missing.pem")


def test_setup_makes_the_first_certificate_and_tells_its_fingerprint(tmp_path: Path) -> None:
    directory = tmp_path / "server"
    console = ServiceAnswer((HostPort("127.0.0.1:64337"),), enabled=True)
    domains = Domain("localhost"), Domain("example.test")
    set_up(directory, Answers(*domains, "admin", Secret("correct-horse-4711"), services={"console": console}))
    told = console_address.of_installation(directory)
    pem = (directory / "tls" / "self-signed.pem").read_text()
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERT") :])
    assert told[0] == "Console: https://localhost:64337"
    assert told[1].removeprefix("Certificate SHA-256: ").replace(":", "").lower() == hashlib.sha256(der).hexdigest()
    assert console_address.of_installation(directory) == told
    assert (directory / "tls" / "self-signed.pem").stat().st_mode & 0o777 == 0o600
