"""Samples over a year: what is coarse is what was fine, added up; what is not known is a gap."""

import itertools
import os
from pathlib import Path

import pytest

from whimbrel.backends.stats.rings import HEAD, TIERS, Ring, Tier

NOON = 1_790_000_000 // 3600 * 3600
SMALL = Tier(20, 6)


def times(ring: Ring, start: float = 0, end: float = 1e12) -> list[int]:
    return [step.time - NOON for step in ring.read(start, end)]


def test_samples_of_a_step_are_added_and_counted(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "r", Tier(120, 10), ("in", "queue"))
    for number in range(6):
        ring.add(NOON + 20 * number, {"in": 2, "queue": number, "unknown": 5})
    ring.add(NOON + 130, {"in": 1})
    first, second = ring.read(NOON, NOON + 1000)
    assert (first.time, first.samples, list(first.values)) == (NOON, 6, [12.0, 15.0])
    assert (second.time, second.samples, list(second.values)) == (NOON + 120, 1, [1.0, 0.0])


def test_the_file_does_not_grow_and_the_oldest_go(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "r", SMALL, ("in",))
    ring.add(NOON, {"in": 1})
    size = os.path.getsize(tmp_path / "r")
    for number in range(100):
        ring.add(NOON + 20 * number, {"in": 1})
    assert os.path.getsize(tmp_path / "r") == size
    assert times(ring) == [20 * number for number in range(94, 100)]


def test_what_was_not_sampled_is_not_there(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "r", SMALL, ("in",))
    for at in (0, 20, 80):
        ring.add(NOON + at, {"in": 1})
    ring = Ring(tmp_path / "r", SMALL, ("in",))  # After a restart.
    ring.add(NOON + 100, {"in": 1})
    assert times(ring) == [0, 20, 80, 100]
    assert times(ring, NOON + 20, NOON + 100) == [20, 80]


def test_a_clock_that_is_set_forth_and_back_leaves_steps_of_their_own_times(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "r", SMALL, ("in",))
    for at in (0, 20, 1_000_000, 40, 60):
        ring.add(NOON + at, {"in": 1})
    for step in ring.read(0, 1e12):
        assert step.samples == 1 and step.time - NOON in (0, 20, 40, 60, 1_000_000)
    assert {40, 60} <= set(times(ring))


def test_a_torn_record_is_a_gap_and_the_next_sample_mends_it(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "r", SMALL, ("in", "out"))
    for at in (0, 20, 40):
        ring.add(NOON + at, {"in": 7})
    path = tmp_path / "r"
    data = bytearray(path.read_bytes())
    size = (len(data) - HEAD) // SMALL.count
    place = HEAD + (NOON + 20) // 20 % SMALL.count * size
    data[place + size - 3] ^= 0xFF
    path.write_bytes(data)
    assert times(ring) == [0, 40]
    ring.add(NOON + 25, {"in": 1})
    assert [list(step.values) for step in ring.read(NOON + 20, NOON + 40)] == [[1.0, 0.0]]


def test_another_release_finds_what_it_knows_of_the_old_numbers(tmp_path: Path) -> None:
    old = Ring(tmp_path / "r", SMALL, ("in", "gone"))
    for at in (0, 20):
        old.add(NOON + at, {"in": 3, "gone": 9})
    new = Ring(tmp_path / "r", SMALL, ("new", "in"))
    new.add(NOON + 40, {"new": 1, "in": 1})
    assert [list(step.values) for step in new.read(0, 1e12)] == [[0.0, 3.0], [0.0, 3.0], [1.0, 1.0]]
    assert times(Ring(tmp_path / "r", SMALL, ("new", "in"))) == [0, 20, 40]


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 100_000, b"WHMRING1\xff\xff\xff\xff\0\0\0\0" + b"x" * 50_000])
def test_a_file_that_is_none_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r").write_bytes(content)
    ring = Ring(tmp_path / "r", SMALL, ("in",))
    assert ring.read(0, 1e12) == []
    ring.add(NOON, {"in": 4})
    assert times(ring) == [0]


def test_a_file_cut_short_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "r", SMALL, ("in",))
    for number in range(6):
        ring.add(NOON + 20 * number, {"in": 1})
    os.truncate(tmp_path / "r", HEAD + 50)
    assert len(ring.read(0, 1e12)) <= 2
    ring.add(NOON + 120, {"in": 1})
    assert 120 in times(ring)


def test_the_tiers_reach_over_a_year_without_a_hole() -> None:
    reaches = [tier.reach for tier in TIERS]
    assert reaches == sorted(reaches) and reaches[0] >= 7200 and reaches[-1] >= 366 * 86_400
    for fine, coarse in itertools.pairwise(TIERS):
        assert fine.reach >= coarse.step > fine.step
