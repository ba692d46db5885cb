"""POP3: RETR of a mailbox of small messages, against Dovecot over a maildir.

One client, one connection. One at a time, as most programs fetch: the next command goes when the answer has ended.
Pipelined: all commands go out in one write and the answers are read to their end, so that only the server is measured.
The figure is messages per second, the best of three fetches in a session each.
"""

import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.report import Line, ratio, spread
from bench.roots import fresh
from tests.support.dovecot import PASSWORD as DOVECOT_PASSWORD
from tests.support.dovecot import Dovecot
from tests.support.server import PASSWORD, free_ports, serving, set_up

MESSAGES = 5_000
SIZE = 1_024
FETCHES = 3


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages per second."""

    one_at_a_time: float
    pipelined: float


def content(number: int) -> bytes:
    head = b"From: a@else.test\r\nTo: user1@example.test\r\nSubject: %d\r\n\r\n" % number
    line = b"The quick brown fox jumps over the lazy dog, again and again.\r\n"
    return (head + line * (SIZE // len(line) + 1))[: SIZE - 2] + b"\r\n"


def fetch(port: int, user: str, password: str) -> Rates:
    """Both ways in one session."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as client:
        stream = client.makefile("rb")
        stream.readline()
        for command in (f"USER {user}", f"PASS {password}", "STAT"):
            client.sendall(command.encode() + b"\r\n")
            answer = stream.readline()
            if not answer.startswith(b"+OK"):
                raise RuntimeError(f"{command.partition(' ')[0]}: {answer!r}")
        count = int(answer.split()[1])
        if count != MESSAGES:
            raise RuntimeError(f"{count} messages instead of {MESSAGES}")
        rates = Rates(_timed(client, count, _one_at_a_time), _timed(client, count, _pipelined))
        client.sendall(b"QUIT\r\n")
        stream.readline()
        return rates


def _timed(client: socket.socket, count: int, way: Callable[[socket.socket, int], None]) -> float:
    start = time.monotonic()
    way(client, count)
    return count / (time.monotonic() - start)


def _one_at_a_time(client: socket.socket, count: int) -> None:
    for number in range(1, count + 1):
        client.sendall(b"RETR %d\r\n" % number)
        data = client.recv(1 << 16)
        while not data.endswith(b"\r\n.\r\n"):
            piece = client.recv(1 << 16)
            if not piece:
                raise RuntimeError(f"the server closed the connection after {number - 1} messages")
            data += piece


def _pipelined(client: socket.socket, count: int) -> None:
    client.sendall(b"".join(b"RETR %d\r\n" % number for number in range(1, count + 1)))
    ends, tail = 0, b""
    while ends < count:
        piece = client.recv(1 << 20)
        if not piece:
            raise RuntimeError(f"the server closed the connection after {ends} messages")
        data = tail + piece
        ends += data.count(b"\r\n.\r\n")
        # An end that is cut in two pieces is counted with the next one.
        cut = data.rfind(b"\r\n.\r\n")
        tail = data[max(cut + 5, len(data) - 4) :] if cut >= 0 else data[-4:]


def whimbrel() -> Rates:
    directory = fresh() / "whimbrel"
    set_up(directory, 1, free_ports(["pop3", "imap"]))
    with serving(directory) as server:
        _append(server.ports["imap"], "user1@example.test", PASSWORD)
        return _best(fetch(server.ports["pop3"], "user1@example.test", PASSWORD) for _ in range(FETCHES))


def dovecot() -> Rates:
    with Dovecot(storage="maildir", parent=str(fresh())) as peer:
        _append(peer.imap, "user1", DOVECOT_PASSWORD)
        return _best(fetch(peer.pop3, "user1", DOVECOT_PASSWORD) for _ in range(FETCHES))


def _best(fetches: Iterable[Rates]) -> Rates:
    runs = list(fetches)
    return Rates(max(run.one_at_a_time for run in runs), max(run.pipelined for run in runs))


def _append(port: int, user: str, password: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=120) as client:
        stream = client.makefile("rb")
        stream.readline()
        client.sendall(f'a LOGIN {user} "{password}"\r\n'.encode())
        while not (line := stream.readline()).startswith(b"a "):
            pass
        if not line.startswith(b"a OK"):
            raise RuntimeError(f"LOGIN: {line!r}")
        for first in range(0, MESSAGES, 100):
            parts = []
            for number in range(first, first + 100):
                message = content(number)
                parts.append(b"a%d APPEND INBOX {%d+}\r\n%b\r\n" % (number, len(message), message))
            client.sendall(b"".join(parts))
            for _ in range(100):
                while not (line := stream.readline()).startswith(b"a"):
                    pass
                if b" OK" not in line:
                    raise RuntimeError(f"APPEND: {line!r}")


def measure(pairs: int) -> list[Line]:
    ours, peer = [], []
    for _ in range(pairs):
        ours.append(whimbrel())
        peer.append(dovecot())
    lines = []
    for name in ("one_at_a_time", "pipelined"):
        mine, theirs = ([getattr(run, name) for run in runs] for runs in (ours, peer))
        title = f"POP3: RETR of {MESSAGES:,} messages of {SIZE} octets, {name.replace('_', ' ')}"
        lines.append(Line(title, spread(mine, ",.0f"), spread(theirs, ",.0f"), ratio(mine, theirs), 1.0))
    return lines
