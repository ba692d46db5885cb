"""Schemathesis asks a real server what the OpenAPI document allows and forbids, with all of its checks on.

Without the streams that have no end. tests/unit/services/admin/test_openapi.py checks the same rules without it.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import program
from tests.support.server import ROOT, command, free_ports, serving, set_up

pytestmark = [pytest.mark.peer("st"), pytest.mark.xdist_group("schemathesis")]
ENDLESS = r"/watch$|/log/tail$|/api/events$"
BESIDE = r"/api/session|/api/admin/settings|/api/admin/bulk|/api/admin/schema|/metrics"
"""What is no call of its own: tests/unit/services/console/test_document.py has what is answered there."""
HARMFUL = r"/service/|/test/|/admin/token-revoke$|/server/"
"""What would end the server's own ports or this token, and what dials strangers."""
LEFT_OUT = f"{ENDLESS}|{HARMFUL}|{BESIDE}"


def test_the_api_is_what_its_document_says(tmp_path: Path) -> None:
    ports = free_ports(["smtp", "imap", "console"])
    set_up(tmp_path / "var", 3, ports)
    with serving(tmp_path / "var") as running:
        words = ("admin", "token-create", "fuzz", "--right", "server-write", "--grant", "mail-read", "--yes", "--json")
        token = json.loads(command(tmp_path / "var", *words))["token"]
        done = subprocess.run(
            [
                str(program("st")), "--config-file", str(ROOT / "tests/peers/schemathesis.toml"), "run",
                str(ROOT / "docs/gen/openapi.json"), "--url", f"https://127.0.0.1:{running.ports['console']}",
                "-H", f"Authorization: Bearer {token}", "--tls-verify", "false", "--checks", "all", "--workers", "2",
                "--continue-on-failure", "--phases", "fuzzing", "--max-examples", "1", "--no-shrink", "--no-color",
                "--seed", "4711", "--request-timeout", "20", "--exclude-path-regex", LEFT_OUT,
                "--suppress-health-check", "all",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        errors = tmp_path / "var" / "store" / "logs" / "error.log"
        assert not errors.exists() or "Traceback" not in errors.read_text()
    assert done.returncode == 0, done.stdout[-20_000:]
