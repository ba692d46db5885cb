"""pread(2) that keeps the interpreter's lock.

`os.pread` lets other threads run meanwhile. For a page that is in memory the call takes less than a microsecond, but
the loop's thread then waits for a thread that computes to give the lock back: 60 to 150 microseconds for each of the
counters that a session looks up, measured under load.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Final

MOST: Final = 4096
"""Octets read so; more are read by `os.pread`."""
Read = Callable[[int, int], bytes]
"""Octets wanted, and where they begin; fewer come where the file ends. OSError"""


class _Here(threading.local):
    """Where a thread reads to."""

    def __init__(self) -> None:
        buffer = bytearray(MOST)
        self.view = memoryview(buffer)
        self.address = ctypes.addressof((ctypes.c_char * MOST).from_buffer(buffer))


_here = _Here()


def reader(descriptor: int) -> Read:
    """Returns what reads a small file that is nearly always in memory; any number of threads may use it."""
    try:
        library = ctypes.PyDLL(None)
        call = getattr(library, "pread64", None) or library.pread
    except (OSError, TypeError, AttributeError):
        return lambda length, start: os.pread(descriptor, length, start)
    call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64)
    call.restype = ctypes.c_ssize_t

    def read(length: int, start: int) -> bytes:
        here = _here
        done = call(descriptor, here.address, length, start) if length <= MOST else -1
        return bytes(here.view[:done]) if done >= 0 else os.pread(descriptor, length, start)  # Says what is wrong.

    return read
