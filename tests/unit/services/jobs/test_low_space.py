"""Somebody is told that the disk fills up: once each time, and as soon as that can be said."""

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.unit.services.jobs.house import House, Room
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Internal
from whimbrel.services.jobs.low_space import watch_space

LOW, ENOUGH = Room(short=True), Room()


class Door:
    """Takes messages, or answers what it is told to."""

    def __init__(self, *answers: MailError | None) -> None:
        self.answers, self.taken = list(answers), list[Internal]()

    async def submit(self, message: Internal) -> str:
        error = self.answers.pop(0) if self.answers else None
        if error is not None:
            raise error
        self.taken.append(message)
        return "1"


def went(
    folder: Path, looks: list[Room], *answers: MailError | None, notify: str = "root@example.org"
) -> tuple[Door, House]:
    house, door = House(folder), Door(*answers)

    async def main() -> None:
        look = watch_space(replace(house.ctx, intake=door, room=lambda: house.room, notify_low_space=lambda: notify))
        for house.room in looks:
            await look()

    asyncio.run(main())
    return door, house


def test_each_time_space_runs_low_is_told_once(tmp_path: Path) -> None:
    door, _ = went(tmp_path, [ENOUGH, LOW, LOW, LOW, ENOUGH, LOW])
    assert len(door.taken) == 2
    message = door.taken[0]
    assert message.envelope.sender is None
    assert [str(one.address) for one in message.envelope.recipients] == ["root@example.org"]
    text = asyncio.run(message.content.read()).replace(b"=\r\n", b"")
    assert b"To: root@example.org\r\n" in text and b"Auto-Submitted: auto-generated\r\n" in text
    assert b"900 MB are left in /srv/store" in text.replace(b"\r\n", b" ")


def test_nobody_is_told_unless_somebody_is_named(tmp_path: Path) -> None:
    assert went(tmp_path, [LOW] * 3, notify="")[0].taken == []


def test_a_notice_that_finds_no_room_is_sent_when_there_is_some(tmp_path: Path) -> None:
    door, _ = went(tmp_path, [LOW, LOW, LOW], MailError(452, "4.3.1", "Insufficient system storage"))
    assert len(door.taken) == 1


def test_a_notice_that_is_refused_is_logged_and_not_tried_for_ever(tmp_path: Path) -> None:
    door, house = went(tmp_path, [LOW, LOW, LOW], MailError(550, "5.1.1", "No such user"))
    assert door.taken == []
    assert [event for _, event, _ in house.log.records] == ["space.notice-failed"]
