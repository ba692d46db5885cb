"""Makes a folder's index anew from its `.eml` files, under the account's lock.

What files cannot tell (flags, keywords, dates of arrival in this folder) is taken from what is left: `index.fld` or
`index.bad` as far as it can be read, `index.save` (what a process still had open when the file was taken away), and the
backup of the flags. Each is worth what its modseq says: the newest counts, an older one fills gaps. What account.seq
remembers of the folder says which UIDs were given, whatever index is left.
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from whimbrel.backends.store.disk.backup import Backup, read_backup
from whimbrel.backends.store.disk.columns import FILL_BLOCKS, SCHEMA, VERSION, Described
from whimbrel.backends.store.disk.database import DAMAGE, Damaged, Row, open_database, row, rows
from whimbrel.backends.store.disk.expunged_files import drop_list, listed, move_expunged
from whimbrel.backends.store.disk.files import GAP, NAME, RECENT, insert_file, list_messages
from whimbrel.backends.store.disk.index import recount
from whimbrel.core.log import Log
from whimbrel.core.mailbox import FolderStatus, MailboxId
from whimbrel.core.uids import MAX_UID

SAVED = "index.save"
"""What a process had open when index.fld was taken away; goes once the index is there again."""
_PROGRESS = 500
Progress = Callable[[int, int], None]
"""Messages done, messages in all."""


@dataclass(slots=True)
class Known:
    """What an old index, or flags.bak, still tells."""

    uid_validity: int = 0
    uid_next: int = 1
    highest_modseq: int = 0
    first_recent: int = 1
    messages: dict[int, tuple[int, str, int, int, str]] = field(default_factory=dict)
    """uid -> flags, keywords, internal date, save date, recipient."""
    email_ids: dict[int, str] = field(default_factory=dict)
    """Of the last minutes before the index was written for the last time."""
    expunged: list[Row] = field(default_factory=list)
    delivered: list[Row] = field(default_factory=list)
    whole: bool = False
    """Read to its end, and nothing newer is known of: its UIDs and flags are the last that were given."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    messages: int
    added: int
    """Files of which the old index knew nothing."""
    missing: int
    """Messages of the old index whose file has gone."""
    kept_validity: bool


def rebuild(
    folder: Path,
    mailbox: MailboxId,
    uid_validity: int,
    generation: int,
    modseq: int,
    log: Log,
    progress: Progress = lambda done, total: None,
    *,
    given: FolderStatus | None = None,
) -> Rebuilt:
    """`given`: what account.seq remembers of the folder. No connection of this process to the old index is open.
    Raises OSError, apsw.Error."""
    path = folder / "index.fld"
    _set_aside(path)
    known = _known(folder, given)
    kept = known.uid_validity in (0, uid_validity) or not known.messages
    new = folder / "index.new"
    for leftover in (new, Path(f"{new}-journal"), Path(f"{new}-wal"), Path(f"{new}-shm")):
        leftover.unlink(missing_ok=True)
    messages = folder / "#msgs"
    messages.mkdir(mode=0o700, parents=True, exist_ok=True)
    numbered, foreign = list_messages(messages, locked=True)
    # Even where the old index has a row of it: the list was written after the row had gone.
    leaving = listed(folder)
    gone = {int(row[0]) for row in known.expunged}
    restorable = _restorable(folder)
    used = (numbered, gone, restorable, (last for _, last in leaving.ranges))
    uid_next = max(known.uid_next, *(uid + 1 for uids in used for uid in uids), 1)
    if not known.whole and (numbered or known.messages or restorable or leaving):
        uid_next += GAP
    for name in foreign:
        # Put in by hand: takes the next UID. Its own name is not kept, its bytes and time are.
        target = messages / f"{uid_next:08x}.eml"
        os.rename(messages / name, target)
        numbered[uid_next] = os.stat(target).st_size
        uid_next += 1
    added = 0
    connection = apsw.Connection(str(new))
    try:
        connection.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF").fetchall()
        connection.execute(f"{SCHEMA} PRAGMA user_version={VERSION}; BEGIN")
        done, expunged = 0, list[int]()
        for uid in sorted(numbered):
            if uid in leaving or (uid in gone and uid not in known.messages):
                expunged.append(uid)
                continue
            file = messages / f"{uid:08x}.eml"
            old = known.messages.get(uid)
            if not insert_file(connection, file, uid, old, modseq, log, known.email_ids.get(uid, "")):
                continue
            added += old is None
            done += 1
            if done % _PROGRESS == 0:
                progress(done, len(numbered))
        move_expunged(folder, expunged)
        connection.executemany("INSERT OR REPLACE INTO expunged VALUES(?,?,?,?,?,?,?,?,?,?,?)", known.expunged)
        if expunged or not known.whole:
            _adopt_deleted(connection, folder, modseq)
        connection.execute(FILL_BLOCKS)
        connection.executemany("INSERT OR REPLACE INTO delivered VALUES(?,?,?)", known.delivered)
        count, unseen, deleted, size = recount(connection)
        connection.execute(
            "INSERT INTO folder VALUES(1,?,?,?,?,?,?,?,?,?,?,?)",
            (
                mailbox,
                uid_validity,
                min(uid_next, MAX_UID),
                min(known.first_recent, uid_next),
                modseq,
                modseq,
                count,
                unseen,
                deleted,
                size,
                generation,
            ),
        )
        connection.execute("COMMIT")
        # Who opens it need not convert it then: that takes a lock nobody else may hold, and a file that is in another
        # mode is not ours (`database.py`).
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
    finally:
        connection.close()
    for leftover in (Path(f"{new}-wal"), Path(f"{new}-shm")):
        leftover.unlink(missing_ok=True)
    _sync(new)
    _set_aside(path, again=True)
    os.rename(new, path)
    drop_saved(folder)
    drop_list(folder)
    missing = len(set(known.messages) - set(numbered))
    progress(len(numbered), len(numbered))
    return Rebuilt(count, added, missing, kept)


