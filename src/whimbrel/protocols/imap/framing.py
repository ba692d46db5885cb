"""Cuts the stream into commands: lines, literals and their limits. What a command means is none of its business.

The caller is asked about each literal (`Ask`) and takes it into the command, streams it, or refuses it. What is too
long is thrown away as it arrives and costs one frame, so that the next command is found again.

Standards: RFC 3501 2.2.1, 4.3 (literals), RFC 7888 (LITERAL+), RFC 2683 3.2.1.5 (lines of 8000 octets and more)
"""

import re
from dataclasses import dataclass
from enum import Enum

_LITERAL = re.compile(rb"\{(\d{1,20})(\+?)\}\Z")
_TAIL = 32
"""Enough of a line's end to see a literal announced there."""
MAX_LITERAL = 0xFFFFFFFF
_MAX_START = 80
"""Less than the limit of any line, so that it is the same however the line comes."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A command without its last CRLF, literals in their places."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """A literal is announced: answer with `take`, `stream` or `refuse`. `start` is the command's first line."""

    start: bytes
    size: int
    sync: bool
    """The client waits for `+` before it sends the octets."""


@dataclass(frozen=True, slots=True)
class Block:
    """Octets of a streamed literal."""

    data: bytes


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line over the limit; the rest of its command will be thrown away. `start` is how the command began."""

    start: bytes


class _Mode(Enum):
    COMMAND = 1
    ASKED = 2
    LITERAL = 3
    STREAM = 4
    SKIP_LITERAL = 5
    SKIP_LINE = 6


Frame = Whole | Ask | Block | TooLong


class Framer:
    """Fed with bytes in pieces of any size."""

    __slots__ = ("_buffer", "_command", "_mode", "_need", "_searched", "_size", "_sync", "max_command", "max_line")

    def __init__(self, max_line: int, max_command: int) -> None:
        self.max_line, self.max_command = max_line, max_command
        self._buffer = bytearray()
        self._searched = 0  # No line end before this place.
        self._command: list[bytes] = []
        self._size = 0
        self._need = 0
        self._sync = False
        self._mode = _Mode.COMMAND

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def clear(self) -> None:
        """Forgets everything: TLS begins."""
        self._buffer.clear()
        self._restart()

    def next(self) -> Frame | None:
        """The next frame; None until more has been fed."""
        while True:
            mode = self._mode
            if mode is _Mode.COMMAND:
                line = self._line(self.max_line)
                if line is None:
                    return self._too_long() if len(self._buffer) > self.max_line + 1 else None
                if line.endswith(b"}"):
                    ask = self._announced(line)
                    if ask is not None:
                        return ask
                self._command.append(line)
                whole = Whole(self._command[0] if len(self._command) == 1 else b"".join(self._command))
                self._restart()
                return whole
            if mode is _Mode.STREAM:
                if self._need:
                    data = self._cut(self._need)
                    self._need -= len(data)
                    return Block(data) if data else None
                self._restart()
            elif mode is _Mode.LITERAL:
                if len(self._buffer) < self._need:
                    return None
                self._command.append(self._cut(self._need))
                self._mode = _Mode.COMMAND
            elif mode is _Mode.ASKED or not self._skip():
                return None

    def line(self, limit: int) -> bytes | TooLong | None:
        """The next line whatever it holds: the answer to a continuation request."""
        line = self._line(limit)
        if line is None and len(self._buffer) > limit + 1:
            return self._too_long()
        return line

    def take(self) -> None:
        """The literal becomes part of the command."""
        self._mode = _Mode.LITERAL

    def stream(self) -> None:
        """The literal comes in blocks; what follows it is given as a command of its own."""
        self._command, self._size = [], 0
        self._mode = _Mode.STREAM

    def refuse(self) -> None:
        """Throws away the command: what was read of it and what is on its way."""
        waits = self._mode is _Mode.ASKED and self._sync
        need = self._need
        self._restart()
        if not waits:
            self._need, self._mode = need, _Mode.SKIP_LITERAL

    def ahead(self) -> bytes | None:
        """The first line of the next command, if it announces a literal that is not asked for, and that literal and
        the line's end behind it are here."""
        begins = self._mode is _Mode.COMMAND and not self._command
        end = self._buffer.find(b"\n", 0, self.max_line + 2) if begins else -1
        if end < 0:
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        match = _LITERAL.search(line, max(0, len(line) - _TAIL))
        if not match or not match[2]:
            return None
        after = end + 1 + int(match[1])
        return line if self._buffer[after : after + 2] == b"\r\n" else None

    # Inside

    def _restart(self) -> None:
        self._command, self._size, self._need, self._mode = [], 0, 0, _Mode.COMMAND

    def _cut(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._searched = 0
        return data

    def _line(self, limit: int) -> bytes | None:
        """A line without its end; None if there is none within `limit`. A bare LF ends one too."""
        end = self._buffer.find(b"\n", self._searched)
        if end < 0 or end > limit + 1:
            self._searched = len(self._buffer) if end < 0 else 0
            return None
        line = self._cut(end + 1)
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    def _announced(self, line: bytes) -> Frame | None:
        match = _LITERAL.search(line, max(0, len(line) - _TAIL))
        if not match:
            return None
        size = int(match[1])
        self._size += len(line) + 2 + size
        self._command += (line, b"\r\n")
        self._need, self._sync = size, not match[2]
        if size > MAX_LITERAL:
            # Not a number (RFC 3501 9); where the command would end cannot be known.
            self._need = MAX_LITERAL
        self._mode = _Mode.ASKED
        return Ask(self._command[0], size, self._sync)

    @property
    def head(self) -> bytes:
        """The command up to the literal asked about, its announcement included."""
        return b"".join(self._command[:-1])

    @property
    def oversize(self) -> bool:
        """With the literal asked about, the command would be over its limit."""
        return self._size > self.max_command

    def _too_long(self) -> TooLong:
        start = self._command[0] if self._command else bytes(self._buffer[:_MAX_START])
        self._restart()
        self._mode = _Mode.SKIP_LINE
        return TooLong(start)

    def _skip(self) -> bool:
        """Throws away what a refused command still sends; False when more is needed."""
        if self._mode is _Mode.SKIP_LITERAL:
            self._need -= len(self._cut(self._need))
            if self._need:
                return False
            self._mode = _Mode.SKIP_LINE
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            del self._buffer[: max(0, len(self._buffer) - _TAIL)]
            self._searched = len(self._buffer)
            return False
        tail = self._cut(end + 1).rstrip(b"\r\n")[-_TAIL:]
        self._restart()
        match = _LITERAL.search(tail)
        if match and match[2]:
            # Another literal of the same command is on its way; a synchronising one never comes.
            self._need, self._mode = min(int(match[1]), MAX_LITERAL), _Mode.SKIP_LITERAL
        return True
