"""Times as people write them, in local time: `1h30m` ago, `yesterday 08:00`, `17:00`, `2026-11-24 17:00`.

The standard library's `datetime` is enough: a command of a running server loads none of what core's Duration stands on.
"""

import re
import time
from datetime import date, datetime, timedelta
from typing import Final

LIKE: Final = "1h for an hour ago, 17:00, yesterday, or a local time such as 2026-11-24 17:00"
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([smhdw])\s*", re.ASCII)
_MOMENT: Final = re.compile(
    r"\[?(?:(?P<word>today|yesterday)|(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)"
    r"|(?P<logday>\d\d?)/(?P<name>[a-z]{3})/(?P<logyear>\d{4}))?"
    r"(?:(?:^|(?<=.)[t ]\s*)(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d{1,9})?)?"
    r"\s*(?P<zone>z|[+-]\d\d:?\d\d)?)?\]?",
    re.ASCII,
)


def span(text: str) -> float:
    """Seconds of `90s`, `1h30m`, `2d 4h`. ValueError."""
    text, at, seconds = text.strip().lower(), 0, 0.0
    while part := _PART.match(text, at):
        at, seconds = part.end(), seconds + float(part[1]) * _SECONDS[part[2]]
    if not text or at < len(text):
        raise ValueError(f"'{text}' is not a duration, such as 4h")
    return seconds


def moment(text: str, now: float) -> float:
    """Seconds since 1970, at least 1; a time of day alone is the last that has been. ValueError."""
    text = text.strip()
    if text.lower() == "now":
        return now
    if _PART.match(text.lower()):
        return max(1.0, now - span(text))
    try:
        return max(1.0, _moment(text.lower(), datetime.fromtimestamp(now)))
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"'{text}' is no time: give {LIKE}") from None


def shown(at: float) -> str:
    """`2026-11-24 17:57:14`, local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _moment(text: str, now: datetime) -> float:
    match = _MOMENT.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError
    day = _day(match, now.date())
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    # Days of the calendar, not of 24 hours: a change of the clocks moves no time of day.
    at = datetime(day.year, day.month, day.day, hour, minute, second)
    if match["zone"]:
        return datetime.fromisoformat(f"{at.isoformat()}{match['zone'].upper().replace('Z', '+00:00')}").timestamp()
    if not (match["word"] or match["year"] or match["name"]) and at > now:
        at -= timedelta(days=1)
    return at.timestamp()


def _day(match: "re.Match[str]", today: date) -> date:
    if match["year"]:
        return date(int(match["year"]), int(match["month"]), int(match["day"]))
    if match["name"]:
        return date(int(match["logyear"]), MONTHS.index(match["name"]) + 1, int(match["logday"]))
    return today - timedelta(days=match["word"] == "yesterday")
