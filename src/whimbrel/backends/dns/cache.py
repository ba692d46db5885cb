"""Answers of the name system, kept as long as their TTL says, within bounds of ours.

Standards: RFC 2308 (negative caching), RFC 8767 (a TTL is not trusted beyond sense).
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MIN_TTL = 1.0
"""A TTL of 0 still serves the look-ups of one transaction."""
MAX_TTL = 86_400.0
MAX_NEGATIVE_TTL = 900.0
"""RFC 2308 5 allows hours; a new domain's mail should not wait that long."""
FAILURE_TTL = 5.0
"""RFC 2308 7.1: a dead server is asked again soon, but not by each of a thousand messages."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the name system said, as text of each record."""

    records: tuple[str, ...] = ()
    exists: bool = True
    """False: NXDOMAIN."""
    failure: str = ""
    """Why there is no answer: time-out, SERVFAIL. Empty where there is one."""


class Cache:
    """Least recently used goes first; `size` is asked at each entry, so it may change."""

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size
        self._entries: OrderedDict[tuple[str, str], tuple[float, Answer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str, kind: str, now: float) -> Answer | None:
        entry = self._entries.get((name, kind))
        if entry is None:
            return None
        if entry[0] <= now:
            del self._entries[name, kind]
            return None
        self._entries.move_to_end((name, kind))
        return entry[1]

    def put(self, name: str, kind: str, answer: Answer, ttl: float, now: float) -> None:
        if answer.failure:
            ttl = FAILURE_TTL
        else:
            ttl = max(MIN_TTL, min(ttl, MAX_TTL if answer.records else MAX_NEGATIVE_TTL))
        self._entries[name, kind] = (now + ttl, answer)
        self._entries.move_to_end((name, kind))
        while len(self._entries) > self._size():
            self._entries.popitem(last=False)

    def clear(self) -> None:
        self._entries.clear()
