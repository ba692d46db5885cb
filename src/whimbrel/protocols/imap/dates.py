"""Dates and times as IMAP writes them.

Standards: RFC 3501 9 (date, date-time)
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBER = {name.lower().encode(): index for index, name in enumerate(_MONTHS, 1)}
_DATE = re.compile(rb"(\d{1,2})-([A-Za-z]{3})-(\d{4})\Z")
_DATE_TIME = re.compile(rb"( ?\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\Z")
_EPOCH = date(1970, 1, 1).toordinal()
DAY = 86400


def read_date(text: bytes) -> int:
    """Days since 1970-01-01. ValueError."""
    match = _DATE.match(text)
    if not match or match[2].lower() not in _NUMBER:
        raise ValueError("a date looks like 1-Feb-1994")
    return date(int(match[3]), _NUMBER[match[2].lower()], int(match[1])).toordinal() - _EPOCH


def read_date_time(text: bytes) -> int:
    """Seconds since 1970 UTC, none before it. ValueError."""
    # Quirk (Outlook for Android, imapflow): a day of one digit without the space before it.
    match = _DATE_TIME.match(text)
    if not match or match[2].lower() not in _NUMBER:
        raise ValueError('a date-time looks like "17-Jul-1996 02:44:25 -0700"')
    zone = timedelta(hours=int(match[8]), minutes=int(match[9]))
    if zone >= timedelta(hours=24):
        raise ValueError("no such time zone")
    second = min(int(match[6]), 59)  # A leap second.
    moment = datetime(
        int(match[3]), _NUMBER[match[2].lower()], int(match[1]), int(match[4]), int(match[5]), second,
        tzinfo=timezone(zone if match[7] == b"+" else -zone),
    )  # fmt: skip
    return max(0, round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()))


@lru_cache(1024)
def _day(number: int) -> str:
    day = date.fromordinal(min(max(_EPOCH + number, 1), date.max.toordinal()))
    return f"{day.day:2d}-{_MONTHS[day.month - 1]}-{day.year:04d}"


def date_time(seconds: int) -> bytes:
    """`seconds` since 1970 as date-time in UTC, without its quotes."""
    day, rest = divmod(seconds, DAY)
    return f"{_day(day)} {rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d} +0000".encode()
