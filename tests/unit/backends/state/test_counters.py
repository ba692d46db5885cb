"""Counts shared by processes: none lost, none left behind by the dead, none beyond the table."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fakes import FakeClock
from whimbrel.backends.state import counters as counters_module
from whimbrel.backends.state import table
from whimbrel.backends.state.counters import LocalCounters, SharedCounters
from whimbrel.backends.state.table import CounterTable, TableUnavailable


class Child:
    """Another process: does `work`, says so, keeps what that returned until it is told, ends."""

    started: list["Child"] = []

    def __init__(self, work: Callable[[], object]) -> None:
        self.started.append(self)
        ready, told = os.pipe()
        self._go, self._say = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(self._say)
                kept = work()
                os.write(told, b"1")
                os.read(self._go, 1)
                code = 0 if kept is not self else 1
            finally:
                os._exit(code)
        os.close(told)
        assert os.read(ready, 1) == b"1"
        os.close(ready)

    def end(self, *, kill: bool = False) -> None:
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        else:
            os.write(self._say, b"1")
        self.started.remove(self)
        status = os.waitpid(self.pid, 0)[1]
        os.close(self._say)
        os.close(self._go)
        assert kill or status == 0


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "run" / "counters.map"
    for child in list(Child.started):
        child.end(kill=True)


def test_counts_of_two_processes_are_one_count(path: Path) -> None:
    clock = FakeClock()
    ours = SharedCounters(path, clock)
    ours.add("x", 2)
    ours.add("x", 2, window=60)

    def work() -> object:
        theirs = SharedCounters(path, clock)
        assert theirs.shared
        assert theirs.add("x", 5) == 7
        assert theirs.add("x", 5, window=60) == 7
        return theirs

    child = Child(work)
    assert (ours.get("x"), ours.get("x", window=60)) == (7, 7)
    assert ours.add("x") == 8
    child.end()
    # The running total of the dead is taken off; a window's count is history, and stays.
    assert (ours.get("x"), ours.get("x", window=60)) == (3, 7)
    assert ours.add("x") == 4


def test_a_killed_process_leaves_no_total_and_no_lock(path: Path) -> None:
    clock = FakeClock()
    ours = SharedCounters(path, clock)

    def work() -> object:
        theirs = CounterTable(path)
        theirs.add("x", 5, 0, clock.now())
        for bucket in range(0, 2 * table.STRIPES, 2):
            assert theirs._lock(bucket)
        return theirs

    child = Child(work)
    assert ours.get("x") == 5  # The lock is theirs; we waited a moment and went on.
    child.end(kill=True)
    assert ours.get("x") == 0
    assert ours._table is not None and ours._table._lock(0)


def test_no_count_is_lost_between_processes_and_threads(path: Path) -> None:
    clock = FakeClock()
    ours = SharedCounters(path, clock)

    def work() -> object:
        theirs = SharedCounters(path, clock)
        threads = [threading.Thread(target=lambda: [theirs.add("x", window=60) for _ in range(500)]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return theirs

    children = [Child(work) for _ in range(3)]
    for child in children:
        child.end()
    assert ours.get("x", window=60) == 3000


def test_a_forked_child_counts_for_itself(path: Path) -> None:
    clock = FakeClock()
    counters = SharedCounters(path, clock)
    counters.add("x", 2)

    def work() -> object:
        assert counters.add("x", 3) == 5
        return None

    child = Child(work)
    assert counters.get("x") == 5
    child.end()
    assert counters.get("x") == 2


def test_counts_outlive_a_restart_but_totals_do_not(path: Path) -> None:
    clock = FakeClock()

    def work() -> object:
        theirs = SharedCounters(path, clock)
        theirs.add("x", 4)
        theirs.add("x", 4, window=60)
        return theirs

    Child(work).end()
    ours = SharedCounters(path, clock)
    assert (ours.get("x"), ours.get("x", window=60)) == (0, 4)


def test_a_full_table_drops_what_ended_then_the_oldest_window_and_never_a_living_total(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "BUCKETS", 2)
    clock = FakeClock()
    counters = SharedCounters(path, clock)
    for number in range(10):
        counters.add(f"total {number}")
    counters.add("ended", window=1)
    clock.forward(2)
    for number in range(21):
        clock.forward(1)
        counters.add(f"window {number}", window=3600)
    counters.add("window 21", window=3600)  # Takes the place of "ended".
    assert counters.get("window 0", window=3600) == 1
    counters.add("window 22", window=3600)
    assert counters.get("window 0", window=3600) == 0
    assert counters.get("window 1", window=3600) == 1
    assert [counters.get(f"total {number}") for number in range(10)] == [1] * 10


def test_totals_beyond_the_table_are_counted_in_the_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "BUCKETS", 2)
    counters = SharedCounters(path, FakeClock())
    for _ in range(2):
        for number in range(100):
            counters.add(str(number))
    assert [counters.get(str(number)) for number in range(100)] == [2] * 100
    for number in range(100):
        assert counters.add(str(number), -2) == 0
    assert counters.add("new") == 1 and not counters._local._totals


@pytest.mark.parametrize("content", [b"", b"short", b"WHMBCNT9" + bytes(5_000_000), os.urandom(100_000)])
def test_a_file_of_another_format_is_begun_anew(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    counters = SharedCounters(path, FakeClock())
    assert counters.shared and counters.add("x") == 1 and counters.get("y") == 0


def test_the_file_has_no_hole_that_a_full_disk_could_turn_into_a_crash(path: Path) -> None:
    SharedCounters(path, FakeClock())
    stat = path.stat()
    assert stat.st_blocks * 512 >= stat.st_size == table._SIZE
    assert stat.st_mode & 0o777 == 0o600


def test_where_a_file_cannot_be_shared_each_process_counts_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.write_text("not a folder")
    with pytest.raises(TableUnavailable):
        CounterTable(path)
    counters = SharedCounters(path, FakeClock())
    assert not counters.shared
    assert counters.add("x") == 1 and counters.add("x", window=9) == 1
    monkeypatch.setattr(counters_module, "CounterTable", None)
    assert not SharedCounters(path, FakeClock()).shared


def test_local_counts_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters_module, "LOCAL", 10)
    clock = FakeClock()
    counters = LocalCounters(clock)
    for number in range(25):
        clock.forward(1)
        counters.add(str(number), window=60)
    assert [counters.get(str(number), window=60) for number in range(25)] == [0] * 15 + [1] * 10
