"""The counts of one process, and the file that they outlive it in.

Counting is an addition in an array of 64-bit numbers: no lock, no system call, about a tenth of a microsecond. Within
a second the file `run/stats/<name>` has a copy, written by a thread. The file is not mapped: cut short, a mapping would
end the process by SIGBUS, and the kernel may stop whoever writes to one for as long as the disk takes to commit. What
a process counted in the last second before it was killed is lost.

    file   head: magic, id, sizes; names of the numbers (JSON)   one page or more, written once
           the numbers                                            one write, read by a page
           the most frequent senders and recipients (JSON)        bounded, written every few seconds

The process holds a lock on its file while it lives (flock), so a reader knows whether it does.
"""

import contextlib
import fcntl
import json
import os
import struct
import threading
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from whimbrel.backends.stats.sketch import KEPT, Sketch
from whimbrel.core.histogram import bucket_of
from whimbrel.core.stats import LATENCY, LATENCY_SUM, MEMORY, OTHER, Cell, counted_columns

if TYPE_CHECKING:
    from whimbrel.core.stats import Tally

MAGIC: Final = b"WHMSTAT1"
HEAD: Final = struct.Struct("<8s16sIIIIq")
"""Magic, id, octets of the names, where the numbers begin, how many, where the tops begin, started (time)."""
PAGE: Final = 4096
TOPS: Final = 256 * 1024
"""Octets of the tables of senders and recipients, at most."""
EVERY: Final = 1.0
"""Seconds between two copies."""
TOPS_EVERY: Final = 5.0
SIZE: Final = struct.Struct("<I")


class Board:
    """The port Tally. Counting belongs to one thread; only `write` may run in another at the same time."""

    def __init__(self, services: Sequence[str]) -> None:
        self.columns = counted_columns(services)
        self._index = {column: number for number, column in enumerate(self.columns)}
        self._values = array("Q", bytes(8 * len(self.columns)))
        self._cells = memoryview(self._values)
        self._latency, self._latency_sum = self._index[f"{LATENCY}.0"], self._index[LATENCY_SUM]
        self._memory = self._index[MEMORY]
        self._places: dict[tuple[str, str], int] = {}
        self.senders, self.recipients = Sketch(), Sketch()
        self._day, self._turns = _day()
        self._before: dict[str, object] = {}
        self._changed = False
        self._file: _BoardFile | None = None
        self._writing = threading.Lock()

    # Counting

    def add(self, family: str, value: str = "", amount: int = 1) -> None:
        place = self._places.get((family, value))
        if place is None:
            place = self._place(family, value)
        self._values[place] += amount

    def took(self, seconds: float) -> None:
        self._values[self._latency + bucket_of(seconds)] += 1
        self._values[self._latency_sum] += max(0, int(seconds * 1000))

    def noted(self, sender: str, octets: int) -> None:
        if time.time() >= self._turns:
            self._turn()
        self.senders.add(sender, octets)
        self._changed = True

    def reached(self, recipient: str) -> None:
        if time.time() >= self._turns:
            self._turn()
        self.recipients.add(recipient)
        self._changed = True

    def cell(self, family: str, value: str = "") -> Cell:
        place = self._place(family, value)
        return self._cells[place : place + 1]

    def _place(self, family: str, value: str) -> int:
        name = f"{family}.{value}" if value else family
        place = self._index.get(name)
        if place is None:
            place = self._index.get(f"{family}.{OTHER}")
        if place is None:
            raise LookupError(f"nothing is counted as {name}")
        if len(self._places) < 10_000:
            self._places[family, value] = place
        return place

    def _turn(self) -> None:
        """A day is over: what was counted in it stays readable through the next."""
        self._before = {"day": self._day, **self._tables(KEPT)}
        self.senders, self.recipients = Sketch(), Sketch()
        self._day, self._turns = _day()

    def _tables(self, number: int) -> dict[str, object]:
        return {"senders": self.senders.top(number), "recipients": self.recipients.top(number)}

    def _tops(self) -> bytes:
        """As many as there is room for: names are as long as their owners like."""
        for number in (KEPT, KEPT // 4, KEPT // 16):
            tables = {"day": self._day, **self._tables(number), "before": self._before if number == KEPT else {}}
            made = json.dumps(tables, ensure_ascii=False).encode("utf-8", "replace")
            if len(made) <= TOPS:
                return made
        return b""

    # The copy

    def open(self, path: Path) -> None:
        """From now on `write` copies into a file of its own below `path`. OSError"""
        self._file = _BoardFile(path, self.columns)

    @property
    def copied(self) -> bool:
        """There is a file that has a copy."""
        return self._file is not None

    def image(self, *, tops: bool) -> tuple[bytes, bytes]:
        """Returns what `write` is to write, as it is at this moment: taken in the thread that counts."""
        self._values[self._index["cpu"]] = int(time.process_time() * 1000)
        made = b""
        if tops and self._changed:
            self._changed = False
            made = self._tops()
        return self._values.tobytes(), made

    def write(self, image: tuple[bytes, bytes]) -> None:
        """Copies `image`; a disk that is full or gone is tried again at the next. May take as long as the disk does."""
        with self._writing:
            if self._file is not None:
                self._values[self._memory] = _memory()
                with contextlib.suppress(OSError):
                    self._file.write(*image)

    def close(self) -> None:
        """Writes the last, and gives the file up to who reads it."""
        self.write(self.image(tops=True))
        with self._writing:  # Another may still be under way, in a thread that nobody waits for.
            if self._file is not None:
                self._file.close()
                self._file = None


class _BoardFile:
    """Where a board is copied to."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ident = os.urandom(16)
        path = path.with_name(f"{path.name}.{ident.hex()[:12]}")
        names = json.dumps(columns).encode()
        self._numbers = -(-(HEAD.size + len(names)) // PAGE) * PAGE
        self._tops = self._numbers + -(-8 * len(columns) // PAGE) * PAGE
        head = HEAD.pack(MAGIC, ident, len(names), self._numbers, len(columns), self._tops, int(time.time()))
        self._last = b""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Before it can be read as a board: one that nobody holds is that of a dead process. Who looks at it just
            # now holds it for a moment.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            os.ftruncate(self._descriptor, self._tops + SIZE.size + TOPS)
            os.pwrite(self._descriptor, head + names, 0)
        except OSError:
            os.close(self._descriptor)
            raise

    def write(self, numbers: bytes, tops: bytes) -> None:
        if numbers != self._last:
            os.pwrite(self._descriptor, numbers, self._numbers)
            self._last = numbers
        if tops:
            os.pwrite(self._descriptor, SIZE.pack(len(tops)) + tops, self._tops)

    def close(self) -> None:
        os.close(self._descriptor)


def _day() -> tuple[str, float]:
    """Returns the local day it is, and when it ends."""
    now = time.localtime()
    ends = time.mktime((now.tm_year, now.tm_mon, now.tm_mday + 1, 0, 0, 0, 0, 0, -1))
    return time.strftime("%Y-%m-%d", now), ends


def _memory() -> int:
    """Octets that this process has for itself, not shared with a file; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            resident, shared = file.read().split()[1:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


if TYPE_CHECKING:
    _port: Tally = Board(())
