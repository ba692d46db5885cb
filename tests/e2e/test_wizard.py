"""From an empty directory to the first mail: `serve`, the code, the answers over HTTPS, a message in and out again."""

import contextlib
import hashlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.mail import eventually, letter, send, subjects
from tests.support.server import ENV, PASSWORD, Running, command, free_ports

SERVICES = ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@dataclass
class Wizard:
    directory: Path
    port: int
    process: subprocess.Popen[bytes]
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def card(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            known: dict[str, Any] = json.loads((self.directory / "run" / "setup.json").read_text())
            return known
        return {}

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=trusting())
        try:
            data = None if body is None else json.dumps(body)
            own = {"Origin": f"https://127.0.0.1:{self.port}", "Content-Type": "application/json"}
            connection.request(method, path, data, own | self.headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/healthz")[0] == 200
        return False

    def enter(self) -> None:
        status, body, headers = self.ask("POST", "/api/setup/session", {"code": self.card["code"]})
        assert status == 200, body
        cookie = headers["set-cookie"].partition(";")[0]
        self.headers = {"Cookie": cookie, "X-CSRF-Token": json.loads(body)["result"]["csrf"]}


@pytest.fixture
def wizard(tmp_path: Path) -> Iterator[Wizard]:
    port = free_ports(["console"])["console"]
    words = ["-m", "whimbrel.app.cli", "--dir", str(tmp_path / "server"), "serve"]
    process = subprocess.Popen([sys.executable, *words, "--setup-listen", f"127.0.0.1:{port}"], env=ENV)
    wizard = Wizard(tmp_path / "server", port, process)
    try:
        assert any(wizard.answers() for _ in eventually())
        yield wizard
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def tree(wizard: Wizard, ports: dict[str, int], **more: object) -> dict[str, object]:
    services: dict[str, Any] = {
        name: {"listen": [f"127.0.0.1:{number}"], "enabled": True} for name, number in ports.items()
    }
    services["console"] = {"listen": [f"127.0.0.1:{wizard.port}"]}
    return {
        "hostname": "localhost",
        "domain": "example.test",
        "administrator": {"name": "user1", "password": PASSWORD},
        "services": services,
        "settings": {"server/run-as": "root", "security/plaintext-from": ["127.0.0.0/8"], "server/mail-workers": 1},
        **more,
    }


def test_from_an_empty_directory_to_the_first_mail(wizard: Wizard) -> None:
    certificate = ssl.get_server_certificate(("127.0.0.1", wizard.port))
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest().hex(":").upper()
    shown = command(wizard.directory, "setup", "code")
    assert wizard.card["code"] in shown
    assert fingerprint in shown
    assert oct((wizard.directory / "run" / "setup.json").stat().st_mode)[-3:] == "600"

    assert wizard.ask("POST", "/api/setup/session", {"code": "aaaa-aaaa-aaaa-aaaa"})[0] == 401
    ports = free_ports(SERVICES)
    assert wizard.ask("POST", "/api/setup/apply", {"answers": tree(wizard, ports)})[0] == 401
    assert not (wizard.directory / "mailserver.cfg").exists()

    wizard.enter()
    status, body, _ = wizard.ask("POST", "/api/setup/check", {"step": "surroundings", "answers": tree(wizard, ports)})
    assert status == 200, body
    status, body, _ = wizard.ask("POST", "/api/setup/apply", {"answers": tree(wizard, ports, names=["bob"])})
    lines = [json.loads(line) for line in body.splitlines()]
    assert lines[-1] == {"end": True, "warnings": []}, lines
    assert lines[-2]["item"]["done"]["made"][0]["user"] == "bob@example.test"

    ready = wizard.directory / "run" / "ready.json"
    assert any(ready.exists() for _ in eventually())
    assert not (wizard.directory / "run" / "setup.json").exists()
    running = Running(wizard.directory, wizard.process.pid, ports, 0.0)
    send(running, "user1@example.test", letter("The first"))
    assert any(subjects(running, "user1") == ["The first"] for _ in eventually())
    assert any(wizard.answers() for _ in eventually())
    assert wizard.ask("GET", "/healthz")[1].startswith(b"ok")
    assert b"not set up" not in wizard.ask("GET", "/healthz")[1]


def test_a_crash_while_it_is_written_leaves_nothing_and_the_wizard_comes_back(wizard: Wizard) -> None:
    wizard.enter()
    # So many passwords take a while to be hashed.
    table = "address,password\n" + "".join(f"u{number}@example.test,some words {number}\n" for number in range(2000))
    connection = http.client.HTTPSConnection("127.0.0.1", wizard.port, timeout=60, context=trusting())
    own = {"Origin": f"https://127.0.0.1:{wizard.port}", "Content-Type": "application/json"}
    answers = tree(wizard, free_ports(SERVICES), users=table)
    connection.request("POST", "/api/setup/apply", json.dumps({"answers": answers}), own | wizard.headers)
    answer = connection.getresponse()
    assert b"Checking" in answer.readline()
    assert b"Writing" in answer.readline()
    code = wizard.card["code"]
    children = Path(f"/proc/{wizard.process.pid}/task/{wizard.process.pid}/children").read_text().split()
    assert len(children) == 1
    os.kill(int(children[0]), signal.SIGKILL)
    connection.close()
    assert any(wizard.answers() for _ in eventually())
    assert wizard.card["code"] == code
    assert {path.name for path in wizard.directory.iterdir()} == {"run"}
    wizard.enter()
    status, body, _ = wizard.ask("POST", "/api/setup/apply", {"answers": tree(wizard, free_ports(SERVICES))})
    assert status == 200
    assert json.loads(body.splitlines()[-1]) == {"end": True, "warnings": []}
    assert any((wizard.directory / "run" / "ready.json").exists() for _ in eventually())


def test_set_up_on_a_terminal_beside_it_starts_the_server_as_well(wizard: Wizard, tmp_path: Path) -> None:
    ports = free_ports(["smtp"])
    services = "".join(f"[services.{name}]\nenabled = false\n" for name in SERVICES if name != "smtp")
    answers = tmp_path / "answers.toml"
    answers.write_text(
        'hostname = "localhost"\ndomain = "example.test"\n[administrator]\nname = "admin"\n'
        f'password = "{PASSWORD}"\n[settings]\n"server/run-as" = "root"\n{services}'
        f'[services.smtp]\nlisten = ["127.0.0.1:{ports["smtp"]}"]\n'
        f'[services.console]\nlisten = ["127.0.0.1:{wizard.port}"]\n'
    )
    command(wizard.directory, "setup", "--answers", str(answers))
    assert any((wizard.directory / "run" / "ready.json").exists() for _ in eventually())
    with pytest.raises(RuntimeError, match="is set up already"):
        command(wizard.directory, "setup", "code")


def test_a_held_port_is_said_with_what_to_do(wizard: Wizard, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"held by .*pid.*--setup-listen"):
        command(tmp_path / "second", "serve", "--setup-listen", f"127.0.0.1:{wizard.port}")
