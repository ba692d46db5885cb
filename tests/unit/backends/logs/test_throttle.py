"""A flood of warnings or errors is told by its beginning and its count."""

import asyncio
from pathlib import Path

import pytest

from whimbrel.backends.logs import journal as module
from whimbrel.backends.logs import throttle
from whimbrel.backends.logs.journal import FileLog, Journal
from whimbrel.backends.logs.throttle import EVENT, SAME, WINDOW, Held, Throttle


def test_the_same_record_is_written_ten_times_a_minute_and_then_counted() -> None:
    made = Throttle()
    assert sum(made.admits(5.0, "error", "x", "same") for _ in range(1000)) == SAME
    assert made.admits(5.0, "error", "x", "another") and made.admits(5.0, "error", "y", "same")
    assert list(made.due(5.0 + WINDOW - 1)) == [] and made.holds
    assert list(made.due(5.0 + WINDOW)) == [Held("error", "x", 1000 - SAME, WINDOW)]
    assert not made.holds and made.admits(70.0, "error", "x", "same")


def test_records_of_one_event_have_a_bound_whatever_their_texts() -> None:
    made = Throttle()
    assert sum(made.admits(0.0, "warning", "x", str(number)) for number in range(10_000)) == EVENT
    assert [held.count for held in made.due(WINDOW)] == [10_000 - EVENT]


def test_a_clock_set_back_holds_nothing_for_ever() -> None:
    made = Throttle()
    for _ in range(SAME + 1):
        made.admits(1000.0, "error", "x", "same")
    assert [held.count for held in made.due(10.0)] == [1]


def test_what_was_held_is_told_at_the_end_and_sign_ins_are_never_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, interval=0.001)
    log = FileLog(journal)
    for _ in range(500):
        log.error("store.failed", account="a", shard="s")
        log.warning("signin.failed", service="imap", user="x", sender_host="192.0.2.2", method="PLAIN")
    journal.close()
    errors = (tmp_path / "error.log").read_text().splitlines()
    assert len(errors) == SAME + 1
    assert f"] Repeated: Event: store.failed, Count: {500 - SAME}, Seconds: " in errors[-1]
    assert len((tmp_path / "security.log").read_text().splitlines()) == 500


def test_what_was_held_is_told_when_the_minute_is_over_though_nothing_else_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "WINDOW", 0.05)
    monkeypatch.setattr(module, "WINDOW", 0.05)
    journal = Journal(tmp_path, interval=0.001)
    for _ in range(SAME + 5):
        FileLog(journal).error("store.failed", account="a")

    async def told() -> None:
        while "Repeated: Event: store.failed, Count: 5" not in (tmp_path / "error.log").read_text():
            await asyncio.sleep(0.01)

    journal.flush()
    asyncio.run(asyncio.wait_for(told(), 20))
    journal.close()
