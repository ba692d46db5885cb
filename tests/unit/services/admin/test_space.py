"""The room that mail takes: what the disk has left, what domains and mailboxes hold."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import MemoryLog
from tests.unit.services.admin.office import Office
from tests.unit.services.health.ward import Ward
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import AccountId
from whimbrel.services.admin.mail import usage
from whimbrel.services.admin.people import domain_list
from whimbrel.services.admin.ports import FolderSize
from whimbrel.services.health.board import Board
from whimbrel.services.health.check import Disk, Holding
from whimbrel.services.health.forecast import EVERY, KIND

GB = 1 << 30


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def shown(office: Office, disk: Disk, values: list[tuple[float, float]]) -> Any:
    ward = Ward()
    ward.machine.disk_now = disk
    context = ward.context()
    assert context.state is not None
    asyncio.run(context.state.set(KIND, "disk", json.dumps(values)))
    return office.do("store space", {"health": Board((), context, MemoryLog())})


def test_a_disk_that_fills_says_when_it_is_full(office: Office) -> None:
    now = office.clock.now()
    falling = [(now - number * EVERY, 10 * GB + number * (GB / 48)) for number in range(48, 0, -1)]  # 1 GB a day.
    view = shown(office, Disk("/srv/store", 10 * GB, 100 * GB, 2 * GB, "enough", 3 * GB), falling)
    assert (view.folder, view.free, view.total, view.soft, view.hard) == (
        "/srv/store", 10 * GB, 100 * GB, 3 * GB, 2 * GB,
    )  # fmt: skip
    assert view.state == "enough"
    assert view.grows == pytest.approx(GB, rel=0.01)
    assert view.full_in == pytest.approx(8 * 86_400, rel=0.01)


def test_what_is_not_known_is_not_said(office: Office) -> None:
    now = office.clock.now()
    view = shown(office, Disk("/srv/store", 10 * GB, 100 * GB, 2 * GB, "enough"), [(now - 60, 99 * GB)])
    assert (view.grows, view.full_in) == (None, None)


def test_a_disk_that_empties_is_never_full(office: Office) -> None:
    now = office.clock.now()
    rising = [(now - number * EVERY, 10 * GB - number * (GB / 48)) for number in range(48, 0, -1)]
    view = shown(office, Disk("/srv/store", 10 * GB, 100 * GB, 2 * GB, "enough"), rising)
    assert view.grows == pytest.approx(-GB, rel=0.01) and view.full_in is None


def test_queue_logs_and_indexes_are_parts_of_the_disk_and_grow(office: Office) -> None:
    now = office.clock.now()
    ward = Ward()
    ward.machine.held = (Holding("queue", 5), Holding("logs", 2 * GB, GB, 9))
    context = ward.context()
    assert context.state is not None
    rising = [(now - number * EVERY, 2 * GB - number * (GB / 48)) for number in range(48, 0, -1)]
    asyncio.run(context.state.set(KIND, "disk-logs", json.dumps(rising)))
    queue, logs = office.do("store space", {"health": Board((), context, MemoryLog())}).parts
    assert (queue.name, queue.size, queue.grows, queue.spare) == ("queue", 5, None, 0)
    assert (logs.size, logs.spare, logs.spare_files) == (2 * GB, GB, 9)
    assert logs.grows == pytest.approx(GB, rel=0.01)


class Mailboxes:
    """Three in one domain, one in another, and one that goes away meanwhile."""

    sizes_of = {"a@example.org": 500, "b@example.org": 900, "c@example.org": 100, "d@other.test": 50, "x@other.test": 0}

    async def accounts(self) -> list[AccountId]:
        return [AccountId(name) for name in self.sizes_of]

    async def sizes(self, account: AccountId) -> AsyncIterator[FolderSize]:
        if account == "x@other.test":
            raise MailboxError(Condition.NONEXISTENT, "it was renamed")
        for folder in ("INBOX", "Sent"):
            yield FolderSize(account, folder, 2, self.sizes_of[account], 1, 10)


def counted(office: Office, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(office, "keeper", Mailboxes())
    return office.stream("store count")


def test_mailboxes_are_counted_with_what_is_kept_of_deleted_mail(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = counted(office, monkeypatch)
    assert [line.percent for line in lines] == sorted(line.percent for line in lines)
    last = lines[-1]
    assert (last.mailboxes, last.messages, last.size) == (4, 16, 3100)
    assert (last.deleted_messages, last.deleted_size, last.percent) == (8, 80, 100)
    view = office.do("store usage")
    assert view.counted == office.clock.now()
    assert [(each.name, each.mailboxes, each.size, each.deleted_size) for each in view.domains] == [
        ("example.org", 3, 3000, 60),
        ("other.test", 1, 100, 20),
    ]
    assert [each.account for each in view.largest] == [
        "b@example.org",
        "a@example.org",
        "c@example.org",
        "d@other.test",
    ]
    assert view.size == last.size


def test_only_the_largest_are_named_and_all_are_counted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "LARGEST", 2)
    counted(office, monkeypatch)
    view = office.do("store usage")
    assert [each.account for each in view.largest] == ["b@example.org", "a@example.org"]
    assert (view.mailboxes, view.size) == (4, 3100)


def test_before_the_first_count_and_after_one_of_another_release_nothing_is_known(office: Office) -> None:
    assert (office.do("store usage").counted, office.do("store usage").mailboxes) == (0, 0)
    for kept in ("", "[]", '{"counted": 1}', '{"domains": 1}'):
        asyncio.run(office.state.set(usage.KIND, usage.LATEST, kept))
        assert office.do("store usage").counted == 0


def test_mailboxes_of_removed_users_are_told_apart(office: Office) -> None:
    office.mail("alice@example.org", 2)
    office.do("user remove", name="alice")
    office.stream("store count")
    view = office.do("store usage")
    assert view.removed_mailboxes == 1 and view.removed_size > 0


def test_growth_is_what_came_between_two_counts_by_day(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(office, monkeypatch)
    view = office.do("store usage")
    assert (view.grows, view.fastest, [each.grows for each in view.domains]) == (None, (), [None, None])
    office.clock.forward(2 * 86_400)
    more = {**Mailboxes.sizes_of, "c@example.org": 1100, "a@example.org": 400, "d@other.test": 150}
    monkeypatch.setattr(Mailboxes, "sizes_of", more)
    counted(office, monkeypatch)
    view = office.do("store usage")
    assert {each.name: each.grows for each in view.domains} == {"example.org": 900, "other.test": 100}
    assert view.grows == 1000
    assert [(each.account, each.grows) for each in view.fastest] == [("c@example.org", 1000), ("d@other.test", 100)]
    office.clock.forward(60)  # A count by hand soon after says nothing new of growth, and forgets nothing.
    counted(office, monkeypatch)
    again = office.do("store usage")
    assert (again.grows, [each.account for each in again.fastest]) == (1000, ["c@example.org", "d@other.test"])


def test_domains_of_many_mailboxes_show_what_was_counted_last(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(office, monkeypatch)
    monkeypatch.setattr(domain_list, "IN_LIST", -2)
    monkeypatch.setattr(domain_list, "IN_DOMAIN", -1)
    (row,) = [each for each in office.do("domain list", usage=True).items if each.name == "example.org"]
    assert (row.storage, row.messages) == (3000, 12)
    assert office.do("domain show", name="example.org", usage=True).messages == 12
    assert office.do("domain show", name="example.org").messages is None
