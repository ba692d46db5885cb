"""Makes a folder's index anew from its `.eml` files, and puts one right that a crash or a person left behind.

Both run under the account's lock. What files cannot tell (flags, keywords, dates of arrival in this folder) is taken
from whatever is left of the old index: `index.fld` or `index.bad` as far as it can be read, else `flags.bak`.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import apsw

from whimbrel.backends.store.disk.backup import read_backup
from whimbrel.backends.store.disk.columns import (
    EXPUNGE,
    FILL_BLOCKS,
    INSERT_META,
    INSERT_MSG,
    SCHEMA,
    VERSION,
    Described,
    email_id,
)
from whimbrel.backends.store.disk.database import DAMAGE, Damaged, Row, open_database, passing, row, rows
from whimbrel.backends.store.disk.index import FolderIndex, recount
from whimbrel.backends.store.disk.retire import drop_list, listed, retire, still_listed
from whimbrel.core.log import Log
from whimbrel.core.mailbox import MailboxId
from whimbrel.core.uids import MAX_UID, UidSet

_NAME = re.compile(r"([0-9a-f]{8})\.eml\Z")
GAP = 1000
"""How far `uid_next` jumps where the last given UIDs are not known for certain."""
_PROGRESS = 500
_RECENT = 120
"""Seconds before a crash in which data may not have reached the disk."""

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
) -> Rebuilt:
    """No connection of this process to the old index is open. Raises OSError, apsw.Error."""
    path = folder / "index.fld"
    _set_aside(path)
    known = _read_old(folder / "index.bad")
    if not known.whole:
        _merge_backup(folder / "flags.bak", known)
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
        done, retired = 0, list[int]()
        for uid in sorted(numbered):
            if uid in leaving or (uid in gone and uid not in known.messages):
                retired.append(uid)
                continue
            file = messages / f"{uid:08x}.eml"
            old = known.messages.get(uid)
            if not _insert(connection, file, uid, old, modseq, log, known.email_ids.get(uid, "")):
                continue
            added += old is None
            done += 1
            if done % _PROGRESS == 0:
                progress(done, len(numbered))
        retire(folder, retired)
        connection.executemany("INSERT OR REPLACE INTO expunged VALUES(?,?,?,?,?,?,?,?,?,?,?)", known.expunged)
        if retired or not known.whole:
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
    finally:
        connection.close()
    _sync(new)
    _set_aside(path, again=True)
    os.rename(new, path)
    drop_list(folder)
    missing = len(set(known.messages) - set(numbered))
    progress(len(numbered), len(numbered))
    return Rebuilt(count, added, missing, kept)


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


def list_messages(messages: Path, *, locked: bool) -> tuple[dict[int, int], list[str]]:
    """uid -> size of each message file, and the names of foreign files. Empty files are no messages (a power cut
    leaves unacknowledged links with 0 bytes): under the account's lock they are removed."""
    numbered: dict[int, int] = {}
    foreign: list[str] = []
    with os.scandir(messages) as items:
        for item in items:
            if not item.is_file(follow_symlinks=False):
                continue
            size = item.stat(follow_symlinks=False).st_size
            match = _NAME.match(item.name)
            if match and 0 < int(match[1], 16) < MAX_UID:
                if size:
                    numbered[int(match[1], 16)] = size
                elif locked:
                    os.unlink(item.path)
            elif size and item.name.lower().endswith(".eml") and not item.name.startswith("."):
                foreign.append(item.name)
    return numbered, sorted(foreign)


def _insert(
    connection: apsw.Connection,
    file: Path,
    uid: int,
    old: tuple[int, str, int, int, str] | None,
    modseq: int,
    log: Log,
    wanted: str = "",
) -> bool:
    """One bad file costs one message and one warning. `wanted`: the EMAILID it must have, if that is known."""
    try:
        content, found = file.read_bytes(), file.stat()
    except OSError as error:
        if passing(error, file):
            raise  # It says nothing about this file; the index is made anew when there is enough of what is missing.
        log.warning("store.unreadable", file=str(file), error=error.strerror or str(error))
        return False
    if not content.strip(b"\0") or (wanted and email_id(content) != wanted):
        # It has its length, but its data never reached the disk: never acknowledged.
        _set_lost(file)
        log.warning("store.file-lost", folder=str(file.parent.parent), uid=uid)
        return False
    described = Described(content)
    flags, keywords, date, saved, recipient = old or (0, "", int(found.st_mtime), 0, "")
    # Unknown: linked into this folder no later than the file last changed. Its date would be far too early, and what
    # counts days since then, such as a clean-out rule, would take old mail that came here yesterday.
    saved = saved or int(found.st_ctime)
    connection.execute(
        INSERT_MSG,
        (
            uid,
            modseq,
            flags,
            keywords,
            date,
            saved,
            described.size,
            described.octets,
            described.email_id,
            described.thread_id,
            recipient,
        ),
    )
    connection.execute(INSERT_META, (uid, *described.meta))
    return True


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
        found = row(connection, "SELECT uid_validity, uid_next, highest_modseq, first_recent FROM folder")
        if found:
            known.uid_validity, known.uid_next, known.highest_modseq, known.first_recent = found
        for uid, *values, email in connection.execute(
            "SELECT uid, flags, keywords, internal_date, save_date, recipient, email_id FROM msg ORDER BY uid"
        ):
            known.messages[uid] = tuple(values)
            known.email_ids[uid] = email
        last = max((values[3] for values in known.messages.values()), default=0)
        for uid, values in known.messages.items():
            if values[3] < last - _RECENT:
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
        known.whole = bool(found)
    except DAMAGE:
        pass
    finally:
        with contextlib.suppress(apsw.Error):
            connection.close()
    return known


