"""Whatever was acknowledged survives kill -9 and power loss; and each test fails on a build that breaks the rule.

kill -9 cannot show a missing sync, since the page cache survives; so power loss is tried on an ext4 of its own that is
shut down without flushing, and a trace of system calls shows the barrier before each acknowledgement.
"""

import ctypes
import fcntl
import os
import random
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.verify import verify

ROOT = Path(__file__).resolve().parents[2]
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
ENV = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])}


class Writer:
    """A running writer and what it has said."""

    def __init__(self, store: Path, tasks: int, mutant: str = "") -> None:
        command = [sys.executable, "-m", "tests.crash.writer", str(store), str(tasks), *([mutant] if mutant else [])]
        self.process = subprocess.Popen(command, cwd=ROOT, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.said = b""
        self.ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self.ready.wait(30):
            assert self.process.stderr is not None
            self.process.kill()
            raise AssertionError(self.process.stderr.read().decode())

    def _read(self) -> None:
        assert self.process.stdout is not None
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.said += data
            if b"ready\n" in self.said:
                self.ready.set()

    def wait_for(self, word: str, count: int) -> None:
        """Until it has said so often `word`: how fast the machine is decides nothing."""
        end = time.monotonic() + 60
        while self.said.count(word.encode()) < count and time.monotonic() < end and self.process.poll() is None:
            time.sleep(0.01)

    def kill(self) -> str:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        return self.said[: self.said.rfind(b"\n") + 1].decode()


def kill_at_random_moments(store: Path, rounds: int, seed: int, mutant: str = "") -> list[str]:
    """Several lives of one store, each cut off; all that is wrong after each."""
    chance, said, wrong = random.Random(seed), "", []
    for _ in range(rounds):
        writer = Writer(store, 12, mutant)
        writer.wait_for("done", 101 // rounds + 1)
        time.sleep(chance.uniform(0.05, 0.4))
        said += writer.kill()
        wrong += verify(store, said)
    assert said.count("done") > 100, "the writer did not get far enough to prove anything"
    return wrong


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    assert "\n".join(kill_at_random_moments(tmp_path, rounds=4, seed=1)) == ""


def test_the_kill_test_finds_a_build_that_acknowledges_early(tmp_path: Path) -> None:
    assert kill_at_random_moments(tmp_path, rounds=2, seed=2, mutant="early") != []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator["Disk"]:
    found = Disk(tmp_path)
    yield found
    found.unmount()


class Disk:
    """A small ext4 of its own, which can lose its power."""

    def __init__(self, folder: Path) -> None:
        self.image, self.mounted = folder / "image", folder / "mounted"
        self.mounted.mkdir()
        with self.image.open("wb") as file:
            file.truncate(96 << 20)
        # A long commit interval: what nobody synced is lost for certain.
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], check=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop,commit=300", str(self.image), str(self.mounted)], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.mounted)], check=False, capture_output=True)

    def cut_power(self) -> None:
        descriptor = os.open(self.mounted, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)


def power_cuts(disk: Disk, rounds: int, seed: int, mutant: str = "") -> list[str]:
    chance, said, wrong = random.Random(seed), "", []
    store = disk.mounted / "store"
    for _ in range(rounds):
        writer = Writer(store, 12, mutant)
        time.sleep(chance.uniform(0.2, 0.7))
        disk.cut_power()
        said += writer.kill()
        disk.unmount()
        disk.mount()
        wrong += verify(store, said)
    assert said.count("done") > 100, "the writer did not get far enough to prove anything"
    return wrong


@pytest.mark.root
@pytest.mark.peer("mkfs.ext4")
@pytest.mark.xdist_group("disk")
def test_what_was_acknowledged_survives_power_loss(disk: Disk) -> None:
    assert "\n".join(power_cuts(disk, rounds=4, seed=3)) == ""


@pytest.mark.root
@pytest.mark.peer("mkfs.ext4")
@pytest.mark.xdist_group("disk")
def test_the_power_test_finds_a_build_without_barrier(disk: Disk) -> None:
    assert power_cuts(disk, rounds=1, seed=4, mutant="no-barrier") != []


def acknowledged_without_barrier(store: Path, mutant: str = "") -> list[str]:
    """Traces a writer with one task: each `done` that no completed barrier separates from the last write or link."""
    trace = store.parent / f"trace{mutant}"
    command = [
        "strace",
        "-f",
        "-o",
        str(trace),
        "-e",
        "trace=linkat,rename,pwrite64,syncfs,fdatasync,write",
        "-s",
        "64",
    ]
    command += [sys.executable, "-m", "tests.crash.writer", str(store), "1", *([mutant] if mutant else [])]
    process = subprocess.Popen(command, cwd=ROOT, env=ENV, stdout=subprocess.PIPE)
    assert process.stdout is not None
    seen = 0
    while seen < 12 and (line := process.stdout.readline()):
        seen += line.startswith(b"done")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    process.wait(30)
    wrong, dirty, done = [], "", 0
    for line in trace.read_text(errors="replace").splitlines():
        if re.search(r"(linkat|rename)\(.*#msgs|pwrite64\(", line) and "= -1" not in line:
            dirty = line
        elif re.search(r"syncfs(\(\d+\)| resumed>\)) += 0", line):
            dirty = ""
        elif re.search(r'write\(1, "done ', line):
            done += 1
            if dirty:
                wrong.append(f"{dirty} before {line}")
    assert done >= 10, "the trace shows too few acknowledgements"
    return wrong


@pytest.mark.peer("strace")
def test_a_completed_barrier_lies_before_each_acknowledgement(tmp_path: Path) -> None:
    assert acknowledged_without_barrier(tmp_path / "store") == []


@pytest.mark.peer("strace")
def test_the_trace_finds_a_build_without_barrier(tmp_path: Path) -> None:
    assert acknowledged_without_barrier(tmp_path / "store", "no-barrier") != []


def test_syncfs_is_the_barrier_here() -> None:
    """The tests above prove what this machine uses."""
    assert hasattr(ctypes.CDLL(None), "syncfs")
