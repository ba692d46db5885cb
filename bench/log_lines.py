"""A program that logs RATE lines a second with the server's own writer, into the server's mail.log, until SIGTERM.

`python -m bench.log_lines FOLDER`; at its end it prints how many lines it logged, and in how many seconds.
"""

import signal
import sys
import threading
import time
from pathlib import Path

from whimbrel.backends.logs.journal import FileLog, Journal

RATE = 1000
TURN = 10
"""Lines at once, as an event loop logs those of several sessions between two waits."""


def main(folder: Path) -> None:
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: over.set())
    journal = Journal(folder)
    log, number, begun = FileLog(journal), 0, time.monotonic()
    while not over.is_set():
        for _ in range(TURN):
            message(log, number)
            number += 1
        if (left := begun + number / RATE - time.monotonic()) > 0:
            time.sleep(left)
    seconds = time.monotonic() - begun
    journal.close()
    print(number, seconds, flush=True)


def message(log: FileLog, number: int) -> None:
    """A line as each message that comes in has one."""
    log.info("message.received", queue_id=f"438dd9ea-{number:08x}", service="smtp", from_="a@x.test",
             to="b@y.test", size=1229, user="", sender_host="192.0.2.2", tls="TLSv1.3")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
