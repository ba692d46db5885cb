"""A mail log of 5 GB: jumping to a time, finding an id and an address by its index; and 1,000 lines a second written,
alone and while the server that owns the log takes in mail as fast as it can.

The log is made of one block of real lines whose times and ids are renumbered: that takes seconds, not an hour.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import smtp_in
from bench.log_lines import RATE, message
from bench.report import Line, ratio, spread
from tests.support.server import ENV, ROOT
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
        blocks = make_log(folder / "mail.log")
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
    more, mail = _beside_mail(runs)
    return [
        Line("5 GB log: jump to a time", spread(jump, ".3f"), "", median(jump), 1.0, False, " s"),
        Line("5 GB log: find a queue id", spread(ident, ".3f"), "", median(ident), 1.0, False, " s"),
        Line("5 GB log: find an address", spread(address, ".3f"), "", median(address), 1.0, False, " s"),
        Line("5 GB log: index made anew", f"{indexing:.0f} s", "", indexing, 600, False, " s"),
        Line("index, part of the log", f"{share:.1f} %", "", share, 3, False, " %"),
        Line("log call, in the caller", f"{wall * 1e6:.1f} us", "", wall * 1e6, 20, False, " us"),
        Line("CPU of 1,000 lines a second", f"{cpu * 1e5:.1f} %", "", cpu * 1e5, 5, False, " %"),
        Line("SMTP in, 1,000 lines/s more", spread(more, ".0f"), spread(mail, ".0f"), ratio(more, mail), 0.9),
    ]


def _timed(folder: Path, query: LogQuery, limit: int, expected: int) -> float:
    begun = time.monotonic()
    page = search(folder, query, limit)
    assert len(page.lines) == expected and not page.note, (len(page.lines), page.note, query)
    return time.monotonic() - begun


def make_log(path: Path) -> int:
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
        message(log, number)
        calls += time.perf_counter() - before
    journal.close()
    used = time.process_time() - cpu
    assert os.path.getsize(folder / "mail.log") > 1_000_000
    return calls / 10_000, used / 10_000


def _beside_mail(pairs: int) -> tuple[list[float], list[float]]:
    """Messages per second with and without another process that logs 1,000 lines a second into the same mail.log."""
    more, mail = list[float](), list[float]()
    for number in range(pairs):
        # Each second pair the other way round: what the machine warms up to favours neither.
        for beside in (True, False) if number % 2 else (False, True):
            (more if beside else mail).append(smtp_in.whimbrel(_lines if beside else contextlib.nullcontext).rate)
        print(f"  pair {number + 1}: {more[-1]:.0f}/s beside {RATE} lines/s more, {mail[-1]:.0f}/s without", flush=True)
    return more, mail


@contextlib.contextmanager
def _lines(directory: Path) -> Iterator[None]:
    """They are logged meanwhile. RuntimeError if they were fewer, or did not all reach the file."""
    logs = directory / "store" / "logs"
    writer = subprocess.Popen(
        [sys.executable, "-m", "bench.log_lines", str(logs)], stdout=subprocess.PIPE, text=True, env=ENV, cwd=ROOT
    )
    try:
        yield
    finally:
        writer.terminate()
        told, _ = writer.communicate()
    number, seconds = int(told.split()[0]), float(told.split()[1])
    found = sum(path.read_bytes().count(b"Queue-ID: 438dd9ea-") for path in logs.glob("mail.log*"))
    if number < 0.95 * RATE * seconds or found != number:
        raise RuntimeError(f"{number} lines were logged in {seconds:.1f} s, {found} are in the log: no figure")
