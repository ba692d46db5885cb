"""What follows from an attempt."""

from dataclasses import replace

import pytest

from tests.support.fakes import FakeClock
from tests.support.queue_house import NOW, entry
from whimbrel.core.envelope import Notify
from whimbrel.core.queue import QueueItem, QueueRecipient, RecipientState
from whimbrel.core.values import Duration
from whimbrel.flow.delivery.clock_watch import ClockWatch, longest_wait
from whimbrel.flow.delivery.outcome import Outcome, status_of
from whimbrel.flow.delivery.schedule import after_attempt, is_moment, next_attempt
from whimbrel.flow.delivery.settings import DeliverySettings

SETTINGS = DeliverySettings(retry_schedule=(Duration("5m"), Duration("1h")))
WAIT = Outcome(RecipientState.WAITING, "4.4.1 Cannot connect to remote host", "mx")
DONE = Outcome(RecipientState.RELAYED, "2.0.0 OK", "mx")
FAIL = Outcome(RecipientState.FAILED, "5.1.1 No such user", "mx")


def wishes(item: QueueItem, *notify: Notify) -> QueueItem:
    recipient = replace(item.recipients[0].recipient, notify=frozenset(notify))
    return replace(item, recipients=(QueueRecipient(recipient),))


def test_each_recipient_has_an_outcome_of_its_own() -> None:
    item = entry("q1", "a@r.test", "b@r.test", "c@r.test", "d@r.test")
    after = after_attempt(item, {0: DONE, 1: FAIL, 2: WAIT}, NOW + 1, SETTINGS)
    states = [one.state for one in after.item.recipients]
    assert states == [RecipientState.RELAYED, RecipientState.FAILED, RecipientState.WAITING, RecipientState.WAITING]
    assert after.item.recipients[2].status == WAIT.status and after.item.recipients[2].remote == "mx"
    assert after.item.attempts == 1
    assert [str(one.recipient.address) for one, _ in after.reported] == ["b@r.test"]
    assert len(after.outcomes) == 3


@pytest.mark.parametrize(("attempts", "wait"), [(1, 300), (2, 3600), (3, 3600), (50, 3600)])
def test_waits_follow_the_schedule_give_or_take_a_tenth(attempts: int, wait: float) -> None:
    waits = [next_attempt(entry(f"q{n}"), attempts, NOW, SETTINGS) - NOW for n in range(200)]
    assert all(wait * 0.9 <= one <= wait * 1.1 for one in waits)
    assert len(set(waits)) > 100  # What failed together is not tried together.
    assert next_attempt(entry("q1"), attempts, NOW, SETTINGS) == next_attempt(entry("q1"), attempts, NOW, SETTINGS)


def test_the_end_has_an_attempt_of_its_own() -> None:
    item = entry("q1", created=NOW - 5 * 86400 + 600)
    assert next_attempt(item, 9, NOW, SETTINGS) == NOW + 600


def test_after_the_set_time_it_is_given_up() -> None:
    item = entry("q1", created=NOW - 5 * 86400)
    after = after_attempt(item, {0: WAIT}, NOW, SETTINGS)
    (recipient,) = after.item.recipients
    assert recipient.state is RecipientState.FAILED
    assert recipient.status == "5.4.7 Given up after too long: Cannot connect to remote host"
    assert [outcome.state for _, outcome in after.reported] == [RecipientState.FAILED]
    assert not after.item.waiting


def test_a_delay_is_told_once() -> None:
    item = entry("q1", created=NOW - 4 * 3600)
    after = after_attempt(item, {0: WAIT}, NOW, SETTINGS)
    assert [outcome.state for _, outcome in after.reported] == [RecipientState.WAITING]
    assert after_attempt(after.item, {0: WAIT}, NOW + 3600, SETTINGS).reported == ()
    assert after_attempt(entry("q1", created=NOW - 4 * 3600 + 1), {0: WAIT}, NOW, SETTINGS).reported == ()


@pytest.mark.parametrize(
    ("notify", "failure", "delay", "success"),
    [
        ((), True, True, False),
        ((Notify.NEVER,), False, False, False),
        ((Notify.FAILURE,), True, False, False),
        ((Notify.DELAY,), False, True, False),
        ((Notify.SUCCESS,), False, False, True),
        ((Notify.SUCCESS, Notify.FAILURE, Notify.DELAY), True, True, True),
    ],
)
def test_notify_decides_what_is_told(notify: tuple[Notify, ...], failure: bool, delay: bool, success: bool) -> None:
    item = wishes(entry("q1", created=NOW - 5 * 3600), *notify)
    assert bool(after_attempt(item, {0: FAIL}, NOW, SETTINGS).reported) is failure
    assert bool(after_attempt(item, {0: WAIT}, NOW, SETTINGS).reported) is delay
    assert bool(after_attempt(item, {0: DONE}, NOW, SETTINGS).reported) is success


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "status"),
    [
        (250, "2.1.5", "OK", "2.1.5 OK"),
        (550, "", "go away", "5.0.0 go away"),
        (450, "5.1.1", "confused", "4.0.0 confused"),
        (354, "", "odd", "4.0.0 odd"),
        (550, "5.1.1000", "odd", "5.0.0 odd"),
    ],
)
def test_a_status_has_the_class_of_its_reply(code: int, enhanced: str, text: str, status: str) -> None:
    assert status_of(code, enhanced, text) == status


def test_an_entry_whose_destination_is_paused_is_not_given_up_before_one_more_attempt() -> None:
    """Clocks jump and machines sleep: what is old then was not tried since."""
    item = entry("q1", created=NOW - SETTINGS.give_up_after - 60, due=NOW - 4000)
    after = after_attempt(item, {0: WAIT}, NOW, SETTINGS, paused_until=NOW + 300)
    assert after.item.recipients[0].state is RecipientState.WAITING
    assert NOW + 300 <= after.item.next_attempt <= NOW + 360
    # After the pause: it is tried, or somebody else was and found out that nothing has changed.
    assert is_moment(after.item, NOW + 360, SETTINGS)
    for paused_until in (None, NOW + 900):
        again = after_attempt(after.item, {0: WAIT}, NOW + 360, SETTINGS, paused_until=paused_until)
        assert again.item.recipients[0].state is RecipientState.FAILED


@pytest.mark.parametrize(("status", "waits"), [("4.2.0 Busy", [1, 2, 4, 8]), ("4.2.2 Mailbox is full", [300, 3600])])
def test_a_busy_mailbox_is_tried_soon_and_a_full_one_as_anything_else(status: str, waits: list[float]) -> None:
    item = entry("q1")
    local = QueueRecipient(item.recipients[0].recipient, local=True, account="b@example.test")
    item, now = replace(item, recipients=(local,)), NOW
    for wait in waits:
        item = after_attempt(item, {0: Outcome(RecipientState.WAITING, status)}, now, SETTINGS).item
        assert abs(item.next_attempt - now - wait) <= wait / 10 + 0.01
        now = item.next_attempt


def test_a_clock_that_was_set_back_is_noticed() -> None:
    clock = FakeClock()
    watch = ClockWatch(clock)
    assert watch.set_back() and not watch.set_back()
    clock.forward(5000)
    assert not watch.set_back()
    clock.ahead += 30 * 86_400
    assert not watch.set_back()
    clock.ahead -= 30 * 86_400
    assert watch.set_back() and not watch.set_back()
    assert longest_wait(SETTINGS) > 3600
