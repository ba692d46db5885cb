"""A process that fills a queue and works it off, and says what was acknowledged, until it is cut off.

`python -m tests.crash.sender STORE [mutant]`. Lines: `begin STEP ID` before a step, `done STEP ID` after it was
acknowledged. Steps are `add`; then by chance `finish` (a server took it, for which `begin` stands), `update` (put off
after an attempt), `commit` (the same call, but nobody waits any more), `delete` (by a person).

Mutants are builds with a fault that the tests must find: `no-barrier` completes no barrier, `early` acknowledges what
was sent before the queue knows of it.
"""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.crash.writer import hash_of, message, say
from tests.support.queue_house import QueueHouse, entry, open_queue
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.queue.store import QueueStore
from whimbrel.core.queue import Deferral, QueueFilter, QueueItem, RecipientState

STEPS = ("finish", "update", "settle", "delete", "finish")
STATUS = "4.2.1 Not now"
ADDING = 8
YEAR = 365 * 86_400.0


def step_of(name: str) -> str:
    return STEPS[hash_of(name) % len(STEPS)]


def content_of(name: str) -> bytes:
    """Each third one holds what a file reads as that was given a length and no data."""
    return message(name) + bytes(8192 if hash_of(name) % 3 == 0 else 0)


async def add(house: QueueHouse, numbers: "itertools.count[int]") -> None:
    for number in numbers:
        name = f"m{os.getpid()}-{number}"
        say("begin", "add", name)
        now = time.time()
        failed = await house.add(entry(name, f"b@d{number % 7}.test", created=now, due=now), content_of(name))
        if failed is not None:
            raise SystemExit(f"not added: {failed!r}")
        say("done", "add", name)


async def work_off(house: QueueHouse) -> None:
    """As the queue's worker does: leases, finishes in batches, stores what waits on one by one."""
    while True:
        leased = await house.queue.lease(time.time(), 24, 120.0, each=6)
        if not leased:
            await asyncio.sleep(0.002)
            continue
        finished = [item.id for item in leased if step_of(item.id) == "finish"]
        others = [item for item in leased if step_of(item.id) != "finish"]
        await asyncio.gather(finish(house, finished), *(commit(house, item) for item in others))
        # What is put off as a whole need not survive, but must spoil nothing.
        now = time.time()
        await house.queue.defer([Deferral("d0.test", now, now + 0.01, 0.0, STATUS, leased=frozenset())])


async def finish(house: QueueHouse, names: Sequence[str]) -> None:
    for name in names:
        say("begin", "finish", name)
    await house.queue.finish(names)
    for name in names:
        say("done", "finish", name)


async def commit(house: QueueHouse, item: QueueItem) -> None:
    step = step_of(item.id)
    say("begin", step, item.id)
    if step == "delete":
        await house.queue.delete(QueueFilter(ids=frozenset({item.id})))
    else:
        state = RecipientState.RELAYED if step == "settle" else RecipientState.WAITING
        recipients = (replace(item.recipients[0], state=state, status=STATUS),)
        await house.queue.update(replace(item, recipients=recipients, attempts=1, next_attempt=time.time() + YEAR))
    say("done", step, item.id)


async def main(store: Path) -> None:
    async with open_queue(store) as house:
        house.queue.recover()
        numbers = itertools.count()
        say("ready")
        async with asyncio.TaskGroup() as group:
            for _ in range(ADDING):
                group.create_task(add(house, numbers))
            group.create_task(work_off(house))


async def verify(store: Path, log: str) -> list[str]:
    """Everything that is wrong, as the process that starts after the cut finds it."""
    begun: dict[str, str] = {}
    done: dict[str, str] = {}
    for line in log.split("\n")[:-1]:
        verb, _, rest = line.partition(" ")
        step, _, name = rest.partition(" ")
        if verb in ("begin", "done"):
            (begun if verb == "begin" else done)[name] = step
    wrong: list[str] = []
    async with open_queue(store) as house:
        house.queue.recover()
        items = {item.id: item for item in await house.queue.select(QueueFilter(), limit=1_000_000)}
        for name, item in items.items():
            wrong += await _check_found(house, item, begun.get(name, ""), done.get(name, ""))
        for name, last in done.items():
            if name not in items and last in ("add", "update") and begun[name] == last:
                wrong.append(f"{name}: acknowledged ({last}) and lost")
        # Whatever is there can be had, and the leases of the dead bind nobody.
        leased = await house.queue.lease(time.time() + 2 * YEAR, 1_000_000, 0.0)
        if missing := items.keys() - {item.id for item in leased}:
            wrong.append(f"{len(missing)} entries cannot be leased, among them {min(missing)}")
        files = {path.name.removesuffix(".eml") for path in (store / "queue").glob("*.eml")}
        if files != items.keys():
            wrong.append(f"files and rows differ: {sorted(files ^ items.keys())[:5]}")
    return wrong


async def _check_found(house: QueueHouse, item: QueueItem, begun: str, done: str) -> list[str]:
    name, wrong = item.id, list[str]()
    if await house.queue.content(name) != content_of(name):
        wrong.append(f"{name} ({done or 'not acknowledged'}) is not as it was added")
    if item.give_up:
        wrong.append(f"{name}: {item.give_up}")
    if done in ("finish", "settle", "delete"):
        wrong.append(f"{name}: acknowledged ({done}) and still there: it would be sent again")
    if done == "update" and (item.attempts, item.recipients[0].status) != (1, STATUS):
        wrong.append(f"{name}: its attempt was stored and is forgotten")
    if done == "add" and begun == "add" and item.attempts:
        wrong.append(f"{name}: has an attempt that nobody made")
    return wrong


def use_mutant(name: str) -> None:
    if name == "no-barrier":
        Barrier.complete = lambda self, touched: None  # type: ignore[method-assign]
    elif name == "early":
        finishing = QueueStore.finish

        async def early(self: QueueStore, ids: Sequence[str]) -> None:
            asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(finishing(self, ids)))

        QueueStore.finish = early  # type: ignore[method-assign]


if __name__ == "__main__":
    if sys.argv[1] == "--verify":
        for problem in asyncio.run(verify(Path(sys.argv[2]), sys.stdin.read())):
            print(problem)
    else:
        if len(sys.argv) > 2:
            use_mutant(sys.argv[2])
        asyncio.run(main(Path(sys.argv[1])))
