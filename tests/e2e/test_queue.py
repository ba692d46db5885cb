"""The queue of the whole server: kill -9 while it sends, deliveries under way, messages given back."""

import contextlib
import json
import os
import signal
import smtplib
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.mail import eventually, letter, subjects, submit, trusting
from tests.support.server import PASSWORD, Running, command
from tests.support.sinks import SmtpSink

Maker = Callable[..., contextlib.AbstractContextManager[Running]]


def by(sink: SmtpSink) -> dict[str, Any]:
    return {
        "delivery/relay-host": "127.0.0.1",
        "delivery/relay-port": str(sink.port),
        "delivery/relay-tls": "none",
        "delivery/retry-after": ["1s"],
    }


def queue_process(directory: Path) -> int | None:
    """Its pid, from the socket on which it tells what it does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        folder = os.open(directory / "run" / "live", os.O_RDONLY)
        try:
            probe.connect(f"/proc/self/fd/{folder}/queue-1.sock")
        except OSError:
            return None
        finally:
            os.close(folder)
        return int(struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])


def listed(server: Running, *words: str) -> Any:
    return json.loads(command(server.directory, *words, "--json"))


def test_kill_9_of_the_queue_process_loses_no_message_and_repeats_only_those_in_flight(own_server: Maker) -> None:
    def slow(_line: str) -> str | None:
        time.sleep(0.25)
        return None

    kills, messages = 4, 80
    with SmtpSink(replies={"DOT": slow}) as sink, own_server(by(sink) | {"delivery/per-destination": "5"}) as server:
        with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=30) as smtp:
            smtp.starttls(context=trusting())
            smtp.login("user1@example.test", PASSWORD)
            for number in range(messages):
                smtp.sendmail("user1@example.test", [f"u{number}@remote.test"], letter(f"m{number}"))
        for round_ in range(kills):
            seen = len(sink.messages)  # Enough are left for all of the kills.
            for _ in eventually(20):
                pid = queue_process(server.directory)
                if pid is not None and len(sink.messages) > seen + 3:
                    break
            else:
                pytest.fail(f"nothing is sent after kill {round_}")
            os.kill(pid, signal.SIGKILL)
        for _ in eventually(60):
            if queue_process(server.directory) is not None and not listed(server, "queue", "list")["waiting"]:
                break
        else:
            pytest.fail("the queue does not become empty")
    got = Counter(recipient for message in sink.messages for recipient in message.recipients)
    assert set(got) == {f"u{number}@remote.test" for number in range(messages)}
    # At most those to this one destination that were at work when it was killed.
    assert sum(got.values()) - messages <= kills * 5


def test_a_delivery_under_way_is_listed_and_can_be_ended(own_server: Maker) -> None:
    with SmtpSink(replies={"DOT": [""]}) as sink, own_server(by(sink) | {"delivery/retry-after": ["1h"]}) as server:
        submit(server, "user1@example.test", "b@remote.test", letter("stuck"))
        for _ in eventually(20):
            found = listed(server, "task", "list")["items"]
            if found and found[0]["phase"] == "answer":
                break
        else:
            pytest.fail(f"it is not shown: {found}")
        assert found[0]["sender"] == "<user1@example.test>" and str(sink.port) in found[0]["server"]
        assert "ended" in command(server.directory, "task", "abort", found[0]["id"], "--yes")
        for _ in eventually(20):
            page = listed(server, "queue", "list")["items"]
            if page and page[0]["attempts"] == 1:
                break
        else:
            pytest.fail("it did not come back to the queue")
        assert page[0]["status"].startswith("4.3.0") and listed(server, "task", "list")["items"] == []
        (row,) = listed(server, "queue", "stats")["destinations"]
        assert (row["destination"], row["waiting"]) == ("remote.test", 1)
        assert "Subject: stuck" in command(server.directory, "queue", "source", page[0]["id"])


def test_a_held_message_is_given_back_to_its_sender(own_server: Maker) -> None:
    with own_server({"delivery/hold-remote": "yes", "reports/language": "de"}) as server:
        submit(server, "user1@example.test", "b@remote.test", letter("never"))
        assert listed(server, "queue", "list")["held"] == 1
        command(server.directory, "queue", "delete", "--to", "b@remote", "--report", "--yes")
        for _ in eventually(20):
            if subjects(server, "user1@example.test"):
                break
        else:
            pytest.fail("no report came")
        assert listed(server, "queue", "list")["items"] == []
