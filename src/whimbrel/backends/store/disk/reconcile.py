"""Puts a folder right that a crash or a person left behind: its files are compared with the rows of its index.

`compare` only looks; `reconcile` runs under the account's lock.
"""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import apsw

from whimbrel.backends.store.disk.columns import EXPUNGE, FILL_BLOCKS, email_id
from whimbrel.backends.store.disk.database import rows
from whimbrel.backends.store.disk.expunged_files import drop_list, move_expunged, still_listed
from whimbrel.backends.store.disk.files import GAP, RECENT, insert_file, list_messages, set_lost
from whimbrel.backends.store.disk.index import FolderIndex, recount
from whimbrel.core.log import Log
from whimbrel.core.uids import MAX_UID, UidSet


@dataclass(frozen=True, slots=True)
class Difference:
    """What stands in the folder and not in its index, and the other way round."""

    missing: tuple[int, ...]
    """Rows without a complete file."""
    unknown: tuple[int, ...]
    """Numbered files without a row."""
    foreign: tuple[str, ...]
    leaving: tuple[int, ...] = ()
    """Files of expunged messages that are still to be moved: nothing is wrong with them."""

    def __bool__(self) -> bool:
        return bool(self.missing or self.unknown or self.foreign)


def compare(index: FolderIndex, *, locked: bool = False) -> Difference:
    """Without the account's lock only an indication: a writer may be at work."""
    with index.lock:
        known: dict[int, int] = dict(rows(index.connection, "SELECT uid, size FROM msg"))
    numbered, foreign = list_messages(Path(index.messages), locked=locked)
    unknown = sorted(uid for uid in numbered if uid not in known)
    leaving = still_listed(index) if unknown else UidSet()
    return Difference(
        tuple(sorted(uid for uid, size in known.items() if numbered.get(uid, -1) < size)),
        tuple(uid for uid in unknown if uid not in leaving),
        tuple(foreign),
        tuple(uid for uid in unknown if uid in leaving),
    )


def reconcile(
    index: FolderIndex, generation: int, modseq: int, log: Log, *, crashed: bool, given: int = 0
) -> Difference:
    """Section 3 of the store's design, under the account's lock: `crashed` after an unclean stop of the server.

    A row without a complete file is removed; what was expunged goes to #deleted; after a crash a file at or above the
    durable `uid_next` goes to #lost, since its story is unclear; any other file is a message. Nothing given is given
    again.
    `given` is the `uid_next` that account.seq remembers: an index below it has lost rows, their files are messages.
    That must be seen at once: when a worker dies, the counters are made anew from the index, and nothing tells it then.
    """
    difference = compare(index, locked=True)
    connection, folder = index.connection, index.folder
    with index.lock:
        if crashed:
            difference = replace(difference, missing=tuple(sorted({*difference.missing, *_torn(index)})))
        status = index.status()
        behind = status.uid_next < given
        if not (difference or crashed or behind):
            return difference
        expunged = {row[0] for row in connection.execute("SELECT uid FROM expunged")}
        move_expunged(folder, [*difference.leaving, *(uid for uid in difference.unknown if uid in expunged)])
        drop_list(folder)
        uid_next = max(status.uid_next, given)
        connection.execute("BEGIN IMMEDIATE")
        try:
            for uid in difference.missing:
                log.warning("store.message-gone", folder=str(folder), uid=uid)
                _forget(connection, index, uid, modseq)
            for uid in difference.unknown:
                file = Path(index.file(uid))
                if uid in expunged:
                    continue
                if crashed and (uid >= max(status.uid_next, given) or _has_hole(file)):
                    set_lost(file)
                    log.warning("store.file-lost", folder=str(folder), uid=uid)
                    uid_next = max(uid_next, uid + 1)
                elif insert_file(connection, file, uid, None, modseq, log):
                    # Without a crash also one above `uid_next`: the index may have lost its last rows (decision 0005).
                    uid_next = max(uid_next, uid + 1)
                    log.warning("store.file-found", folder=str(folder), uid=uid)
            for name in difference.foreign:
                target = Path(index.file(uid_next))
                os.rename(Path(index.messages) / name, target)
                if insert_file(connection, target, uid_next, None, modseq, log):
                    log.info("store.file-added", folder=str(folder), uid=uid_next)
                uid_next += 1
            if crashed:
                uid_next += GAP
            connection.execute(FILL_BLOCKS)
            count, unseen, deleted, size = recount(connection)
            connection.execute(
                "UPDATE folder SET uid_next=?, highest_modseq=?, resync_floor=?, messages=?, unseen=?, deleted=?, "
                "bytes=?, generation=?",
                (
                    min(uid_next, MAX_UID),
                    modseq,
                    # With its last rows an index has lost what was expunged: nobody may trust a delta from before.
                    modseq if crashed or behind else status.resync_floor,
                    count,
                    unseen,
                    deleted,
                    size,
                    generation,
                ),
            )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return difference


def _torn(index: FolderIndex) -> list[int]:
    """Messages of the last minutes before a crash whose bytes are not those of their row: they have their length, but
    the data never reached the disk. None of them was acknowledged, since a barrier takes far less time."""
    query = "SELECT uid, email_id FROM msg WHERE save_date >= (SELECT max(save_date) FROM msg) - ?"
    torn = []
    for uid, wanted in rows(index.connection, query, (RECENT,)):
        try:
            if email_id(Path(index.file(uid)).read_bytes()) != wanted:
                torn.append(uid)
        except OSError:
            continue  # Missing: `compare` has it.
    return torn


def _has_hole(file: Path) -> bool:
    """After a crash, in a file without a row: a block of NULs is data that never reached the disk."""
    try:
        return bytes(512) in file.read_bytes()
    except OSError:
        return False


def _forget(connection: apsw.Connection, index: FolderIndex, uid: int, modseq: int) -> None:
    connection.execute(EXPUNGE + "msg.uid = ?", (modseq, int(time.time()), 0, uid))  # No file: nothing to restore.
    connection.execute("DELETE FROM msg WHERE uid = ?", (uid,))
    connection.execute("DELETE FROM meta WHERE uid = ?", (uid,))
    file = Path(index.file(uid))
    if file.exists():  # Cut short: kept, but no message.
        set_lost(file)
