"""The process that copies a store beside the running server, at low priority, and ends with who started it.

A process of its own: it opens files of databases, and closing one drops the POSIX locks that a process has on it. It
writes a line of JSON for each batch, `{"percent", "files", "octets", "fresh"}`, at last `{"done": true}` or
`{"failed": "a sentence"}`. With `--whole`, where no server runs, it does the last part too.
"""

import contextlib
import json
import os
import select
import sys
from pathlib import Path
from typing import Final

from whimbrel.app.installation import Installation
from whimbrel.app.store_move import plan as plans
from whimbrel.app.store_move.last_part import end_move, locked
from whimbrel.backends.disk.space import SpaceSettings, octets
from whimbrel.backends.disk.tree_copy import CopyFailed, TreeCopy, measure
from whimbrel.backends.logs.journal import FileLog, Journal
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.core.config import ConfigError
from whimbrel.core.store_move import Move

PASSES: Final = 4
ENOUGH: Final = 256 << 20
"""Octets: once a pass had to copy no more than that, the rest is left to the last part."""
MOST_REST: Final = 1.0
"""Seconds of rest after a batch, at most: as long as it took."""
_IDLE: Final = 3 << 13
"""ioprio_set(2): the class of those who get what nobody else wants."""


def say(**fields: object) -> None:
    """Ends the process when nobody listens any more."""
    try:
        print(json.dumps(fields), flush=True)
    except OSError:
        os._exit(0)


def rest(worked: float) -> None:
    """Mail goes first. The end of the starter is the end of this process, too."""
    readable, _, _ = select.select([sys.stdin.fileno()], [], [], min(worked, MOST_REST))
    if readable:
        os._exit(0)


def copy(directory: Path, move: Move, reserve: int, *, beside: bool) -> None:
    """Passes until little is left to do. CopyFailed, OSError."""
    source, target = Path(move.source), Path(move.target)
    with locked(target, move.id):
        files, _ = measure(source)
        tree = TreeCopy(source, target, reserve=reserve, rest=rest if beside else lambda worked: None)
        try:
            for number in range(PASSES if beside else 1):
                fresh = 0
                for copied in tree.run(last=False):
                    fresh = copied.fresh
                    percent = min(99, 100 * copied.files // max(1, files)) if not number else 99
                    say(percent=percent, files=copied.files, octets=copied.octets, fresh=fresh)
                if number and fresh <= ENOUGH:
                    break
        finally:
            tree.close()


def main() -> int:
    directory, whole = Path(sys.argv[1]), "--whole" in sys.argv[2:]
    with contextlib.suppress(OSError):
        os.nice(10)
    if not whole:
        _idle_disk()
    installation = Installation(directory)
    try:
        config = installation.load_config()
        plan = plans.read(directory)
        move = plan.move
        if move is None or move.state != "copying":
            raise CopyFailed("Nobody has asked for the store to be moved")
        if not move.by_rename:
            state = os.statvfs(move.target)
            reserve = octets(config.section(SpaceSettings).hard_limit, state.f_blocks * state.f_frsize)
            copy(directory, move, reserve, beside=not whole)
        if whole:
            plans.write(directory, plan.becomes("ready"))
            _end(installation)
    except (CopyFailed, ConfigError) as error:
        say(failed=str(error))
        return 1
    except OSError as error:
        say(failed=f"{error.filename or move}: {error.strerror or error}")
        return 1
    say(done=True)
    return 0


def _end(installation: Installation) -> None:
    events = end_move(installation)
    config = installation.load_config()
    with contextlib.closing(Journal(installation.logs)) as journal:
        log = FileLog(journal, lambda: config.section(LogSettings))
        for event in events:
            write = {"info": log.info, "warning": log.warning}.get(event["level"], log.error)
            write(event["name"], **event["fields"])
    for event in events:
        if event["name"] == "store.move-failed":
            raise CopyFailed(event["fields"]["reason"])


def _idle_disk() -> None:
    """On Linux: reads and writes of this process go behind all others'."""
    with contextlib.suppress(OSError, AttributeError):
        import ctypes
        import platform

        number = {"x86_64": 251, "aarch64": 30, "riscv64": 30}.get(platform.machine())
        if number is not None:
            ctypes.CDLL(None).syscall(number, 1, 0, _IDLE)


if __name__ == "__main__":
    sys.exit(main())
