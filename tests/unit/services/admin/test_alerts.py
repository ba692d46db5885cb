"""`whimbrel alert`, and what the doctor says of who is told."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.services.admin.office import Office, ask
from tests.unit.services.admin.test_doctor import board
from tests.unit.services.alerts.test_owner import LOW, Told
from whimbrel.core.errors import MailError
from whimbrel.core.settings import Gravity
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.alerts.settings import AlertSettings


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


@pytest.mark.parametrize(("path", "value"), [("alerts/to", "boss"), ("alerts/quiet-hours", "22-6")])
def test_what_nothing_can_be_sent_to_is_refused_when_it_is_set(office: Office, path: str, value: str) -> None:
    with pytest.raises(CallError) as caught:
        office.do("config set", path=path, value=[value])
    assert caught.value.kind is Failure.REFUSED


SETTINGS = "/api/admin/settings"
HOOK = "https://hooks.example.org/services/T00000000/tok3n-4711"
SHOWN = "https://hooks.example.org/..."


@pytest.mark.parametrize("path", ["alerts/webhook", "alerts/event[disk-low]/webhook"])
def test_nobody_is_shown_more_of_a_webhook_than_its_host(office: Office, path: str) -> None:
    told = Told()
    ports = {"health": board(), "alerts": told.owner}
    answers = [office.do("config set", path=path, secret=HOOK), office.do("config get", path=path)]
    assert answers[-1].value == SHOWN
    told.config.use(office.context().config.section(AlertSettings))
    told.webhook_error = f"the answer is 404: there is no {HOOK}"
    answers += [office.do("alert test", ports, event="disk-low"), office.do("alert list", ports)]
    answers += [office.do("config describe", path=path), office.do("config list")]
    answers.append(ask(office.context, SETTINGS, method="GET").json["result"]["values"][path])
    assert answers[-1] == {"value": None, "default": False, "secret": True, "shown": SHOWN}
    answers += [office.do("config export", everything=True), office.do("config set", path=path, secret=f"{HOOK}-2")]
    told.hears(LOW)
    answers += [office.do("alert list", ports), told.log.records, asyncio.run(told.state.list("alert"))]
    assert SHOWN in repr(answers) and "alert.sent" in repr(told.log.records)
    kept = repr(answers) + repr(office.log.records)
    assert "tok3n" not in kept and "T0000" not in kept


def test_a_webhook_is_set_by_a_file_and_refused_in_words_without_it(office: Office) -> None:
    with pytest.raises(CallError, match="--secret-file"):
        office.do("config set", path="alerts/webhook", value=[HOOK])
    for wrong in (f"{HOOK}\r\n", "https://", "https://[::1", f"https://me:tok3n@{HOOK[8:]}", f"{HOOK} ", SHOWN):
        answer = ask(office.context, SETTINGS, {"alerts/webhook": wrong}, method="PATCH")
        assert answer.status == 422 and b"tok3n" not in answer.body
        assert [fault["pointer"] for fault in answer.json["error"]["fields"]] == ["/alerts~1webhook"]


def test_the_history_of_changes_holds_no_webhook_and_undo_says_why_it_cannot(office: Office) -> None:
    office.do("config set", path="alerts/webhook", secret=HOOK)
    office.do("config set", path="alerts/webhook", secret=f"{HOOK}-2")
    changes = [record for record in office.log.records if "config.changed" in repr(record)]
    assert len(changes) == 2 and "********" in repr(changes[1]) and "hooks.example.org" not in repr(changes)


def test_a_webhook_that_stood_in_the_file_before_goes_on_working(office: Office) -> None:
    file = office.folder / "mailserver.cfg"
    text = file.read_text("utf-8") if file.is_file() else ""
    bad = "https://hooks.example.org/with a blank"
    for url, faults in ((HOOK, []), (bad, ["alerts/webhook"])):
        file.write_text(_with(text, url), "utf-8")
        config = office.context().config
        assert config.section(AlertSettings).webhook.reveal() == url
        wrong = [each.path for each in config.concerns() if each.gravity is Gravity.WRONG]
        assert wrong == faults
    # What was wrong before keeps nobody from changing something else.
    office.do("config set", path="alerts/interval", value=["2h"])
    assert bad in file.read_text("utf-8")


def _with(text: str, url: str) -> str:
    start = text or '<?xml version="1.0" encoding="UTF-8"?>\n<mailserver>\n</mailserver>\n'
    return start.replace("</mailserver>", f"<alerts><webhook>{url}</webhook></alerts></mailserver>")
