"""Dates of messages: reading RFC 5322 dates, also old and sloppy ones.

Standards: RFC 5322 3.3, 4.3 (obsolete years and zones); RFC 9051 6.4.4 (SENTON disregards time and zone)
"""

import re
from dataclasses import dataclass
from datetime import date

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_TIME = rb"(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2})(?:\.\d{1,9})?)?"
_ZONE = rb"[ \t]{0,9}([+-]\d{4}|[+-]\d\d:\d\d|[A-Za-z]{1,5})?"
_USUAL = re.compile(
    rb"[ \t]{0,9}(?:[A-Za-z]{3,9}[,.]?[ \t]{0,9})?(\d{1,2})[ \t-]{1,9}([A-Za-z]{3})[A-Za-z]{0,9}\.?[ \t-]{1,9}"
    rb"(\d{2,4})[, \t]{1,9}" + _TIME + _ZONE
)
_ASCTIME = re.compile(
    rb"[ \t]{0,9}[A-Za-z]{3,9},?[ \t]{1,9}([A-Za-z]{3})[A-Za-z]{0,9}[ \t]{1,9}(\d{1,2}),?[ \t]{1,9}"
    + _TIME
    + _ZONE
    + rb"[ \t]{1,9}(\d{4})"
)
_ISO = re.compile(rb"[ \t]{0,9}(\d{4})-(\d\d)-(\d\d)[T \t]" + _TIME + rb"(?:Z|" + _ZONE + rb")")
_COMMENT = re.compile(rb"\([^()]{0,200}\)")
_ZONES = {
    b"ut": 0, b"gmt": 0, b"utc": 0, b"z": 0, b"est": -300, b"edt": -240, b"cst": -360, b"cdt": -300,
    b"mst": -420, b"mdt": -360, b"pst": -480, b"pdt": -420, b"cet": 60, b"cest": 120, b"bst": 60, b"jst": 540,
}  # fmt: skip
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Date:
    """A moment as a sender wrote it down."""

    local: int
    """Seconds since 1970, the sender's local time taken as if it were UTC."""
    zone: int
    """Minutes east of UTC."""

    @property
    def utc(self) -> int:
        """Seconds since 1970-01-01 UTC."""
        return self.local - self.zone * 60


def read(value: bytes) -> Date | None:
    """The Date: field's value, unfolded; None if it is no date."""
    value = value[:200]
    if b"(" in value:
        value = _COMMENT.sub(b" ", value)
    if match := _USUAL.match(value):
        day, month, year, hour, minute, second, zone = match.groups()
        number = _MONTHS.get(month.lower())
    elif match := _ASCTIME.match(value):
        month, day, hour, minute, second, zone, year = match.groups()
        number = _MONTHS.get(month.lower())
    elif match := _ISO.match(value):
        year, month, day, hour, minute, second, zone = match.groups()
        number = int(month)
    else:
        return None
    if number is None:
        return None
    try:
        days = date(_year(year), number, int(day)).toordinal() - _EPOCH
    except ValueError:
        return None
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    return Date(days * 86400 + hours * 3600 + minutes * 60 + seconds, _zone(zone))


def _year(text: bytes) -> int:
    """RFC 5322 4.3"""
    year = int(text)
    if len(text) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(text) == 3 else year


def _zone(text: bytes | None) -> int:
    if not text:
        return 0
    if text[:1] in b"+-":
        digits = text[1:].replace(b":", b"")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        return -minutes if text[:1] == b"-" else minutes
    return _ZONES.get(text.lower(), 0)  # RFC 5322 4.3: unknown ones mean -0000.
