"""The one-time code: who has it comes in, who guesses waits."""

import pytest

from whimbrel.services.setup import door as doors
from whimbrel.services.setup.door import Door, Locked, WrongCode

CODE = "k3fh-7pwm-xq2a-ynvd"


class Watch:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_code_lets_in_however_it_is_typed() -> None:
    door = Door(CODE, Watch())
    for typed in (CODE, CODE.upper(), CODE.replace("-", ""), f" {CODE.replace('-', ' ')}\r\n"):
        session = door.enter(typed, "192.0.2.1")
        assert door.session(session.cookie) == session
        assert session.cookie not in repr(session)
    assert door.session("") is None
    assert door.session(session.csrf) is None


@pytest.mark.parametrize("typed", ["", CODE[:-1], CODE + "x", "é" * 16, "\udc80", "x" * 100_000])
def test_any_other_does_not(typed: str) -> None:
    with pytest.raises(WrongCode):
        Door(CODE, Watch()).enter(typed, "192.0.2.1")


def test_who_guesses_waits_and_others_do_not() -> None:
    watch = Watch()
    door = Door(CODE, watch)
    for _ in range(doors.HOST_ATTEMPTS):
        with pytest.raises(WrongCode):
            door.enter("x", "192.0.2.1")
        watch.now += 1
    with pytest.raises(Locked) as locked:
        door.enter(CODE, "192.0.2.1")
    assert 0 < locked.value.seconds <= doors.WINDOW
    door.enter(CODE, "192.0.2.2")
    watch.now += locked.value.seconds
    door.enter(CODE, "192.0.2.1")


def test_guessing_from_many_hosts_does_not_keep_out_who_has_the_code() -> None:
    door = Door(CODE, Watch())
    for number in range(500):
        with pytest.raises(WrongCode):
            door.enter("x", f"2001:db8::{number:x}")
    assert door.enter(CODE, "192.0.2.1")


def test_a_session_ends_and_the_oldest_gives_way() -> None:
    watch = Watch()
    door = Door(CODE, watch)
    first = door.enter(CODE, "a")
    more = [door.enter(CODE, "a") for _ in range(20)]
    assert door.session(first.cookie) is None
    assert door.session(more[-1].cookie) is not None
    door.leave(more[-1])
    assert door.session(more[-1].cookie) is None
    watch.now += doors.SESSION
    assert door.session(more[-2].cookie) is None


def test_after_the_set_up_the_code_is_worth_nothing() -> None:
    door = Door(CODE, Watch())
    session = door.enter(CODE, "a")
    door.close()
    for typed in (CODE, ""):
        with pytest.raises(WrongCode):
            door.enter(typed, "a")
    assert door.session(session.cookie) == session
