"""Expunged files that are still to be moved are no messages: not after kill -9, not after power loss, and not even when
the index is lost as well."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.test_crash import Disk, Writer, kill_at_random_moments
from tests.crash.verify import verify


@pytest.fixture
def own_disk(tmp_path: Path) -> Iterator[Disk]:
    found = Disk(tmp_path)
    yield found
    found.unmount()


def lose_indexes(store: Path) -> None:
    for name in ("index.fld", "index.fld-wal", "index.fld-shm", "flags.bak", "flags.log"):
        for path in store.glob(f"mail/*/*/*/{name}"):
            path.unlink()


def come_back(disk: Disk, seed: int, variant: str) -> list[str]:
    """After the power went and the indexes with it: what was expunged or moved away and is there again. Flags are lost
    then, and nobody promised them."""
    chance, store = random.Random(seed), disk.mounted / "store"
    writer = Writer(store, 12, variant)
    writer.wait_for("EXPUNGED", 21)
    time.sleep(chance.uniform(0.2, 0.6))
    disk.cut_power()
    said = writer.kill()
    disk.unmount()
    disk.mount()
    assert said.count("EXPUNGED") > 20, "the writer did not get far enough to prove anything"
    lose_indexes(store)
    return [line for line in verify(store, said) if "as expunged" in line or "still in INBOX" in line]


def test_what_was_acknowledged_survives_kill_9_while_files_are_still_to_be_moved(tmp_path: Path) -> None:
    assert "\n".join(kill_at_random_moments(tmp_path, rounds=4, seed=5, mutant="listed")) == ""


@pytest.mark.root
@pytest.mark.peer("mkfs.ext4")
@pytest.mark.xdist_group("disk")
def test_nothing_comes_back_after_power_loss_and_loss_of_the_indexes(own_disk: Disk) -> None:
    assert "\n".join(come_back(own_disk, 6, "listed") + come_back(own_disk, 7, "listed")) == ""


@pytest.mark.root
@pytest.mark.peer("mkfs.ext4")
@pytest.mark.xdist_group("disk")
def test_a_build_without_the_list_is_found(own_disk: Disk) -> None:
    assert come_back(own_disk, 8, "unlisted") != []
