import pytest

from whimbrel.mail.structure.date import read


@pytest.mark.parametrize(
    ("raw", "utc", "zone"),
    [
        (b"Tue, 24 Nov 2026 17:57:14 +0100", 1795539434, 60),
        (b"24 Nov 2026 17:57:14 +0100 (CET)", 1795539434, 60),
        (b"Tue, 24 Nov 2026 16:57 GMT", 1795539420, 0),
        (b"Tue,24 November 2026 11:57:14 EST", 1795539434, -300),
        (b"Tue, (what) 24 Nov 2026 16:57:14 -0000", 1795539434, 0),
        (b"Tue Nov 24 16:57:14 2026", 1795539434, 0),
        (b"Tue Nov 24 08:57:14 PST 2026", 1795539434, -480),
        (b"2026-11-24T16:57:14Z", 1795539434, 0),
        (b"24 Nov 26 16:57:14 UT", 1795539434, 0),
        (b"24-Nov-2026 16:57:14 +00:00", 1795539434, 0),
        (b"1 Jan 100 00:00:00 +0000", 946684800, 0),  # RFC 5322 4.3: three digits
        (b"1 Jan 99 00:00:00 K", 915148800, 0),
    ],
)
def test_dates_are_read(raw: bytes, utc: int, zone: int) -> None:
    found = read(raw)
    assert found and (found.utc, found.zone) == (utc, zone)
    assert found.local == utc + zone * 60


@pytest.mark.parametrize(
    "raw", [b"", b"soon", b"32 Nov 2026 1:1:1", b"1 Foo 2026 1:1:1", b"1 Nov 2026 25:00:00", b"9" * 300]
)
def test_what_is_no_date_is_none(raw: bytes) -> None:
    assert read(raw) is None
