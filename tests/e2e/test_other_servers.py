"""One real server shows the state of another: by a token that reads, over the certificate that was set."""

import hashlib
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ENV, Running, command, free_ports, serving, set_up
from whimbrel.backends.tls import authority


@dataclass
class Pair:
    here: Running
    url: str
    token: str
    fingerprint: str


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("servers")
    made = authority.self_signed(["localhost"])
    authority.write_file(folder / "there.pem", made.key + made.certificate, 0o600)
    settings = {"server/mail-workers": "1"}
    set_up(
        folder / "there", 1, free_ports(["imap", "console"]), settings | {"tls/certificate": str(folder / "there.pem")}
    )
    set_up(folder / "here", 1, free_ports(["imap"]), settings)
    with serving(folder / "there") as there, serving(folder / "here") as here:
        token = command(there.directory, "admin", "token-create", "reading", "--right", "server-read").strip()
        certificate = hashlib.sha256(ssl.PEM_cert_to_DER_cert(made.certificate.decode())).hexdigest()
        # An address may be any: an administrator typed it. A name may not lead to this machine.
        yield Pair(here, f"https://127.0.0.1:{there.ports['console']}", token, certificate)


def look(pair: Pair, **fields: str) -> dict[str, Any]:
    values = {"url": pair.url, "fingerprint": pair.fingerprint} | fields
    secret = pair.here.directory / "token"
    secret.write_text(values.pop("token", pair.token))
    words = [f"servers/server[there]/{name}={value}" for name, value in values.items()]
    command(pair.here.directory, "config", "set", *words)
    command(pair.here.directory, "config", "set", "servers/server[there]/token", "--secret-file", str(secret))
    program = [sys.executable, "-m", "whimbrel.app.cli", "--dir", str(pair.here.directory), "server", "look", "--json"]
    done = subprocess.run(program, env=ENV, capture_output=True, text=True, check=False)
    row = dict(json.loads(done.stdout)["items"][0])
    assert done.returncode == (0 if row["state"] in ("ok", "warning") else 6), done.stderr
    return row


def test_the_state_of_the_other_server_is_shown(pair: Pair) -> None:
    row = look(pair)
    assert row["state"] in ("ok", "warning", "failing") and row["version"] and row["waiting"] == 0, row
    listed = json.loads(command(pair.here.directory, "server", "list", "--json"))
    assert [each["name"] for each in listed["items"]] == ["there"]


def test_another_certificate_ends_it_before_the_token_is_sent(pair: Pair) -> None:
    row = look(pair, fingerprint="00" * 32)
    assert row["state"] == "untrusted" and "another certificate" in row["text"], row
    row = look(pair, fingerprint="")
    assert row["state"] == "untrusted" and "no fingerprint is set" in row["text"], row


def test_its_certificate_can_be_looked_at_before_it_is_set(pair: Pair) -> None:
    shown = json.loads(command(pair.here.directory, "server", "certificate", pair.url, "--json"))
    assert shown["fingerprint"].replace(":", "").lower() == pair.fingerprint
    assert (shown["names"], shown["verified"]) == ("localhost", False)


def test_a_wrong_token_and_a_name_that_leads_here_are_said_in_words(pair: Pair) -> None:
    row = look(pair, token="wbt_wrong")
    assert row["state"] == "refused" and "does not take the token" in row["text"], row
    row = look(pair, url=pair.url.replace("127.0.0.1", "localhost"))
    assert row["state"] == "unreachable" and "this machine itself" in row["text"], row


def test_the_token_is_shown_nowhere(pair: Pair) -> None:
    look(pair)
    directory = pair.here.directory
    said = command(directory, "config", "list", "servers") + command(directory, "change", "list", "--json")
    said += command(directory, "config", "get", "servers/server[there]/token")
    logs = "".join(path.read_text(errors="replace") for path in Path(directory).rglob("logs/*") if path.is_file())
    assert pair.token not in said + logs and "servers/server[there]/token" in said
