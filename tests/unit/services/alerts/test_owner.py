"""Who is told of what, when, and how often."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.fakes import FakeClock, FakeConfig, MemoryLog, MemoryState
from whimbrel.core.errors import MailError
from whimbrel.core.urls import SecretUrl
from whimbrel.core.values import Secret
from whimbrel.services.alerts.events import EVENTS, SIGN_IN_LOCKED, Occurrence, event_of
from whimbrel.services.alerts.owner import FIRST_RETRY, AlertOwner, unheard
from whimbrel.services.alerts.settings import AlertSettings, EventAlert
from whimbrel.services.alerts.teller import Teller
from whimbrel.services.health.board import Result
from whimbrel.services.health.check import Level
from whimbrel.services.health.checks import CHECKS

HOOK = "https://hooks.example.org/mail"


def result(name: str, level: Level, text: str = "4 GB are left") -> Result:
    return Result(name, name.title(), level, text, "make room", "whimbrel x", "/", 0.0, 0.0)


class Told:
    """An alert owner with a post and a webhook in memory."""

    def __init__(self, **settings: Any) -> None:
        self.mails: list[tuple[tuple[str, ...], str, str]] = []
        self.calls: list[tuple[str, bytes, dict[str, str]]] = []
        self.mail_error: MailError | None = None
        self.webhook_error = ""
        self.clock, self.state, self.log = FakeClock(), MemoryState(), MemoryLog()
        self.config = FakeConfig(AlertSettings(**{"to": ("boss@example.net",)} | settings))
        self.owner = self.again()

    def again(self) -> AlertOwner:
        """As after a restart."""
        return AlertOwner(Teller(self, self, "mail.example.org", "1.0"), self.config, self.state, self.clock, self.log)

    async def send(self, to: Sequence[str], subject: str, text: str, *, language: str = "en") -> str:
        if self.mail_error is not None:
            raise self.mail_error
        self.mails.append((tuple(to), subject, text))
        return "q1"

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> str:
        if not self.webhook_error:
            self.calls.append((url, body, headers))
        return self.webhook_error

    def hears(self, *results: Result, after: float = 0.0) -> list[str]:
        """The subjects of the mails of one look at these results."""
        self.clock.forward(after)
        before = len(self.mails)
        self.owner.heard(results)
        asyncio.run(self.owner.look())
        return [subject for _, subject, _ in self.mails[before:]]


LOW, FINE = result("disk", Level.WARNING), result("disk", Level.OK)
BEGUN, OVER = ["mail.example.org: Disk space is low"], ["mail.example.org: Over: Disk space is low"]


def test_a_beginning_and_an_end_are_told_once_each() -> None:
    told = Told()
    assert told.hears(FINE) == []
    assert told.hears(LOW) == BEGUN
    assert told.hears(LOW, after=60) == []
    assert told.hears(FINE, after=60) == OVER
    assert told.hears(FINE, after=60) == []
    to, _, text = told.mails[0]
    assert to == ("boss@example.net",)
    assert "4 GB are left" in text and "What to do: make room" in text and "whimbrel x" in text


def test_what_comes_and_goes_is_told_once_an_hour_at_most() -> None:
    told = Told()
    said = [subject for _ in range(10) for each in (LOW, FINE) for subject in told.hears(each, after=60)]
    assert said == BEGUN + OVER
    assert told.hears(LOW, after=60) == []
    assert told.hears(LOW, after=3600) == BEGUN  # It still goes on when the hour is over.


def test_a_check_that_could_not_look_begins_nothing_and_ends_nothing() -> None:
    told = Told()
    assert told.hears(result("disk", Level.UNKNOWN)) == []
    told.hears(LOW)
    assert told.hears(result("disk", Level.UNKNOWN), after=60) == []
    assert told.hears(FINE, after=60) == OVER


def test_what_was_told_is_known_after_a_restart() -> None:
    told = Told()
    told.hears(LOW)
    told.owner = told.again()
    asyncio.run(told.owner.restore())
    assert told.hears(LOW, after=7200) == []
    assert told.hears(FINE, after=60) == OVER


def night(clock: FakeClock) -> str:
    """Quiet hours from now on for two hours."""
    begin, end = (time.strftime("%H:%M", time.localtime(clock.now() + more)) for more in (-60, 7200))
    return f"{begin}-{end}"


def test_in_quiet_hours_only_what_is_red_is_told_and_the_rest_at_their_end() -> None:
    told = Told(quiet_hours=night(FakeClock()))
    assert told.hears(LOW) == []
    assert told.hears(result("disk", Level.ERROR), after=60) == BEGUN
    assert told.hears(FINE, after=60) == OVER  # As loud as its beginning was.
    asleep = Told(quiet_hours=night(FakeClock()), errors_in_quiet_hours=False)
    assert asleep.hears(result("disk", Level.ERROR)) == []
    assert asleep.hears(FINE, after=60) == []
    assert asleep.hears(LOW, after=60) == []
    assert asleep.hears(LOW, after=7200) == BEGUN


def test_who_is_told_may_differ_by_event() -> None:
    told = Told(
        events=(EventAlert(name="disk-low", to=("disks@example.net",)), EventAlert(name="health", enabled=False))
    )
    told.hears(LOW, result("mx", Level.ERROR), result("queue", Level.WARNING))
    assert [(to, subject.partition(": ")[2]) for to, subject, _ in told.mails] == [
        (("disks@example.net",), "Disk space is low"),
        (("boss@example.net",), "Mail waits in the queue"),
    ]


def test_red_checks_without_an_event_of_their_own_are_told_together() -> None:
    told = Told()
    assert told.hears(result("mx", Level.ERROR, "no MX"), result("open-relay", Level.ERROR, "open"), LOW) == [
        *BEGUN, "mail.example.org: A health check is red",
    ]  # fmt: skip
    assert "no MX" in told.mails[1][2] and "open" in told.mails[1][2]
    assert told.hears(result("mx", Level.WARNING), LOW, after=60) == ["mail.example.org: Over: A health check is red"]


def test_nobody_is_told_unless_somebody_is_named() -> None:
    told = Told(to=())
    assert told.hears(LOW) == []
    told.config.use(AlertSettings(to=("boss@example.net",)))
    assert told.hears(LOW, after=60) == BEGUN


def test_what_could_not_be_sent_is_tried_again_and_known_meanwhile() -> None:
    told = Told(webhook=HOOK)
    told.mail_error = MailError(452, "4.3.1", "no room")
    told.hears(LOW)
    assert len(told.calls) == 1
    assert told.owner.episode("disk-low").error == "mail: no room"
    told.hears(LOW, after=FIRST_RETRY / 2)
    told.mail_error = None
    assert told.hears(LOW, after=FIRST_RETRY / 2 + 1) == BEGUN
    assert len(told.calls) == 1  # It has it already.
    assert told.owner.episode("disk-low").error == ""


def test_who_never_heard_of_the_beginning_is_not_told_of_the_end() -> None:
    told = Told(webhook=HOOK)
    told.mail_error = MailError(452, "4.3.1", "no room")
    told.hears(LOW)
    told.mail_error = None
    assert told.hears(FINE, after=1) == []
    assert [b'"state": "ended"' in body for _, body, _ in told.calls] == [False, True]
    told.hears(LOW, after=7200)
    assert told.hears(FINE, after=60) == OVER


def test_a_webhook_gets_what_happened_signed() -> None:
    import hashlib
    import hmac
    import json

    told = Told(to=(), webhook=HOOK, webhook_secret=Secret("s3cret"))
    told.hears(LOW)
    url, body, headers = told.calls[0]
    assert url == HOOK
    values = json.loads(body)
    assert (values["event"], values["state"], values["level"], values["server"]) == (
        "disk-low", "begun", "warning", "mail.example.org",
    )  # fmt: skip
    at, _, signature = headers["Whimbrel-Signature"].removeprefix("t=").partition(",v1=")
    assert int(at) == int(told.clock.now())
    assert signature == hmac.new(b"s3cret", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert "s3cret" not in str(told.log.records) + str(told.state.values)


def test_a_lock_out_is_told_and_is_over_when_no_more_come() -> None:
    told = Told()
    told.owner.happened(SIGN_IN_LOCKED, Occurrence(Level.WARNING, "anna from 192.0.2.1"), 1800)
    assert told.hears() == ["mail.example.org: Sign-ins are locked out"]
    assert told.hears(FINE, after=600) == []
    assert told.hears(FINE, after=1800) == ["mail.example.org: Over: Sign-ins are locked out"]


def test_a_test_is_sent_at_once_whatever_the_hour() -> None:
    told = Told(quiet_hours="00:00-23:59")
    targets, error = asyncio.run(told.owner.test(EVENTS[0]))
    assert (targets.names, error) == (("boss@example.net",), "")
    assert told.mails[0][1] == "mail.example.org: Test: Disk space is low"


def test_each_health_check_belongs_to_an_event_and_events_name_checks_that_there_are() -> None:
    names = {check.name for check in CHECKS}
    assert {name for event in EVENTS for name in event.checks} - {"*"} <= names
    assert unheard(sorted(names), AlertSettings(), event_of) == names
    only = AlertSettings(events=(EventAlert(name="disk-low", to=("a@example.net",)),))
    assert unheard(sorted(names), only, event_of) == names - {"disk"}


@pytest.mark.parametrize(
    ("hours", "at", "within"),
    [("22:00-06:00", 23, True), ("22:00-06:00", 5, True), ("22:00-06:00", 6, False), ("08:00-10:00", 9, True),
     ("08:00-10:00", 10, False), ("", 3, False)],
)  # fmt: skip
def test_quiet_hours_may_go_over_midnight(hours: str, at: int, within: bool) -> None:
    from whimbrel.services.alerts.quiet import quiet

    assert quiet(hours, time.mktime((2026, 11, 30, at, 0, 0, 0, 0, -1))) is within


def test_the_webhook_of_an_alert_that_waits_is_the_one_in_use_and_stands_in_no_state() -> None:
    told = Told(to=(), webhook=HOOK)
    told.webhook_error = "no"
    told.hears(LOW)
    assert "hooks.example.org" not in repr(asyncio.run(told.state.list("alert")))
    told.config.use(AlertSettings(webhook=SecretUrl(f"{HOOK}/2")))
    told.webhook_error = ""
    told.owner = told.again()
    asyncio.run(told.owner.restore())
    told.hears(LOW, after=FIRST_RETRY + 1)
    assert [url for url, _, _ in told.calls] == [f"{HOOK}/2"]


def test_an_alert_of_a_former_release_that_waits_is_still_sent() -> None:
    told = Told(to=(), webhook=HOOK)
    told.webhook_error = "no"
    told.hears(LOW)
    ((name, text),) = [each for each in asyncio.run(told.state.list("alert")) if '"begun"' in each[1]]
    asyncio.run(told.state.set("alert", name, json.dumps(json.loads(text) | {"webhook": HOOK})))
    told.webhook_error = ""
    told.owner = told.again()
    asyncio.run(told.owner.restore())
    told.hears(LOW, after=FIRST_RETRY + 1)
    assert [url for url, _, _ in told.calls] == [HOOK]
