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
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.test_crash import ENV, ROOT, Disk, disk

__all__ = ["disk"]


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


def cut_off(store: Path, rounds: int, seed: int, mutant: str = "", cut: Callable[[], None] | None = None,
            back: Callable[[], None] | None = None) -> list[str]:  # fmt: skip
    """Several lives of one queue, each ended at a random moment; all that is wrong after each."""
    chance, said, wrong = random.Random(seed), "", []
    for _ in range(rounds):
        sender = Sender(store, mutant)
        time.sleep(chance.uniform(0.2, 0.6))
        if cut is not None:
            cut()
        said += sender.kill()
        if back is not None:
            back()
        wrong += verify(store, said)
    for step in ("add", "finish", "update", "settle", "delete"):
        assert said.count(f"done {step}") > 5, f"the sender did not get far enough to prove anything of {step}"
    return wrong


def power_cuts(disk: Disk, rounds: int, seed: int, mutant: str = "") -> list[str]:
    def back() -> None:
        disk.unmount()
        disk.mount()

    return cut_off(disk.mounted / "store", rounds, seed, mutant, disk.cut_power, back)


def test_what_the_queue_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    assert "\n".join(cut_off(tmp_path / "store", rounds=3, seed=11)) == ""


def test_the_kill_test_finds_a_queue_that_says_sent_too_early(tmp_path: Path) -> None:
    assert cut_off(tmp_path / "store", rounds=2, seed=12, mutant="early") != []


@pytest.mark.root
@pytest.mark.peer("mkfs.ext4")
@pytest.mark.xdist_group("disk")
def test_what_the_queue_acknowledged_survives_power_loss(disk: Disk) -> None:
    assert "\n".join(power_cuts(disk, rounds=4, seed=13)) == ""


@pytest.mark.root
@pytest.mark.peer("mkfs.ext4")
@pytest.mark.xdist_group("disk")
def test_the_power_test_finds_a_queue_without_barrier(disk: Disk) -> None:
    assert power_cuts(disk, rounds=1, seed=14, mutant="no-barrier") != []
