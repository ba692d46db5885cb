"""Reading logs for the admin calls, in the pool's threads; and following what is written, over rotations."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from whimbrel.backends.logs.events import LOGS
from whimbrel.backends.logs.files import current, rotate
from whimbrel.backends.logs.record import parts
from whimbrel.backends.logs.scan import MAX_LINE
from whimbrel.backends.logs.search import BadQuery, lines_from, search
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.backends.logs.stamp import LENGTH, moment
from whimbrel.core.log import LogLine, LogPage, LogQuery
from whimbrel.core.pool import Pool

_POLL = 0.25
_AT_ONCE = 256 * 1024
"""Octets of news taken in one go."""


class Follower:
    """What is appended to a log after it was made. `news` is called again and again; it reads, and never waits."""

    def __init__(self, folder: Path, log: str) -> None:
        if log not in LOGS:
            raise BadQuery(f"there is no log called {log}")
        self.log = log
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
        return [line[:MAX_LINE].decode("utf-8", "replace") for line in whole]

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
            # Without O_NONBLOCK a named pipe would hold us until somebody writes to it.
            flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
            self._descriptor = os.open(self._path, flags)
        except FileNotFoundError:
            return False
        stat = os.fstat(self._descriptor)
        if not S_ISREG(stat.st_mode):  # A folder or a pipe in the log's place: the log may come back.
            self.close()
            return False
        self._identity = (stat.st_dev, stat.st_ino)
        return True


class LogReader:
    """The admin port LogReader."""

    def __init__(
        self, folder: Path, pool: Pool, settings: Callable[[], LogSettings] = LogSettings, *, poll: float = _POLL
    ) -> None:
        self._folder, self._pool, self._settings, self._poll = folder, pool, settings, poll

    async def search(self, query: LogQuery, limit: int, cursor: str = "") -> LogPage:
        """The next page. ValueError says what is wrong with the query."""
        return await self._pool.run(search, self._folder, query, limit, cursor)

    async def lines(self, log: str, file: int, first: int, count: int) -> Sequence[LogLine]:
        """Lines by number, from 1 on. ValueError if there is no such file."""
        return await self._pool.run(lines_from, self._folder, log, file, first, count)

    async def rotate(self, logs: Sequence[str]) -> Sequence[str]:
        """Puts aside the files of these logs that are not empty; the logs it was done for. ValueError, OSError."""
        for log in logs:
            if log not in LOGS:
                raise BadQuery(f"there is no log called {log}")
        return await self._pool.run(rotate, self._folder, self._settings(), tuple(logs), always=True)

    async def follow(self, logs: Sequence[str]) -> AsyncIterator[LogLine]:
        """Lines as they are written from now on. ValueError if there is no such log."""
        followers = [await self._pool.run(Follower, self._folder, log) for log in dict.fromkeys(logs)]
        try:
            while True:
                quiet = True
                for follower in followers:
                    # Reading at the end of a file takes microseconds; a thread would cost more.
                    for text in follower.news():
                        quiet = False
                        at = moment(text[:LENGTH].encode("utf-8", "replace"))
                        yield LogLine(follower.log, float(at), text, *(parts(text) if at else ("", ())))
                await asyncio.sleep(self._poll if quiet else 0)
        finally:
            for follower in followers:
                follower.close()


if TYPE_CHECKING:
    from whimbrel.core.log import LogSource

    def _port(reader: LogReader) -> LogSource:
        return reader
