"""A directory service's people, replicated: `people-<source>.idx` beside users.idx.

Control refreshes it round by round; every process reads it. It is written in one transaction a round, so that no reader
sees half of one. Nobody goes because the service failed, or answered empty or in part: only a round that says it is
whole takes people out, and never more than a share of them unless an administrator says so. Unlike users.idx it is not
disposable: while it cannot be read, nobody in it can be said not to exist.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from whimbrel.backends.directory.words import end_of, fits, words_of
from whimbrel.core.directory import PeopleSource, Replicated
from whimbrel.core.errors import MailError
from whimbrel.core.record import Texts

VERSION: Final = "1.0"
MOST_GONE: Final = 0.2
"""Share of the people that one round may take out."""
FEW: Final = 5
"""So many may always go."""
_SCHEMA: Final = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE person(
    uid TEXT PRIMARY KEY, domain TEXT NOT NULL, name TEXT NOT NULL, data TEXT NOT NULL, round INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX person_round ON person(round);
CREATE TABLE local(domain TEXT, name TEXT, uid TEXT NOT NULL, PRIMARY KEY(domain, name)) WITHOUT ROWID;
CREATE INDEX local_uid ON local(uid);
CREATE TABLE word(word TEXT, uid TEXT, PRIMARY KEY(word, uid)) WITHOUT ROWID;
CREATE INDEX word_uid ON word(uid);
"""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a round changed. `held_back`: who was not in the answer and stays all the same."""

    people: int
    changed: int
    gone: int
    held_back: int


class Replica:
    """For the one writer. Calls block."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = apsw.Connection(str(path))
        self._db.set_busy_timeout(10_000)
        self._db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").fetchall()
        if self._db.execute("SELECT count(*) FROM sqlite_master").get == 0:
            with self._db:
                self._db.execute(_SCHEMA)
                self._db.execute("INSERT INTO meta VALUES('version', ?)", (VERSION,))

    def close(self) -> None:
        self._db.close()

    def refresh(self, people: Sequence[Replicated], *, whole: bool, accept_gone: bool = False) -> Refreshed:
        """One answer of the service. `whole`: it said that this is everybody, and nothing failed on the way."""
        changed = 0
        with self._db:
            row = self._db.execute("SELECT coalesce(max(round), 0) + 1 FROM person").get
            number = int(str(row))
            for person in people:
                changed += self._put(person, number)
            stale = [str(uid) for (uid,) in self._db.execute("SELECT uid FROM person WHERE round < ?", (number,))]
            before = len(stale) + len(people)
            may_go = whole and bool(people) and (accept_gone or len(stale) <= max(FEW, before * MOST_GONE))
            for uid in stale if may_go else ():
                self._drop(uid)
            # Told apart from a file that was only made: now it can be said who is not there.
            if whole and people:
                self._db.execute("INSERT OR REPLACE INTO meta VALUES('replicated', '1')")
        return Refreshed(len(people), changed, len(stale) if may_go else 0, 0 if may_go else len(stale))

    def _put(self, person: Replicated, number: int) -> bool:
        data = json.dumps(dict(person.texts), ensure_ascii=False, sort_keys=True)
        row = self._db.execute("SELECT domain, name, data FROM person WHERE uid = ?", (person.uid,)).get
        if row == (person.domain, person.name, data):
            self._db.execute("UPDATE person SET round = ? WHERE uid = ?", (number, person.uid))
            return False
        self._drop(person.uid)
        self._db.execute(
            "INSERT INTO person VALUES(?, ?, ?, ?, ?)", (person.uid, person.domain, person.name, data, number)
        )
        aliases = person.texts.get("alias", ())
        names = (person.name, *((aliases,) if isinstance(aliases, str) else aliases))
        for name in names:
            self._db.execute(
                "INSERT OR REPLACE INTO local VALUES(?, ?, ?)", (person.domain, name.casefold(), person.uid)
            )
        for word in words_of(*names, str(person.texts.get("full-name", ""))):
            self._db.execute("INSERT OR IGNORE INTO word VALUES(?, ?)", (word, person.uid))
        return True

    def _drop(self, uid: str) -> None:
        for table in ("person", "local", "word"):
            self._db.execute(f"DELETE FROM {table} WHERE uid = ?", (uid,))


class ReplicaReader:
    """The port PeopleSource; opened at the first question, after a fork."""

    def __init__(self, name: str, path: Path) -> None:
        self._name, self._path = name, path
        self._db: apsw.Connection | None = None
        self._inode = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> object:
        try:
            return self._inode, self._opened().execute("PRAGMA data_version").get
        except (MailError, apsw.Error):
            return None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None

    def find(self, domain: str, local: str) -> Replicated | None:
        query = "SELECT p.uid, p.domain, p.name, p.data FROM local l JOIN person p ON p.uid = l.uid "
        rows = self._rows(f"{query} WHERE l.domain = ? AND l.name = ?", domain, local)
        return _person(*rows[0]) if rows else None

    def search(self, words: Sequence[str], domains: frozenset[str] | None, limit: int) -> Sequence[Replicated]:
        if not words:
            return ()
        query = (
            "SELECT p.uid, p.domain, p.name, p.data FROM person p WHERE p.uid IN "
            "(SELECT uid FROM word WHERE word >= ? AND word < ?)"
        )
        every = (_person(*row) for row in self._rows(query, words[0], end_of(words[0])))
        people: list[Replicated] = []
        for person in every:
            own = words_of(person.name, str(person.texts.get("full-name", "")))
            if (domains is None or person.domain in domains) and fits(own, words):
                people.append(person)
                if len(people) >= limit:
                    break
        return people

    def _opened(self) -> apsw.Connection:
        try:
            inode = os.stat(self._path).st_ino
        except OSError:
            self.close()
            raise _unavailable(self._name, "it was never replicated") from None
        if self._db is None or inode != self._inode:
            self.close()
            self._db = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
            self._db.set_busy_timeout(5000)
            self._inode = inode
        return self._db

    def _rows(self, query: str, *values: str) -> list[tuple[object, ...]]:
        try:
            db = self._opened()
            if db.execute("SELECT value FROM meta WHERE key = 'replicated'").get is None:
                raise _unavailable(self._name, "no whole answer has come yet")
            return list(db.execute(query, values))
        except apsw.Error as error:
            self.close()
            raise _unavailable(self._name, repr(error)) from error


def _person(uid: object, domain: object, name: object, data: object) -> Replicated:
    texts: Texts = {
        key: tuple(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in json.loads(str(data)).items()
    }
    return Replicated(str(uid), str(domain), str(name), texts)


def _unavailable(name: str, detail: str) -> MailError:
    return MailError(451, "4.3.0", "The directory is not available now", detail=f"people of {name}: {detail}")


_port: type[PeopleSource] = ReplicaReader
