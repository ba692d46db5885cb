"""IP groups and time intervals: what lists of clients and rules mean by a name."""

from datetime import datetime

import pytest

from whimbrel.core.definitions import Clients, Definitions, IpGroup, TimeInterval, When


def groups(**members: tuple[str, ...]) -> Definitions:
    return Definitions(
        ip_groups=tuple(IpGroup(name=name, members=tuple(map(Clients, each))) for name, each in members.items())
    )


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.7", "192.0.2.7/32"),
        (" 10.0.0.5 - 10.0.0.20 ", "10.0.0.5-10.0.0.20"),
        ("2001:db8::1-2001:db8::ff", "2001:db8::1-2001:db8::ff"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("office", "office"),
        ("abcd", "abcd"),
    ],
)
def test_a_member_is_kept_in_its_usual_form(written: str, kept: str) -> None:
    assert Clients(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        "",
        "10.0.0.0/33",
        "10.0.0.20-10.0.0.5",
        "10.0.0.1-2001:db8::1",
        "10.0.0.1-",
        "office group",
        "9office",
        "a/b",
        "::ffff:0:0/96",
    ],
)
def test_what_is_no_member_is_refused_in_words(written: str) -> None:
    with pytest.raises(ValueError, match=r"is no|stands for"):
        Clients(written)


def test_a_list_means_addresses_networks_ranges_and_groups_in_groups() -> None:
    there = groups(office=("192.0.2.0/28", "vpn"), vpn=("10.8.0.5-10.8.0.20", "2001:db8:1::/64"))
    list_ = (Clients("office"), Clients("198.51.100.1"))
    inside = ["192.0.2.1", "10.8.0.5", "10.8.0.20", "2001:db8:1::9", "198.51.100.1", "::ffff:10.8.0.7"]
    outside = ["192.0.2.16", "10.8.0.4", "10.8.0.21", "2001:db8:2::9", "198.51.100.2", "", "office"]
    assert [there.include(list_, ip) for ip in inside] == [True] * len(inside)
    assert [there.include(list_, ip) for ip in outside] == [False] * len(outside)


def test_a_group_that_is_not_there_or_empty_or_in_a_circle_means_nobody() -> None:
    there = groups(empty=(), one=("two",), two=("one",))
    for name in ("missing", "empty", "one"):
        assert there.networks((Clients(name),)) == ()
        assert not there.include((Clients(name),), "192.0.2.1")


@pytest.mark.parametrize(
    ("when", "inside", "outside"),
    [
        (
            "mon-fri 08:00-18:00",
            ["2026-11-30 08:00", "2026-12-04 17:59"],
            ["2026-11-30 07:59", "2026-11-30 18:00", "2026-11-29 12:00"],
        ),
        ("sat,sun", ["2026-11-28 00:00", "2026-11-29 23:59"], ["2026-11-30 00:00"]),
        ("fri-mon", ["2026-11-27 12:00", "2026-11-30 12:00"], ["2026-12-01 12:00"]),
        ("mon 22:00-06:00", ["2026-11-30 22:00", "2026-12-01 05:59"], ["2026-12-01 22:00", "2026-11-30 05:00"]),
        ("22:00-24:00", ["2026-11-30 23:59"], ["2026-12-01 00:00", "2026-11-30 21:59"]),
        ("2026-12-24..2026-12-26", ["2026-12-24 00:00", "2026-12-26 23:59"], ["2026-12-27 00:00", "2026-12-23 23:59"]),
        ("2026-12-31", ["2026-12-31 12:00"], ["2027-01-01 00:00"]),
    ],
)
def test_an_interval_covers_what_it_says(when: str, inside: list[str], outside: list[str]) -> None:
    there = Definitions(
        time_intervals=(
            TimeInterval(name="own", times=(When(when),)),
            TimeInterval(name="other", times=(When("own"),)),
        )
    )
    for name in ("own", "other"):
        assert all(there.covers(name, datetime.fromisoformat(each)) for each in inside)
        assert not any(there.covers(name, datetime.fromisoformat(each)) for each in outside)
    assert not there.covers("missing", datetime.fromisoformat(inside[0]))


@pytest.mark.parametrize(
    "when",
    [
        "",
        "mon-xyz 08:00-09:00",
        "25:00-26:00",
        "08:00",
        "mon 08:00-18:00 19:00-20:00",
        "2026-02-30",
        "2026-12-26..2026-12-24",
    ],
)
def test_what_is_no_time_is_refused_in_words(when: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        When(when)


def test_intervals_in_a_circle_cover_nothing_and_end() -> None:
    there = Definitions(
        time_intervals=(TimeInterval(name="one", times=(When("two"),)), TimeInterval(name="two", times=(When("one"),)))
    )
    assert not there.covers("one", datetime(2026, 11, 30))
