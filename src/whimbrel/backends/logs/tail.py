"""Reads the end of a log and what is written from now on, over rotations, with bounded memory."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from whimbrel.backends.logs.events import LOGS
from whimbrel.backends.logs.files import aside, current
from whimbrel.core.pool import Pool

MAX_LINES = 100_000
MAX_LINE = 64 * 1024
"""Octets after which a line is cut: ours are shorter."""
_BLOCK = 64 * 1024
_POLL = 0.25
_AT_ONCE = 256 * 1024
"""Octets of news taken in one go."""


def last(folder: Path, log: str, lines: int, grep: str = "") -> list[str]:
    """The last `lines` lines of `log` that contain `grep` in any case, oldest first; files put aside are read too."""
    if log not in LOGS:
        raise ValueError(f"there is no log called {log}")
    wanted, needle = max(0, min(lines, MAX_LINES)), grep.casefold()
    found: deque[str] = deque()
    if not wanted:
        return []
    for path in [current(folder, log), *aside(folder, log)]:
        for line in backwards(path):
            if not needle or needle in line.casefold():
                found.appendleft(line)
                if len(found) == wanted:
                    return list(found)
    return list(found)


def backwards(path: Path) -> Iterator[str]:
    """The lines of a file, last first; none if it is not there. A line still being written is left out."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        at = file.seek(0, os.SEEK_END)
        rest, complete = b"", False
        while at > 0:
            start = max(0, at - _BLOCK)
            file.seek(start)
            block = file.read(at - start)
            at = start
            parts = (block + rest).split(b"\n")
            rest = parts[0][-MAX_LINE:]
            for part in reversed(parts[1:]):
                if complete:
                    yield _decoded(part)
                complete = True  # What stands behind the last line feed is no whole line.
        if complete:
            yield _decoded(rest)


class Follower:
    """What is appended to a log after it was made. `news` is called again and again; it reads, and never waits."""

    def __init__(self, folder: Path, log: str) -> None:
        if log not in LOGS:
            raise ValueError(f"there is no log called {log}")
        self._path = current(folder, log)
        self._descriptor = -1
        self._identity = (0, 0)
        self._at = 0
        self._rest = b""
        if self._open():
            self._at = os.fstat(self._descriptor).st_size

    def news(self) -> list[str]:
        """Whole lines written since the last call; a bounded number of them, so call again while there are some."""
        if self._descriptor < 0 and not self._open():
            return []
        data = os.pread(self._descriptor, _AT_ONCE, self._at)
        if not data:
            self._look_again()
            return []
        self._at += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-MAX_LINE:]
        return [_decoded(line) for line in whole]

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _look_again(self) -> None:
        """At the end of the file: was it put aside, or emptied?"""
        try:
            stat = os.stat(self._path)
        except FileNotFoundError:
            return
        if (stat.st_dev, stat.st_ino) != self._identity:
            # A last batch may have gone to the old file between our read and now.
            if os.fstat(self._descriptor).st_size > self._at:
                return
            self.close()
            self._at, self._rest = 0, b""
        elif stat.st_size < self._at:
            self._at, self._rest = 0, b""

    def _open(self) -> bool:
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except FileNotFoundError:
            return False
        stat = os.fstat(self._descriptor)
        self._identity = (stat.st_dev, stat.st_ino)
        return True


class LogReader:
    """For the admin calls: reads in the pool's threads."""

    def __init__(self, folder: Path, pool: Pool, *, poll: float = _POLL) -> None:
        self._folder, self._pool, self._poll = folder, pool, poll

    async def tail(self, log: str, lines: int, grep: str = "") -> Sequence[str]:
        """The last `lines` lines that contain `grep`, in any case. ValueError if there is no such log."""
        return await self._pool.run(last, self._folder, log, lines, grep)

    async def follow(self, log: str, grep: str = "") -> AsyncIterator[str]:
        """Lines as they are written from now on."""
        follower, needle = await self._pool.run(Follower, self._folder, log), grep.casefold()
        try:
            while True:
                # Reading at the end of a file takes microseconds; a thread would cost more.
                news = follower.news()
                for line in news:
                    if not needle or needle in line.casefold():
                        yield line
                await asyncio.sleep(0 if news else self._poll)
        finally:
            follower.close()


def _decoded(line: bytes) -> str:
    return line[:MAX_LINE].decode("utf-8", "replace")
