"""The console's socket of a real server: signing in, sessions over a restart of control, and the log lines."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.console import ConsoleClient
from tests.support.server import PASSWORD, Running, command, free_ports, serving, set_up

T = TypeVar("T")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("console") / "server"
    set_up(directory, 1, free_ports(["imap"]), {"security/failure-delay": "0s"})
    with serving(directory) as running:
        yield running


def control(running: Running) -> int:
    """The process of control."""
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    workers = Path(f"/proc/{children[0]}/task/{children[0]}/children").read_text().split()
    (pid,) = [int(each) for each in workers if Path(f"/proc/{each}/comm").read_text().startswith("control")]
    return pid


def until(ready: Callable[[], T]) -> T:
    """What `ready` gives when that is something; it must come within half a minute."""
    deadline = time.monotonic() + 30
    while not (answer := ready()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def failures(running: Running, host: str) -> list[str]:
    """What the security log says of this client."""
    log = running.directory / "store" / "logs" / "security.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line for line in lines if f"Sender-Host: {host}," in line]


def signed_in(running: Running, name: str = "admin@example.test") -> ConsoleClient:
    client = ConsoleClient(running.directory)
    assert client.sign_in(name, PASSWORD) == 200
    return client


def test_an_administrator_signs_in_changes_something_and_signs_out(server: Running) -> None:
    client = signed_in(server)
    assert client.ask("GET", "/api/session")[1]["result"]["right"] == "server-write"
    status, _ = client.ask("POST", "/api/admin/user/set", {"name": "user1", "full_name": "Ursula"})
    assert (status, "Ursula" in command(server.directory, "user", "show", "user1")) == (200, True)
    assert client.ask("DELETE", "/api/session") == (204, None)
    assert client.ask("GET", "/api/session")[0] == 401


def test_who_administers_nothing_and_who_guesses_get_the_same_answer(server: Running) -> None:
    client = ConsoleClient(server.directory, ip="192.0.2.99")
    answers = [
        client.ask("POST", "/api/session", {"name": name, "password": password})
        for name, password in (("user1", PASSWORD), ("admin", "wrong"), ("nobody", PASSWORD))
    ]
    assert answers[0][0] == 401 and answers == [answers[0]] * 3
    lines = until(lambda: len(failed := failures(server, "192.0.2.99")) == 3 and failed)
    assert all("Failed CONSOLE login" in line for line in lines)


def test_a_stream_comes_through_the_socket(server: Running) -> None:
    status, lines = signed_in(server).ask("POST", "/api/admin/store/size", {"all": True})
    assert (status, lines[-1]["end"]) == (200, True)


def test_a_session_outlives_control_and_not_its_password(server: Running) -> None:
    client = signed_in(server)
    before = control(server)
    os.kill(before, signal.SIGTERM)

    def back() -> bool:
        try:
            return control(server) != before and client.ask("GET", "/api/session")[0] == 200
        except (OSError, ValueError):
            return False

    assert until(back)
    command(server.directory, "user", "password", "admin", "--password-file", str(_new_password(server.directory)))
    assert client.ask("GET", "/api/session")[0] == 401


def _new_password(directory: Path) -> Path:
    path = directory.parent / "password"
    path.write_text("another-horse-4711")
    return path
