"""Appends batches to the log files, which other processes append to as well and one of them rotates.

O_APPEND makes each batch one whole; the file's identity is compared before each, so that nothing is written into a
file that was put aside. A failure loses the batch, counts it, and is told in the file once that can be written again.
Half a line that a power failure or a full disk left at the end of a file is ended before anything follows it.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whimbrel.backends.disk.presence import ANY, Presence


@dataclass(slots=True)
class Lost:
    """Records that could not be written, and why."""

    count: int = 0
    reason: str = ""


@dataclass(slots=True)
class _Open:
    descriptor: int
    identity: tuple[int, int]
    torn: bool = False
    """Its last line has no end: the next batch begins on a new one."""


class LogAppender:
    """The files `<log>.log` in one folder. Used by one thread at a time."""

    def __init__(self, folder: Path, presence: Presence = ANY) -> None:
        self._folder, self._presence = folder, presence
        self._held = -1
        """The folder itself: while it has gone with the whole store, files are opened, or made, where it is."""
        self._files: dict[str, _Open] = {}
        self._lost: dict[str, Lost] = {}

    def lost(self, log: str) -> Lost:
        return self._lost.get(log) or Lost()

    def append(self, log: str, lines: Sequence[str]) -> bool:
        """False if they are lost; never raises."""
        data = memoryview("\n".join([*lines, ""]).encode("utf-8", "backslashreplace"))
        file: _Open | None = None
        try:
            file = self._open(log)
            if file.torn:
                os.write(file.descriptor, b"\n")
                file.torn = False
            while data:
                written = os.write(file.descriptor, data)
                file.torn = True
                data = data[written:]
            file.torn = False
        except OSError as error:
            lost = self._lost.setdefault(log, Lost())
            # The line that tells of former losses is lost as well: it is not counted.
            lost.count += len(lines) - (1 if lost.count else 0)
            lost.reason = error.strerror or type(error).__name__
            return False
        self._lost.pop(log, None)
        return True

    def forget(self) -> None:
        """Closes the files; the next batch opens them anew."""
        for file in self._files.values():
            os.close(file.descriptor)
        if self._held >= 0:
            os.close(self._held)
            self._held = -1
        self._files.clear()
        self._lost.clear()

    def _open(self, log: str) -> _Open:
        path = self._folder / f"{log}.log"
        file = self._files.get(log)
        if file is not None:
            try:
                stat = os.stat(path)
                if (stat.st_dev, stat.st_ino) == file.identity:
                    return file
            except FileNotFoundError:
                pass
            if not self._presence.here():
                return file  # With the whole store: it is the same one when that is back.
            del self._files[log]
            os.close(file.descriptor)
        descriptor = self._opened(path)
        stat = os.fstat(descriptor)
        file = self._files[log] = _Open(descriptor, (stat.st_dev, stat.st_ino), _torn(path, stat.st_size))
        return file

    def _opened(self, path: Path) -> int:
        if not self._presence.here():
            if self._held < 0:
                self._presence.require()
            return _append_to(path.name, self._held)
        if self._held < 0:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held = os.open(self._folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            return _append_to(path)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(self._held)
            self._held = os.open(self._folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            return _append_to(path)


def _torn(path: Path, size: int) -> bool:
    """The file ends within a line. What cannot be told is taken for whole: a file need not be readable."""
    if not size:
        return False
    try:
        with path.open("rb") as file:
            file.seek(size - 1)
            return file.read(1) != b"\n"
    except OSError:
        return False


def _append_to(path: Path | str, folder: int | None = None) -> int:
    # Without O_NONBLOCK a named pipe in the file's place would hang the thread.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.open(path, flags, 0o600, dir_fd=folder)
