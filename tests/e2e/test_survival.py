"""The whole server survives kill -9 of any of its processes, and keeps what it acknowledged."""

import contextlib
import os
import signal
import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.mail import eventually, letter, send, subjects
from tests.support.server import Running, command

Maker = Callable[..., contextlib.AbstractContextManager[Running]]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill_tree(*pids: int) -> None:
    """kill -9 for each, parents first: their children end by themselves then, perhaps before their turn."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_killed_workers_are_replaced_and_nothing_acknowledged_is_lost(own_server: Maker) -> None:
    with own_server() as server:
        (zygote,) = children(server.pid)
        sent = 0
        for _ in range(3):
            for _ in range(5):
                send(server, "user1@example.test", letter(f"m{sent}", to="user1@example.test"))
                sent += 1
            for _ in eventually(20):
                if len(workers := children(zygote)) == 3 + (os.cpu_count() or 1):
                    break
            else:
                pytest.fail("a worker is missing")
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            for _ in eventually(20):
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    if not set(children(zygote)) & set(workers) and len(children(zygote)) == len(workers):
                        send(server, "user2@example.test", letter("alive", to="user2@example.test"))
                        break
            else:
                pytest.fail("the workers did not come back")
        assert subjects(server, "user1@example.test") == [f"m{n}" for n in range(sent)]
        for _ in eventually(10):
            with contextlib.suppress(RuntimeError):
                assert "zygote" in command(server.directory, "status")
                break
        else:
            pytest.fail("the control process does not answer")


def test_kill_9_of_everything_loses_nothing_and_the_next_start_checks_the_store(own_server: Maker) -> None:
    with own_server() as server:
        (zygote,) = children(server.pid)
        for number in range(10):
            send(server, ["user1@example.test", "user2@example.test"], letter(f"m{number}"))
        kill_tree(server.pid, zygote, *children(zygote))
    with own_server() as server:
        for user in ("user1@example.test", "user2@example.test"):
            assert subjects(server, user) == [f"m{n}" for n in range(10)]
        send(server, "user1@example.test", letter("after"))
        assert subjects(server, "user1@example.test")[-1] == "after"
        assert command(server.directory, "store", "check", "--all")


def test_a_second_server_on_the_same_directory_is_refused(own_server: Maker) -> None:
    import subprocess
    import sys

    from tests.support.server import ENV

    with own_server() as server:
        done = subprocess.run(
            [sys.executable, "-m", "whimbrel.app.supervisor", str(server.directory)],
            env=ENV,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 1 and "already at work" in done.stderr


def test_the_store_heals_without_being_asked(own_server: Maker) -> None:
    with own_server({"store/self-check": "1s"}) as server:
        send(server, "user1@example.test", letter("first"))
        messages = server.directory / "store" / "mail" / "example.test" / "user1" / "INBOX" / "#msgs"
        (messages / "put in by hand.eml").write_bytes(letter("by hand"))
        for _ in eventually(20):  # No client is connected: only the server itself can have taken it in.
            if (messages / "00000002.eml").exists():
                break
        else:
            pytest.fail("the file was not taken in")
        assert subjects(server, "user1@example.test") == ["first", "by hand"]
