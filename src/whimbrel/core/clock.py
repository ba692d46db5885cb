"""Time and chance come in as ports, so that logic can be tested without either."""

from typing import Protocol


class Clock(Protocol):
    """The time of day and a steady clock."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for deadlines."""
        ...

    def date(self, at: float | None = None) -> str:
        """`at` (now unless given) as RFC 5322 3.3 date-time in local time with its numeric zone."""
        ...


class Ids(Protocol):
    """Names that nothing else has."""

    def queue_id(self) -> str:
        """Hex seconds, hyphen, 8 hex digits: unique over all workers and restarts."""
        ...

    def session_id(self) -> str:
        """Short; unique among the sessions of a day."""
        ...

    def message_id(self, domain: str) -> str:
        """A Message-ID with its angle brackets. RFC 5322 3.6.4"""
        ...
