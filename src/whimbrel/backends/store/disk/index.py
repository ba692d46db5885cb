"""`index.fld`: a folder's index. Opening, noticing replacement, and every query that only reads.

The index is disposable: `rebuild.py` makes it anew from the `.eml` files. Its identity (device and inode of the
database, -wal and -shm) is compared before each use, so a file that was renamed or deleted under us is noticed.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from whimbrel.backends.store.disk.barelines import BareLines
from whimbrel.backends.store.disk.columns import SCHEMA, VERSION
from whimbrel.backends.store.disk.counts import Counts
from whimbrel.backends.store.disk.database import Row, identity_of, open_database, reading, row, rows
from whimbrel.backends.store.disk.uidcache import UidCache, changed_rows, keywords
from whimbrel.core.mailbox import DELETED, SEEN, SIGN, Delta, FolderStatus, Snapshot
from whimbrel.core.rows import (
    BODYSTRUCTURE,
    ENVELOPE,
    FLAG_COLUMNS,
    META_COLUMNS,
    PARTS,
    PARTS_COLUMNS,
    PARTS_SIZE,
    SEARCH_COLUMNS,
    SIZE,
    SORT_COLUMNS,
    SORT_SIZE,
    UID,
    CellRow,
    FlagRow,
    Holding,
    MetaRow,
    PartsRow,
    SearchRow,
    SortRow,
)
from whimbrel.core.uids import UidSet

_SQL: Final[Mapping[str, str]] = {
    "uid": "msg.uid",
    "from": "sender",
    "to": "addressee",
    "sort_date": "internal_date",
    "sort_size": "size",
    "sort_sent": "coalesce(sent_utc, internal_date)",
    "base_subject": "base",
    "is_reply": "reply",
    "sort_message_id": "message_id",
    "references": "refs",
    "sort_thread_id": "thread_id",
    "parts_size": "size",
}
"""Where a column of a row is not called in the index as it is in `core.rows`."""


def _select(columns: Iterable[str], table: str = "msg JOIN meta ON meta.uid = msg.uid", **instead: str) -> str:
    """A query for rows of `columns`, but for its condition."""
    return f"SELECT {', '.join([instead.get(name) or _SQL.get(name, name) for name in columns])} FROM {table} WHERE "


_FLAGS = _select(FLAG_COLUMNS, "msg")
_ROWS = _select(META_COLUMNS, "msg", envelope="x'' AS envelope", bodystructure="x'' AS bodystructure")
_META = _select(META_COLUMNS)
_META_SIZED = ENVELOPE, BODYSTRUCTURE
_LARGE = frozenset({"envelope", "bodystructure"})
_SOME = 16
MAX_CELLS = 1 << 20
"""Octets after which `cells` and `meta` stop: whoever writes the mail decides how large they are."""
_SIGNS = (
    f"SELECT group_concat(char({SIGN} + flags), ''), max(keywords) FROM "
    "(SELECT flags, keywords FROM msg WHERE uid BETWEEN ? AND ? ORDER BY uid)"
)
# What is looked for decides in which table SQLite begins: a CROSS JOIN keeps the order.
_SEARCH_ALL = _select(SEARCH_COLUMNS)
_SEARCH_HELD = _select(SEARCH_COLUMNS, "meta CROSS JOIN msg ON msg.uid = meta.uid")
_SORT = _select(SORT_COLUMNS)
_EXPUNGED = "SELECT uid, flags, keywords, modseq, internal_date, size, email_id FROM expunged WHERE "
_PARTS = _select(PARTS_COLUMNS)
_STATUS = (
    "SELECT uid_validity, uid_next, highest_modseq, messages, unseen, deleted, bytes, first_recent, resync_floor "
    "FROM folder"
)
_RANGES = 40
"""Ranges of a UID set in one statement."""


class ShownSize(NamedTuple):
    """What a folder's messages have together, and by what the folder is known to hold the same ones."""

    uid_validity: int
    uid_next: int
    messages: int
    octets: int

    def of(self, status: FolderStatus) -> bool:
        return self[:3] == (status.uid_validity, status.uid_next, status.messages)


