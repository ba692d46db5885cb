"""Calls about deleted mail say what they would take, take no more than they were told, and leave a trace."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.backends.store.memory.spool import MemoryContent
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.backends.store.memory.undelete import MemoryUndelete
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.mailbox import AccountId, FolderRef
from whimbrel.core.uids import ALL, UidSet
from whimbrel.services.admin.calls import CallError, Failure

ALICE = AccountId("alice@example.org")


class Desk:
    """An office whose Alice has four messages, three of them deleted, and a deleted folder."""

    def __init__(self, folder: Path) -> None:
        self.office = Office(folder)
        self.store = MemoryStore(self.office.clock)
        self.context = {"undelete": MemoryUndelete(self.store), "folders": self.store}
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        inbox = await self.store.find(ALICE, "INBOX")
        work = await self.store.create(ALICE, "Work")
        assert inbox is not None
        for ref, names in ((inbox.ref, "abcd"), (work.ref, "e")):
            await self.store.commit(
                [Append(ref, Rendition(b"", MemoryContent(b"Subject: %b\r\n\r\n" % name.encode()))) for name in names]
            )
        await self.store.expunge(inbox.ref, UidSet([(1, 3)]), marked=False)
        await self.store.delete(ALICE, "Work")

    def do(self, call: str, **arguments: Any) -> Any:
        return self.office.do(f"store {call}", self.context, account="alice@example.org", **arguments)

    def dry(self, call: str, **arguments: Any) -> Any:
        return self.office.do(
            f"store {call}", self.context | {"dry_run": True}, account="alice@example.org", **arguments
        )

    def uids(self, name: str = "INBOX") -> list[int]:
        async def read() -> list[int]:
            found = await self.store.find(ALICE, name)
            assert found is not None
            return [row[0] for row in await self.store.flags(FolderRef(ALICE, found.ref.mailbox), ALL)]

        return asyncio.run(read())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def subjects(page: Any) -> set[str]:
    return {line.subject for line in page.items}


def test_deleted_messages_are_listed_by_page_and_filter(desk: Desk) -> None:
    assert subjects(desk.do("undelete-list")) == {"a", "b", "c"}
    first = desk.do("undelete-list", limit=2)
    assert len(first.items) == 2 and first.more
    rest = desk.do("undelete-list", after=first.more)
    assert subjects(first) | subjects(rest) == {"a", "b", "c"} and not rest.more
    assert subjects(desk.do("undelete-list", text="B")) == {"b"}
    assert subjects(desk.do("undelete-list", folder="Elsewhere")) == set()
    desk.office.clock.forward(7200)
    assert subjects(desk.do("undelete-list", since="1h")) == set()
    assert subjects(desk.do("undelete-list", since="3h")) == {"a", "b", "c"}


def test_a_dry_run_counts_and_changes_nothing(desk: Desk) -> None:
    told = desk.dry("undelete-restore", all=True)
    assert told.messages == 3 and "would be" in told.text
    assert desk.dry("undelete-purge", text="a").messages == 1
    assert desk.uids() == [4] and subjects(desk.do("undelete-list")) == {"a", "b", "c"}
    assert not desk.office.log.named("store.undeleted")


def test_what_is_restored_is_what_was_named(desk: Desk) -> None:
    (line,) = desk.do("undelete-list", text="b").items
    assert desk.do("undelete-restore", ids=[line.id]).messages == 1
    assert desk.uids() == [4, 5]
    assert desk.do("undelete-restore", text="c", into="Back").messages == 1
    assert desk.uids("Back") == [1]
    assert [each["account"] for each in desk.office.log.named("store.undeleted")] == [ALICE, ALICE]


@pytest.mark.parametrize("call", ["undelete-restore", "undelete-purge"])
@pytest.mark.parametrize("arguments", [{}, {"all": True, "text": "a"}])
def test_everything_must_be_asked_for(desk: Desk, call: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(CallError) as caught:
        desk.do(call, **arguments)
    assert caught.value.kind is Failure.USAGE
    assert subjects(desk.do("undelete-list")) == {"a", "b", "c"}


def test_a_purge_is_for_good(desk: Desk) -> None:
    assert desk.do("undelete-purge", all=True).messages == 3
    assert desk.do("undelete-restore", all=True).messages == 0 and desk.uids() == [4]


def test_a_deleted_folder_is_listed_and_comes_back(desk: Desk) -> None:
    (line,) = desk.do("undelete-folders").items
    assert (line.name, line.messages) == ("Work", 1)
    assert desk.dry("undelete-folder", id=line.id).messages == 1
    assert "Again" in desk.do("undelete-folder", id=line.id, name="Again").text
    assert desk.uids("Again") == [1] and not desk.do("undelete-folders").items
    with pytest.raises(CallError) as caught:
        desk.do("undelete-purge-folder", id=line.id)
    assert caught.value.kind is Failure.NOT_FOUND


def test_sizes_and_repairs_are_told_by_folder(tmp_path: Path) -> None:
    office = Office(tmp_path)
    sizes = office.stream("store size", account="alice@example.org")
    assert [(line.folder, line.deleted_messages) for line in sizes] == [("INBOX", 1), ("Sent", 1)]
    lines = office.stream("store repair", all=True)
    assert [line.problems for line in lines] == [(), ()] and lines[0].repaired
