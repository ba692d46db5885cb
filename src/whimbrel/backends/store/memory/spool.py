"""Content on its way in, kept in memory whatever its size: for tests and single-process trials."""

from typing import TYPE_CHECKING


class MemorySpool:
    def start(self) -> "MemoryWriter":
        return MemoryWriter()

    def hold(self, content: bytes) -> "MemoryContent":
        return MemoryContent(content)


class MemoryContent:
    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def size(self) -> int:
        return len(self._content)

    @property
    def head(self) -> bytes:
        return self._content

    async def read(self, start: int = 0, length: int | None = None) -> bytes:
        return self._content[start:] if length is None else self._content[start : start + length]

    def close(self) -> None:
        """Nothing is held that Python does not free by itself."""


class MemoryWriter:
    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    async def write(self, data: bytes) -> None:
        self._blocks.append(data)

    async def finish(self, *, crlf: bool = False) -> MemoryContent:
        content = MemoryContent(b"".join(self._blocks))
        self._blocks = []
        return content

    def discard(self) -> None:
        self._blocks = []


if TYPE_CHECKING:
    from whimbrel.core.spool import Spool, Spooled, SpoolWriter

    def _ports(spool: MemorySpool, writer: MemoryWriter, content: MemoryContent) -> None:
        _1: Spool = spool
        _2: SpoolWriter = writer
        _3: Spooled = content
