"""What the kernel says of its clock and its memory. On Linux; elsewhere OSError."""

import ctypes
import os
from pathlib import Path
from typing import Final

from whimbrel.services.health.check import ClockState, Memory

_UNSYNCHRONISED: Final = 0x40
"""STA_UNSYNC. adjtimex(2)"""
_CGROUP: Final = Path("/sys/fs/cgroup")


def clock() -> ClockState:
    """OSError: it does not say."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state = _Timex()  # modes 0: it is read, not set.
        result = libc.adjtimex(ctypes.byref(state))
    except AttributeError:
        raise OSError("this system does not say whether its clock is kept in time") from None
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return ClockState(not state.status & _UNSYNCHRONISED, state.maxerror / 1e6)


def memory() -> Memory:
    """Of the machine, or of the container that we are in. OSError."""
    values = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0]) << 10
    machine = Memory(values["MemTotal"], values.get("MemAvailable", values["MemFree"]))
    inner = _container()
    return inner if inner is not None and inner.available < machine.available else machine


class _Timex(ctypes.Structure):
    """`struct timex` as far as it is read; the rest is room for what the kernel writes. adjtimex(2)"""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    ]


def _container() -> Memory | None:
    """Of the control group that we are alone in, where it has a limit. cgroups(7), version 2"""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return None
    return Memory(int(limit), max(0, int(limit) - used)) if limit.isdigit() else None
