"""What the connections of a service add up to: octets, handshakes."""

from typing import Final

from whimbrel.core.net import TlsInfo
from whimbrel.core.stats import Cell, NoTally, Tally


class Meter:
    """One for all connections of a service in a process."""

    __slots__ = ("_tally", "received", "sent", "service")

    def __init__(self, tally: Tally, service: str) -> None:
        self._tally, self.service = tally, service
        self.received: Cell = tally.cell("octets-in", service)
        self.sent: Cell = tally.cell("octets-out", service)
        """Both are added to for each read and write, where a call would cost more than all the counting."""

    def begun(self) -> None:
        self._tally.add("connections", self.service)

    def ended(self) -> None:
        self._tally.add("connections-ended", self.service)

    def secured(self, tls: TlsInfo | None) -> None:
        """The handshake ended well, or (None) did not."""
        if tls is None:
            self._tally.add("tls-failed", self.service)
        else:
            self._tally.add("tls", tls.version)


UNMETERED: Final = Meter(NoTally(), "")
"""Of connections whose owner does not count."""
