"""The shape that all protocol engines share: bytes in, events out; replies in, bytes out.

An engine holds no socket, clock, log or setting. One driver (`backends/net/driver.py`) pumps any of them.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final, Generic, Protocol, TypeVar

EventT_co = TypeVar("EventT_co", covariant=True)
ReplyT_contra = TypeVar("ReplyT_contra", contravariant=True)


class Pause(Enum):
    """What `next_event` returns when there is no event."""

    NEED_DATA = 1
    """Call `receive` first."""
    PAUSED = 2
    """The last event waits for its reply: call `send` first."""


NEED_DATA: Final = Pause.NEED_DATA
PAUSED: Final = Pause.PAUSED


class Engine(Protocol, Generic[EventT_co, ReplyT_contra]):
    """One side of one connection."""

    def receive(self, data: bytes) -> None:
        """Bytes from the peer, in pieces of any size; b"" is the end of the stream."""
        ...

    def next_event(self) -> EventT_co | Pause:
        """The next event, NEED_DATA or PAUSED."""
        ...

    def send(self, reply: ReplyT_contra) -> bytes:
        """The bytes for `reply`; ValueError (a bug of the caller) if it is not legal in this state."""
        ...

    def tls_started(self) -> None:
        """Forget buffered plaintext (RFC 3207 4.2) and what was learnt before TLS."""
        ...


class Trace(Protocol):
    """Is shown the octets of one connection as its engine sees them; it must not fail."""

    def received(self, data: bytes) -> None: ...

    def sent(self, pieces: Sequence[bytes]) -> None: ...
