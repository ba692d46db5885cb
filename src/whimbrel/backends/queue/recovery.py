"""After a crash or a failed barrier: rows and files of the queue are made to agree.

A file is linked inside the transaction that inserts its row, so whoever holds the write lock sees no half-made entry
of another process.
"""

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw

from whimbrel.backends.queue import rows
from whimbrel.backends.queue.database import immediate
from whimbrel.backends.queue.lanes import rebuild
from whimbrel.core.log import Log

CLOCKS: Final = 300.0
"""Seconds by which a clock may be set back without anything being made of it."""


def recover(connection: apsw.Connection, folder: Path, log: Log) -> int:
    """A settled entry loses file and row; a row without a whole file goes, with an error in the log; a file without a
    row goes to `lost/`. Returns how many were odd."""
    odd = 0
    strays: list[tuple[str, int, int]] = []
    with immediate(connection):
        done = [str(row[0]) for row in connection.execute("SELECT id FROM entry WHERE done = 1").fetchall()]
        _unlink(folder, done)
        rows.remove(connection, done)
        whole = 0
        with os.scandir(folder) as files:
            # One by one: a long queue must not fill the memory.
            for file in files:
                if not file.name.endswith(".eml") or not file.is_file(follow_symlinks=False):
                    continue
                name, size = file.name.removesuffix(".eml"), file.stat(follow_symlinks=False).st_size
                row = connection.execute("SELECT size FROM entry WHERE id = ?", (name,)).fetchone()
                if row is not None and rows.integer(row[0]) == size:
                    whole += 1
                else:
                    strays.append((name, size, -1 if row is None else rows.integer(row[0])))
        for name, size, expected in sorted(strays):
            odd += 1
            if size:
                lose(folder, f"{name}.eml")
            else:
                # Never acknowledged, or put there by hand: a link that a power cut left behind.
                _unlink(folder, [name])
            if expected < 0:
                log.warning("queue.lost", queue_id=name, size=size)
            else:
                log.error("queue.content-missing", queue_id=name, size=expected, found=size)
                rows.remove(connection, [name])
        if whole != rows.integer(connection.execute("SELECT count(*) FROM entry").fetchall()[0][0]):
            odd += _without_file(connection, folder, log)
        # The clock was set back since: what was to wait an hour must not wait for years.
        connection.execute(
            "UPDATE entry SET next_attempt = ?1 + max(0, next_attempt - created), created = ?1 WHERE created > ?1 + ?2",
            (time.time(), CLOCKS),
        )
        # Nobody holds a lease yet: the one who did is dead.
        connection.execute("UPDATE entry SET lease_until = 0 WHERE lease_until > 0")
        rebuild(connection)
    return odd


def _without_file(connection: apsw.Connection, folder: Path, log: Log) -> int:
    """Takes out the rows whose content is not there."""
    gone = [
        (str(name), rows.integer(size))
        for name, size in connection.execute("SELECT id, size FROM entry")
        if not (folder / f"{name}.eml").exists()
    ]
    for name, size in gone:
        log.error("queue.content-missing", queue_id=name, size=size, found=-1)
    rows.remove(connection, [name for name, _ in gone])
    return len(gone)


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
