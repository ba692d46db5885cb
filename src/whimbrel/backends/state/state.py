"""The State port: values are kept in memory for a moment and written in batches by a thread.

What this process set it sees at once; other processes see it after the next batch.
"""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from whimbrel.backends.disk.presence import ANY, Presence
from whimbrel.backends.state.database import StateDatabase, Write
from whimbrel.core.clock import Clock
from whimbrel.core.log import Log

INTERVAL = 2.0
"""Seconds between a change and its batch."""
BATCH = 5_000
"""Changes that are written at once rather than after the interval."""
HELD = 50_000
"""Changes held while the disk refuses; the oldest are given up first."""
EXPIRE_EVERY = 60.0

_Key = tuple[str, str]


class SqliteState:
    """For one event loop. `close` writes what is held."""

    def __init__(
        self, path: Path, clock: Clock, log: Log, *, interval: float = INTERVAL, presence: Presence = ANY
    ) -> None:
        self._path, self._clock, self._log, self._interval = path, clock, log, interval
        self._presence = presence
        # One thread: it alone touches the connection.
        self._thread = ThreadPoolExecutor(1, "state")
        self._database: StateDatabase | None = None
        self._pending: dict[_Key, tuple[str | None, float | None]] = {}
        self._writing: dict[_Key, tuple[str | None, float | None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._expired = 0.0
        self._failed = False

    # The port

    async def get(self, kind: str, key: str) -> str | None:
        for held in (self._pending, self._writing):
            if (kind, key) in held:
                return _alive(held[kind, key], self._clock.now())
        try:
            return await self._run(lambda database: database.get(kind, key, self._clock.now()))
        except (apsw.Error, OSError) as error:
            self._tell(error)
            return None

    async def set(self, kind: str, key: str, value: str, *, expires: float | None = None) -> None:
        """`expires` is the time (seconds since 1970) from which it counts as gone."""
        self._change(kind, key, value, expires)

    async def delete(self, kind: str, key: str) -> None:
        self._change(kind, key, None, None)

    async def list(self, kind: str, limit: int = 1000) -> list[tuple[str, str]]:
        """By key."""
        held = {
            key: _alive(entry, self._clock.now())
            for source in (self._writing, self._pending)
            for (of, key), entry in source.items()
            if of == kind
        }
        # Each that is held may hide one of those that are stored.
        now = self._clock.now()
        try:
            # There may be as many as there are users: not in the loop.
            return await self._run(lambda database: _together(database.list(kind, now, limit + len(held)), held, limit))
        except (apsw.Error, OSError) as error:
            self._tell(error)
            return _together([], held, limit)

    # What wiring uses

    async def open(self) -> None:
        """Opens the file now rather than at its first use. NewerFormat, apsw.Error, OSError."""
        await self._run(lambda database: None)

    async def flush(self) -> None:
        """Writes what is held; a failure is logged, and tried again later."""
        while self._flushing is not None:
            await asyncio.shield(self._flushing)
        if self._pending:
            self._begin()
            if self._flushing is not None:
                await asyncio.shield(self._flushing)

    async def close(self) -> None:
        await self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_database)
        self._thread.shutdown()

    # Inside

    def _change(self, kind: str, key: str, value: str | None, expires: float | None) -> None:
        self._pending.pop((kind, key), None)  # So that it is the youngest.
        self._pending[kind, key] = (value, expires)
        if len(self._pending) > HELD:
            del self._pending[next(iter(self._pending))]
        if len(self._pending) >= BATCH and not self._failed:
            self._begin()
        elif self._timer is None and self._flushing is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._begin)

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flushing is None and self._pending:
            self._flushing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        self._writing, self._pending = self._pending, {}
        writes: list[Write] = [(*key, *entry) for key, entry in self._writing.items()]
        now = self._clock.now()
        expire = now >= self._expired + EXPIRE_EVERY
        try:
            await self._run(partial(_store, writes, now if expire else None))
            self._failed = False
            if expire:
                self._expired = now
        except (apsw.Error, OSError) as error:
            self._tell(error)
            self._pending = self._writing | self._pending
            while len(self._pending) > HELD:
                del self._pending[next(iter(self._pending))]
        finally:
            self._writing = {}
            self._flushing = None
            if self._pending and self._timer is None:
                pause = self._interval * (5 if self._failed else 1)
                with contextlib.suppress(RuntimeError):  # The loop is closing.
                    self._timer = asyncio.get_running_loop().call_later(pause, self._begin)

    def _tell(self, error: Exception) -> None:
        if not self._failed:
            self._log.error("state.failed", error=str(error))
        self._failed = True

    async def _run(self, work: "Callable[[StateDatabase], T]") -> "T":
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._with_database, work)

    def _with_database(self, work: "Callable[[StateDatabase], T]") -> "T":
        """A file that was deleted, emptied, replaced or spoilt under us is opened, or begun, anew."""
        # Where the whole store has gone, what is open goes on: it is the same file when the store is back.
        if self._database is not None and not self._database.intact() and self._presence.here():
            self._log.error("state.lost", file=str(self._path))
            lost, self._database = self._database, None
            try:
                with contextlib.suppress(apsw.Error):  # Emptied in its place, it holds nothing.
                    self._opened().carry_over(lost)
            finally:
                lost.close()
        try:
            return work(self._opened())
        except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError):
            self._close_database()
            return work(self._opened())

    def _opened(self) -> StateDatabase:
        if self._database is None:
            self._presence.require()
            self._database = StateDatabase(self._path)
            if self._database.damage:
                self._log.error("state.damaged", file=str(self._path), error=self._database.damage)
        return self._database

    def _close_database(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _store(writes: list[Write], expire: float | None, database: StateDatabase) -> None:
    database.write(writes)
    if expire is not None:
        database.expire(expire)


def _together(stored: list[tuple[str, str]], held: dict[str, str | None], limit: int) -> list[tuple[str, str]]:
    """What is stored under what is yet to be: None hides."""
    values = {key: value for key, value in (dict(stored) | held).items() if value is not None}
    return sorted(values.items())[:limit]


def _alive(entry: tuple[str | None, float | None], now: float) -> str | None:
    value, expires = entry
    return value if expires is None or expires > now else None


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from whimbrel.core.state import State

    T = TypeVar("T")

    def _port(path: Path, clock: Clock, log: Log) -> State:
        return SqliteState(path, clock, log)
