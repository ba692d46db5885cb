"""Two processes at work on one mail store answer as one store in memory does: nothing is lost, told twice or told late.

Each step is done by one of two open disk stores, chosen at random, and by the reference; then both disk stores must
show the reference's folder, by snapshot and by what changed since any earlier moment.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fakes import FakeClock, MemoryLog
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.spool import HeldContent
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.store.disk import generation
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.backends.store.memory.spool import MemoryContent
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.mailbox import AccountId, FlagChange, FlagOp, FolderRef
from whimbrel.core.uids import ALL, UidSet

ANN = AccountId("ann@example.test")
FOLDERS = ("INBOX", "Work")
Store = DiskStore | MemoryStore

uids = st.builds(UidSet, st.lists(st.tuples(st.integers(1, 600), st.integers(1, 600)), max_size=3)) | st.just(ALL)
changes = st.builds(FlagChange, st.sampled_from(FlagOp), st.integers(0, 31), st.frozensets(st.sampled_from("xyz")))
places = st.integers(0, 1)
steps = st.lists(
    st.tuples(
        st.booleans(),
        st.one_of(
            st.tuples(st.just("append"), places, st.integers(1, 300), st.integers(0, 31)),
            st.tuples(st.just("flags"), places, uids, changes),
            st.tuples(st.just("expunge"), places, uids, st.booleans()),
            st.tuples(st.just("copy"), places, uids, st.none()),
            st.tuples(st.just("move"), places, uids, st.none()),
        ),
    ),
    min_size=1,
    max_size=12,
)


async def do(store: Store, refs: list[FolderRef], step: tuple[str, int, object, object]) -> object:
    kind, place, first, second = step
    ref = refs[place]
    if kind == "append":
        assert isinstance(first, int) and isinstance(second, int)
        make = MemoryContent if isinstance(store, MemoryStore) else HeldContent
        work = [
            Append(ref, Rendition(b"", make(b"Subject: %d\r\n\r\n" % n)), flags=second, internal_date=n)
            for n in range(first)
        ]
        return [getattr(one, "uid", one) for one in await store.commit(work)]
    assert isinstance(first, UidSet)
    if kind == "flags":
        assert isinstance(second, FlagChange)
        stored = await store.set_flags(ref, first, second)
        return [row[:3] for row in stored.rows], stored.changed.ranges
    if kind == "expunge":
        return (await store.expunge(ref, first, marked=bool(second))).uids.ranges
    act = store.copy if kind == "copy" else store.move
    copied = await act(ref, first, refs[1 - place])
    return copied.source, copied.target


async def look(store: Store, ref: FolderRef, since: int) -> tuple[object, ...]:
    snapshot = await store.snapshot(ref)
    delta = await store.changes(ref, since)
    status = snapshot.status
    return (
        list(snapshot.uids), snapshot.keywords, snapshot.first_unseen, status.uid_next, status.messages, status.unseen,
        status.deleted, status.size, [row[:3] for row in delta.rows], delta.expunged.ranges, delta.complete,
        [row[:3] for row in await store.flags(ref, ALL)],
    )  # fmt: skip


async def compare(root: Path, run: list[tuple[bool, tuple[str, int, object, object]]]) -> None:
    number, pool, barrier = generation.begin(root), ThreadPool(1), Barrier(root)
    log = MemoryLog()
    committers = [Committer(barrier, log) for _ in range(2)]
    pair = [
        DiskStore(root, committer=each, pool=pool, notices=LocalNotices(), log=log, generation=number)
        for each in committers
    ]
    memory = MemoryStore(FakeClock(time.time()))
    try:
        stores: list[Store] = [*pair, memory]
        refs: list[list[FolderRef]] = []
        for store in stores:
            if store is not pair[1]:
                await store.create(ANN, "Work")
            refs.append([found.ref for name in FOLDERS if (found := await store.find(ANN, name))])
        history: list[list[list[int]]] = []
        for second, step in run:
            history.append(
                [
                    [(await store.status(ref)).highest_modseq for ref in own]
                    for store, own in zip(stores, refs, strict=True)
                ]
            )
            told = await do(stores[int(second)], refs[int(second)], step)
            assert told == await do(memory, refs[2], step)
            for place in range(2):
                for moment in (history[0], history[len(history) // 2], history[-1]):
                    wanted = await look(memory, refs[2][place], moment[2][place])
                    for which in range(2):
                        assert await look(stores[which], refs[which][place], moment[which][place]) == wanted
        assert not [record for record in log.records if record[0] in ("error", "warning")]
    finally:
        for each in committers:
            each.close()
        for each_store in pair:
            each_store.close()
        pool.close()
        barrier.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(steps)
def test_two_processes_on_one_store_answer_as_one(run: list[tuple[bool, tuple[str, int, object, object]]]) -> None:
    with tempfile.TemporaryDirectory(prefix="whimbrel-pair-") as root:
        asyncio.run(compare(Path(root) / "store", run))
