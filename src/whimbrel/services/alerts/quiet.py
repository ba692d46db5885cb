"""Quiet hours: is the clock on the wall within `22:00-06:00`?"""

import time


def quiet(hours: str, now: float) -> bool:
    """`now` is in seconds since 1970; the first minute is within, the last is not. Empty: never."""
    if not hours:
        return False
    begin, _, end = hours.partition("-")
    local = time.localtime(now)
    at = f"{local.tm_hour:02}:{local.tm_min:02}"
    return begin <= at < end if begin <= end else at >= begin or at < end
