"""A mail log of 5 GB: jumping to a time, finding an id and an address by its index; and 1,000 lines a second written.

The log is made of one block of real lines whose times and ids are renumbered: that takes seconds, not an hour.
"""

import os
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.report import Line, spread
from whimbrel.backends.logs.files import index_of
from whimbrel.backends.logs.index import Indexer
from whimbrel.backends.logs.journal import FileLog, Journal
from whimbrel.backends.logs.record import RecordForm
from whimbrel.backends.logs.search import search
from whimbrel.core.log import LogQuery

SIZE = 5_000_000_000
BEGIN = 1_790_000_000
EACH = 1000
"""Messages in a block; a block is ten seconds of mail."""


def measure(runs: int) -> list[Line]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        blocks = _make(folder / "mail.log")
        begun = time.monotonic()
        while Indexer(folder / "mail.log").advance(256, final=True):
            pass
        indexing = time.monotonic() - begun
        share = 100 * index_of(folder / "mail.log").stat().st_size / (folder / "mail.log").stat().st_size
        jump, ident, address = [], [], []
        for run in range(runs):
            block = (run * 7919 + 4242) % blocks
            at = BEGIN + 10 * block + 5
            jump.append(_timed(folder, LogQuery(("mail",), since=at), 100, 100))
            ident.append(_timed(folder, LogQuery(("mail",), words=(f"{at - 5:08x}-{block:05x}007",)), 1000, 2))
            address.append(_timed(folder, LogQuery(("mail",), words=(f"s{block:05x}007@a.test",)), 1000, 1))
        wall, cpu = _writing(folder / "written")
    return [
        Line("5 GB log: jump to a time", spread(jump, ".3f"), "", median(jump), 1.0, False, " s"),
        Line("5 GB log: find a queue id", spread(ident, ".3f"), "", median(ident), 1.0, False, " s"),
        Line("5 GB log: find an address", spread(address, ".3f"), "", median(address), 1.0, False, " s"),
        Line("5 GB log: index made anew", f"{indexing:.0f} s", "", indexing, 600, False, " s"),
        Line("index, part of the log", f"{share:.1f} %", "", share, 3, False, " %"),
        Line("log call, in the caller", f"{wall * 1e6:.1f} us", "", wall * 1e6, 20, False, " us"),
        Line("CPU of 1,000 lines a second", f"{cpu * 1e5:.1f} %", "", cpu * 1e5, 5, False, " %"),
    ]


def _timed(folder: Path, query: LogQuery, limit: int, expected: int) -> float:
    begun = time.monotonic()
    page = search(folder, query, limit)
    assert len(page.lines) == expected and not page.note, (len(page.lines), page.note, query)
    return time.monotonic() - begun


def _make(path: Path) -> int:
    """Writes the log. How many blocks it has."""
    form, blocks, size = RecordForm(), 0, 0
    lines = []
    for number in range(EACH):
        values = {"queue_id": f"TTTTTTTT-BBBBB{number:03x}"}
        lines += [
            form.line(BEGIN, "info", "message.received", {
                **values, "service": "smtp", "from_": f"sBBBBB{number:03x}@a.test", "to": f"user{number}@b.test",
                "size": 1229, "sender_host": f"192.0.2.{number % 250}", "tls": "TLSv1.3"})[1],
            form.line(BEGIN, "info", "delivery.sent", {
                **values, "recipient": f"user{number}@b.test", "result": "delivered", "status": "2.0.0"})[1],
        ]  # fmt: skip
    first = form.line(BEGIN, "info", "x", {})[1][:22].encode()
    pieces = [
        "".join(f"{line}\n" for line in lines[at * 200 : at * 200 + 200]).encode().replace(first, b"@" * 22)
        for at in range(10)
    ]
    with path.open("wb") as file:
        while size < SIZE:
            at = BEGIN + 10 * blocks
            made = b"".join(
                piece.replace(b"@" * 22, form.line(at + second, "info", "x", {})[1][:22].encode())
                for second, piece in enumerate(pieces)
            )
            made = made.replace(b"TTTTTTTT", b"%08x" % at).replace(b"BBBBB", b"%05x" % blocks)
            size += file.write(made)
            blocks += 1
    return blocks


def _writing(folder: Path) -> tuple[float, float]:
    """Ten seconds of 1,000 lines: seconds of a call, and CPU seconds of a line with all that the thread does."""
    journal = Journal(folder)
    log, calls, cpu, begun = FileLog(journal), 0.0, time.process_time(), time.monotonic()
    for number in range(10_000):
        due = begun + number / 1000
        while (left := due - time.monotonic()) > 0:
            time.sleep(left)
        before = time.perf_counter()
        log.info("message.received", queue_id=f"438dd9ea-{number:08x}", service="smtp", from_="a@x.test",
                 to="b@y.test", size=1229, user="", sender_host="192.0.2.2", tls="TLSv1.3")  # fmt: skip
        calls += time.perf_counter() - before
    journal.close()
    used = time.process_time() - cpu
    assert os.path.getsize(folder / "mail.log") > 1_000_000
    return calls / 10_000, used / 10_000
