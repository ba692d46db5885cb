"""The port to the logs: an event's name and its fields. No message text, no secret is ever a field.

An event belongs to one of the logs by its declaration in `EVENTS`; the five logs are views of this one stream.
"""

from dataclasses import dataclass
from typing import Protocol

Value = str | int | float | bool | None


class Log(Protocol):
    """Each method writes one record; it never blocks and never raises."""

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
