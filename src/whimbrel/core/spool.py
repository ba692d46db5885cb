"""Spool: the content of a message from its first octet until it is durable, or refused."""

from typing import Protocol


class Spooled(Protocol):
    """Content received and not yet acknowledged. Small ones stay in memory, large ones in an unnamed file."""

    @property
    def size(self) -> int: ...

    @property
    def head(self) -> bytes:
        """The first bytes (at least 64 KiB of them, or all): enough for the header."""
        ...

    async def read(self, start: int = 0, length: int | None = None) -> bytes: ...

    def close(self) -> None:
        """Frees what it holds; may be called twice."""
        ...


class SpoolWriter(Protocol):
    """Takes content as it arrives."""

    async def write(self, data: bytes) -> None:
        """MailError 452 4.3.1 when the disk is full."""
        ...

    async def finish(self, *, crlf: bool = False) -> Spooled:
        """`crlf`: each line is known to end in CRLF, so nobody need count."""
        ...

    def discard(self) -> None: ...


class Spool(Protocol):
    def start(self) -> SpoolWriter: ...

    def hold(self, content: bytes) -> Spooled:
        """Content that is at hand already."""
        ...
