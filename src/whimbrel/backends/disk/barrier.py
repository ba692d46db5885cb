"""The barrier: after it returns, everything written before it survives power loss.

`syncfs` makes one call of a whole batch (52 us a message in batches of 20, against 512 us for fsync file by file).
It waits for everybody's dirty data on the file system, so it is measured while running: when small batches take long
several times in a row, the files and directories of a batch are synced one by one, as long as that is faster.

After a failed sync the kernel marks pages clean, so the next sync would succeed over a hole: a failure poisons the
store until what was touched since the last good barrier has been checked and rewritten (decision 0003).
"""

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SLOW = 0.050
"""Seconds a `syncfs` for a small batch may take before the other way is tried."""
SMALL = 64
"""Files in a batch for which syncing one by one is no slower than a slow `syncfs`."""
PATIENCE = 3
"""Slow ones in a row before the other way is tried: a single one is somebody's burst."""
RETRY = 30.0
"""Seconds until `syncfs` is tried again, or until the other way is."""


class BarrierError(Exception):
    """Durability could not be had: nothing of the batch may be acknowledged."""


class Touched:
    """What a batch wrote: paths of files whose data matter, and directories whose entries changed."""

    __slots__ = ("databases", "directories", "files")

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.directories: set[str] = set()
        self.databases: set[str] = set()
        """SQLite files: their -wal counts, and who must be checked after a failed barrier."""


def _find_syncfs() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    release = os.uname().release.split(".")
    if (int(release[0]), int(release[1].split("-")[0])) < (5, 8):
        return None  # Before 5.8 syncfs does not report write-back errors.
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        call = libc.syncfs
    except (OSError, AttributeError):
        return None

    def syncfs(descriptor: int) -> int:
        return ctypes.get_errno() if call(descriptor) != 0 else 0

    return syncfs


class Barrier:
    """One for each process and file system. Thread-safe."""

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root = root
        self._descriptor = os.open(root, os.O_RDONLY)
        self._opened = _identity(os.fstat(self._descriptor))
        self._syncfs = _find_syncfs()
        self._slow = 0
        self._other_until = self._stay_until = 0.0
        self._last = 0.0
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self.completed = 0
        self.seconds = 0.0

    def complete(self, touched: Touched) -> None:
        """Returns when all that was written before is durable. Raises BarrierError."""
        start = time.monotonic()
        self._follow()
        files = len(touched.files) + len(touched.directories) + 2 * len(touched.databases)
        if self._syncfs is not None and (start >= self._other_until or files > SMALL):
            error = self._syncfs(self._descriptor)
            if error:
                raise BarrierError(f"syncfs: {os.strerror(error)}")
            self._judge(files, time.monotonic() - start)
        else:
            self._sync_each(touched)
            if self._syncfs is not None and time.monotonic() - start > self._last / 2:
                self._other_until, self._stay_until = 0.0, start + RETRY  # No better: the disk itself is slow.
        self.completed += 1
        self.seconds += time.monotonic() - start

    def _follow(self) -> None:
        """The store was mounted anew, or its mount has gone: what was written to the former file system is made durable
        there, and what comes is of the other one."""
        try:
            there = _identity(os.stat(self._root))
        except OSError:
            there = (0, 0)
        if there == self._opened:
            return
        if self._syncfs is not None and (error := self._syncfs(self._descriptor)):
            raise BarrierError(f"syncfs: {os.strerror(error)}")
        if self._syncfs is None:
            raise BarrierError(f"{self._root} was taken away")
        try:
            descriptor = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return  # Not there yet; what was written is durable where it is.
        os.dup2(descriptor, self._descriptor, inheritable=False)
        os.close(descriptor)
        self._opened = _identity(os.fstat(self._descriptor))

    def _judge(self, files: int, seconds: float) -> None:
        self._slow = self._slow + 1 if seconds > SLOW and files <= SMALL else 0
        if self._slow >= PATIENCE and time.monotonic() >= self._stay_until:
            self._slow, self._last = 0, seconds
            self._other_until = time.monotonic() + RETRY

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown()
        os.close(self._descriptor)

    def _sync_each(self, touched: Touched) -> None:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(8, "sync")
        # Only the WAL of a database: SQLite itself syncs the rest at a checkpoint, and its lock is on the other files,
        # so that opening and closing this one here drops none.
        names = [*touched.files, *(database + "-wal" for database in touched.databases)]
        try:
            list(self._threads.map(_sync_file, names))
            list(self._threads.map(sync_directory, touched.directories))
        except OSError as error:
            raise BarrierError(f"{error.filename or 'fsync'}: {error.strerror}") from None


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _sync_file(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return  # Removed later in the same batch, or a database without a WAL.
    try:
        _fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: str) -> None:
    if sys.platform == "win32":
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fsync(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor) if hasattr(os, "fdatasync") else os.fsync(descriptor)
