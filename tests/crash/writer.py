"""A process that works on a store and says what was acknowledged, until it is killed or its file system goes away.

`python -m tests.crash.writer STORE TASKS [mutant]`. Each message lives through APPENDED, FLAGGED, MOVED, EXPUNGED; a
line `begin TAG STATE` is written before each step and `done TAG STATE UID` after it was acknowledged.

Mutants are builds of Whimbrel with a fault that the crash tests must find: `no-barrier` completes no barrier,
`early` acknowledges before the work is applied. `listed` is no fault: every expunged file is moved later, by the list
of its folder; `unlisted` is the same without the list.
"""

import asyncio
import itertools
import os
import sys
from pathlib import Path

from tests.support.fakes import MemoryLog
from whimbrel.backends.disk.barrier import Barrier, Touched
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.spool import DiskSpool
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.store.disk import expunged_files, expunged_mover, generation
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.mailbox import SEEN, AccountId, FlagChange, FlagOp, FolderRef
from whimbrel.core.uids import UidSet

STATES = ("APPENDED", "FLAGGED", "MOVED", "EXPUNGED")
KEYWORD = "$Crash"
ACCOUNTS = [AccountId(f"user{n}@example.test") for n in range(3)]


def open_store(folder: Path, log: MemoryLog) -> tuple[DiskStore, Committer, DiskSpool]:
    barrier = Barrier(folder)
    committer = Committer(barrier, log)
    pool = ThreadPool(4)
    store = DiskStore(
        folder, committer=committer, pool=pool, notices=LocalNotices(), log=log, generation=generation.begin(folder)
    )
    return store, committer, DiskSpool(store.spool, pool)


def message(tag: str) -> bytes:
    """Of a size that the tag decides, recognisable whole."""
    head = f"From: a@x.test\r\nSubject: {tag}\r\nMessage-ID: <{tag}@x.test>\r\n\r\n"
    return (head + f"{tag} {'x' * 70}\r\n" * (hash_of(tag) % 200 + 1)).encode()


def hash_of(tag: str) -> int:
    return sum(ord(char) * 31**n for n, char in enumerate(tag)) & 0xFFFF


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def live(store: DiskStore, spool: DiskSpool, account: AccountId, tag: str) -> None:
    inbox = await store.find(account, "INBOX")
    archive = await store.find(account, "Archive")
    assert inbox is not None and archive is not None
    say("begin", tag, "APPENDED")
    found = await store.commit([Append(inbox.ref, Rendition(b"", spool.hold(message(tag))))])
    appended = found[0]
    if not isinstance(appended, Appended):
        raise SystemExit(f"append failed: {appended!r}")
    say("done", tag, "APPENDED", account, appended.uid)
    choice = hash_of(tag) % 4
    if choice == 0:
        return
    uids = UidSet.of([appended.uid])
    say("begin", tag, "FLAGGED")
    await store.set_flags(inbox.ref, uids, FlagChange(FlagOp.ADD, SEEN, frozenset({KEYWORD})))
    say("done", tag, "FLAGGED", account, appended.uid)
    if choice == 1:
        return
    say("begin", tag, "MOVED")
    copied = await store.move(inbox.ref, uids, archive.ref)
    say("done", tag, "MOVED", account, copied.target[0])
    if choice == 2:
        return
    say("begin", tag, "EXPUNGED")
    target: FolderRef = archive.ref
    await store.set_flags(target, UidSet.of(copied.target), FlagChange(FlagOp.ADD, 8))
    await store.expunge(target, UidSet.of(copied.target))
    say("done", tag, "EXPUNGED", account, copied.target[0])


async def main(folder: Path, tasks: int) -> None:
    store, _, spool = open_store(folder, MemoryLog())
    for account in ACCOUNTS:
        if await store.find(account, "Archive") is None:
            await store.create(account, "Archive")
    numbers = itertools.count()
    say("ready")

    async def work(own: int) -> None:
        for count in numbers:
            await live(store, spool, ACCOUNTS[own % len(ACCOUNTS)], f"m{os.getpid()}-{count}")

    async with asyncio.TaskGroup() as group:
        for own in range(tasks):
            group.create_task(work(own))


def use_mutant(name: str) -> None:
    if name in ("listed", "unlisted"):
        move_later(listed=name == "listed")
    elif name == "no-barrier":
        Barrier.complete = lambda self, touched: None  # type: ignore[method-assign]
    elif name == "early":
        original = DiskStore.run

        async def early(self: DiskStore, account: AccountId, job: object) -> object:
            from whimbrel.backends.store.disk.jobs import FlagsJob

            if isinstance(job, FlagsJob):
                asyncio.get_running_loop().call_later(0.02, lambda: asyncio.ensure_future(original(self, account, job)))
                return None
            return await original(self, account, job)  # type: ignore[arg-type]

        DiskStore.run = early  # type: ignore[method-assign, assignment]
        DiskStore.set_flags = early_flags  # type: ignore[method-assign]


def move_later(*, listed: bool) -> None:
    expunged_files.AT_ONCE, expunged_mover.DELAY, expunged_mover.PAUSE = 0, 0.1, 0.05
    if not listed:
        expunged_files._note = lambda folder, uids: str(folder)


async def early_flags(
    self: DiskStore, ref: FolderRef, uids: UidSet, change: FlagChange, unchanged_since: int | None = None
) -> None:
    from whimbrel.backends.store.disk.jobs import FlagsJob

    await self.run(ref.account, FlagsJob(ref.mailbox, uids, change, unchanged_since))


if __name__ == "__main__":
    _ = Touched
    if len(sys.argv) > 3:
        use_mutant(sys.argv[3])
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
