"""What a running server counts, and its connections: seen and ended."""

import contextlib
import imaplib
import json
import os
import signal
import smtplib
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.support.mail import eventually, imap, letter, send, submit, trusting
from tests.support.server import Running, command, free_ports, serving, set_up
from whimbrel.backends.stats.boards import read_boards

Maker = Callable[..., AbstractContextManager[Running]]


def counted(server: Running, process: str = "") -> dict[str, int]:
    """The counts of all processes, those that are gone included."""
    sums: dict[str, int] = {}
    for copy in read_boards(server.directory / "run" / "stats"):
        if process in copy.path.name:
            for name, value in copy.values.items():
                sums[name] = sums.get(name, 0) + value
    return sums


def until(server: Running, **wanted: int) -> dict[str, int]:
    """The counts once those named have come to that (within the seconds that a copy takes)."""
    known: dict[str, int] = {}
    names = {name.replace("__", ".").replace("_", "-"): number for name, number in wanted.items()}
    for _ in eventually(20):
        known = counted(server)
        if all(known.get(name) == number for name, number in names.items()):
            return known
    pytest.fail(f"{ {name: known.get(name) for name in names} }, not {names}")


def connections(server: Running, *options: str) -> list[dict[str, Any]]:
    page = json.loads(command(server.directory, "connection", "list", "--json", *options))
    items: list[dict[str, Any]] = page["items"]
    return items


@contextlib.contextmanager
def idling(server: Running, user: str) -> Iterator[imaplib.IMAP4_SSL]:
    with contextlib.suppress(imaplib.IMAP4.abort), imap(server, user) as client:  # It may be ended before it leaves.
        client.send(b"i1 IDLE\r\n")
        assert client.readline().startswith(b"+")
        yield client


def test_a_message_in_moves_the_right_counters(own_server: Maker) -> None:
    with own_server() as server:
        send(server, ["user1@example.test", "user2@example.test"], letter("one"))
        submit(server, "user1@example.test", "user2@example.test", letter("two", sender="user1@example.test"))
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(server, "nobody@example.test", letter("three"))
        with pytest.raises(imaplib.IMAP4.error), imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as client:
            client.login("user1", "wrong")
        known = until(
            server, messages_in__smtp=1, messages_in__submission=1, deliveries__delivered_local=3,
            refused__unknown_recipient=1, sign_ins__submission=1, sign_ins_failed__imap=1, connections__smtp=2,
            connections_ended__smtp=2, connections_ended__submission=1, connections_ended__imap=1,
        )  # fmt: skip
        assert sum(value for name, value in known.items() if name.startswith("latency.")) == 3
        assert known["tls.TLSv1.3"] == 1 and known["octets-in.smtp"] > 300 and known["octets-out.imap"] > 50
        assert known["octets-received.smtp"] > len(letter("one"))


def test_kill_9_of_a_worker_loses_no_count_that_it_had_told(own_server: Maker) -> None:
    with own_server() as server:
        for number in range(3):
            send(server, "user1@example.test", letter(f"m{number}"))
        until(server, messages_in__smtp=3)
        zygote = int(json.loads((server.directory / "run" / "ready.json").read_text())["zygote"])
        for child in Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().startswith("mail"):
                os.kill(int(child), signal.SIGKILL)
        for _ in eventually(20):
            with contextlib.suppress(OSError, smtplib.SMTPException):
                send(server, "user1@example.test", letter("after"))
                break
        until(server, messages_in__smtp=4)


def test_an_idle_client_is_seen_and_ended_by_name_with_a_word(own_server: Maker) -> None:
    with own_server() as server, idling(server, "user1@example.test") as one, idling(server, "user2@example.test"):
        rows = connections(server, "--sort", "user")
        assert [row["user"] for row in rows] == ["user1@example.test", "user2@example.test"]
        first = rows[0]
        assert (first["service"], first["command"], first["address"]) == ("imaps", "IDLE", "127.0.0.1")
        assert first["tls"] == "TLSv1.3" and first["cipher"] and first["received"] > 50 and first["sent"] > 50
        assert "1 connection was ended" in command(
            server.directory, "connection", "disconnect", "--user", "user1@example.test"
        )
        lines = []
        while line := one.readline():
            lines.append(line)
        assert lines[-1] == b"* BYE Ended by an administrator\r\n"
        assert [row["user"] for row in connections(server)] == ["user2@example.test"]
        log = command(server.directory, "log", "tail", "security")
        assert "Ended connection: Service: IMAPS" in log and "User: user1@example.test" in log and "By: local" in log
        with pytest.raises(RuntimeError, match="There is no connection"):
            command(server.directory, "connection", "disconnect", first["id"])


def test_a_client_of_smtp_hears_who_ended_it(own_server: Maker) -> None:
    with own_server() as server, socket.create_connection(("127.0.0.1", server.ports["smtp"]), timeout=20) as client:
        assert client.recv(1000).startswith(b"220")
        (row,) = connections(server, "--service", "smtp")
        assert row["user"] == "" and row["command"] == ""
        command(server.directory, "connection", "disconnect", row["id"])
        heard = b""
        while piece := client.recv(1000):
            heard += piece
        assert heard == b"421 4.3.2 Ended by an administrator\r\n"


def test_statistics_go_on_over_the_death_of_control_and_a_restart(own_server: Maker) -> None:
    def received(server: Running) -> int:
        view = json.loads(command(server.directory, "stats", "show", "--json"))
        return int(next(row["ever"] for row in view["totals"] if row["name"] == "messages-in"))

    def comes_to(server: Running, number: int) -> None:
        for _ in eventually(20):
            with contextlib.suppress(RuntimeError):
                if received(server) == number:
                    return
        pytest.fail(f"it is not {number}")

    with own_server() as server:
        for number in range(2):
            send(server, "user1@example.test", letter(f"m{number}"))
        comes_to(server, 2)
        status = json.loads(command(server.directory, "status", "--json"))
        assert status["today"]["received"] == 2 and status["today"]["delivered"] == 2
        control = next(row["pid"] for row in status["processes"] if row["name"] == "control")
        os.kill(control, signal.SIGKILL)
        comes_to(server, 2)
        send(server, "user1@example.test", letter("m2"))
    with own_server() as server:
        comes_to(server, 3)
        text = command(server.directory, "stats", "export", "--series", "messages-in", "--last", "1h")
        assert sum(float(line.partition(",")[2] or 0) for line in text.splitlines()[1:]) == 3
        view = json.loads(command(server.directory, "stats", "show", "--json"))
        assert [row["name"] for row in view["recipients"]] == ["user1@example.test"]
        assert view["recipients"][0]["messages"] == 3 and view["senders"][0]["messages"] == 3


def test_connections_of_the_console_are_counted_beside_those_of_mail(tmp_path: Path) -> None:
    set_up(tmp_path / "server", 1, free_ports(["imap", "console"]), {"server/mail-workers": "1"})
    with serving(tmp_path / "server") as server:
        plain = socket.create_connection(("127.0.0.1", server.ports["console"]), timeout=20)
        with trusting().wrap_socket(plain, server_hostname="localhost"):
            for _ in eventually(20):
                if counted(server).get("connections.console") == 1:
                    break
            known = counted(server)
            assert (known["connections.console"], known["connections-ended.console"]) == (1, 0)
            assert known["tls.TLSv1.3"] == 1
        until(server, connections_ended__console=1)
