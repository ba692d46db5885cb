"""A program of its own that tries a regular expression on lines: one that never ends is killed with it.

Run by `pattern.py` as a plain script; the standard library is all it needs. In: the expression, then batches; each is
a count and the lines, each with its length before it. Out: `+` or `-` and a reason, then one octet for each line.
"""

import re
import struct
import sys
from typing import BinaryIO

MEMORY = 512 << 20
SECONDS = 60
"""Of computing, for a whole search."""


def main(received: BinaryIO, sent: BinaryIO) -> None:
    _bound()
    text = _piece(received)
    try:
        tries = re.compile(text.decode("utf-8"), re.IGNORECASE).search
    except (re.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
        reason = (str(error) or type(error).__name__).encode()[:500]
        sent.write(b"-" + struct.pack("<I", len(reason)) + reason)
        sent.flush()
        return
    sent.write(b"+")
    sent.flush()
    while count := received.read(4):
        lines = [_piece(received).decode("utf-8", "replace") for _ in range(struct.unpack("<I", count)[0])]
        sent.write(bytes([tries(line) is not None for line in lines]))
        sent.flush()


def _piece(received: BinaryIO) -> bytes:
    return received.read(struct.unpack("<I", received.read(4))[0])


def _bound() -> None:
    try:
        import resource
    except ImportError:  # Windows: the time that `pattern.py` gives is the only bound.
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
