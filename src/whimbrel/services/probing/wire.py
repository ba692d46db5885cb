"""Lines of a dialogue with another server: each wait and each line is bounded, control characters are shown as `?`."""

import asyncio
import re
from typing import Final

from whimbrel.core.net import Link

WAIT: Final = 20.0
"""Seconds for one answer."""
ALL: Final = 90.0
"""Seconds for a whole dialogue."""
MAX_LINE: Final = 2048
MAX_OCTETS: Final = 256 << 10
"""Of all that one server says."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Talk:
    """One connection. Every error is an OSError in words."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._end = asyncio.get_running_loop().time() + ALL
        self._octets = 0
        self._rest = b""

    async def read(self) -> bytes:
        """Some octets. OSError at the end of the stream."""
        async with self._deadline():
            data = await self.link.read()
        if not data:
            raise ConnectionResetError("the other side closed the connection")
        self._octets += len(data)
        if self._octets > MAX_OCTETS:
            raise OSError(f"the other side says more than {MAX_OCTETS} octets")
        return data

    async def line(self) -> str:
        """Without its end."""
        while b"\n" not in self._rest:
            if len(self._rest) > MAX_LINE:
                raise OSError(f"the other side says a line of more than {MAX_LINE} octets")
            self._rest += await self.read()
        line, _, self._rest = self._rest.partition(b"\n")
        return clean(line)

    async def write(self, text: str) -> None:
        async with self._deadline():
            await self.link.write(text.encode() + b"\r\n")

    async def start_tls(self) -> None:
        self._rest = b""
        async with self._deadline():
            await self.link.start_tls()

    async def close(self) -> None:
        await self.link.close()

    def _deadline(self) -> asyncio.Timeout:
        return asyncio.timeout_at(min(self._end, asyncio.get_running_loop().time() + WAIT))


def clean(line: bytes) -> str:
    return _CONTROL.sub("?", line[:MAX_LINE].rstrip(b"\r\n").decode("utf-8", "replace"))


def in_words(error: OSError) -> str:
    """TimeoutError has none of its own."""
    return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
