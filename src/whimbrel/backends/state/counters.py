"""The Counters port: shared by all processes of the server where the system lets it, else counted in each alone.

A window begins with its first count and ends when its time is up: `N failures within M minutes`. Without a window a
count is a running total (connections of a host); what a process added is taken off again when it dies.
"""

import os
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from whimbrel.core.clock import Clock

try:
    from whimbrel.backends.state.table import CounterTable, TableUnavailable
except ImportError:  # No fcntl: Windows.
    CounterTable = None  # type: ignore[assignment, misc]

LOCAL = 50_000
"""Names counted in a process alone; beyond that the windows that began first are forgotten."""


class LocalCounters:
    """Counts of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._totals: dict[str, int] = {}
        self._windows: OrderedDict[tuple[str, float], tuple[float, int]] = OrderedDict()

    def add(self, name: str, amount: int = 1, *, window: float = 0) -> int:
        if window <= 0:
            count = self._totals.get(name, 0) + amount
            if count:
                self._totals[name] = count
            else:
                self._totals.pop(name, None)
            return count
        now = self._clock.now()
        start, count = self._windows.get((name, window), (now, 0))
        if not start <= now < start + window:
            start, count = now, 0
        count = max(0, count + amount)
        self._windows[name, window] = (start, count)
        if start == now:
            self._windows.move_to_end((name, window))
        if len(self._windows) > LOCAL:
            self._windows.popitem(last=False)
        return count

    def get(self, name: str, *, window: float = 0) -> int:
        if window <= 0:
            return self._totals.get(name, 0)
        start, count = self._windows.get((name, window), (0.0, 0))
        return count if start <= self._clock.now() < start + window else 0


class SharedCounters:
    """Counts of all processes with the same file. `shared` is False where that cannot be."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._local = LocalCounters(clock)
        self._table = self._open()

    @property
    def shared(self) -> bool:
        return self._table is not None

    def add(self, name: str, amount: int = 1, *, window: float = 0) -> int:
        table = self._own_table()
        # What the table had no room for is counted here until it is gone again.
        if table is not None and not self._local.get(name, window=window):
            count = table.add(name, amount, window, self._clock.now())
            if count is not None:
                return count
        return self._local.add(name, amount, window=window)

    def get(self, name: str, *, window: float = 0) -> int:
        table = self._own_table()
        count = table.get(name, window, self._clock.now()) if table is not None else 0
        return count + self._local.get(name, window=window)

    def close(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None

    def _own_table(self) -> "CounterTable | None":
        table = self._table
        if table is not None and table.pid != os.getpid():
            # After a fork: record locks stay with the parent, so the child enrols itself.
            table.close()
            self._local = LocalCounters(self._clock)
            self._table = table = self._open()
        elif table is not None and not table.intact:
            # Deleted or cut short: all begin again, together.
            table.close()
            self._table = table = self._open()
        return table

    def _open(self) -> "CounterTable | None":
        if CounterTable is None:
            return None
        try:
            return CounterTable(self._path)
        except TableUnavailable:
            return None


if TYPE_CHECKING:
    from whimbrel.core.state import Counters

    def _ports(path: Path, clock: Clock) -> tuple[Counters, Counters]:
        return LocalCounters(clock), SharedCounters(path, clock)
