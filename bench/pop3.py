"""POP3: RETR of a mailbox of small messages, all commands at once, against Dovecot.

One client, one connection. The commands go out in one write and the answer is read to its end, so what is measured is
the server. The figure is messages per second, the best of three fetches in a session each.
"""

import socket
import time

from bench.report import Line, ratio, spread
from bench.roots import fresh
from tests.support.dovecot import PASSWORD as DOVECOT_PASSWORD
from tests.support.dovecot import Dovecot
from tests.support.server import PASSWORD, free_ports, serving, set_up

MESSAGES = 5_000
SIZE = 1_024
FETCHES = 3


def content(number: int) -> bytes:
    head = b"From: a@else.test\r\nTo: user1@example.test\r\nSubject: %d\r\n\r\n" % number
    line = b"The quick brown fox jumps over the lazy dog, again and again.\r\n"
    return (head + line * (SIZE // len(line) + 1))[: SIZE - 2] + b"\r\n"


def fetch(port: int, user: str, password: str) -> float:
    """Messages per second."""
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
        start = time.monotonic()
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
        seconds = time.monotonic() - start
        client.sendall(b"QUIT\r\n")
        stream.readline()
        return count / seconds


def whimbrel() -> float:
    directory = fresh() / "whimbrel"
    set_up(directory, 1, free_ports(["pop3", "imap"]))
    with serving(directory) as server:
        _append(server.ports["imap"], "user1@example.test", PASSWORD)
        return max(fetch(server.ports["pop3"], "user1@example.test", PASSWORD) for _ in range(FETCHES))


def dovecot() -> float:
    with Dovecot(storage="maildir", parent=str(fresh())) as peer:
        _append(peer.imap, "user1", DOVECOT_PASSWORD)
        return max(fetch(peer.pop3, "user1", DOVECOT_PASSWORD) for _ in range(FETCHES))


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
    name = f"POP3: RETR of {MESSAGES:,} messages of {SIZE} octets, pipelined"
    return [Line(name, spread(ours, ",.0f"), spread(peer, ",.0f"), ratio(ours, peer), 1.0)]
