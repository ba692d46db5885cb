"""What the queue has acknowledged survives kill -9 and power loss: entries, what was sent, what an attempt found.

Leases and what is put off as a whole need not survive; they must neither hide an entry nor spoil one.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.crash.test_crash import ENV, ROOT, Disk, disk

__all__ = ["disk"]
MOST = 20
"""Lives within which a mutant must be found; mostly the first one shows it."""


class Sender:
    """A running `tests.crash.sender` and what it has said."""

    def __init__(self, store: Path, mutant: str) -> None:
        command = [sys.executable, "-m", "tests.crash.sender", str(store), *([mutant] if mutant else [])]
        self.process = subprocess.Popen(command, cwd=ROOT, env=ENV, stdout=subprocess.PIPE)
        self.said, self.ready = b"", threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.ready.wait(30), "the sender does not start"

    def _read(self) -> None:
        assert self.process.stdout is not None
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.said += data
            if b"ready\n" in self.said:
                self.ready.set()

    def wait_for(self, steps: Iterable[str], count: int) -> None:
        """Until it has done `count` of each."""
        end = time.monotonic() + 60
        while missing := [step for step in steps if self.said.count(b"done %b " % step.encode()) < count]:
            assert time.monotonic() < end and self.process.poll() is None, f"the sender does not come to {missing}"
            time.sleep(0.01)

    def kill(self) -> str:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        return self.said[: self.said.rfind(b"\n") + 1].decode()


def verify(store: Path, said: str) -> list[str]:
    command = [sys.executable, "-m", "tests.crash.sender", "--verify", str(store)]
    done = subprocess.run(
        command, cwd=ROOT, env=ENV, input=said, capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


STEPS = ("add", "finish", "update", "settle", "delete")


def lives(store: Path, rounds: int, seed: int, mutant: str = "", cut: Callable[[], None] | None = None,
          back: Callable[[], None] | None = None) -> Iterator[list[str]]:  # fmt: skip
    """Several lives of one queue, each ended at a random moment once it has done something of everything; what is
    wrong after each."""
    chance, said = random.Random(seed), ""
    for _ in range(rounds):
        sender = Sender(store, mutant)
        sender.wait_for(STEPS, 3)
        time.sleep(chance.uniform(0.0, 0.3))
        if cut is not None:
            cut()
        said += sender.kill()
        if back is not None:
            back()
        yield verify(store, said)


def cut_off(store: Path, rounds: int, seed: int) -> list[str]:
    return [problem for wrong in lives(store, rounds, seed) for problem in wrong]


def power_cuts(disk: Disk, rounds: int, seed: int, mutant: str = "") -> Iterator[list[str]]:
    def back() -> None:
        disk.unmount()
        disk.mount()

    return lives(disk.mounted / "store", rounds, seed, mutant, disk.cut_power, back)


def test_what_the_queue_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    assert "\n".join(cut_off(tmp_path / "store", rounds=3, seed=11)) == ""


def test_the_kill_test_finds_a_queue_that_says_sent_too_early(tmp_path: Path) -> None:
    assert any(lives(tmp_path / "store", rounds=MOST, seed=12, mutant="early"))


@pytest.mark.root
@pytest.mark.peer("mkfs.ext4")
@pytest.mark.xdist_group("disk")
def test_what_the_queue_acknowledged_survives_power_loss(disk: Disk) -> None:
    assert "\n".join(problem for wrong in power_cuts(disk, rounds=4, seed=13) for problem in wrong) == ""


@pytest.mark.root
@pytest.mark.peer("mkfs.ext4")
@pytest.mark.xdist_group("disk")
def test_the_power_test_finds_a_queue_without_barrier(disk: Disk) -> None:
    assert any(power_cuts(disk, rounds=MOST, seed=14, mutant="no-barrier"))
