"""What a long check shows while it runs, and the report at its end.

The bar goes to standard error, and only if that is a terminal, so that what is piped on stays clean.
"""

from collections.abc import Mapping
from typing import Any, TextIO

from whimbrel.core.counting import counted

WIDTH = 30
_BACK = "\r\x1b[K"


class Progress:
    """Fed with the items of a stream; those that tell no `percent` are passed over."""

    def __init__(self, screen: TextIO) -> None:
        self._screen, self._shown = screen, screen.isatty()
        self._last = -1
        self.folders = self.messages = self.broken = 0

    def clear(self) -> None:
        """Before anything else is written."""
        if self._last >= 0:
            self._screen.write(_BACK)
            self._screen.flush()
            self._last = -1

    def saw(self, item: Any, *, problems: bool) -> None:
        if not isinstance(item, Mapping) or "percent" not in item:
            return
        if "folder" in item:  # What other work counts stands in its own items.
            self.folders += 1
            self.messages += item.get("messages", 0)
            self.broken += problems
        percent = min(100, max(0, item["percent"]))
        if self._shown and percent != self._last:
            self._last = percent
            full = WIDTH * percent // 100
            self._screen.write(f"{_BACK}[{'#' * full}{' ' * (WIDTH - full)}] {percent:3d}%")
            self._screen.flush()

    @property
    def report(self) -> str:
        """Empty if nothing was counted."""
        if not self.folders:
            return ""
        state = f"{self.broken} with problems" if self.broken else "all in order"
        return f"{counted(self.folders, 'folder')} with {counted(self.messages, 'message')}, {state}"