def drop_saved(folder: Path) -> None:
    """The index is there: what was saved for it has done its work."""
    for suffix in ("", "-wal", "-shm"):
        (folder / f"{SAVED}{suffix}").unlink(missing_ok=True)


def _set_aside(path: Path, *, again: bool = False) -> None:
    """index.fld and its -wal become index.bad and index.bad-wal; -shm goes, since SQLite would trust a stale one."""
    bad = path.with_name("index.bad")
    wal, bad_wal = Path(f"{path}-wal"), Path(f"{bad}-wal")
    if path.exists() and not again:
        Path(f"{bad}-shm").unlink(missing_ok=True)
        bad_wal.unlink(missing_ok=True)
        os.replace(path, bad)
    if wal.exists():
        if bad.exists() and not bad_wal.exists() and not again:
            os.replace(wal, bad_wal)  # Of the database that became index.bad, by us or by a person.
        else:
            wal.unlink()
    for shm in (Path(f"{path}-shm"), Path(f"{bad}-shm")):
        shm.unlink(missing_ok=True)


def _read_old(path: Path) -> Known:
    """As far as it can be read; a damaged table ends where the damage begins."""
    known = Known()
    if not path.exists():
        return known
    try:
        connection = open_database(path, SCHEMA, VERSION, create=False)
    except Damaged:
        return known
    try:
        stored = row(connection, "SELECT uid_validity, uid_next, highest_modseq, first_recent FROM folder")
        if stored:
            known.uid_validity, known.uid_next, known.highest_modseq, known.first_recent = stored
        for uid, *values, email in connection.execute(
            "SELECT uid, flags, keywords, internal_date, save_date, recipient, email_id FROM msg ORDER BY uid"
        ):
            known.messages[uid] = tuple(values)
            known.email_ids[uid] = email
        last = max((values[3] for values in known.messages.values()), default=0)
        for uid, values in known.messages.items():
            if values[3] < last - RECENT:
                del known.email_ids[uid]
        if row(connection, "PRAGMA user_version")[0] == VERSION:
            known.expunged = rows(connection, "SELECT * FROM expunged")
        else:
            query = "SELECT uid, modseq, at, flags, keywords, internal_date, size, email_id FROM expunged"
            deleted = path.parent / "#deleted"
            known.expunged = [
                (*values, int((deleted / f"{values[0]:08x}.eml").exists()), "", "")
                for values in rows(connection, query)
            ]
        known.delivered = rows(connection, "SELECT * FROM delivered")
        known.whole = bool(stored)
    except DAMAGE:
        pass
    finally:
        with contextlib.suppress(apsw.Error):
            connection.close()
    return known


def _known(folder: Path, given: FolderStatus | None) -> Known:
    """From the newest index that is left; the backup of the flags where that is newer, or fills its gaps."""
    known, other = _read_old(folder / "index.bad"), _read_old(folder / SAVED)
    if other.highest_modseq > known.highest_modseq:
        known = other
    backup = read_backup(folder)
    same = known.uid_validity in (0, backup.uid_validity)
    newest = max(given.highest_modseq if given is not None else 0, backup.modseq if same else 0)
    if known.whole and known.highest_modseq < newest:
        known.whole = False  # Of an earlier time, or put there from a copy.
    if not known.whole and same and backup.modseq:
        _merge(backup, known)
    if given is not None:
        known.uid_next = max(known.uid_next, given.uid_next)
    return known


def _merge(backup: Backup, known: Known) -> None:
    newer = backup.modseq > known.highest_modseq
    known.uid_next = max(known.uid_next, backup.uid_next)
    known.highest_modseq = max(known.highest_modseq, backup.modseq)
    for uid, (flags, date, words) in backup.messages.items():
        old = known.messages.get(uid)
        if old is None:
            known.messages[uid] = (flags, words, date, 0, "")
        elif newer:
            known.messages[uid] = (flags, words, *old[2:])


def _restorable(folder: Path) -> list[int]:
    """The UIDs of files in #deleted: given once, so not given again."""
    try:
        names = os.listdir(folder / "#deleted")
    except FileNotFoundError:
        return []
    uids = (int(match[1], 16) for name in names if (match := NAME.match(name)))
    return [uid for uid in uids if uid < MAX_UID]


def _adopt_deleted(connection: apsw.Connection, folder: Path, modseq: int) -> None:
    """Expunged files of which nothing is known any more can still be restored, and must go some day: they get a row.
    Their time of change is when they were moved here."""
    try:
        items = sorted(os.scandir(folder / "#deleted"), key=lambda item: item.name)
    except FileNotFoundError:
        return
    known = {uid for (uid,) in connection.execute("SELECT uid FROM expunged UNION SELECT uid FROM msg")}
    for item in items:
        match = NAME.match(item.name)
        if match is None or int(match[1], 16) in known or not item.is_file(follow_symlinks=False):
            continue
        try:
            content, status = Path(item.path).read_bytes(), item.stat(follow_symlinks=False)
        except OSError:
            continue
        described = Described(content)
        connection.execute(
            "INSERT INTO expunged VALUES(?,?,?,?,?,?,?,?,?,?,?)",
            (
                int(match[1], 16), modseq, int(status.st_ctime), 0, "", int(status.st_mtime), described.size,
                described.email_id, 1, described.meta[5], described.meta[9],
            ),
        )  # fmt: skip


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
