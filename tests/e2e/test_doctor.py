"""`whimbrel doctor` on an installation in order, and on one where something is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.test_services import taken
from tests.support.dns_server import DnsServer
from tests.support.mail import eventually, subjects
from tests.support.server import ENV, command, free_ports, serving, set_up


def doctor(directory: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit status, and the state of each check."""
    done = subprocess.run(
        [sys.executable, "-m", "whimbrel.app.cli", "--dir", str(directory), "doctor", "--all", "--json", *words],
        env=ENV, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 6), done.stderr
    return done.returncode, {row["check"]: row for row in json.loads(done.stdout)["checks"]}


def test_a_server_in_order_and_with_something_wrong(tmp_path: Path) -> None:
    directory = tmp_path / "server"
    ports = free_ports(("smtp", "imap"))
    with DnsServer() as dns:
        dns.add("example.test", "MX", "10 localhost.")
        set_up(directory, 1, ports, {"dns/server": [dns.address]})
        with taken(ports["imap"]):  # Without a server, and the port held by another.
            status, checks = doctor(directory)
            assert (status, checks["services"]["state"]) == (6, "error")
            assert f"pid {os.getpid()}" in checks["services"]["text"]
            assert checks["queue"]["state"] == "unknown"
        status, checks = doctor(directory)
        assert (status, checks["services"]["state"]) == (0, "ok")

        with serving(directory):
            status, checks = doctor(directory)
            assert status == 0, [row for row in checks.values() if row["state"] == "error"]
            for name in ("services", "resolver", "store", "flag-backups", "queue", "filters", "open-relay"):
                assert checks[name]["state"] == "ok", checks[name]
            assert json.loads(command(directory, "status", "--json"))["red"] == 0

            command(directory, "config", "set", "relay/allow-from", "0.0.0.0/0", "--confirm", "open relay")
            (directory / "mailserver.cfg").write_bytes(
                (directory / "mailserver.cfg").read_bytes() + b"<!-- by hand -->"
            )
            status, checks = doctor(directory)
            assert (status, checks["open-relay"]["state"]) == (6, "error")
            assert checks["edits"]["state"] == "warning"
            shown = json.loads(command(directory, "status", "--json"))
            assert shown["red"] == 1
            kept = doctor(directory, "--kept")[1]
            assert kept["open-relay"]["looked"] == checks["open-relay"]["looked"]


def test_people_are_told_of_what_is_wrong_by_mail(tmp_path: Path) -> None:
    directory = tmp_path / "server"
    set_up(directory, 1, free_ports(("smtp", "imaps")), {"alerts/to": ["user1@example.test"]})
    with serving(directory) as server:
        listed = json.loads(command(directory, "alert", "list", "--json"))
        assert listed["unheard"] == []
        assert {row["state"] for row in listed["items"]} == {"quiet"}
        command(directory, "alert", "test", "disk-low")
        with (directory / "mailserver.cfg").open("ab") as file:
            file.write(b"<!-- by hand -->")
        doctor(directory)
        wanted = {"localhost: Test: Disk space is low", "localhost: A configuration file was changed outside"}
        for _ in eventually(20):
            seen = subjects(server, "user1@example.test")
            if wanted <= set(seen):
                break
        else:
            raise AssertionError(f"only these came: {seen}")
        rows = {row["event"]: row for row in json.loads(command(directory, "alert", "list", "--json"))["items"]}
        assert (rows["config-edited"]["state"], rows["config-edited"]["error"]) == ("going on", "")
        assert rows["config-edited"]["sent"] is not None