class FolderIndex:
    """One open index. `lock` is held by whoever uses it: readers in the pool, the committer's thread."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        """Raises Damaged."""
        self.folder = folder
        self.path = folder / "index.fld"
        self.directory = str(folder)
        self.messages = f"{folder}/#msgs/"
        self.lock = threading.RLock()
        self.connection = open_database(self.path, SCHEMA, VERSION, create=create, oldest=VERSION)
        # A read makes SQLite create the -wal and -shm, whose identity counts.
        self.connection.execute("SELECT count(*) FROM folder").fetchall()
        self.cursor = self.connection.cursor()
        """For statements without rows: spares making one for each."""
        self._identity = identity_of(self.path, "#msgs", "")
        self._counts: Counts | None = None
        self._counted = -1
        self.closed = False
        self.checked_generation = -1
        self.uids = UidCache()
        self.bare = BareLines(self.connection, self.file)

    @property
    def current(self) -> bool:
        """Still the files that are in the folder, and the same folder with the same messages."""
        return self._identity.unchanged()

    @property
    def inode(self) -> tuple[int, int]:
        """Device and inode of the database as it was opened."""
        return self._identity.identity[0]

    def close(self) -> None:
        with self.lock:
            self.closed = True
            self.connection.close()

    # Reading: all under `lock`

    def status(self) -> FolderStatus:
        return FolderStatus(*row(self.connection, _STATUS))

    def counts(self) -> Counts:
        """Inside a write transaction: of the folder's row; read anew only if another connection has written since."""
        version = self.connection.data_version()
        if self._counts is None or version != self._counted:
            self._counts, self._counted = Counts.read(self.connection), version
        return self._counts

    def keep(self, counts: Counts) -> None:
        """After its COMMIT: what the transaction has written."""
        self._counts, self._counted = counts, self.connection.data_version()

    def generation(self) -> int:
        kept = row(self.connection, "SELECT generation FROM folder")
        return kept[0] if kept else -1

    def snapshot(self, *, dirty: bool = False) -> Snapshot:
        """`dirty`: inside a transaction that has written; what it sees may yet be rolled back, so nothing is kept."""
        connection = self.connection
        with reading(connection):  # One read transaction: status and UIDs belong together.
            status = self.status()
            uids, words, unseen = (UidCache() if dirty else self.uids).at(connection, status)
            return Snapshot(status, uids, words, unseen)

    def keywords(self) -> tuple[str, ...]:
        """In use, sorted."""
        return keywords(self.connection)

    def changes(self, since: int) -> Delta:
        connection = self.connection
        with reading(connection):
            status = self.status()
            if status.highest_modseq <= since and since >= status.resync_floor:
                return Delta(status.highest_modseq, [], UidSet(), complete=True)
            if since < status.resync_floor:
                every = rows(connection, _FLAGS + "1 ORDER BY uid")
                return Delta(status.highest_modseq, every, UidSet(), complete=False)
            changed: list[FlagRow] = changed_rows(connection, "uid, flags, keywords, modseq", since)
            gone = rows(connection, "SELECT uid FROM expunged WHERE modseq > ? ORDER BY uid", (since,))
            return Delta(status.highest_modseq, changed, UidSet.of(uid for (uid,) in gone), complete=True)

    def flags(self, uids: UidSet) -> list[FlagRow]:
        return self._rows(_FLAGS, "uid", uids)

    def meta(self, uids: UidSet, *, structure: bool = True) -> list[MetaRow]:
        if structure:
            stored = self._some_rows(_META, "msg.uid", uids, _META_SIZED)
        else:
            stored = self._rows(_ROWS, "uid", uids)
        return self._converted(stored, uids, SIZE, BODYSTRUCTURE if structure else 0)

    def signs(self, first: int, last: int) -> str | None:
        letters, words = row(self.connection, _SIGNS, (first, last))
        return None if words else letters or ""

    def total_size(self, uids: UidSet) -> int:
        query = "SELECT coalesce(sum(size), 0) FROM msg WHERE "
        return sum(row(self.connection, query + clause, values)[0] for clause, values in where("uid", uids))

    def cells(self, uids: UidSet, names: Sequence[str]) -> list[CellRow]:
        table = "meta JOIN msg ON msg.uid = meta.uid" if "size" in names else "meta"
        sized = [at for at, name in enumerate(names, 1) if name in _LARGE]
        query = _select(["uid", *names], table, uid="meta.uid")
        stored = self._some_rows(query, "meta.uid", uids, sized)
        places = [names.index(name) + 1 if name in names else 0 for name in ("size", "bodystructure")]
        return self._converted(stored, uids, *places) if any(places) else stored

    def search_rows(self, uids: UidSet, holding: Sequence[Holding] = ()) -> list[SearchRow]:
        if not holding:
            return self._converted(self._rows(_SEARCH_ALL, "msg.uid", uids), uids, SIZE)
        if any("\0" in text or not _is_text(text) for _, text in holding):
            return []  # No value that is kept has such characters.
        conditions = [f"instr({_SQL.get(name, name)}, ?)" for name, _ in holding]
        holders = self._rows(_SEARCH_HELD, "meta.uid", uids, conditions, [text for _, text in holding])
        return self._converted(holders, UidSet.of(row[UID] for row in holders), SIZE)

    def sort_rows(self, uids: UidSet) -> list[SortRow]:
        return self._converted(self._rows(_SORT, "msg.uid", uids), uids, SORT_SIZE)

    def previews(self, uids: UidSet) -> list[tuple[int, str]]:
        return self._rows("SELECT uid, preview FROM meta WHERE ", "uid", uids)

    def save_dates(self, uids: UidSet) -> list[tuple[int, int]]:
        return self._rows("SELECT uid, save_date FROM msg WHERE ", "uid", uids)

    def octets(self) -> list[tuple[int, int]]:
        return rows(self.connection, "SELECT uid, octets FROM msg ORDER BY uid")

    def shown_size(self, known: ShownSize | None) -> ShownSize:
        """Octets as POP3 counts them, of all messages: no less than IMAP shows. `known`: of an earlier moment; if only
        messages came since, they alone are looked at."""
        query = "SELECT count(*), coalesce(sum(octets), 0) FROM msg WHERE uid >= ?"
        with reading(self.connection):
            now = self.status()
            if known is not None and known.uid_validity == now.uid_validity:
                count, more = row(self.connection, query, (known.uid_next,))
                if known.messages + count == now.messages:
                    return ShownSize(now.uid_validity, now.uid_next, now.messages, known.octets + more)
            _, octets = row(self.connection, query, (0,))
            return ShownSize(now.uid_validity, now.uid_next, now.messages, octets)

    def parts(self, uids: UidSet) -> list[PartsRow]:
        return self._converted(self._rows(_PARTS, "msg.uid", uids), uids, PARTS_SIZE, parts=PARTS)

    def size(self, uid: int) -> int | None:
        """Of its file."""
        size = row(self.connection, "SELECT size FROM msg WHERE uid = ?", (uid,))
        return size[0] if size else None

    def expunged(self, uids: UidSet) -> list[Row]:
        """uid, flags, keywords, modseq, internal date, size, EMAILID."""
        return self._rows(_EXPUNGED, "uid", uids)

    def file(self, uid: int) -> str:
        return f"{self.messages}{uid:08x}.eml"

    def deleted_file(self, uid: int) -> str:
        return f"{self.folder}/#deleted/{uid:08x}.eml"

    def _converted(
        self, stored: list[Row], uids: UidSet, size: int, bodystructure: int = 0, parts: int = 0
    ) -> list[Row]:
        """`stored` as clients get messages, with CRLF: the other arguments are the places of what is then different, 0
        for what the rows do not have."""
        bare = self.bare.among(uids)
        if not bare or not stored:
            return stored
        for at, each in enumerate(stored):
            if each[UID] not in bare:
                continue
            cells = list(each)
            if size:
                cells[size] = bare[each[UID]]
            try:
                if bodystructure:
                    cells[bodystructure] = self.bare.structure(each[UID]).bodystructure
                if parts:
                    cells[parts] = self.bare.structure(each[UID]).parts
            except OSError:
                pass  # Its content cannot be read, either.
            stored[at] = tuple(cells)
        return stored

    def _rows(
        self, query: str, column: str, uids: UidSet, conditions: Sequence[str] = (), compared: Sequence[str] = ()
    ) -> list[Row]:
        with reading(self.connection):
            stored: list[Row] = []
            for clause, values in where(column, uids):
                text = f"{query}{' AND '.join((clause, *conditions))} ORDER BY {column}"
                stored += rows(self.connection, text, (*values, *compared))
            return stored

    def _some_rows(self, query: str, column: str, uids: UidSet, sized: Sequence[int]) -> list[Row]:
        """As many as there are before their columns `sized` have MAX_CELLS octets together."""
        cells = [itemgetter(at) for at in sized]
        stored: list[Row] = []
        size = 0
        with reading(self.connection):
            for clause, values in where(column, uids):
                cursor = self.connection.execute(f"{query}{clause} ORDER BY {column}", values)
                while some := list(islice(cursor, _SOME)):
                    stored += some
                    size += sum([sum(map(len, map(cell, some))) for cell in cells])
                    if size > MAX_CELLS:
                        cursor.close()
                        return stored
        return stored


def _is_text(value: str) -> bool:
    """Not with half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def where(column: str, uids: UidSet) -> Iterator[tuple[str, list[int]]]:
    """Conditions that together mean `uids`, in ascending order."""
    ranges = uids.ranges
    for start in range(0, len(ranges), _RANGES):
        part = ranges[start : start + _RANGES]
        yield (
            "(" + " OR ".join([f"{column} BETWEEN ? AND ?"] * len(part)) + ")",
            [number for pair in part for number in pair],
        )


def recount(connection: apsw.Connection) -> tuple[int, int, int, int]:
    """messages, unseen, deleted, bytes, from the rows themselves."""
    counted: tuple[int, int, int, int] = row(
        connection,
        f"SELECT count(*), coalesce(sum(flags & {SEEN} = 0), 0), coalesce(sum(flags & {DELETED} <> 0), 0), "
        "coalesce(sum(size), 0) FROM msg",
    )
    return counted
