"""The port to the logs: an event's name and its fields. No message text, no secret is ever a field.

An event belongs to one of the logs by its declaration in `EVENTS`; the five logs are views of this one stream.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

Value = str | int | float | bool | None


class Log(Protocol):
    """Each method writes one record; it never blocks and never raises."""

    def debugs(self, category: str) -> bool:
        """Whether debug events of this category (`smtp` of `smtp.dialogue`) are written now: for who would have to work
        to make one."""
        ...

    def debug(self, event: str, **fields: Value) -> None: ...
    def info(self, event: str, **fields: Value) -> None: ...
    def warning(self, event: str, **fields: Value) -> None: ...
    def error(self, event: str, **fields: Value) -> None: ...

    def exception(self, event: str, error: BaseException, **fields: Value) -> None:
        """An error with its traceback: a bug of ours."""
        ...

    def bind(self, **fields: Value) -> "Log":
        """A log whose records all carry `fields` (service, session, queue id)."""
        ...


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One kind of record: in which log, under which heading, and what it means."""

    name: str
    log: str
    """mail, security, warning, error, debug, config, operations or spam."""
    title: str
    """As people read it: `[24/Nov/2026 17:57:14] Title: Key: value, Key: value`."""
    meaning: str
    fields: tuple[str, ...] = ()
    """Those it always shows, in this order; others follow."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines of which logs are wanted: those that fit every part that is given."""

    logs: tuple[str, ...]
    since: float = 0.0
    """Seconds since 1970 UTC; 0: from the beginning."""
    until: float = 0.0
    """0: to the end."""
    text: str = ""
    """Part of the line, in any case."""
    regex: str = ""
    words: tuple[str, ...] = ()
    """Whole words, in any case: queue ids, addresses, domains of addresses, hosts, message-ids. Found by the index."""
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `title` and `fields` are what it says, with the escapes that the log has."""

    log: str
    at: float
    text: str
    title: str = ""
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LogPage:
    """A part of what was found, in the order asked for."""

    lines: tuple[LogLine, ...]
    cursor: str = ""
    """Where the next page begins; empty: that was all."""
    note: str = ""
    """What a person should know: it took too long, a file went away meanwhile."""


class LogSource(Protocol):
    """The logs as they are read and put aside; each method may be called at any time and takes a bounded time."""

    async def search(self, query: LogQuery, limit: int, cursor: str = "") -> LogPage:
        """At most `limit` lines from `cursor` on. ValueError says what is wrong with the query."""
        ...

    async def lines(self, log: str, file: int, first: int, count: int) -> Sequence[LogLine]:
        """Lines by number, from 1 on; file 0 is the current one, 1 the youngest put aside. ValueError."""
        ...

    async def rotate(self, logs: Sequence[str]) -> Sequence[str]:
        """Puts aside the files of these logs that are not empty; the logs it was done for. ValueError, OSError."""
        ...

    def follow(self, logs: Sequence[str]) -> AsyncIterator[LogLine]:
        """Lines as they are written from now on, over rotations. ValueError."""
        ...
