"""SMTP in, in other shapes: messages of 1 MiB, and one message to 100 local recipients; durable, to mailbox.

Whimbrel alone; the figures to reach are floors that show when something goes wrong, not a comparison.
"""

import smtplib
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.load import send
from bench.report import Line, spread
from bench.roots import fresh
from tests.support.server import free_ports, serving, set_up

USERS = 100
LARGE, LARGE_EACH = 1 << 20, 3
FAN_OUTS = 20


def large(port: int) -> int:
    send(port, USERS, LARGE_EACH, size=LARGE)
    return USERS * LARGE_EACH


def fan_out(port: int) -> int:
    recipients = [f"user{n}@example.test" for n in range(1, USERS + 1)]
    content = b"Subject: fan-out\r\n\r\n" + b"0123456789abcdef" * 3 + b"\r\n"
    with smtplib.SMTP("127.0.0.1", port) as client:
        for _ in range(FAN_OUTS):
            client.sendmail("sender@else.test", recipients, content)
    return USERS * FAN_OUTS


def _rate(load: Callable[[int], int]) -> float:
    """Messages in mailboxes per second, on a fresh store."""
    directory = fresh() / "whimbrel"
    set_up(directory, USERS, free_ports(["smtp"]))
    with serving(directory) as server:
        send(server.ports["smtp"], USERS, 1)
        start = time.monotonic()
        count = load(server.ports["smtp"])
        seconds = time.monotonic() - start
        found = _stored(directory / "store" / "mail")
        if found != USERS + count:  # They are there before "250", so nobody need wait for them.
            raise RuntimeError(f"{found} of {USERS + count} messages arrived")
        return count / seconds


def _stored(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*/*/INBOX/#msgs/*.eml"))


def measure_large(runs: int) -> list[Line]:
    rates = [_rate(large) for _ in range(runs)]
    return [Line("SMTP in, 1 MiB, messages/s", spread(rates, ".0f"), "", median(rates), 50, unit="/s")]


def measure_fan_out(runs: int) -> list[Line]:
    rates = [_rate(fan_out) for _ in range(runs)]
    return [Line("SMTP in, 100 recipients, copies/s", spread(rates, ".0f"), "", median(rates), 2000, unit="/s")]
