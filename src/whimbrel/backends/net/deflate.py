"""A compressed connection: both directions through zlib, with little memory and bounded steps.

What a few octets may unfold to is taken in pieces of `STEP`: the reader asks for the next one when it has done with
the last, so a bomb costs time (which is the peer's share of the loop), never memory.

Standards: RFC 4978 3, RFC 1951, RFC 8437 4.1 (its end)
"""

import zlib
from typing import Final

STEP: Final = 64 * 1024
"""Octets unfolded at once."""
# 2 ** (12 + 2) + 2 ** (5 + 9) = 32 KiB for each connection that is compressed, where the defaults take 256. The other
# direction takes what window the peer chose: at most 32 KiB and zlib's 7.
_WINDOW, _MEMORY, _LEVEL = 12, 5, 4


class Deflate:
    """Raw deflate both ways."""

    __slots__ = ("_more", "_pack", "_unpack")

    def __init__(self) -> None:
        self._pack = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_WINDOW, _MEMORY)
        self._unpack = zlib.decompressobj(-zlib.MAX_WBITS)
        self._more = False

    @property
    def more(self) -> bool:
        """`unpack` has more to give of what it got."""
        return self._more

    def pack(self, data: bytes) -> bytes:
        """All of `data`, so that the peer can read it now."""
        return self._pack.compress(data) + self._pack.flush(zlib.Z_SYNC_FLUSH)

    def unpack(self, data: bytes) -> bytes:
        """At most `STEP` octets of what was given so far. ValueError: it is not deflate, or it has ended before."""
        if self._unpack.eof:
            raise ValueError("the compressed stream has ended")
        try:
            out = self._unpack.decompress(self._unpack.unconsumed_tail + data, STEP)
        except zlib.error:
            raise ValueError("not deflate") from None
        self._more = not self._unpack.eof and (len(out) == STEP or bool(self._unpack.unconsumed_tail))
        return out

    def finish(self) -> bytes:
        """The end of what we send."""
        return self._pack.flush(zlib.Z_FINISH)

    @property
    def rest(self) -> bytes:
        """What the peer sent behind the end of its compressed stream: it is not packed."""
        return self._unpack.unused_data
