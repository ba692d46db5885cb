"""`store check` changes nothing, and says what is wrong with an index before anybody heals it."""

import asyncio
from pathlib import Path

import pytest

from tests.support.fakes import InlinePool, MemoryLog
from whimbrel.app.keeper import DiskKeeper
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.spool import DiskSpool
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.mailbox import AccountId

ALICE = AccountId("alice@example.org")


def opened(folder: Path) -> tuple[DiskStore, DiskKeeper]:
    log, pool = MemoryLog(), InlinePool()
    committer = Committer(Barrier(folder), log)
    store = DiskStore(folder, committer=committer, pool=pool, notices=LocalNotices(), log=log, generation=1)
    return store, DiskKeeper(store, pool)


def checked(keeper: DiskKeeper) -> list[str]:
    async def work() -> list[str]:
        return [problem async for each in keeper.check(ALICE) for problem in each.problems]

    return asyncio.run(work())


@pytest.mark.parametrize(("content", "words"), [(None, "is not there"), (b"", "is empty"), (b"junk" * 2000, "damaged")])
@pytest.mark.parametrize("running", [True, False])
def test_a_check_heals_nothing_and_says_what_is_wrong(
    tmp_path: Path, content: bytes | None, words: str, running: bool
) -> None:
    store, keeper = opened(tmp_path)

    async def append() -> None:
        work = await store.create(ALICE, "Work")
        spool = DiskSpool(store.spool, InlinePool())
        await store.commit([Append(work.ref, Rendition(b"", spool.hold(b"Subject: x\r\n\r\n")))])

    asyncio.run(append())
    assert checked(keeper) == []
    if not running:
        store.close()
        store, keeper = opened(tmp_path)
    (index,) = [path for path in tmp_path.rglob("index.fld") if "Work" in str(path)]
    for path in index.parent.glob("index.fld*"):
        path.unlink()
    if content is not None:
        index.write_bytes(content)
    for _ in range(2):
        (problem,) = checked(keeper)
        assert problem.startswith("index.fld") and words in problem
        assert (index.read_bytes() if index.exists() else None) == content

    async def repaired() -> list[tuple[str, ...]]:
        return [each.problems async for each in keeper.repair(ALICE)]

    assert not any(asyncio.run(repaired())) and checked(keeper) == []
    store.close()
