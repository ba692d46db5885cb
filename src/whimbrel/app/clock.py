"""The real clock and real chance behind the ports Clock and Ids."""

import os
import time
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING


class SystemClock:
    def __init__(self) -> None:
        self._second, self._date = -1, ""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def date(self, at: float | None = None) -> str:
        second = int(time.time() if at is None else at)
        if second != self._second:  # Under load many messages share a second.
            self._second = second
            self._date = format_datetime(datetime.fromtimestamp(second).astimezone())
        return self._date


class SystemIds:
    """Ids of one process: `slot` (0 to 255) tells the processes of a server apart."""

    def __init__(self, slot: int) -> None:
        self._slot = slot & 0xFF
        # A restart begins elsewhere: within the same second no id can come again by more than bad luck of 2^-24.
        self._count = int.from_bytes(os.urandom(3), "big")
        self._sessions = int.from_bytes(os.urandom(2), "big")

    def queue_id(self) -> str:
        self._count = (self._count + 1) & 0xFFFFFF
        return f"{int(time.time()):08x}-{self._slot:02x}{self._count:06x}"

    def session_id(self) -> str:
        self._sessions = (self._sessions + 1) & 0xFFFFFF
        return f"{self._slot:02x}{self._sessions:06x}"

    def message_id(self, domain: str) -> str:
        return f"<{int(time.time()):x}.{os.urandom(8).hex()}@{domain}>"


if TYPE_CHECKING:
    from whimbrel.core.clock import Clock, Ids

    _clock: Clock = SystemClock()
    _ids: Ids = SystemIds(0)
