"""`whimbrel doctor` and what `status` says of it."""

from pathlib import Path

import pytest

from tests.support.fakes import MemoryLog
from tests.unit.services.admin.office import Office
from tests.unit.services.health.test_board import RED, check
from tests.unit.services.health.ward import Ward
from whimbrel.services.health.board import Board
from whimbrel.services.health.check import ok, unknown


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def board() -> Board:
    checks = [check("disk", RED), check("clock", ok("fine")), check("mx", unknown("nobody knows"))]
    return Board(checks, Ward().context(), MemoryLog())


def test_the_doctor_says_what_is_wrong_and_with_all_what_is_in_order(office: Office) -> None:
    view = office.do("doctor", {"health": board()})
    assert view.red == ("disk",)
    assert [(row.check, row.state) for row in view.checks] == [("disk", "error"), ("mx", "unknown")]
    assert (view.checks[0].advice, view.checks[0].command) == ("mend it", "mend disk")
    assert view.text == "3 checks: 1 in order, 1 red, 1 unknown; --all shows what is in order, too"
    whole = office.do("doctor", {"health": board()}, all=True)
    assert [row.check for row in whole.checks] == ["disk", "clock", "mx"]


def test_what_was_seen_last_is_shown_without_a_new_look(office: Office) -> None:
    kept = board()
    first = office.do("doctor", {"health": kept}, kept=True)  # There is none yet: it looks.
    office.clock.forward(100)
    again = office.do("doctor", {"health": kept}, kept=True)
    assert again.checks[0].looked == first.checks[0].looked


def test_the_status_tells_how_many_checks_are_red(office: Office) -> None:
    kept = board()
    assert office.do("status", {"health": kept}).red == 0
    office.do("doctor", {"health": kept})
    status = office.do("status", {"health": kept})
    assert status.red == 1
    assert "1 health check is red (disk): see `whimbrel doctor`" in [row.text for row in status.attention]
