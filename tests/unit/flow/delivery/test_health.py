"""What is known of destinations: pauses and how many deliveries at once."""

import pytest

from whimbrel.core.queue import RecipientState
from whimbrel.core.values import Duration
from whimbrel.flow.delivery.health import LONGEST, DestinationHealth, is_unreachable
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.settings import DeliverySettings

SETTINGS = DeliverySettings(retry_schedule=(Duration("5m"), Duration("15m"), Duration("4h")))
NOBODY = Outcome(RecipientState.WAITING, "4.4.1 Cannot connect to remote host", "mx[192.0.2.1]:25")


def test_a_destination_gets_one_more_for_each_answer_up_to_the_bound() -> None:
    health = DestinationHealth()
    limits = [health.limit("a.test", 5)]
    assert health.greeted("a.test", 5) and not health.greeted("a.test", 5)
    for _ in range(5):
        limits.append(health.limit("a.test", 5))
        health.answered("a.test", 5)
    assert limits == [1, 2, 3, 4, 5, 5]
    assert health.limit("a.test", 1) == 1


def test_failures_begin_a_pause_that_grows_until_there_is_an_answer() -> None:
    health, now = DestinationHealth(), 0.0
    health.greeted("a.test", 5)
    assert health.unreachable("a.test", NOBODY, now, SETTINGS) is None
    assert health.paused("a.test", now) is None
    lengths = []
    for _ in range(4):
        pause = health.unreachable("a.test", NOBODY, now, SETTINGS)
        assert pause is not None and health.paused("a.test", now) == pause
        assert pause.status == NOBODY.status and pause.remote == NOBODY.remote
        # What had begun before says nothing new.
        assert health.unreachable("a.test", NOBODY, now + 1, SETTINGS) is None
        lengths.append(pause.until - now)
        now = pause.until
        assert health.paused("a.test", now) is None and health.limit("a.test", 5) == 1
    assert lengths == [300, 900, LONGEST, LONGEST]
    health.answered("a.test", 5)
    assert health.unreachable("a.test", NOBODY, now, SETTINGS) is None  # From the beginning.


def test_where_no_server_has_ever_greeted_one_failure_is_enough() -> None:
    health = DestinationHealth()
    assert health.unreachable("a.test", NOBODY, 0.0, SETTINGS) is not None
    # A server that greets and falls silent each time is paused all the same.
    health.greeted("b.test", 5)
    assert health.unreachable("b.test", NOBODY, 0.0, SETTINGS) is None
    assert not health.greeted("b.test", 5) and not health.answering("b.test")
    assert health.unreachable("b.test", NOBODY, 0.0, SETTINGS) is not None


def test_a_destination_that_greets_only_after_a_failure_gets_no_more_at_once() -> None:
    health = DestinationHealth()
    health.unreachable("a.test", NOBODY, 0.0, SETTINGS)
    assert not health.greeted("a.test", 5) and health.limit("a.test", 5) == 1


def test_an_answer_lifts_a_pause() -> None:
    health = DestinationHealth()
    for _ in range(2):
        health.unreachable("a.test", NOBODY, 0.0, SETTINGS)
    health.answered("a.test", 5)
    assert health.paused("a.test", 1.0) is None


def test_what_is_remembered_is_bounded() -> None:
    health = DestinationHealth(known=10)
    for number in range(1000):
        health.unreachable(f"d{number}.test", NOBODY, 0.0, SETTINGS)
        health.unreachable("kept.test", NOBODY, 0.0, SETTINGS)
    assert len(health) == 10 and health.paused("kept.test", 1.0)


@pytest.mark.parametrize(
    ("status", "reply", "silence"),
    [
        ("4.4.1 Cannot connect to remote host", "", True),
        ("4.7.5 TLS handshake failed", "", True),
        ("4.4.3 No name server answers", "", True),
        ("4.3.2 Closing", "421 4.3.2 Closing", True),
        ("4.3.2 Busy", "451 4.3.2 Busy", True),
        ("4.7.1 Greylisted", "451 4.7.1 Greylisted", False),
        ("4.2.2 Full", "452 4.2.2 Full", False),
        ("4.3.0 The content cannot be read", "", False),
    ],
)
def test_only_what_speaks_of_the_destination_is_unreachable(status: str, reply: str, silence: bool) -> None:
    assert is_unreachable(Outcome(RecipientState.WAITING, status, reply=reply)) is silence
    assert not is_unreachable(Outcome(RecipientState.FAILED, status, reply=reply))


def test_a_clock_that_is_set_back_ends_a_pause() -> None:
    health, now = DestinationHealth(), 1_790_000_000.0
    assert health.unreachable("a.test", NOBODY, now, SETTINGS) is not None
    assert health.paused("a.test", now + 1) is not None
    back = now - 86_400  # A pause until tomorrow is none of ours.
    assert health.paused("a.test", back) is None
    pause = health.unreachable("a.test", NOBODY, back, SETTINGS)
    assert pause is not None and pause.until <= back + LONGEST
