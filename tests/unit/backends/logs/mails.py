"""Mail logs made for tests: lines as the server writes them, with ids that can be told apart."""

import os
from collections.abc import Iterator
from pathlib import Path

from whimbrel.backends.logs.record import RecordForm

BEGIN = 1_795_539_434


def queue_id(number: int) -> str:
    return f"{BEGIN + number // 10:08x}-{number:08x}"


def lines(first: int, count: int) -> Iterator[str]:
    """Two lines for each message, ten messages a second."""
    form = RecordForm()
    for number in range(first, first + count):
        at, one = BEGIN + number // 10, queue_id(number)
        yield form.line(at, "info", "message.received", {
            "queue_id": one, "service": "smtp", "from_": f"sender{number}@a.test", "to": f"User{number % 50}@b.test",
            "size": 1229, "sender_host": f"192.0.2.{number % 250}", "tls": "TLSv1.3"})[1]  # fmt: skip
        yield form.line(at, "info", "delivery.sent", {
            "queue_id": one, "recipient": f"User{number % 50}@b.test", "result": "delivered",
            "status": "2.0.0"})[1]  # fmt: skip


def write(path: Path, first: int, count: int) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines(first, count))
    # As if it had been written when its lines say.
    last = BEGIN + (first + count) // 10
    os.utime(path, (last, last))
