"""After a crash or a failed barrier: rows and files of the queue are made to agree.

A file is linked inside the transaction that inserts its row, so whoever holds the write lock sees no half-made entry
of another process.
"""

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import apsw

from whimbrel.backends.queue import rows
from whimbrel.backends.queue.database import immediate
from whimbrel.core.log import Log


def recover(connection: apsw.Connection, folder: Path, log: Log) -> int:
    """A settled entry loses file and row; a row without a whole file goes, with an error in the log; a file without a
    row goes to `lost/`. Returns how many were odd."""
    odd = 0
    with immediate(connection):
        done = [str(row[0]) for row in connection.execute("SELECT id FROM entry WHERE done = 1").fetchall()]
        _unlink(folder, done)
        rows.remove(connection, done)
        entries = {
            str(name): rows.integer(size) for name, size in connection.execute("SELECT id, size FROM entry").fetchall()
        }
        sizes: dict[str, int] = {}
        with os.scandir(folder) as files:
            for file in files:
                if file.name.endswith(".eml") and file.is_file(follow_symlinks=False):
                    sizes[file.name.removesuffix(".eml")] = file.stat(follow_symlinks=False).st_size
        for name in sorted(sizes.keys() - entries.keys()):
            # Never acknowledged, or put there by hand. An empty one is a link that a power cut left behind.
            odd += 1
            if sizes[name]:
                lose(folder, f"{name}.eml")
            else:
                _unlink(folder, [name])
            log.warning("queue.lost", queue_id=name, size=sizes[name])
        for name in sorted(entries):
            if sizes.get(name) == entries[name]:
                continue
            odd += 1
            log.error("queue.content-missing", queue_id=name, size=entries[name], found=sizes.get(name, -1))
            if name in sizes:
                lose(folder, f"{name}.eml")
            rows.remove(connection, [name])
        # Nobody holds a lease yet: the one who did is dead.
        connection.execute("UPDATE entry SET lease_until = 0 WHERE lease_until > 0")
    return odd


def rescue(connection: apsw.Connection, folder: Path, unproven: Sequence[str]) -> None:
    """After a failed barrier. What was added since the last good one was refused, so it goes; then every page is
    written again, since the kernel may have dropped any that it could not write (decision 0003)."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    with immediate(connection):
        rows.remove(connection, unproven)
        _unlink(folder, unproven)
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def lose(folder: Path, name: str) -> None:
    """Moves a file whose story is unclear to `lost/`; nothing there is ever deleted by us."""
    lost = folder / "lost"
    lost.mkdir(mode=0o700, exist_ok=True)
    target = lost / name
    if target.exists():
        target = lost / f"{name.removesuffix('.eml')}-{time.time_ns():x}.eml"
    os.replace(folder / name, target)


def _unlink(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(folder / f"{name}.eml")
