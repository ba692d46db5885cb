"""An index whose file was deleted or replaced while it was open: what it still holds goes into its successor.

SQLite goes on reading a file that has no name any more. All processes that had it open see the same, so whichever
comes first saves it; one that comes when the successor is there already carries the flags over.
"""

import contextlib
import os
from pathlib import Path

import apsw

from whimbrel.backends.store.disk.columns import FILL_BLOCKS
from whimbrel.backends.store.disk.database import DAMAGE, passing, rows
from whimbrel.backends.store.disk.index import FolderIndex, recount
from whimbrel.backends.store.disk.rebuild import SAVED


def other_file(index: FolderIndex) -> bool:
    """In its place there is another file, not none and not the same one."""
    try:
        status = os.stat(index.path)
    except FileNotFoundError:
        return False
    return (status.st_dev, status.st_ino) != index.inode and status.st_size > 0


def save(index: FolderIndex) -> None:
    """Writes all that it holds into `index.save`, for the rebuild. What cannot be read any more is lost, and the backup
    of the flags is used. Under the account's lock; raises OSError or apsw.Error where there is no room now."""
    path, new = index.folder / SAVED, index.folder / f"{SAVED}.new"
    try:
        new.unlink(missing_ok=True)
        with index.lock:
            index.connection.execute("VACUUM INTO ?", (str(new),)).fetchall()
        os.replace(new, path)
    except (*DAMAGE, OSError, apsw.FullError, apsw.BusyError) as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        if passing(error, Path(index.folder)):
            raise


def carry_over(old: FolderIndex, new: FolderIndex, modseq: int) -> int:
    """Flags and keywords of `old` into messages that nobody has touched since `new` was rebuilt; how many.

    Nothing is carried over if `new` is no rebuilt one, or was made from as much as `old` knows. Under the account's
    lock, with a `modseq` of its own."""
    try:
        with old.lock:
            before = old.status()
            known = {uid: rest for uid, *rest in rows(old.connection, "SELECT uid, flags, keywords FROM msg")}
    except DAMAGE:
        return 0
    with new.lock:
        status = new.status()
        if status.uid_validity != before.uid_validity or status.resync_floor <= before.highest_modseq:
            return 0
        query = "SELECT uid, flags, keywords FROM msg WHERE modseq = ?"
        changed = [
            (*known[uid], modseq, uid)
            for uid, *rest in rows(new.connection, query, (status.resync_floor,))
            if uid in known and known[uid] != rest
        ]
        if not changed:
            return 0
        with new.connection:
            new.connection.executemany("UPDATE msg SET flags=?, keywords=?, modseq=? WHERE uid=?", changed)
            new.connection.execute(FILL_BLOCKS)
            _, unseen, deleted, _ = recount(new.connection)
            new.connection.execute("UPDATE folder SET highest_modseq=?, unseen=?, deleted=?", (modseq, unseen, deleted))
        return len(changed)
