"""`make run`: the demonstration a newcomer sees first."""

import json
import os
import signal
import smtplib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.mail import eventually, letter, trusting
from tests.support.server import ENV, command


def start(directory: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """The running demonstration and its demo.json."""
    told = directory / "demo.json"
    command = [sys.executable, "-m", "whimbrel.app.demo", str(directory)]
    process = subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for _ in eventually(40):
        if told.exists() and (found := json.loads(told.read_text()))["pid"] and _alive(found["pid"]):
            return process, found
        if process.poll() is not None:
            assert process.stdout is not None
            pytest.fail(process.stdout.read())
    process.kill()
    pytest.fail("the demonstration did not start")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def stop(process: subprocess.Popen[str]) -> str:
    """Ctrl-C; what it printed."""
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=40)
    assert process.returncode == 0, output
    return output


def test_the_demo_shows_what_to_try_and_keeps_its_data(tmp_path: Path) -> None:
    directory = tmp_path / "var"
    process, demo = start(directory)
    try:
        assert set(demo["services"]) == {
            "smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "console",
        }  # fmt: skip
        assert {user["address"].partition("@")[0]: user["rights"] for user in demo["users"]} == {
            "admin": "server-write", "alice": "none", "bob": "none", "carol": "none",
        }  # fmt: skip
        alice = next(user for user in demo["users"] if user["address"] == "alice@example.test")
        service = demo["services"]["submissions"]
        assert service["tls"] == "implicit" and demo["services"]["smtp"]["tls"] == "starttls"
        import ssl

        context = ssl.create_default_context(cafile=demo["ca"])  # Its own authority vouches for 127.0.0.1.
        with smtplib.SMTP_SSL(service["host"], service["port"], context=context) as client:
            client.login("alice", alice["password"])
            client.sendmail(alice["address"], ["bob@example.test", "x@elsewhere.test"], letter("demo"))
        files = directory / "store" / "mail" / "example.test" / "bob" / "INBOX" / "#msgs"
        assert len(list(files.glob("*.eml"))) == 2  # And an example, to the group.
        waiting = json.loads(command(directory, "queue", "list", "--json"))["items"]
        assert [each["held"] for each in waiting] == [True, True]  # Nothing leaves the machine.
        shown = {each["alias"] for each in json.loads(command(directory, "alias", "list", "--json"))["items"]}
        assert shown == {"info@example.test", "office@example.test"}
        log = (directory / "store" / "logs" / "mail.log").read_text()
        assert "nobody@example.test" in log and "stranger@elsewhere.example" in (
            log + (directory / "store" / "logs" / "security.log").read_text()
        )
    finally:
        output = stop(process)
    assert alice["password"] in output and "imaps" in output
    again, demo_again = start(directory)
    try:
        assert demo_again["users"] == demo["users"]
        assert len(list(files.glob("*.eml"))) == 2
        with smtplib.SMTP("127.0.0.1", demo_again["services"]["submission"]["port"]) as client:
            client.starttls(context=trusting())
            client.login("alice@example.test", alice["password"])
    finally:
        stop(again)
