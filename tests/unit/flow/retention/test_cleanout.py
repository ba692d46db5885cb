"""Clean-out: what goes, what stays, and that nothing goes in a dry run."""

import asyncio

from tests.support.fakes import FakeClock
from whimbrel.backends.store.memory.spool import MemorySpool
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.cleanout import DAY, CleanOut
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.mailbox import INBOX, AccountId, FolderRef, SpecialUse
from whimbrel.core.uids import ALL
from whimbrel.flow.retention.cleanout import STEP, Cleaned, clean_out

ALICE = AccountId("alice@example.test")


class Stage:
    def __init__(self) -> None:
        self.clock, self.spool = FakeClock(), MemorySpool()
        self.store = MemoryStore(self.clock)

    async def folder(self, name: str, use: SpecialUse | None = None) -> FolderRef:
        found = await self.store.find(ALICE, name)
        return found.ref if found else (await self.store.create(ALICE, name, use)).ref

    async def put(self, ref: FolderRef, count: int = 1, internal_date: int | None = None) -> None:
        rendition = Rendition(b"", self.spool.hold(b"Subject: x\r\n\r\n"))
        await self.store.commit([Append(ref, rendition, internal_date=internal_date)] * count)

    async def clean(self, *rules: str, dry_run: bool = False) -> list[Cleaned]:
        kinds = [CleanOut(rule) for rule in rules]
        return await clean_out(self.store, self.store, ALICE, kinds, self.clock.now(), dry_run=dry_run)

    async def count(self, ref: FolderRef) -> int:
        return len(await self.store.flags(ref, ALL))


def test_each_folder_has_the_rule_of_its_kind_and_other_folders_stay() -> None:
    async def test() -> None:
        stage = Stage()
        trash = await stage.folder("Deleted Items", SpecialUse.TRASH)
        inside = await stage.folder("Deleted Items/Old project")
        junk = await stage.folder("Junk E-mail", SpecialUse.JUNK)
        work, inbox = await stage.folder("Work"), await stage.folder(INBOX)
        for ref in (trash, inside, junk, work, inbox):
            await stage.put(ref)
        stage.clock.forward(20 * DAY)
        for ref in (trash, junk, inbox):
            await stage.put(ref)
        stage.clock.forward(11 * DAY)
        assert await stage.clean("deleted 30d", "junk 5d") == [
            Cleaned("Deleted Items", 1), Cleaned("Deleted Items/Old project", 1), Cleaned("Junk E-mail", 2),
        ]  # fmt: skip
        assert [await stage.count(ref) for ref in (trash, inside, junk, work, inbox)] == [1, 0, 0, 1, 2]
        assert await stage.clean("all 10d", "deleted 0d", "inbox 20d") == [Cleaned(INBOX, 1), Cleaned("Work", 1)]

    asyncio.run(test())


def test_age_is_the_time_in_the_folder_not_the_age_of_the_mail() -> None:
    async def test() -> None:
        stage = Stage()
        inbox, trash = await stage.folder(INBOX), await stage.folder("Trash", SpecialUse.TRASH)
        await stage.put(inbox, internal_date=1_000_000)
        stage.clock.forward(400 * DAY)
        await stage.store.move(inbox, ALL, trash)
        assert await stage.clean("deleted 30d") == []
        stage.clock.forward(29 * DAY)
        assert await stage.clean("deleted 30d") == []
        stage.clock.forward(2 * DAY)
        assert await stage.clean("deleted 30d") == [Cleaned("Trash", 1)]

    asyncio.run(test())


def test_a_dry_run_tells_the_same_and_deletes_nothing() -> None:
    async def test() -> None:
        stage = Stage()
        inbox = await stage.folder(INBOX)
        await stage.put(inbox, 3)
        stage.clock.forward(2 * DAY)
        told = await stage.clean("all 1d", dry_run=True)
        assert await stage.count(inbox) == 3
        assert await stage.clean("all 1d") == told == [Cleaned(INBOX, 3)]
        assert await stage.count(inbox) == 0

    asyncio.run(test())


def test_many_messages_go_in_steps_so_that_others_get_their_turn() -> None:
    async def test() -> None:
        stage = Stage()
        inbox = await stage.folder(INBOX)
        await stage.put(inbox, STEP * 2 + 1)
        stage.clock.forward(2 * DAY)
        steps: list[int] = []
        expunge = stage.store.expunge

        async def counted(ref: FolderRef, uids: object, *, marked: bool = True) -> object:
            done = await expunge(ref, uids, marked=marked)  # type: ignore[arg-type]
            steps.append(len(done.uids))
            return done

        stage.store.expunge = counted  # type: ignore[assignment]
        assert await stage.clean("inbox 1d") == [Cleaned(INBOX, STEP * 2 + 1)]
        assert steps == [STEP, STEP, 1]

    asyncio.run(test())
