"""The time at the head of a line, `[24/Nov/2026 17:57:14] `, read back; and the calendar that rotation goes by."""

import time
from datetime import date
from functools import lru_cache
from typing import Final

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LENGTH: Final = 23
"""Octets before the title."""
_NUMBER: Final = {name.encode(): number for number, name in enumerate(MONTHS, 1)}


def prefix(second: int) -> str:
    """`[24/Nov/2026 17:57:14] `"""
    at = time.localtime(second)
    return f"[{at.tm_mday:02d}/{MONTHS[at.tm_mon - 1]}/{at.tm_year} {at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}] "


def moment(line: bytes) -> int:
    """Seconds since 1970; 0 if the line has no time at its head. In the hour that a change of the clocks repeats, one
    of the two."""
    if line[:1] != b"[" or line[21:23] != b"] ":
        return 0
    try:
        return _minute(bytes(line[1:18])) + int(line[19:21])
    except (ValueError, KeyError, OverflowError):
        return 0


@lru_cache(4096)
def _minute(text: bytes) -> int:
    day, month, year = int(text[0:2]), _NUMBER[text[3:6]], int(text[7:11])
    return int(time.mktime((year, month, day, int(text[12:14]), int(text[15:17]), 0, 0, 0, -1)))


def same_period(kind: str, first: float, second: float) -> bool:
    """Whether both lie in one hour, day, week (from Monday) or month of the local calendar."""
    a, b = time.localtime(first), time.localtime(second)
    if kind == "hour":
        return a[:4] == b[:4]
    if kind == "day":
        return a[:3] == b[:3]
    if kind == "week":
        return _monday(a) == _monday(b)
    if kind == "month":
        return a[:2] == b[:2]
    return True


def _monday(at: time.struct_time) -> int:
    # Counted in days of the calendar, so that a change of the clocks moves nothing.
    return date(at.tm_year, at.tm_mon, at.tm_mday).toordinal() - at.tm_wday


def until_boundary(now: float) -> float:
    """Seconds to the next moment at which a period may end: a quarter of an hour, as time zones go."""
    return 900 - now % 900
