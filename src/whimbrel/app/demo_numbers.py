"""What a demonstration shows while it runs: the numbers of today, in one line that is written over."""

import contextlib
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TextIO

from whimbrel.app.cli.client import Client, Options, Unreachable
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.table import calls_of

EVERY: Final = 2.0
"""Seconds between two looks."""
_SHOWN: Final = ("received", "delivered", "sent", "refused", "sign_ins", "connections")


class Numbers:
    """For a terminal; anything else is left as it is."""

    def __init__(self, socket: Path, clock: Callable[[], float], out: TextIO = sys.stdout) -> None:
        self._client, self._clock, self._out = Client(socket), clock, out
        self._next = 0.0
        self._live = out.isatty()

    def show(self) -> None:
        """Looks again if it is time to. A server that does not answer shows nothing new."""
        if not self._live or self._clock() < self._next:
            return
        self._next = self._clock() + EVERY
        with contextlib.suppress(CallError, Unreachable, OSError, LookupError, TypeError):
            (status,) = calls_of("status")
            view = self._client.call(status, {}, Options()).result
            text = line(view["today"], view["waiting"])[: shutil.get_terminal_size().columns - 1]
            self._out.write(f"\r\x1b[K{text}")
            self._out.flush()


def line(today: Mapping[str, int], waiting: int) -> str:
    """`Today: 3 received, 2 delivered ...; 1 waiting`."""
    words = ", ".join(f"{today[name]} {name.replace('_', '-')}" for name in _SHOWN if name in today)
    return f"Today: {words}; {waiting} waiting"
