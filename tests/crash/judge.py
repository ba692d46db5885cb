"""A process with a store and a queue that judges one late message and files it, and kills itself after a given commit.

`python -m tests.crash.judge STORE KILL [mutant]`. It has one message for a mailbox here and one elsewhere, which was
accepted before it was judged; placement files it into two folders and sends a side message. After the commit number
KILL the process is gone (0: it lives on and ends when nothing is left to do); what is sent to other servers is written,
line by line, to `STORE/sent`. At its end it prints what the folders hold.

Mutants: `apart` adds the new entries and leaves the end of the old one to the worker; `unmarked` files copies without
the mark by which a second delivery is known.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.support.fakes import FakeConfig, FakeIds, MemoryCounters, MemoryLog, MemoryState
from tests.support.filters import filter_ports
from tests.support.flow_fakes import FakeDirectory, address
from whimbrel.app.clock import SystemClock
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.spool import DiskSpool
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.queue.store import QueueStore
from whimbrel.backends.store.disk import generation
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.core.commit import Append, Appended, Enqueue, PassOn, Rendition, Work
from whimbrel.core.directory import Account
from whimbrel.core.disposition import Disposition, Place, SideMessage
from whimbrel.core.envelope import Envelope, Recipient
from whimbrel.core.mailbox import AccountId
from whimbrel.core.queue import QueueFilter, QueueItem, QueueRecipient, RecipientState
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.intake.reception import Reception
from whimbrel.flow.judging.policy import Policy

MAIL = b"From: a@b.test\r\nDate: x\r\nSubject: once\r\n\r\nhello\r\n"
OLD = "6ab3f000-00000001"
ALICE = AccountId("alice@example.test")
WHAT = Disposition(
    (Place(), Place("Copies", create=True)),
    (SideMessage(Envelope(address(ALICE), (Recipient(address("side@else.test")),))),),
)


class Commits:
    """The store's commits, counted; a mutant changes them."""

    def __init__(self, store: DiskStore, kill: int, mutant: str) -> None:
        self._store, self._kill, self._mutant = store, kill, mutant

    async def commit(self, work: Sequence[Work]) -> Sequence[Appended | Exception | None]:
        done: list[Work] = []
        for each in work:
            if self._mutant == "apart" and isinstance(each, PassOn):
                done += each.entries
            elif self._mutant == "unmarked" and isinstance(each, Append):
                done.append(replace(each, queue_id=""))
            else:
                done.append(each)
        answers = await self._store.commit(done)
        self._kill -= 1
        if not self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
        return answers if len(done) == len(work) else [None] * len(work)


async def work_off(queue: QueueStore, agent: LocalAgent, sent: Path) -> None:
    """As the queue's worker: an attempt, then what came of it is stored."""
    while items := await queue.lease(time.time() + 3600, 9, 1.0):
        for item in sorted(
            items, key=lambda item: item.unchecked
        ):  # What went on may be gone before the old one comes.
            places = [at for at, each in enumerate(item.recipients) if each.state is RecipientState.WAITING]
            if any(item.recipients[at].local for at in places):
                outcomes = await agent.deliver(item, tuple(item.recipients[at] for at in places))
                states = [outcome.state for outcome in outcomes]
            else:
                with sent.open("a") as file:
                    for at in places:
                        file.write(f"{item.recipients[at].recipient.address}\n")
                states = [RecipientState.RELAYED] * len(places)
            recipients = list(item.recipients)
            for at, state in zip(places, states, strict=True):
                recipients[at] = replace(recipients[at], state=state)
            await queue.update(replace(item, recipients=tuple(recipients)))


async def main(folder: Path, kill: int, mutant: str) -> None:
    log, clock, pool = MemoryLog(), SystemClock(), ThreadPool(2)
    number = generation.begin(folder)
    barrier = Barrier(folder)
    committer = Committer(barrier, log)
    queue = QueueStore(folder / "queue", folder / "spool", committer, pool, LocalNotices(), log)
    store = DiskStore(
        folder, committer=committer, pool=pool, notices=LocalNotices(), log=log, generation=number, queue=queue
    )
    spool, directory, config = DiskSpool(store.spool, pool), FakeDirectory(), FakeConfig()
    directory.user(ALICE)
    commits = Commits(store, kill, mutant)
    reception = Reception(
        directory=directory, folders=store, spool=spool, commit=commits, config=config,
        policy=Policy([], filter_ports(config, log)), state=MemoryState(), counters=MemoryCounters(),
        clock=clock, ids=FakeIds(), log=log,
    )  # fmt: skip

    async def decide(account: Account, *_what: object) -> Disposition:
        return WHAT

    reception.placement.decide = decide  # type: ignore[method-assign]
    queue.recover()
    if not (folder / "begun").exists():
        recipients = tuple(QueueRecipient(Recipient(address(to)), local=True) for to in (ALICE, "out@else.test"))
        item = QueueItem(OLD, address("a@b.test"), recipients, time.time(), time.time(), unchecked=True,
                         origin="submission")  # fmt: skip
        await store.commit([Enqueue(item, Rendition(b"", spool.hold(MAIL)))])
        (folder / "begun").touch()
    agent = LocalAgent(
        queue=queue, directory=directory, delivery=reception.local, spool=spool, commit=commits,
        resume=reception.resume,
    )  # fmt: skip
    old = QueueFilter(ids=frozenset({OLD}))
    if kill == 0:  # What went on may be gone before the old one comes again.
        await queue.hold(old, held=True)
        await work_off(queue, agent, folder / "sent")
        await queue.hold(old, held=False)
    await work_off(queue, agent, folder / "sent")
    for each in await store.list(ALICE):
        status = await store.status(each.ref)
        print(each.name, status.messages)
    committer.close()
    store.close()
    queue.close()
    pool.close()
    generation.end(folder, number)
    barrier.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), "".join(sys.argv[3:4])))
