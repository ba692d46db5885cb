"""Regular expressions of administrators on lines of a log, in a child process that is killed when its time is up.

Python's `re` cannot be stopped from outside, and `(a+)+$` on one long line outlives the server.
"""

import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

LONGEST: Final = 1000
"""Characters of an expression."""
LINE: Final = 8192
"""Octets of a line that are looked at."""
_PROGRAM: Final = Path(__file__).with_name("matcher.py")


class BadPattern(ValueError):
    """It is no regular expression."""


class SlowPattern(Exception):
    """It did not end in time."""


class Pattern:
    """One expression for one search. A context: the child ends with it."""

    def __init__(self, text: str, deadline: float) -> None:
        """`deadline` by time.monotonic(). BadPattern, SlowPattern."""
        if len(text) > LONGEST:
            raise BadPattern(f"the regular expression is longer than {LONGEST} characters")
        self._deadline = deadline
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", os.fspath(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
        )
        assert self._child.stdin is not None and self._child.stdout is not None
        self._to, self._from = self._child.stdin.fileno(), self._child.stdout.fileno()
        try:
            self._send(_piece(text.encode("utf-8", "replace")))
            if self._receive(1) != b"+":
                (length,) = struct.unpack("<I", self._receive(4))
                raise BadPattern(f"this is no regular expression: {self._receive(length).decode('utf-8', 'replace')}")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Pattern":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def matches(self, lines: Sequence[bytes]) -> list[bool]:
        """For each line whether the expression is found in it, in any case. SlowPattern."""
        if not lines:
            return []
        self._send(struct.pack("<I", len(lines)) + b"".join([_piece(line[:LINE]) for line in lines]))
        return [octet == 1 for octet in self._receive(len(lines))]

    def close(self) -> None:
        self._child.kill()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
        self._child.wait()

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                # No more than fits: then a child that does not read cannot hold us.
                if not self._ready(self._to, select.POLLOUT):
                    raise SlowPattern
                view = view[os.write(self._to, view[: select.PIPE_BUF]) :]
        except BrokenPipeError:
            raise SlowPattern from None

    def _receive(self, octets: int) -> bytes:
        data = b""
        while len(data) < octets:
            if not self._ready(self._from, select.POLLIN):
                raise SlowPattern
            piece = os.read(self._from, octets - len(data))
            if not piece:  # It used up its time or its memory.
                raise SlowPattern
            data += piece
        return data

    def _ready(self, descriptor: int, what: int) -> bool:
        poll = select.poll()
        poll.register(descriptor, what)
        return bool(poll.poll(max(0.0, self._deadline - time.monotonic()) * 1000))


def _piece(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data
