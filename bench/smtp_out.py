"""SMTP out, 4 KiB, to one next hop: Whimbrel against Debian's Postfix, both relaying from smtp-source to smtp-sink.

What is measured is from the first message sent to the server until the sink has the last one: taken in, made durable,
queued, sent on. Both use their own default concurrency towards one destination. CPU is that of all server processes,
so it has the price of taking in and that of sending.
"""

import subprocess
import time

from bench.load import send
from bench.measure import cpu_seconds
from bench.report import Line, ratio, spread
from bench.roots import fresh
from bench.smtp_in import Figures
from tests.support.postfix import Postfix, free_port, wait_for_port
from tests.support.server import free_ports, serving, set_up

SENDERS, EACH = 40, 100
COUNT = SENDERS * EACH


class Sink:
    """smtp-sink; ends by itself when it has `count` messages."""

    def __init__(self, count: int, port: int = 0) -> None:
        self.port = port or free_port()
        # One message more than are sent would be asked for, were the port not tried first.
        self._process = subprocess.Popen(
            ["smtp-sink", "-u", "root", "-M", str(count), f"127.0.0.1:{self.port}", "500"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(self.port)

    def wait(self, seconds: float = 300.0) -> None:
        """Until all have come. subprocess.TimeoutExpired."""
        try:
            self._process.wait(seconds)
        finally:
            self._process.kill()
            self._process.wait()


def whimbrel() -> Figures:
    """One run on a fresh store."""
    directory, port = fresh() / "whimbrel", free_port()
    settings = {
        "relay/allow-from": ["127.0.0.0/8"],
        "delivery/relay-host": "127.0.0.1",
        "delivery/relay-port": str(port),
    }
    set_up(directory, 1, free_ports(["smtp"]), settings)
    with serving(directory) as server:
        return _run(server.ports["smtp"], [server.pid], port)


def postfix() -> Figures:
    port = free_port()
    settings = {
        "mydestination": "",
        "relayhost": f"[127.0.0.1]:{port}",
        "smtpd_client_connection_count_limit": "0",
        "smtpd_client_connection_rate_limit": "0",
    }
    with Postfix(fresh() / "postfix", settings) as peer:
        return _run(peer.port, [peer.master_pid], port)


def _run(port: int, roots: list[int], sink_port: int) -> Figures:
    warm = Sink(SENDERS, sink_port)
    send(port, SENDERS, 1, domain="peer.test")  # Processes are started, the destination is known.
    warm.wait()
    sink = Sink(COUNT, sink_port)
    before, start = cpu_seconds(roots), time.monotonic()
    send(port, SENDERS, EACH, domain="peer.test")
    sink.wait()
    seconds = time.monotonic() - start
    time.sleep(1)  # What is left to be written down is part of the work.
    return Figures(COUNT / seconds, (cpu_seconds(roots) - before) * 1000 / COUNT)


def measure(pairs: int) -> list[Line]:
    ours, peer = [], []
    for number in range(pairs):
        ours.append(whimbrel())
        peer.append(postfix())
        print(f"  pair {number + 1}: Whimbrel {ours[-1].rate:.0f}/s, {ours[-1].cpu:.2f} CPU s; "
              f"Postfix {peer[-1].rate:.0f}/s, {peer[-1].cpu:.2f} CPU s", flush=True)  # fmt: skip
    rates, peer_rates = [run.rate for run in ours], [run.rate for run in peer]
    cpus, peer_cpus = [run.cpu for run in ours], [run.cpu for run in peer]
    return [
        Line("SMTP out, messages/s", spread(rates, ".0f"), spread(peer_rates, ".0f"), ratio(rates, peer_rates), 2.0),
        Line(
            "SMTP out, CPU s per 1,000",
            spread(cpus, ".2f"),
            spread(peer_cpus, ".2f"),
            ratio(cpus, peer_cpus),
            0.5,
            higher_is_better=False,
        ),
    ]
