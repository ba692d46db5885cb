"""SMTP in, 4 KiB, to mailbox, durable: Whimbrel against Debian's Postfix handing to Dovecot's LMTP.

smtp-source opens a connection for each message, 20 at once, over 100 users. A run ends when every message is in its
mailbox. CPU is that of all server processes.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from bench.load import send
from bench.measure import cpu_seconds
from bench.report import Line, ratio, spread
from bench.roots import fresh
from tests.support.dovecot import Dovecot
from tests.support.postfix import Postfix
from tests.support.server import free_ports, serving, set_up

USERS, EACH = 100, 80


@dataclass(frozen=True, slots=True)
class Figures:
    rate: float
    """Messages per second."""
    cpu: float
    """CPU seconds per 1,000 messages."""


def whimbrel(beside: Callable[[Path], AbstractContextManager[object]] = nullcontext) -> Figures:
    """One run on a fresh store. `beside`: what else goes on in the installation meanwhile."""
    directory = fresh() / "whimbrel"
    set_up(directory, USERS, free_ports(["smtp"]))
    with serving(directory) as server, beside(directory):
        mail = directory / "store" / "mail"
        return _run(server.ports["smtp"], server.pid, lambda: _count(mail, "*/*/INBOX/#msgs/*.eml"), "example.test")


def postfix_and_dovecot() -> Figures:
    root = fresh()
    with Dovecot(storage="maildir", parent=str(root)) as dovecot:
        settings = {
            "mydestination": "",
            "virtual_mailbox_domains": "example.test",
            "virtual_transport": f"lmtp:inet:127.0.0.1:{dovecot.lmtp}",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_client_connection_rate_limit": "0",
        }
        with Postfix(root / "postfix", settings) as postfix:
            pids = [postfix.master_pid, dovecot.pid]

            def delivered() -> int:
                return _count(dovecot.folder / "mail", "*/new/*")

            return _run(postfix.port, pids, delivered, "example.test")


def _run(port: int, pids: int | list[int], delivered: Callable[[], int], domain: str) -> Figures:
    roots = [pids] if isinstance(pids, int) else pids
    send(port, USERS, 1, domain=domain)  # Processes are started, every mailbox exists.
    _wait(delivered, USERS)
    before_cpu, start = cpu_seconds(roots), time.monotonic()
    send(port, USERS, EACH, domain=domain)
    _wait(delivered, USERS + USERS * EACH)
    seconds = time.monotonic() - start
    count = USERS * EACH
    return Figures(count / seconds, (cpu_seconds(roots) - before_cpu) * 1000 / count)


def _wait(delivered: Callable[[], int], count: int) -> None:
    # Seldom: looking at thousands of files takes a core from the server that is still at work.
    end = time.monotonic() + 120
    while (found := delivered()) < count:
        if time.monotonic() > end:
            raise RuntimeError(f"{found} of {count} messages arrived")
        time.sleep(0.1)


def _count(folder: Path, pattern: str) -> int:
    return sum(1 for _ in folder.glob(pattern))


def measure(pairs: int) -> list[Line]:
    ours, peer = [], []
    for number in range(pairs):
        ours.append(whimbrel())
        peer.append(postfix_and_dovecot())
        print(f"  pair {number + 1}: Whimbrel {ours[-1].rate:.0f}/s, {ours[-1].cpu:.2f} CPU s; "
              f"Postfix + Dovecot {peer[-1].rate:.0f}/s, {peer[-1].cpu:.2f} CPU s", flush=True)  # fmt: skip
    rates, peer_rates = [run.rate for run in ours], [run.rate for run in peer]
    cpus, peer_cpus = [run.cpu for run in ours], [run.cpu for run in peer]
    return [
        Line("SMTP in, messages/s", spread(rates, ".0f"), spread(peer_rates, ".0f"), ratio(rates, peer_rates), 4.0),
        Line(
            "SMTP in, CPU s per 1,000",
            spread(cpus, ".2f"),
            spread(peer_cpus, ".2f"),
            ratio(cpus, peer_cpus),
            0.25,
            higher_is_better=False,
        ),
    ]
