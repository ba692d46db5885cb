"""`whimbrel alert`, and what the doctor says of who is told."""

from pathlib import Path

import pytest

from tests.unit.services.admin.office import Office
from tests.unit.services.admin.test_doctor import board
from tests.unit.services.alerts.test_owner import LOW, Told
from whimbrel.core.errors import MailError
from whimbrel.services.admin.calls import CallError, Failure


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def test_the_list_names_who_is_told_and_the_checks_that_nobody_is_told_of(office: Office) -> None:
    ports = {"health": board(), "alerts": Told().owner}
    view = office.do("alert list", ports)
    assert view.unheard == ("disk", "clock", "mx")
    assert {row.state for row in view.items} == {"off"}
    assert office.do("doctor", ports, all=True).checks[0].alerts == "nobody"
    office.do("config set", path="alerts/to", value=["boss@example.net"])
    view = office.do("alert list", ports)
    assert (view.unheard, {row.state for row in view.items}) == ((), {"quiet"})
    assert office.do("doctor", ports, all=True).checks[0].alerts == "boss@example.net"


def test_what_goes_on_is_listed_with_the_last_error(office: Office) -> None:
    told = Told()
    told.mail_error = MailError(452, "4.3.1", "no room")
    told.hears(LOW)
    office.do("config set", path="alerts/to", value=["boss@example.net"])
    row = next(row for row in office.do("alert list", {"health": board(), "alerts": told.owner}).items if row.since)
    assert (row.event, row.state, row.error, row.checks) == ("disk-low", "going on", "mail: no room", ("disk",))
    assert "4 GB are left" in row.text


def test_a_test_goes_to_those_who_are_told_and_says_what_went_wrong(office: Office) -> None:
    told = Told()
    ports = {"health": board(), "alerts": told.owner}
    with pytest.raises(CallError, match="Nobody is told of disk-low"):
        office.do("alert test", ports, event="disk-low")
    with pytest.raises(CallError) as caught:
        office.do("alert test", ports, event="disk-lo")
    assert caught.value.kind is Failure.NOT_FOUND
    office.do("config set", path="alerts/to", value=["boss@example.net"])
    assert office.do("alert test", ports, event="disk-low").failed == ()
    told.mail_error = MailError(550, "5.1.1", "no such user")
    assert office.do("alert test", ports, event="disk-low").failed == ("mail: no such user",)


@pytest.mark.parametrize(
    ("path", "value"), [("alerts/to", "boss"), ("alerts/webhook", "http://x.test/"), ("alerts/quiet-hours", "22-6")]
)
def test_what_nothing_can_be_sent_to_is_refused_when_it_is_set(office: Office, path: str, value: str) -> None:
    with pytest.raises(CallError) as caught:
        office.do("config set", path=path, value=[value])
    assert caught.value.kind is Failure.REFUSED