def _merge_backup(path: Path, known: Known) -> None:
    for validity, uid_next, modseq, messages in read_backup(path):
        if known.uid_validity not in (0, validity):
            return
        known.uid_next = max(known.uid_next, uid_next)
        known.highest_modseq = max(known.highest_modseq, modseq)
        for uid, flags, date, words in messages:
            known.messages.setdefault(uid, (flags, words, date, 0, ""))


def _restorable(folder: Path) -> list[int]:
    """The UIDs of files in #deleted: given once, so not given again."""
    try:
        names = os.listdir(folder / "#deleted")
    except FileNotFoundError:
        return []
    found = (int(match[1], 16) for name in names if (match := _NAME.match(name)))
    return [uid for uid in found if uid < MAX_UID]


def _adopt_deleted(connection: apsw.Connection, folder: Path, modseq: int) -> None:
    """Expunged files of which nothing is known any more can still be restored, and must go some day: they get a row.
    Their time of change is when they were moved here."""
    try:
        items = sorted(os.scandir(folder / "#deleted"), key=lambda item: item.name)
    except FileNotFoundError:
        return
    known = {uid for (uid,) in connection.execute("SELECT uid FROM expunged UNION SELECT uid FROM msg")}
    for item in items:
        match = _NAME.match(item.name)
        if match is None or int(match[1], 16) in known or not item.is_file(follow_symlinks=False):
            continue
        try:
            content, found = Path(item.path).read_bytes(), item.stat(follow_symlinks=False)
        except OSError:
            continue
        described = Described(content)
        connection.execute(
            "INSERT INTO expunged VALUES(?,?,?,?,?,?,?,?,?,?,?)",
            (
                int(match[1], 16), modseq, int(found.st_ctime), 0, "", int(found.st_mtime), described.size,
                described.email_id, 1, described.meta[5], described.meta[9],
            ),
        )  # fmt: skip


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    found = compare(index, locked=True)
    connection, folder = index.connection, index.folder
    with index.lock:
        if crashed:
            found = replace(found, missing=tuple(sorted({*found.missing, *_torn(index)})))
        status = index.status()
        behind = status.uid_next < given
        if not (found or crashed or behind):
            return found
        expunged = {row[0] for row in connection.execute("SELECT uid FROM expunged")}
        retire(folder, [*found.leaving, *(uid for uid in found.unknown if uid in expunged)])
        drop_list(folder)
        uid_next = max(status.uid_next, given)
        connection.execute("BEGIN IMMEDIATE")
        try:
            for uid in found.missing:
                log.warning("store.message-gone", folder=str(folder), uid=uid)
                _forget(connection, index, uid, modseq)
            for uid in found.unknown:
                file = Path(index.file(uid))
                if uid in expunged:
                    continue
                if crashed and (uid >= max(status.uid_next, given) or _has_hole(file)):
                    _set_lost(file)
                    log.warning("store.file-lost", folder=str(folder), uid=uid)
                    uid_next = max(uid_next, uid + 1)
                elif _insert(connection, file, uid, None, modseq, log):
                    # Without a crash also one above `uid_next`: the index may have lost its last rows (decision 0005).
                    uid_next = max(uid_next, uid + 1)
                    log.warning("store.file-found", folder=str(folder), uid=uid)
            for name in found.foreign:
                target = Path(index.file(uid_next))
                os.rename(Path(index.messages) / name, target)
                if _insert(connection, target, uid_next, None, modseq, log):
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
    return found


def _torn(index: FolderIndex) -> list[int]:
    """Messages of the last minutes before a crash whose bytes are not those of their row: they have their length, but
    the data never reached the disk. None of them was acknowledged, since a barrier takes far less time."""
    query = "SELECT uid, email_id FROM msg WHERE save_date >= (SELECT max(save_date) FROM msg) - ?"
    torn = []
    for uid, wanted in rows(index.connection, query, (_RECENT,)):
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
        _set_lost(file)


def _set_lost(file: Path) -> None:
    lost = file.parent.parent / "#lost"
    lost.mkdir(mode=0o700, exist_ok=True)
    os.replace(file, lost / f"{file.stem}-{time.time_ns():x}.eml")
