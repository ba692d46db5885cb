"""Many slow clients: 5,000 that sit idle and 5,000 that send an octet a second within a message, and what a normal
client notices of them.

Memory is that of all processes, by the connection; the other figure is how long a message takes from connecting to its
250 while the slow ones are there, against before.
"""

import resource
import smtplib
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.measure import pss_bytes
from bench.report import Line, spread
from tests.support.server import free_ports, serving, set_up
from tests.support.slow_clients import slow_clients

IDLE, DRIPPING = 5000, 5000
PROBES = 20
SETTINGS = {"services/smtp/max-connections": "20000", "services/smtp/max-connections-per-host": "20000"}


def _deliver(port: int) -> float:
    begun = time.monotonic()
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.sendmail("a@else.test", ["user2@example.test"], b"Subject: x\r\n\r\n" + b"y" * 4000 + b"\r\n")
    return time.monotonic() - begun


def measure(runs: int) -> list[Line]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    memory, before, under = [], [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            directory = Path(folder) / "whimbrel"
            set_up(directory, 2, free_ports(["smtp"]), SETTINGS)
            with serving(directory) as server:
                port = server.ports["smtp"]
                before.append(median(_deliver(port) for _ in range(PROBES)) * 1000)
                empty = pss_bytes([server.pid])
                with slow_clients(port, idle=IDLE, dripping=DRIPPING):
                    time.sleep(5)
                    memory.append((pss_bytes([server.pid]) - empty) / (IDLE + DRIPPING) / 1024)
                    under.append(median(_deliver(port) for _ in range(PROBES)) * 1000)
    return [
        Line("memory for a slow client", spread(memory, ".1f"), "", median(memory), 60, False, " KiB"),
        Line("a message beside 10,000 slow clients", spread(under, ".1f"), spread(before, ".1f"),
             median(under) / median(before), 5, False),
    ]  # fmt: skip
