"""IP groups and time intervals by calls: what uses them is said, and keeps them."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.services.admin.calls import CallError, Failure


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def refused(office: Office, call: str, /, **arguments: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        office.do(call, **arguments)
    return caught.value


def test_a_group_is_made_used_and_not_removed_while_it_is(office: Office) -> None:
    office.do("ip-group add", name="vpn", members=["10.8.0.5-10.8.0.20"])
    office.do("ip-group add", name="office", members=["192.0.2.0/28", "vpn"], description="Berlin")
    office.do("config set", path="relay/allow-from", value=["office"])
    rows = {row.name: row for row in office.do("ip-group list").items}
    assert rows["office"].members == ("192.0.2.0/28", "vpn")
    assert (rows["office"].used_by, rows["office"].description) == (("relay/allow-from",), "Berlin")
    assert rows["vpn"].used_by == ("definitions/ip-group[office]/member",)
    assert "used by relay/allow-from" in refused(office, "ip-group remove", name="office").text
    checked = {row.place: row.by for row in office.do("ip-group check", client="10.8.0.7").items}
    assert checked == {
        "definitions/ip-group[vpn]": ("10.8.0.5-10.8.0.20",),
        "definitions/ip-group[office]": ("vpn",),
        "relay/allow-from": ("office",),
    }
    office.do("config unset", path=["relay/allow-from"])
    office.do("ip-group remove", name="office")
    assert [row.name for row in office.do("ip-group list").items] == ["vpn"]


def test_a_list_is_searched_by_name_and_description_and_cut(office: Office) -> None:
    office.do("ip-group add", name="vpn", members=["10.8.0.5"])
    office.do("ip-group add", name="office", members=["vpn"], description="Berlin and its VPN")
    office.do("time-interval add", name="work", times=["mon-fri"])
    assert [row.name for row in office.do("ip-group list", search="VPN").items] == ["office", "vpn"]
    assert [row.name for row in office.do("ip-group list", search="berl", limit=1).items] == ["office"]
    first = office.do("ip-group list", limit=1)
    assert (len(first.items), first.total) == (1, 2)
    assert [row.name for row in office.do("ip-group list", after=first.more, limit=1).items] == ["vpn"]
    assert not office.do("time-interval list", search="play").items


def test_names_that_are_not_there_and_circles_are_refused(office: Office) -> None:
    with pytest.raises(CallError, match="there is no IP group 'ofice'"):
        office.do("config set", path="relay/allow-from", value=["ofice"])
    office.do("ip-group add", name="one", members=["192.0.2.1"])
    office.do("ip-group add", name="two", members=["one"])
    with pytest.raises(CallError, match="contains itself: one > two > one"):
        office.do("ip-group set", name="one", members=["two"])
    assert refused(office, "ip-group add", name="one", members=["192.0.2.2"]).kind is Failure.REFUSED
    assert "did you mean 'one'" in refused(office, "ip-group set", name="onne", members=["192.0.2.2"]).text
    with pytest.raises(CallError, match="name of an IP group"):
        office.do("ip-group set", name="one", members=["192.0.2.0/33"])
    assert refused(office, "ip-group check", client="office").kind is Failure.USAGE


def test_an_open_relay_is_one_by_a_group_too(office: Office) -> None:
    office.do("ip-group add", name="friends", members=["192.0.2.1"])
    office.do("config set", path="relay/allow-from", value=["friends"])
    with pytest.raises(CallError, match="open relay"):
        office.do("ip-group set", name="friends", members=["0.0.0.0/1"])


def test_an_interval_says_whether_it_is_now(office: Office) -> None:
    office.do("time-interval add", name="working-hours", times=["mon-fri 08:00-18:00"])
    office.do("time-interval add", name="open", times=["working-hours", "2026-12-24"])
    assert office.do("time-interval check", name="open", moment="2026-11-30T09:00").inside
    assert office.do("time-interval check", name="open", moment="2026-12-24T22:00").inside
    assert not office.do("time-interval check", name="open", moment="2026-11-29T09:00").inside
    rows = {row.name: row for row in office.do("time-interval list").items}
    assert rows["working-hours"].used_by == ("definitions/time-interval[open]/when",)
    assert rows["open"].now == office.do("time-interval check", name="open").inside
    assert "used by" in refused(office, "time-interval remove", name="working-hours").text
    assert refused(office, "time-interval check", name="open", moment="noon").kind is Failure.USAGE
    office.do("time-interval remove", name="open")
    office.do("time-interval remove", name="working-hours")
