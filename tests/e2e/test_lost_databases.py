"""queue.db and state.db are taken away under a running server: it goes on with new ones, all mail arrives once."""

import contextlib
import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.test_queue import by, listed, queue_process
from tests.support.mail import eventually, letter, send, subjects, submit
from tests.support.server import Running, command
from tests.support.sinks import SmtpSink

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
ANN = "user1@example.test"


def take_away(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()


def logged(server: Running, words: str) -> bool:
    log = server.directory / "store" / "logs" / "error.log"
    return log.exists() and words in log.read_text()


def queued(server: Running) -> set[str]:
    """The local parts of the recipients that wait."""
    items = listed(server, "queue", "list")["items"]
    return {name for name in ("u0", "u1", "u2", "u3") if f'"{name}@remote.test' in json.dumps(items)}


@pytest.mark.parametrize("killed", [False, True])
def test_mail_that_waits_is_listed_released_and_sent_once_by_whoever_is_left(own_server: Maker, killed: bool) -> None:
    down = [True]

    def refuses(_line: str) -> str | None:
        return "421 4.3.2 Down" if down else None

    with SmtpSink(replies={"CONNECT": refuses}) as sink, own_server(by(sink)) as server:
        queue = server.directory / "store" / "queue"
        for number in (0, 1):
            submit(server, ANN, f"u{number}@remote.test", letter(f"m{number}"))
        command(server.directory, "queue", "hold", "--to", "u1@remote.test", "--yes")
        take_away(queue / "queue.db")
        if killed:
            former = queue_process(server.directory)
            assert former is not None
            os.kill(former, signal.SIGKILL)
            for _ in eventually(20):
                if queue_process(server.directory) not in (former, None):
                    break
            else:
                pytest.fail("no queue process came back")
        submit(server, ANN, "u2@remote.test", letter("m2"))
        for _ in eventually(20):
            if queued(server) == {"u0", "u1", "u2"} and logged(server, "Queue taken away"):
                break
        else:
            pytest.fail(f"only {queued(server)} are listed")
        assert (queue / "queue.db").exists()
        (held,) = (item for item in listed(server, "queue", "list")["items"] if "u1@" in json.dumps(item))
        assert "Subject: m1" in command(server.directory, "queue", "source", held["id"])
        command(server.directory, "queue", "release", "--to", "u1@remote.test", "--yes")
        down.clear()
        submit(server, ANN, "u3@remote.test", letter("m3"))
        for _ in eventually(30):
            if not queued(server):
                break
            command(server.directory, "queue", "run")  # What just failed waits for longer than this test.
        else:
            pytest.fail(f"{queued(server)} are not sent")
        got = Counter(recipient for message in sink.messages for recipient in message.recipients)
        assert got == {f"u{number}@remote.test": 1 for number in range(4)}
        assert not list(queue.glob("*.eml")) and subjects(server, ANN) == []


def test_without_state_db_the_server_goes_on_and_says_so(own_server: Maker) -> None:
    with own_server() as server:
        state = server.directory / "store" / "state.db"
        send(server, ANN, letter("before"))
        assert subjects(server, ANN) == ["before"]
        for number, way in enumerate(("deleted", "a directory")):
            for _ in eventually(20):
                if state.is_file():
                    break
            else:
                pytest.fail(f"state.db was not made anew, {number}")
            if way == "deleted":
                take_away(state)
            else:
                state.unlink()
                (state / "something").mkdir(parents=True)
            send(server, ANN, letter(way.replace(" ", "-")))
        for _ in eventually(20):
            subjects(server, ANN)  # Its sign-in is noted there.
            if state.is_file() and logged(server, "State lost"):
                break
        else:
            pytest.fail("state.db was not made anew")
        assert subjects(server, ANN) == ["before", "deleted", "a-directory"]
