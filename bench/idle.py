"""Idle memory of all processes, and the time from start to the first banner."""

import socket
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.measure import pss_bytes
from bench.report import Line, spread
from tests.support.server import SERVICES, free_ports, serving, set_up


def measure(runs: int) -> list[Line]:
    memory, banner = [], []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        directory = Path(folder) / "whimbrel"
        set_up(directory, 10, free_ports(SERVICES))
        for _ in range(runs):
            begun = time.monotonic()
            with serving(directory) as server:
                with socket.create_connection(("127.0.0.1", server.ports["smtp"])) as client:
                    client.recv(100)
                banner.append(time.monotonic() - begun)
                time.sleep(2)
                memory.append(pss_bytes([server.pid]) / (1 << 20))
    return [
        Line("idle memory, all processes", spread(memory, ".0f"), "", median(memory), 120, False, " MB"),
        Line("start to first banner", spread(banner, ".2f"), "", median(banner), 1.5, False, " s"),
    ]
