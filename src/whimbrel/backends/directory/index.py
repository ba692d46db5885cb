"""`users.idx`: what `users.cfg` says, as a SQLite database that answers look-ups. Disposable; rebuilt from the file.

node     every part of the file: the root, domains, their own settings (kind 5), users, aliases, groups, templates.
place    where it stands in the file: first byte and length. A change of one record moves all behind it, hence apart.
host     names and aliases of domains.  local: exact names in a domain.  wildcard: aliases with * or ?, in order.
edge     which addresses the records name: to find loops, what leads nowhere, and who names whom.
word     words of names and addresses, folded: how an address book finds people.
meta     version; which state of the file this is; where this index was made: inode and path.

Who reads it answers nothing from an index that is not whole: an empty one, one still being made, or one that was put in
its place by hand, which has another inode or path; nor from one that is withheld (`forgetting.py`).
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Final

import apsw

VERSION: Final = "1.2"
ROOT, DOMAIN, USER, ALIAS, GROUP, FIELD, TEMPLATE = range(7)
INSIDE: Final = f"({USER}, {ALIAS}, {GROUP}, {TEMPLATE})"
"""Kinds of records inside a domain, for SQL; `RECORDS` has domains too."""
RECORDS: Final = f"({DOMAIN}, {USER}, {ALIAS}, {GROUP}, {TEMPLATE})"
ROOT_ID: Final = 1
WITHHELD: Final = "withheld"
"""Key in `meta`: the file is one that makes the server forget everybody, and nobody has confirmed that."""
Values = dict[str, str | tuple[str, ...]]

SCHEMA: Final = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE node(
    id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, domain INTEGER NOT NULL, name TEXT NOT NULL, fold TEXT NOT NULL,
    search TEXT NOT NULL, admin INTEGER NOT NULL, data TEXT NOT NULL);
CREATE INDEX node_list ON node(kind, domain, fold);
CREATE INDEX node_admin ON node(id) WHERE admin = 1;
CREATE TABLE place(id INTEGER PRIMARY KEY, start INTEGER NOT NULL, length INTEGER NOT NULL);
CREATE TABLE host(name TEXT PRIMARY KEY, domain INTEGER NOT NULL, alias INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE local(domain INTEGER, name TEXT, id INTEGER NOT NULL, PRIMARY KEY(domain, name)) WITHOUT ROWID;
CREATE INDEX local_id ON local(id);
CREATE TABLE wildcard(domain INTEGER, id INTEGER, pattern TEXT NOT NULL, PRIMARY KEY(domain, id)) WITHOUT ROWID;
CREATE TABLE edge(source INTEGER, host TEXT, name TEXT, PRIMARY KEY(source, host, name)) WITHOUT ROWID;
CREATE INDEX edge_target ON edge(host, name);
CREATE TABLE word(word TEXT, id INTEGER, PRIMARY KEY(word, id)) WITHOUT ROWID;
CREATE INDEX word_id ON word(id);
"""


def create(path: Path, *, anew: bool = False) -> apsw.Connection:
    """The database for its one writer. Made anew if asked for, or if it is damaged, another's or of another version.

    Never within a file that others may have open: they would read the new pages through their old -shm."""
    for _ in range(2):
        if anew or not path.exists() or not path.stat().st_size:
            remove(path)
        # SQLite gives its -wal and -shm the same mode: they hold verifiers. Not opened if it is there: to close it
        # would give up the locks that this process has on it.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        inode = os.stat(path).st_ino
        db = apsw.Connection(str(path))
        try:
            _prepare(db, _made_in(path, inode))
            if _of_place(db, _made_in(path, inode)):
                return db
        except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError, apsw.IOError):
            pass
        discard(db)
        anew = True
    raise OSError(f"{path} cannot be made")


def _prepare(db: apsw.Connection, place: str) -> None:
    db.set_busy_timeout(10_000)
    db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8000;").fetchall()
    if db.execute("SELECT count(*) FROM sqlite_master").get == 0:
        with db:
            db.execute(SCHEMA)
            set_meta(db, "version", VERSION)
            set_meta(db, "made-in", place)


def _made_in(path: Path, inode: int) -> str:
    return f"{inode}:{os.path.realpath(path)}"


def _of_place(db: apsw.Connection, place: str) -> bool:
    return meta(db, "version") == VERSION and meta(db, "made-in") == place


def whole(db: apsw.Connection, path: Path, inode: int) -> bool:
    """All of a users.cfg is in it, it is not withheld, and it was made at `path` in the file `inode`: not put there by
    hand. apsw.Error"""
    return _of_place(db, _made_in(path, inode)) and meta(db, "digest") != "" and meta(db, WITHHELD) == ""


def discard(db: apsw.Connection) -> None:
    """Closes it without writing its log into a file that may no longer be its own."""
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    db.close()


def remove(path: Path) -> None:
    """The database and what belongs to it. Readers notice, and open the new one."""
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()


def empty(db: apsw.Connection) -> None:
    """All out, within the caller's transaction: readers see the former content until it ends."""
    for table in ("node", "place", "host", "local", "wildcard", "edge", "word"):
        db.execute(f"DELETE FROM {table}")  # The names are ours.


def meta(db: apsw.Connection, key: str) -> str:
    value = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).get
    return str(value) if value is not None else ""


def set_meta(db: apsw.Connection, key: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, value))


def pack(values: Values) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def unpack(data: str) -> Values:
    values = json.loads(data)
    return {name: tuple(value) if isinstance(value, list) else str(value) for name, value in values.items()}


def value_of(values: Values, name: str, default: str = "") -> str:
    """A single value."""
    value = values.get(name, default)
    return value if isinstance(value, str) else default


def values_of(values: Values, name: str) -> tuple[str, ...]:
    """A list."""
    value = values.get(name, ())
    return value if isinstance(value, tuple) else (value,)
