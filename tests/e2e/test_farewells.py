"""Whoever is sent away reads why and then the end, never a reset, though it was still sending."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable

import pytest

from tests.support.mail import trusting
from tests.support.server import Running

Maker = Callable[..., contextlib.AbstractContextManager[Running]]

FLOOD = 1 << 20
TIMES = 50
# What makes each end the session long before all of the flood is read: a line without end, or no end of errors.
ENDLESS, RUBBISH = b"x" * FLOOD, b"rubbish\r\n" * (FLOOD // 9)
START_TLS = {"smtp": (b"EHLO client.test\r\n", b"STARTTLS\r\n"), "imap": (b"a STARTTLS\r\n",), "pop3": (b"STLS\r\n",)}
DOORS = [
    ("smtp", False, RUBBISH, b"421 "),
    ("smtp", True, RUBBISH, b"421 "),
    ("submissions", True, RUBBISH, b"421 "),
    ("lmtp", False, RUBBISH, b"421 "),
    ("imap", False, RUBBISH, b"* BYE "),
    ("imap", True, RUBBISH, b"* BYE "),
    ("imaps", True, RUBBISH, b"* BYE "),
    ("pop3", False, ENDLESS, b"-ERR "),
    ("pop3", True, ENDLESS, b"-ERR "),
    ("pop3s", True, ENDLESS, b"-ERR "),
]


def client_of(server: Running, service: str, *, tls: bool = False) -> socket.socket:
    """Greeted, and under TLS as the service has it."""
    client = socket.create_connection(("127.0.0.1", server.ports[service]), 30)
    if tls and service not in START_TLS:
        client = trusting().wrap_socket(client)
    assert client.recv(4096)
    if tls and service in START_TLS:
        for line in START_TLS[service]:
            client.sendall(line)
            answer = client.recv(4096)
        assert b"220" in answer or b"OK" in answer
        client = trusting().wrap_socket(client)
    return client


def to_the_end(client: socket.socket) -> bytes:
    """A reset is an error here."""
    heard = b""
    while data := client.recv(65536):
        heard += data
    return heard


@pytest.mark.parametrize(("service", "tls", "flood", "reply"), DOORS, ids=[f"{d[0]}{'-tls' * d[1]}" for d in DOORS])
def test_a_flood_is_answered_and_ended_and_never_reset(
    server: Running, service: str, tls: bool, flood: bytes, reply: bytes
) -> None:
    for _ in range(TIMES):
        with client_of(server, service, tls=tls) as client:
            client.sendall(flood)
            last = to_the_end(client).splitlines()[-2:]  # IMAP has an answer to the command behind its BYE.
            assert any(line.startswith(reply) for line in last)


@pytest.mark.parametrize(("service", "reply"), [("smtp", b"500 "), ("imap", b"* BAD ")])
def test_a_line_without_end_is_refused_and_the_session_goes_on(server: Running, service: str, reply: bytes) -> None:
    with client_of(server, service) as client:
        client.sendall(ENDLESS + b"\r\n")
        assert client.recv(4096).startswith(reply)
        client.sendall(b"QUIT\r\n" if service == "smtp" else b"a LOGOUT\r\n")
        assert to_the_end(client).startswith((b"221 ", b"* BYE"))


def test_one_that_drips_on_is_cut_off(server: Running) -> None:
    with client_of(server, "pop3") as client:
        client.sendall(ENDLESS)
        assert to_the_end(client).startswith(b"-ERR ")
        with pytest.raises(ConnectionError):
            for _ in range(300):
                client.sendall(b"x")
                time.sleep(0.1)


@pytest.mark.parametrize(("service", "refusal"), [("smtp", b"421 "), ("imap", b"* BYE "), ("pop3", b"-ERR ")])
def test_one_over_the_limit_that_speaks_first_reads_the_refusal(
    own_server: Maker, service: str, refusal: bytes
) -> None:
    with own_server({f"services/{service}/max-connections-per-host": "1"}) as server, contextlib.ExitStack() as stack:
        # The limit is that of each worker, which take turns as they are free: all have one when many are refused.
        in_a_row = 0
        while in_a_row < 20:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.ports[service]), 30))
            in_a_row = in_a_row + 1 if client.recv(200).startswith(refusal) else 0
        for _ in range(TIMES):
            with socket.create_connection(("127.0.0.1", server.ports[service]), 30) as client:
                client.sendall(b"x" * 300_000)
                assert to_the_end(client).startswith(refusal)


@pytest.mark.parametrize(("service", "tls"), [("smtp", False), ("submissions", True)])
def test_a_shutdown_amid_a_message_is_told(own_server: Maker, service: str, tls: bool) -> None:
    with own_server() as server, client_of(server, service, tls=tls) as client:
        client.sendall(b"EHLO client.test\r\n")
        assert client.recv(4096).startswith(b"250")
        os.kill(server.pid, signal.SIGTERM)
        client.sendall(b"x" * 300_000)
        assert to_the_end(client).startswith(b"421 ")
