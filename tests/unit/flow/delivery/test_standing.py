"""What is known of destinations: pauses and how many deliveries at once."""

import pytest

from whimbrel.core.queue import RecipientState
from whimbrel.core.values import Duration
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.standing import LONGEST, Standings, is_silence

SETTINGS = DeliverySettings(retry_schedule=(Duration("5m"), Duration("15m"), Duration("4h")))
NOBODY = Outcome(RecipientState.WAITING, "4.4.1 Cannot connect to remote host", "mx[192.0.2.1]:25")


def test_a_destination_gets_one_more_for_each_answer_up_to_the_bound() -> None:
    standings = Standings()
    limits = [standings.limit("a.test", 5)]
    assert standings.met("a.test", 5) and not standings.met("a.test", 5)
    for _ in range(5):
        limits.append(standings.limit("a.test", 5))
        standings.answered("a.test", 5)
    assert limits == [1, 2, 3, 4, 5, 5]
    assert standings.limit("a.test", 1) == 1


def test_silence_begins_a_pause_that_grows_until_there_is_an_answer() -> None:
    standings, now = Standings(), 0.0
    standings.met("a.test", 5)
    assert standings.silent("a.test", NOBODY, now, SETTINGS) is None
    assert standings.paused("a.test", now) is None
    lengths = []
    for _ in range(4):
        pause = standings.silent("a.test", NOBODY, now, SETTINGS)
        assert pause is not None and standings.paused("a.test", now) == pause
        assert pause.status == NOBODY.status and pause.remote == NOBODY.remote
        # What had begun before says nothing new.
        assert standings.silent("a.test", NOBODY, now + 1, SETTINGS) is None
        lengths.append(pause.until - now)
        now = pause.until
        assert standings.paused("a.test", now) is None and standings.limit("a.test", 5) == 1
    assert lengths == [300, 900, LONGEST, LONGEST]
    standings.answered("a.test", 5)
    assert standings.silent("a.test", NOBODY, now, SETTINGS) is None  # From the beginning.


def test_where_nobody_was_ever_met_one_silence_is_enough() -> None:
    standings = Standings()
    assert standings.silent("a.test", NOBODY, 0.0, SETTINGS) is not None
    # A server that greets and falls silent each time is paused all the same.
    standings.met("b.test", 5)
    assert standings.silent("b.test", NOBODY, 0.0, SETTINGS) is None
    assert not standings.met("b.test", 5) and not standings.answering("b.test")
    assert standings.silent("b.test", NOBODY, 0.0, SETTINGS) is not None


def test_who_is_met_only_after_a_silence_gets_no_more_at_once() -> None:
    standings = Standings()
    standings.silent("a.test", NOBODY, 0.0, SETTINGS)
    assert not standings.met("a.test", 5) and standings.limit("a.test", 5) == 1


def test_an_answer_lifts_a_pause() -> None:
    standings = Standings()
    for _ in range(2):
        standings.silent("a.test", NOBODY, 0.0, SETTINGS)
    standings.answered("a.test", 5)
    assert standings.paused("a.test", 1.0) is None


def test_what_is_remembered_is_bounded() -> None:
    standings = Standings(known=10)
    for number in range(1000):
        standings.silent(f"d{number}.test", NOBODY, 0.0, SETTINGS)
        standings.silent("kept.test", NOBODY, 0.0, SETTINGS)
    assert len(standings) == 10 and standings.paused("kept.test", 1.0)


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
def test_only_what_speaks_of_the_destination_is_silence(status: str, reply: str, silence: bool) -> None:
    assert is_silence(Outcome(RecipientState.WAITING, status, reply=reply)) is silence
    assert not is_silence(Outcome(RecipientState.FAILED, status, reply=reply))


def test_a_clock_that_is_set_back_ends_a_pause() -> None:
    standings, now = Standings(), 1_790_000_000.0
    assert standings.silent("a.test", NOBODY, now, SETTINGS) is not None
    assert standings.paused("a.test", now + 1) is not None
    back = now - 86_400  # A pause until tomorrow is none of ours.
    assert standings.paused("a.test", back) is None
    pause = standings.silent("a.test", NOBODY, back, SETTINGS)
    assert pause is not None and pause.until <= back + LONGEST
