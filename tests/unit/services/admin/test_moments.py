"""A time is understood in every form that people write it in, by the local calendar; what is no time is refused."""

import time
from collections.abc import Iterator

import pytest

from whimbrel.services.admin.server.moments import moment, span

NOW = 1_795_539_434.0
"""24 November 2026, 17:57:14 in Central Europe, 16:57:14 UTC."""


@pytest.fixture(autouse=True)
def vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def local(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-11-24 17:00", "2026-11-24 17:00:00"),
        (" 2026-11-24T17:00:05 ", "2026-11-24 17:00:05"),
        ("2026-11-24 17:00:05.250", "2026-11-24 17:00:05"),
        ("2026-11-24", "2026-11-24 00:00:00"),
        ("2026-1-2 3:04", "2026-01-02 03:04:00"),
        ("24/Nov/2026 17:57:14", "2026-11-24 17:57:14"),
        ("[24/Nov/2026 17:57:14]", "2026-11-24 17:57:14"),
        ("24/nov/2026", "2026-11-24 00:00:00"),
        ("2026-11-24T16:00:00Z", "2026-11-24 17:00:00"),
        ("2026-11-24 16:00Z", "2026-11-24 17:00:00"),
        ("2026-11-24T21:30:00+05:30", "2026-11-24 17:00:00"),
        ("2026-11-24 11:00 -0500", "2026-11-24 17:00:00"),
        ("today", "2026-11-24 00:00:00"),
        ("Yesterday", "2026-11-23 00:00:00"),
        ("yesterday 08:00", "2026-11-23 08:00:00"),
        ("17:00", "2026-11-24 17:00:00"),
        ("17:57:14", "2026-11-24 17:57:14"),
        ("18:00", "2026-11-23 18:00:00"),  # The last that has been.
        ("now", "2026-11-24 17:57:14"),
        ("1h", "2026-11-24 16:57:14"),
        ("1h30m", "2026-11-24 16:27:14"),
        ("1d 2H", "2026-11-23 15:57:14"),
    ],
)
def test_a_time_is_understood(text: str, means: str) -> None:
    assert moment(text, NOW) == local(means)


def test_a_day_of_the_calendar_may_have_25_hours() -> None:
    now = local("2026-10-26 12:00:00")  # Winter time began the day before, at three.
    assert moment("yesterday", now) == local("2026-10-25 00:00:00")
    assert moment("13:00", now) == local("2026-10-25 13:00:00")
    assert local("2026-10-26 00:00:00") - moment("yesterday", now) == 25 * 3600


def test_what_is_before_all_logs_is_their_beginning() -> None:
    assert moment("999999999w", NOW) == moment("1800-01-01", NOW) == 1.0


@pytest.mark.parametrize(
    "text",
    ["", " ", "x", "1y", "h", "25:99", "24:00", "2026-02-30", "2026-13-01", "24/Foo/2026", "2026-11-24 1h", "tomorrow",
     "1700", "2026-11-2417:00", "today yesterday", "17", "[]", "12:00Z0", "2026-11-24 12:00 +99:99", "T17:00",
     "9999999999999", "١٧:٠٠x"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time: give 1h for an hour ago|is not a duration, such as 4h"):
        moment(text, NOW)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("1.5h", 5400.0), ("1h30m", 5400.0), ("2d 4h", 187200.0)])
def test_a_span_may_have_several_parts(text: str, seconds: float) -> None:
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1", "-1h", "1h x", "1y"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration, such as 4h"):
        span(text)
