"""A process that appends to one folder and says what was acknowledged; trouble is retried with another message.

`python -m tests.crash.appender STORE NAME GENERATION`: lines `done TAG UID`.
"""

import asyncio
import sys
from pathlib import Path

from tests.crash.writer import ACCOUNTS, message, say
from tests.support.fakes import MemoryLog
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.spool import DiskSpool
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.errors import MailError
from whimbrel.core.uids import ALL

TASKS = 3


async def main(folder: Path, name: str, generation: int) -> None:
    log, pool = MemoryLog(), ThreadPool(4)
    committer = Committer(Barrier(folder), log)
    store = DiskStore(folder, committer=committer, pool=pool, notices=LocalNotices(), log=log, generation=generation)
    spool = DiskSpool(store.spool, pool)
    inbox = await store.find(ACCOUNTS[0], "INBOX")
    assert inbox is not None
    ref = inbox.ref
    say("ready")

    async def work(own: int) -> None:
        count = 0
        while True:
            count += 1
            tag = f"{name}-{own}-{count}"
            found = (await store.commit([Append(ref, Rendition(b"", spool.hold(message(tag))))]))[0]
            if isinstance(found, Appended):
                say("done", tag, found.uid)
            elif not isinstance(found, MailError):
                say("trouble", repr(found))
            if count % 5 == 0:
                try:  # A reader at the same time must get an answer or a MailError, never rows without messages.
                    rows = await store.flags(ref, ALL)
                    await store.content(ref, rows[-1][0])
                except MailError:
                    pass

    async with asyncio.TaskGroup() as group:
        for own in range(TASKS):
            group.create_task(work(own))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
