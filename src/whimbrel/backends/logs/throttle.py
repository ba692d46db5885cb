"""Holds back warnings and errors that come again and again, so that a flood of them neither fills the disk nor hides
what else happened. What was held back is told in one line with its count."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

WINDOW: Final = 60.0
SAME: Final = 10
"""Records of one text that are written within a window."""
EVENT: Final = 300
"""Records of one event, whatever their text."""


@dataclass(slots=True)
class _Window:
    log: str
    began: float
    held: int = 0
    written: int = 0
    texts: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """Records of one event that were not written."""

    log: str
    event: str
    count: int
    seconds: float


class Throttle:
    """Counts by event. Its memory is bounded: an event remembers at most EVENT texts."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def admits(self, now: float, log: str, event: str, text: str) -> bool:
        """Whether this one is written; one that is not is counted."""
        window = self._windows.get(event)
        if window is None:
            if len(self._windows) >= 1000:  # Names are ours, yet no table grows without end.
                return True
            window = self._windows[event] = _Window(log, now)
        if window.written < EVENT:
            key = hash(text)
            count = window.texts[key] = window.texts.get(key, 0) + 1
            if count <= SAME:
                window.written += 1
                return True
        window.held += 1
        return False

    def due(self, now: float, *, everything: bool = False) -> Iterator[Held]:
        """What was held back in windows that have ended; they are closed."""
        for event, window in list(self._windows.items()):
            if everything or not window.began <= now < window.began + WINDOW:
                del self._windows[event]
                if window.held:
                    yield Held(window.log, event, window.held, max(0.0, now - window.began))

    @property
    def holds(self) -> bool:
        """Something waits to be told."""
        return any(window.held for window in self._windows.values())
