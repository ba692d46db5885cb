"""A certificate file is judged by what a client is shown."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from whimbrel.backends.tls.authority import make_authority, self_signed, sign, write_file
from whimbrel.backends.tls.shown import serves

NAMES = ["mail.a.test", "192.0.2.1", "2001:db8::1"]
DAY = 86_400.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pair = self_signed(NAMES, days=10)
    write_file(tmp_path / "c.pem", pair.key + pair.certificate, 0o600)
    return tmp_path / "c.pem"


def test_it_serves_its_names_and_no_other(file: Path) -> None:
    now = time.time()
    assert serves(file, file, NAMES, now)
    assert serves(file, file, ["MAIL.a.test", "2001:db8:0::1"], now)
    assert not serves(file, file, [*NAMES, "other.a.test"], now)
    assert not serves(file, file, ["192.0.2.2"], now)


def test_it_serves_until_its_end(file: Path) -> None:
    assert serves(file, file, NAMES, time.time() + 9 * DAY)
    assert not serves(file, file, NAMES, time.time() + 10 * DAY)


def test_one_that_has_ended_serves_nothing(tmp_path: Path) -> None:
    pair = self_signed(NAMES, days=0)  # It began an hour ago, and ended then.
    write_file(tmp_path / "c.pem", pair.key + pair.certificate, 0o600)
    assert not serves(tmp_path / "c.pem", tmp_path / "c.pem", NAMES, 0)


def test_one_with_its_authority_beside_it_serves(tmp_path: Path) -> None:
    authority = make_authority("An authority", ["a.test"])
    pair = sign(authority, ["mail.a.test"])
    write_file(tmp_path / "c.pem", pair.certificate + authority.certificate, 0o644)
    write_file(tmp_path / "k.pem", pair.key, 0o600)
    assert serves(tmp_path / "c.pem", tmp_path / "k.pem", ["mail.a.test"], time.time())


def test_another_key_or_no_certificate_at_all_serves_nothing(file: Path, tmp_path: Path) -> None:
    write_file(tmp_path / "k.pem", self_signed(NAMES).key, 0o600)
    path = tmp_path / "x.pem"
    assert not serves(path, path, NAMES, 0)
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert not serves(path, path, NAMES, 0)
    path.write_bytes(file.read_bytes().replace(b"BEGIN PRIVATE", b"BEGIN SOME"))
    assert not serves(path, tmp_path / "k.pem", NAMES, 0)


def test_looking_at_a_certificate_does_not_load_cryptography(file: Path) -> None:
    code = (
        "import sys, pathlib; from whimbrel.backends.tls.shown import serves; f = pathlib.Path(sys.argv[1]);"
        "assert serves(f, f, ['mail.a.test'], 0); sys.exit(any('cryptography' in m for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(file)], check=False).returncode == 0
