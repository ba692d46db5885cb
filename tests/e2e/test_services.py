"""One service starts, stops and moves while the others run."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mail import eventually
from tests.support.server import ENV, ROOT, Running, command, free_ports, serving, set_up

NAMES = ("smtp", "imap", "pop3")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    set_up(tmp_path / "server", 1, free_ports(NAMES), {"server/mail-workers": "2"})
    with serving(tmp_path / "server") as running:
        yield running


@contextlib.contextmanager
def talking(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        assert client.recv(4096)
        yield client


def answers(client: socket.socket, line: bytes) -> bool:
    """Its session goes on."""
    client.sendall(line + b"\r\n")
    return bool(client.recv(4096))


def rows(server: Running) -> dict[str, Any]:
    found = json.loads(command(server.directory, "service", "list", "--json"))
    return {row["service"]: row for row in found["items"]}


def refused(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return False
    except ConnectionRefusedError:
        return True


def taken(port: int) -> socket.socket:
    """Another program at that port."""
    other = socket.socket()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind(("127.0.0.1", port))
    other.listen()
    return other


def test_a_stop_frees_the_port_and_ends_the_sessions_of_that_service_alone(server: Running) -> None:
    with talking(server.ports["imap"]) as imap, talking(server.ports["pop3"]) as pop3:
        assert rows(server)["imap"]["connections"] == 1
        command(server.directory, "service", "stop", "imap", "--yes")
        taken(server.ports["imap"]).close()
        assert refused(server.ports["imap"])
        while imap.recv(65536):
            pass
        assert answers(pop3, b"CAPA")
    row = rows(server)["imap"]
    assert (row["state"], row["connections"]) == ("stopped", 0)
    command(server.directory, "service", "start", "imap")
    with talking(server.ports["imap"]) as imap:
        assert rows(server)["imap"]["state"] == "listening"
        command(server.directory, "service", "restart", "imap", "--yes")
        while imap.recv(65536):
            pass
    with talking(server.ports["imap"]):
        log = command(server.directory, "log", "tail", "operations")
    assert log.count("Service stopped: Service: IMAP") == 1 and "Service listens: Service: IMAP" in log


def test_a_stop_holds_until_the_server_starts_again_even_over_the_death_of_all_workers(server: Running) -> None:
    command(server.directory, "service", "stop", "pop3", "--yes")
    before = json.loads((server.directory / "run" / "ready.json").read_text())
    os.kill(before["zygote"], signal.SIGKILL)
    for _ in eventually(30):
        with contextlib.suppress(OSError, ValueError):
            if json.loads((server.directory / "run" / "ready.json").read_text())["zygote"] != before["zygote"]:
                break
    assert rows(server)["pop3"]["state"] == "stopped" and refused(server.ports["pop3"])
    with talking(server.ports["imap"]):
        pass
    assert "Server started again" in command(server.directory, "log", "tail", "error")


def test_enabled_decides_at_the_next_start(tmp_path: Path) -> None:
    directory = tmp_path / "server"
    set_up(directory, 1, free_ports(NAMES), {"server/mail-workers": "1"})
    with serving(directory):
        command(directory, "service", "stop", "pop3", "--yes")
    with serving(directory) as server, talking(server.ports["pop3"]):
        pass


def test_changed_settings_of_a_service_apply_at_once_and_its_sessions_go_on_elsewhere(server: Running) -> None:
    there = free_ports(["pop3"])["pop3"]
    with talking(server.ports["pop3"]) as before:
        command(server.directory, "config", "set", "services/pop3/listen", f"127.0.0.1:{there}")
        for _ in eventually(10):
            if not refused(there):
                break
        assert refused(server.ports["pop3"]) and answers(before, b"CAPA")
        command(server.directory, "config", "set", "services/pop3/enabled", "no")
        while before.recv(65536):
            pass
    assert rows(server)["pop3"]["state"] == "off"


def test_two_services_change_places_in_one_change(server: Running) -> None:
    file = server.directory / "mailserver.cfg"
    text = file.read_text()
    one, two = (f"127.0.0.1:{server.ports[name]}" for name in ("imap", "pop3"))
    file.write_text(text.replace(one, "@@").replace(two, one).replace("@@", two))
    command(server.directory, "config", "reload")
    for _ in eventually(10):
        # Who came in the moment when a socket closed is reset, or refused, and comes again.
        with contextlib.suppress(ConnectionError):
            client = socket.create_connection(("127.0.0.1", server.ports["pop3"]), timeout=20)
            with client:
                if client.recv(4096).startswith(b"* OK"):
                    break


def test_a_port_that_another_program_holds_is_told_and_taken_when_it_is_free(tmp_path: Path) -> None:
    directory, ports = tmp_path / "server", free_ports(NAMES)
    set_up(directory, 1, ports, {"server/mail-workers": "1"})
    other = taken(ports["imap"])
    with serving(directory) as server:
        with talking(server.ports["pop3"]):
            row = rows(server)["imap"]
        assert row["state"] == "refused" and f"(pid {os.getpid()})" in row["detail"]
        for _ in eventually(20):
            if "Port refused: Service: IMAP" in command(directory, "log", "tail", "error"):
                break
        other.close()
        for _ in eventually(20):
            if not refused(ports["imap"]):
                break
        with talking(ports["imap"]):
            assert rows(server)["imap"]["state"] == "listening"


def warned(server: Running, *words: str) -> str:
    """What the command says beside its result."""
    arguments = [sys.executable, "-m", "whimbrel.app.cli", "--dir", str(server.directory), *words]
    done = subprocess.run(arguments, env=ENV, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("way", ["set", "edited", "restarted"])
def test_a_service_stays_where_it_was_until_it_can_have_its_new_port(server: Running, way: str) -> None:
    here, there = server.ports["imap"], free_ports(["imap"])["imap"]
    other = taken(there)
    if way == "edited":
        file = server.directory / "mailserver.cfg"
        file.write_text(file.read_text().replace(f"127.0.0.1:{here}", f"127.0.0.1:{there}"))
        said = warned(server, "config", "reload")
    else:
        said = warned(server, "config", "set", "services/imap/listen", f"127.0.0.1:{there}")
    if way == "restarted":
        said = warned(server, "service", "restart", "imap", "--yes")
    assert f"(pid {os.getpid()}" in said and f"goes on listening on 127.0.0.1:{here}" in said
    with talking(here) as session:
        assert answers(session, b"a NOOP")
        row = rows(server)["imap"]
        assert row["state"] == "partly" and f"(pid {os.getpid()}" in row["detail"]
        assert f"imap is partly: 127.0.0.1:{there}" in command(server.directory, "status")
        other.close()
        for _ in eventually(20):
            if not refused(there):
                break
        for _ in eventually(20):
            if refused(here):
                break
        assert answers(session, b"b NOOP")
    assert rows(server)["imap"]["state"] == "listening"


def test_a_service_moves_between_addresses_that_overlap(server: Running) -> None:
    port = server.ports["imap"]
    for host in ("0.0.0.0", "127.0.0.1", "*", "127.0.0.1"):
        assert warned(server, "config", "set", "services/imap/listen", f"{host}:{port}") == ""
        with talking(port):
            assert rows(server)["imap"]["state"] == "listening"
    other = socket.socket()
    other.bind(("127.0.0.2", port))
    other.listen()
    with other, talking(port) as session:
        assert f"(pid {os.getpid()}" in warned(server, "config", "set", "services/imap/listen", f"0.0.0.0:{port}")
        with talking(port):
            assert answers(session, b"a NOOP")


def test_a_place_that_was_kept_survives_the_death_of_all_workers(server: Running) -> None:
    here, there = server.ports["imap"], free_ports(["imap"])["imap"]
    with taken(there):
        warned(server, "config", "set", "services/imap/listen", f"127.0.0.1:{there}")
        before = json.loads((server.directory / "run" / "ready.json").read_text())
        os.kill(before["zygote"], signal.SIGKILL)
        for _ in eventually(30):
            with contextlib.suppress(OSError, ValueError):
                if json.loads((server.directory / "run" / "ready.json").read_text())["zygote"] != before["zygote"]:
                    break
        with talking(here) as session:
            assert answers(session, b"a NOOP")
    for _ in eventually(20):
        if refused(here) and not refused(there):
            break


def test_unknown_services_are_refused_with_the_nearest_name(server: Running) -> None:
    with pytest.raises(RuntimeError, match="did you mean 'imap'"):
        command(server.directory, "service", "stop", "imao", "--yes")


def test_a_worker_that_dies_is_in_the_error_log(server: Running) -> None:
    status = json.loads(command(server.directory, "status", "--json"))
    worker = next(process["pid"] for process in status["processes"] if process["name"].startswith("mail/"))
    os.kill(worker, signal.SIGKILL)
    for _ in eventually(20):
        if "Process died: Process: mail/" in command(server.directory, "log", "tail", "error"):
            break


def test_all_processes_are_replaced_one_by_one_while_every_connection_is_taken(server: Running) -> None:
    """SIGHUP does now what time does each week: new keys for session tickets, and no client notices."""
    ready = server.directory / "run" / "ready.json"
    before = json.loads(ready.read_text())
    with talking(server.ports["imap"]) as session:
        os.kill(server.pid, signal.SIGHUP)
        for _ in eventually(60):
            with talking(server.ports["pop3"]):
                pass
            if json.loads(ready.read_text())["zygote"] != before["zygote"]:
                break
        status = json.loads(command(server.directory, "status", "--json"))
        names = [process["name"] for process in status["processes"]]
        assert {"control", "queue/1", "mail/65", "mail/66"} <= {name.removesuffix("/1") for name in names} | set(names)
        assert answers(session, b"a NOOP")
        command(server.directory, "service", "stop", "imap", "--yes")  # It reaches what a former zygote left.
        while session.recv(65536):
            pass
    assert json.loads(ready.read_text())["generation"] == before["generation"]


def test_a_new_zygote_that_cannot_begin_leaves_the_one_before_it_serving(server: Running) -> None:
    file = server.directory / "mailserver.cfg"
    good = file.read_text()
    with talking(server.ports["imap"]) as session:
        file.write_text("<mailserver>")
        os.kill(server.pid, signal.SIGHUP)
        for _ in eventually(30):
            ended = not (server.directory / "run" / "ready.json").exists()
            assert not ended
            found = subprocess.run(["ps", "--ppid", str(server.pid), "-o", "pid="], capture_output=True, text=True)
            if len(found.stdout.split()) == 2:
                break
        for _ in eventually(30):
            found = subprocess.run(["ps", "--ppid", str(server.pid), "-o", "pid="], capture_output=True, text=True)
            if len(found.stdout.split()) == 1:
                break
        file.write_text(good)
        assert answers(session, b"a NOOP")
        with talking(server.ports["pop3"]):
            pass
    status = json.loads(command(server.directory, "status", "--json"))
    assert {"mail/1", "mail/2"} <= {process["name"] for process in status["processes"]}


def test_a_stop_after_a_replacement_is_clean(tmp_path: Path) -> None:
    directory = tmp_path / "server"
    set_up(directory, 1, free_ports(NAMES), {"server/mail-workers": "1"})
    with serving(directory) as server:
        before = json.loads((directory / "run" / "ready.json").read_text())["zygote"]
        os.kill(server.pid, signal.SIGHUP)
        for _ in eventually(60):
            if json.loads((directory / "run" / "ready.json").read_text())["zygote"] != before:
                break
    assert json.loads((directory / "store" / "generation").read_text())["clean"] is True


def test_the_start_says_in_two_lines_that_it_runs_and_where(tmp_path: Path) -> None:
    directory, ports = tmp_path / "server", free_ports(NAMES)
    set_up(directory, 1, ports, {"server/mail-workers": "1"})
    process = subprocess.Popen(
        [sys.executable, "-m", "whimbrel.app.cli", "--dir", str(directory), "serve"],
        env=ENV, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        first, second = process.stdout.readline(), process.stdout.readline()
        assert first.startswith("Whimbrel ") and str(directory) in first and str(process.pid) in first
        assert second.startswith("Listening: ") and all(f":{port}" in second for port in ports.values())
    finally:
        process.terminate()
        rest, _ = process.communicate(timeout=40)
    assert rest == ""


def test_a_service_is_its_settings_and_one_line_and_a_process_another(tmp_path: Path) -> None:
    """One over TCP, one over UDP, and a process that nobody waits for and that fails: mail goes on."""
    directory, ports = tmp_path / "server", free_ports([*NAMES, "echo"])
    echo = ports.pop("echo")
    set_up(directory, 1, ports, {"server/mail-workers": "2"})
    file = directory / "mailserver.cfg"
    places = "".join(
        f"<{name}><listen>127.0.0.1:{echo}</listen></{name}>" for name in ("echo", "echo-packets")
    )  # fmt: skip
    file.write_text(file.read_text().replace("</services>", f"{places}</services>"))
    with serving(directory, [str(ROOT / "tests" / "support" / "echo_server.py")]) as server:
        assert server.ports["echo"] == server.ports["echo_packets"] == echo
        with socket.create_connection(("127.0.0.1", echo), timeout=20) as client:
            client.sendall(b"once more\n")
            assert client.recv(100) == b"once more\n"
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(20)
            client.sendto(b"a packet", ("127.0.0.1", echo))
            assert client.recv(100) == b"a packet"
        with talking(server.ports["imap"]):
            pass
