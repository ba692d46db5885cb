"""After a crash or a failed barrier: rows and files of the queue are made to agree.

A file is linked inside the transaction that inserts its row, so whoever holds the write lock sees no half-made entry
of another process, and a row that can be seen has its whole file: but for what a power cut took. What may be such is
read before the lock is taken, so that mail goes on being added meanwhile.
"""

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import apsw

from whimbrel.backends.queue import rows
from whimbrel.backends.queue.checksum import damaged
from whimbrel.backends.queue.database import LOST, RECOVERED, immediate
from whimbrel.backends.queue.lanes import CLOCKS, rebuild, set_back
from whimbrel.core.log import Log
from whimbrel.core.queue import CONTENT_LOST, QueueRecipient

LAST_MOMENT: Final = 60.0
"""Seconds before the latest entry in which one may have been added that nobody was told of."""


def recover(connection: apsw.Connection, folder: Path, log: Log) -> int:
    """A finished entry loses file and row; a file without a row goes to `lost/`; a row without a whole file is returned
    to its sender, or goes (`_without_content`). Returns how many were repaired."""
    mended = 0
    torn: list[str] = []
    strays: list[tuple[str, int, int]] = []
    moment = _last_moment(connection)
    spoilt = _spoilt(connection, folder, moment)
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
                name = file.name.removesuffix(".eml")
                try:
                    size = file.stat(follow_symlinks=False).st_size
                except FileNotFoundError:  # Of an entry that another process has finished: that needs no lock.
                    continue
                row = connection.execute("SELECT size FROM entry WHERE id = ?", (name,)).fetchone()
                if row is not None and rows.integer(row[0]) == size and name not in spoilt:
                    whole += 1
                else:
                    strays.append((name, size, -1 if row is None else rows.integer(row[0])))
        for name, size, expected in sorted(strays):
            mended += 1
            if size:
                lose(folder, f"{name}.eml")
            else:
                # Never acknowledged, or put there by hand: a link that a power cut left behind.
                _unlink(folder, [name])
            if expected < 0:
                log.warning("queue.lost", queue_id=name, size=size)
            else:
                log.error("queue.content-missing", queue_id=name, size=expected, found=size)
                torn.append(name)
        _without_content(connection, torn, moment)
        if whole != rows.integer(connection.execute("SELECT count(*) FROM entry").fetchall()[0][0]):
            mended += _without_file(connection, folder, set(torn), moment, log)
        set_back(connection, time.time())
        # Nobody holds a lease yet: the one who did is dead.
        connection.execute("UPDATE entry SET lease_until = 0 WHERE lease_until > 0")
        connection.execute("INSERT OR IGNORE INTO meta VALUES(?, '')", (RECOVERED,))
        rebuild(connection)
    return mended


def _last_moment(connection: apsw.Connection) -> float:
    """When it began. An entry that is ahead of the clock tells nothing: the clock was set back since."""
    query = "SELECT ifnull(max(created), 0) FROM entry WHERE created <= ?"
    return rows.real(connection.execute(query, (time.time() + CLOCKS,)).fetchall()[0][0]) - LAST_MOMENT


def _spoilt(connection: apsw.Connection, folder: Path, moment: float) -> set[str]:
    """Entries whose file has its length and not their content: a file system may note the one before it has written
    the other. All are read that a barrier may not have covered; some more, should the clock have been set back a
    little, but only where a checksum says for certain what is wrong."""
    candidates = connection.execute(
        "SELECT id, checksum FROM entry WHERE done = 0 AND attempts < 2 "
        "AND created >= iif(checksum IS NULL, ?1, ?1 - ?2)",
        (moment, CLOCKS),
    )
    # One by one: a long queue must not fill the memory.
    return {
        str(name)
        for name, checksum in candidates
        if damaged(f"{folder}/{name}.eml", None if checksum is None else rows.integer(checksum))
    }


def _without_file(connection: apsw.Connection, folder: Path, known: set[str], moment: float, log: Log) -> int:
    """The rows whose content is not there, but for those that are `known`."""
    gone = [
        (str(name), rows.integer(size))
        for name, size in connection.execute("SELECT id, size FROM entry")
        if name not in known and not _is_file(folder / f"{name}.eml")
    ]
    for name, size in gone:
        log.error("queue.content-missing", queue_id=name, size=size, found=-1)
    _without_content(connection, [name for name, _ in gone], moment)
    return len(gone)


def _without_content(connection: apsw.Connection, names: Sequence[str], moment: float) -> None:
    """What was taken in for certain is returned to its sender, who must hear of it (RFC 5321 6.1), and stands in the
    queue until then with the reason as its status; what is held stays held. A row of the last moment before the power
    went, tried once at most (that can come before the barrier), was not acknowledged: its sender tries again, so it
    goes."""
    if not names:
        return
    keys = rows.names(names)
    certain = f"id IN {rows.NAMED} AND (attempts > 1 OR created < ?)"
    marked = connection.execute(
        f"UPDATE entry SET give_up = ?, next_attempt = created WHERE {certain} RETURNING id",
        (CONTENT_LOST, keys, moment),
    ).fetchall()
    returned = {str(row[0]) for row in marked}
    connection.execute(
        f"UPDATE recipient SET status = ?, remote = '' WHERE state = 'waiting' AND entry IN {rows.NAMED}",
        (CONTENT_LOST, rows.names(returned)),
    )
    rows.remove(connection, [name for name in names if name not in returned])


def rescue(
    connection: apsw.Connection,
    folder: Path,
    refused: Sequence[str],
    before: Mapping[str, Mapping[int, QueueRecipient]],
) -> None:
    """After a failed barrier. What was added since the last good one was refused, so it goes, and those for whose sake
    it was added are again as they were `before`; then every page is written again, since the kernel may have dropped
    any that it could not write (decision 0003)."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    with immediate(connection):
        rows.remove(connection, refused)
        rows.record(connection, before)
        _unlink(folder, refused)
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def lose(folder: Path, name: str) -> None:
    """Moves a file whose story is unclear to `lost/`; nothing there is ever deleted by us. It may have gone meanwhile:
    then whoever had put it there has taken it back."""
    lost = folder / LOST
    lost.mkdir(mode=0o700, exist_ok=True)
    target = lost / name
    if target.exists():
        target = lost / f"{name.removesuffix('.eml')}-{time.time_ns():x}.eml"
    with contextlib.suppress(FileNotFoundError):
        os.replace(folder / name, target)


def _is_file(path: Path) -> bool:
    """A link that somebody put there is none: it is not read, either."""
    return path.is_file() and not path.is_symlink()


def _unlink(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(folder / f"{name}.eml")
