"""The file of the counters is deleted, emptied or replaced while several processes count in it."""

import os
from pathlib import Path

import pytest

from tests.support.fakes import FakeClock
from whimbrel.backends.state import table
from whimbrel.backends.state.counters import SharedCounters


@pytest.mark.parametrize("way", ["deleted", "emptied", "cut", "overwritten"])
def test_all_count_together_again_and_nobody_dies(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "LOOK", 0.0)
    path, clock = tmp_path / "counters", FakeClock()
    here, there = SharedCounters(path, clock), SharedCounters(path, clock)
    here.add("failures", 3, window=60)
    assert there.get("failures", window=60) == 3
    if way == "deleted":
        path.unlink()
    elif way == "overwritten":
        with path.open("r+b") as file:
            file.write(b"x" * 8192)
    else:
        os.truncate(path, 0 if way == "emptied" else 5000)
    assert there.get("failures", window=60) in (0, 3)
    there.add("failures", window=60)
    here.add("failures", window=60)
    assert here.add("connections", 2) == here.get("connections") == 2
    assert here.get("failures", window=60) == there.get("failures", window=60) >= 2
    assert here.shared and there.shared
    here.close()
    there.close()


def test_the_file_is_looked_at_once_a_second_and_not_for_each_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "counters", FakeClock()
    counters, looks, fstat = SharedCounters(path, clock), [], os.fstat
    monkeypatch.setattr(table.os, "fstat", lambda descriptor: (looks.append(descriptor), fstat(descriptor))[1])
    moment = table.time.monotonic()
    monkeypatch.setattr(table.time, "monotonic", lambda: moment)
    for _ in range(100):
        counters.get("failures", window=60)
    assert not looks
    moment += table.LOOK
    for _ in range(100):
        counters.get("failures", window=60)
    assert len(looks) == 1
    counters.close()
