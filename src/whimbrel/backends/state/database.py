"""`state.db`: what changes by itself, shared by the processes of one server.

Losing it loses comfort (a lock-out, a receipt), never mail: a damaged one is put aside and begun anew. A newer major
format is refused, since the release that wrote it may rely on what this one would drop.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

import apsw

from whimbrel import __version__
from whimbrel.backends.disk.irregular import directory_locked, move_to, not_a_file

FORMAT = (1, 0)
"""Major, minor: within a major, changes only add."""
_BUSY_MS = 10_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, expires REAL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS state_expires ON state (expires) WHERE expires IS NOT NULL;
"""

Write = tuple[str, str, str | None, float | None]
"""(kind, key, value or None to delete, expires)"""


class NewerFormat(Exception):
    """The file was written by a later release, which the text names."""


class StateDatabase:
    """One connection. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Opens or creates; NewerFormat. What cannot be read is renamed to `.bad`, what is no file goes into the
        directory `.aside`; `damage` then says why."""
        self.path = path
        self.damage = ""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with directory_locked(path.parent):
            # The log of a file that is gone is in use by those who have that open: it is no part of the new one.
            if (kind := not_a_file(path)) and move_to(path, path.with_name(f"{path.name}.aside")):
                self.damage = f"{kind} stood in its place"
            if _inode(path) == (0, 0):
                _remove(path)
            try:
                self._connection = _open(path)
            except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError) as error:
                self.damage = str(error)
                os.replace(path, f"{path}.bad")
                _remove(path)
                self._connection = _open(path)
            self._inode = _inode(path)

    def intact(self) -> bool:
        """The file that is open still has its name and something in it."""
        return self._inode != (0, 0) and _inode(self.path) == self._inode

    def get(self, kind: str, key: str, now: float) -> str | None:
        query = "SELECT value FROM state WHERE kind=? AND key=? AND (expires IS NULL OR expires>?)"
        for (value,) in self._connection.execute(query, (kind, key, now)):
            return str(value)
        return None

    def list(self, kind: str, now: float, limit: int) -> list[tuple[str, str]]:
        query = "SELECT key,value FROM state WHERE kind=? AND (expires IS NULL OR expires>?) ORDER BY key LIMIT ?"
        return [(str(key), str(value)) for key, value in self._connection.execute(query, (kind, now, limit))]

    def write(self, writes: Iterable[Write]) -> None:
        """All or nothing, in one transaction. apsw.Error."""
        with self._connection:
            for kind, key, value, expires in writes:
                if value is None:
                    self._connection.execute("DELETE FROM state WHERE kind=? AND key=?", (kind, key))
                else:
                    self._connection.execute("REPLACE INTO state VALUES(?,?,?,?)", (kind, key, value, expires))

    def carry_over(self, lost: "StateDatabase") -> None:
        """What a file without a name still holds, where this one has nothing newer. apsw.Error"""
        values = lost._connection.execute("SELECT kind,key,value,expires FROM state").fetchall()
        with self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO state VALUES(?,?,?,?)", values)

    def expire(self, now: float, limit: int = 1000) -> int:
        """Removes what has come to its end, a bounded number at a time; says how many."""
        self._connection.execute(
            "DELETE FROM state WHERE (kind,key) IN (SELECT kind,key FROM state WHERE expires<=? LIMIT ?)", (now, limit)
        )
        return self._connection.changes()

    def close(self) -> None:
        if not self.intact():
            # What is left of the log belongs into a file that is lost.
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._connection.close()


def _inode(path: Path) -> tuple[int, int]:
    """Zeros for what is missing, empty or no file."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return 0, 0
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) and status.st_size else (0, 0)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    try:
        os.chmod(path, 0o600)
        connection.set_busy_timeout(_BUSY_MS)
        connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-500").fetchall()
        # Immediate: a transaction that begins by reading is refused at once when another process writes meanwhile.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_SCHEMA)
        known = {str(key): str(value) for key, value in connection.execute("SELECT key,value FROM meta")}
        if "format" not in known:
            connection.execute("REPLACE INTO meta VALUES('format',?)", (f"{FORMAT[0]}.{FORMAT[1]}",))
        elif int(known["format"].partition(".")[0]) > FORMAT[0]:
            raise NewerFormat(f"{path} was written by Whimbrel {known.get('written-by', '(unknown)')}")
        if known.get("written-by") != __version__:
            connection.execute("REPLACE INTO meta VALUES('written-by',?)", (__version__,))
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection
