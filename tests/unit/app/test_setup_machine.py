"""What the set-up asks of the real machine, and its conversations with a relay host."""

import os
import socket
import threading
from pathlib import Path

import pytest

from whimbrel.app.setup.machine import RealMachine
from whimbrel.backends.tls.authority import self_signed
from whimbrel.core.values import HostPort, Secret
from whimbrel.services.setup.machine import Dialogue, Relay


@pytest.fixture
def machine(tmp_path: Path) -> RealMachine:
    return RealMachine(tmp_path)


def talk(script: list[tuple[bytes, bytes]], relay: Relay, machine: RealMachine) -> tuple[Dialogue, list[bytes]]:
    """With a server that answers each beginning of a line as the script says, and else 250."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 relay.example ESMTP\r\n")
                for line in lines:
                    heard.append(line)
                    connection.sendall(
                        next((answer for start, answer in script if line.startswith(start)), b"250 ok\r\n")
                    )

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        made = Relay("127.0.0.1", server.getsockname()[1], relay.tls, relay.user, relay.password)
        dialogue = machine.converse(made)
        thread.join(20)
    return dialogue, heard


def test_a_password_is_not_sent_without_tls(machine: RealMachine) -> None:
    script = [(b"ehlo", b"250-relay.example\r\n250 AUTH PLAIN LOGIN\r\n")]
    dialogue, heard = talk(script, Relay("", 0, "opportunistic", "me", Secret("geheim")), machine)
    assert "a password is not sent without" in dialogue.fault
    assert not any(line.lower().startswith(b"auth") for line in heard)
    dialogue, heard = talk(script, Relay("", 0, "verified", "me", Secret("geheim")), machine)
    assert dialogue.fault
    assert not any(line.lower().startswith(b"auth") for line in heard)


def test_what_was_said_is_kept_without_what_moves_the_cursor(machine: RealMachine) -> None:
    script = [(b"ehlo", b"250 \x1b[2Jrelay\r\n")]
    dialogue, _ = talk(script, Relay("", 0, "opportunistic"), machine)
    assert dialogue.fault == ""
    assert dialogue.lines[0].startswith("S: 220 relay.example")
    assert all(line.isprintable() for line in dialogue.lines)
    assert dialogue.lines[-1].startswith("S: 250")


def test_a_server_that_refuses_is_quoted(machine: RealMachine) -> None:
    script = [(b"ehlo", b"554 go away\r\n"), (b"helo", b"554 go away\r\n")]
    dialogue, _ = talk(script, Relay("", 0, "opportunistic"), machine)
    assert dialogue.fault == "it answers 554 go away"


def test_nobody_there_is_said_in_words(machine: RealMachine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert machine.converse(Relay("127.0.0.1", port, "required")).fault == "Connection refused"


def test_a_held_port_and_a_free_one_near_it(machine: RealMachine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = HostPort(f"127.0.0.1:{server.getsockname()[1]}")
        assert f"pid {os.getpid()}" in machine.holder(held)
        other = machine.another(held)
        assert other is not None
        assert other.host == "127.0.0.1"
        assert machine.holder(other) == ""


def test_a_store_to_come_has_the_disk_of_the_folder_above(machine: RealMachine, tmp_path: Path) -> None:
    disk = machine.disk("deep/in/store")
    assert (disk.writable, disk.kind != "") == (True, True)
    assert 0 < disk.free <= disk.total
    assert machine.store_fault("store") == ""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    assert "is not empty" in machine.store_fault("other")
    assert isinstance(machine.scanners("store"), list)


def test_a_certificate_and_its_key_are_looked_at(machine: RealMachine) -> None:
    pair, other = self_signed(("mail.example.org", "192.0.2.1")), self_signed(("x.example",))
    seen = machine.look_at(pair.certificate, pair.key)
    assert (seen.names, seen.faults) == (("mail.example.org", "192.0.2.1"), ())
    assert seen.ends > 1.7e9
    assert machine.look_at(pair.certificate, other.key).faults == (
        "the private key does not belong to the certificate",
    )
    assert machine.look_at(b"no PEM", b"").faults


def test_the_user_to_run_as_is_one_of_this_system(machine: RealMachine) -> None:
    assert machine.user_fault("daemon") == ""
    assert "may do everything" in machine.user_fault("root")
    assert "there is no user no-such-user" in machine.user_fault("no-such-user")
