"""SMTP in, in other shapes: messages of 1 MiB, and messages to 100 local recipients each, from five clients at once;
durable, to mailbox. Whimbrel against Debian's Postfix handing to Dovecot's LMTP.

A run begins when the first message is sent and ends when the last copy is in its mailbox.
"""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.load import send
from bench.report import Line, ratio, spread
from bench.roots import fresh
from tests.support.dovecot import Dovecot
from tests.support.postfix import Postfix
from tests.support.server import free_ports, serving, set_up

USERS = 100
LARGE, LARGE_EACH = 1 << 20, 3
FAN_OUTS, CLIENTS = 40, 5

MANY = ["many", *(f"{n}many" for n in range(2, USERS + 1))]
"""Recipients of the messages to many."""

Running = tuple[int, Callable[[], int]]
"""The port to send to, and how many messages are in mailboxes."""


def large(port: int) -> int:
    send(port, USERS, LARGE_EACH, size=LARGE)
    return USERS * LARGE_EACH


def fan_out(port: int) -> int:
    """One RCPT for each; Postfix takes them in one transaction as we do. smtp-source says many, 2many, 3many ..."""
    command = ["smtp-source", "-s", str(CLIENTS), "-m", str(FAN_OUTS), "-l", "4096", "-r", str(USERS)]
    command += ["-f", "sender@else.test", "-t", "many@example.test", f"127.0.0.1:{port}"]
    subprocess.run(command, check=True, capture_output=True)
    return USERS * FAN_OUTS


@contextlib.contextmanager
def whimbrel() -> Iterator[Running]:
    """On a fresh store."""
    directory = fresh() / "whimbrel"
    set_up(directory, USERS, free_ports(["smtp"]), more=MANY)
    with serving(directory) as server:
        mail = directory / "store" / "mail"
        yield server.ports["smtp"], lambda: _count(mail, "*/*/INBOX/#msgs/*.eml")


@contextlib.contextmanager
def postfix_and_dovecot() -> Iterator[Running]:
    root = fresh()
    with Dovecot(storage="maildir", parent=str(root)) as dovecot:
        settings = {
            "mydestination": "",
            "virtual_mailbox_domains": "example.test",
            "virtual_transport": f"lmtp:inet:127.0.0.1:{dovecot.lmtp}",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_client_connection_rate_limit": "0",
            "message_size_limit": str(100 << 20),
        }
        with Postfix(root / "postfix", settings) as postfix:
            yield postfix.port, lambda: _count(dovecot.folder / "mail", "*/new/*")


def _rate(server: Callable[[], contextlib.AbstractContextManager[Running]], load: Callable[[int], int]) -> float:
    """Copies in mailboxes per second."""
    with server() as (port, delivered):
        before = load(port)  # Processes are started, every mailbox exists.
        _wait(delivered, before)
        start = time.monotonic()
        count = load(port)
        _wait(delivered, before + count)
        return count / (time.monotonic() - start)


def _wait(delivered: Callable[[], int], count: int) -> None:
    end = time.monotonic() + 300
    while (found := delivered()) < count:
        if time.monotonic() > end:
            raise RuntimeError(f"{found} of {count} messages arrived")
        time.sleep(0.1)


def _count(folder: Path, pattern: str) -> int:
    return sum(1 for _ in folder.glob(pattern))


def _measure(name: str, load: Callable[[int], int], pairs: int, target: float) -> list[Line]:
    ours, peer = [], []
    for number in range(pairs):
        ours.append(_rate(whimbrel, load))
        peer.append(_rate(postfix_and_dovecot, load))
        print(f"  pair {number + 1}: Whimbrel {ours[-1]:.0f}/s; Postfix + Dovecot {peer[-1]:.0f}/s", flush=True)
    return [Line(name, spread(ours, ".0f"), spread(peer, ".0f"), ratio(ours, peer), target)]


def measure_large(pairs: int) -> list[Line]:
    return _measure("SMTP in, 1 MiB, messages/s", large, pairs, 1.5)


def measure_fan_out(pairs: int) -> list[Line]:
    return _measure("SMTP in, 100 recipients, copies/s", fan_out, pairs, 5.0)
