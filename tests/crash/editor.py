"""A process that changes users.cfg by way of the journal and says what was acknowledged, until it is killed.

`python -m tests.crash.editor FOLDER TAG [mutant]`. The mutant `early` acknowledges a change and then makes it.
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.support.fakes import MemoryLog
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.services.admin.people.records import RECORDS

HOST = "example.org"
USERS = 200


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def opened(folder: Path, log: MemoryLog, pool: ThreadPool | None = None) -> DirectoryFile:
    """Written every few milliseconds, so that kills fall into it."""
    editor = DirectoryFile(
        folder / "users.cfg", folder / "users.idx", records=RECORDS, pool=pool, log=log, journal_from=0,
        write_after=0.004,
    )  # fmt: skip
    editor.open()
    return editor


async def main(folder: Path, tag: str, mutant: str) -> None:
    editor = opened(folder, MemoryLog(), ThreadPool(3))

    async def work(own: int) -> None:
        """Each has users of its own: one is changed again and again, others come and go."""
        number = 0
        while True:
            number += 1
            name = f"{tag}-{own}-{number}"
            steps: list[tuple[str, Op, str, dict[str, object]]] = [
                ("set", Op.SET, f"user{own}", {"full-name": name}),
                ("add", Op.ADD, name, {"aliases": (f"a-{name}",)}),
            ]
            if number > 5:
                steps.append(("gone", Op.REMOVE, f"{tag}-{own}-{number - 5}", {}))
            for word, op, user, values in steps:
                say("begin", word, own, user, name)
                if mutant == "early":
                    say("done", word, own, user, name)
                    await asyncio.sleep(0.02)
                await editor.change([DirectoryChange(op, Kind.USER, HOST, user, values)])
                if mutant != "early":
                    say("done", word, own, user, name)

    say("ready")
    await asyncio.gather(*(work(own) for own in range(4)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else ""))
