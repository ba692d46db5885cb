"""The folder tree of an account: `account.fld` (a disposable database) over `#folder.xml` in each folder.

Directories are the folders; the database makes listing and look-up fast and keeps subscriptions, which are also in
`#account.xml`. All writes happen under the account's lock, in the committer's thread.
"""

import contextlib
import os
import re
import threading
import time
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import apsw

from whimbrel.backends.disk.irregular import not_a_file
from whimbrel.backends.store.disk.database import DAMAGE, Damaged, identity_of, open_database, row, rows
from whimbrel.backends.store.disk.folder_xml import (
    account_annotations,
    folder_annotations,
    read_folder_xml,
    read_subscriptions,
    write_account_xml,
    write_folder_xml,
)
from whimbrel.backends.store.disk.identity import FileIdentity, Stamp
from whimbrel.backends.store.disk.names import on_disk
from whimbrel.backends.store.disk.places import clear_files
from whimbrel.backends.store.names import by_hand, canonical, leaf, parent
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELIMITER, INBOX, MailboxId, SpecialUse

_VERSION = 1000
_SCHEMA = """
CREATE TABLE folder(
  mailbox_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL UNIQUE, special_use TEXT NOT NULL,
  selectable INTEGER NOT NULL, uid_validity INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE subscription(name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE account(id INTEGER PRIMARY KEY CHECK(id = 1), last_validity INTEGER NOT NULL);
"""
_MAX_PATH = 4000
"""Bytes; Linux takes 4,096."""
_TEXT = re.compile("[^\ud800-\udfff]*\\Z")
"""What is no UTF-8 has surrogates here: no database takes it, and we never made it."""
_ESCAPED = re.compile(r"((?:%[0-9A-F]{2})+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One folder: its truth (`#folder.xml`) and its directory, relative to the account's."""

    mailbox: MailboxId
    name: str
    path: str
    special_use: SpecialUse | None
    selectable: bool
    uid_validity: int

    @property
    def key(self) -> bytes:
        """Of its slot in account.seq."""
        return bytes.fromhex(self.mailbox[1:])


class Tree:
    """One for each account and process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._path = root / "account.fld"
        self._files = [f"{self._path}{suffix}" for suffix in ("", "-wal", "-shm")]
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._by_id: dict[MailboxId, Entry] = {}
        self._paths: set[str] = set()
        self._sorted: list[Entry] | None = None
        self._written: set[str] = set()
        self._subscribed: frozenset[str] = frozenset()
        self._loaded: tuple[int, FileIdentity] | None = None
        self._connection: apsw.Connection | None = None
        self.cleared: list[Path] = []
        """Paths of what was moved away since it stood in the place of a file; whoever says so empties it."""

    # Reading

    def load(self, version: int, seen: Stamp | None = None) -> bool:
        """Reads the database if it is not at `version` yet (AccountSeq.folders_version). False: it must be rebuilt.
        `seen`: the stamp of the account's directory, if the caller has just taken it."""
        with self._lock:
            if self._loaded is not None and self._loaded[0] == version and self._loaded[1].unchanged(seen):
                return True
            if not self._path.exists() or any(map(not_a_file, self._files)):
                return False
            try:
                connection = open_database(self._path, _SCHEMA, _VERSION, create=False)
                try:
                    folders = rows(connection, "SELECT * FROM folder")
                    names = rows(connection, "SELECT name FROM subscription")
                    if row(connection, "SELECT count(*) FROM account")[0] != 1:
                        return False
                finally:
                    connection.close()
            except (*DAMAGE, Damaged):
                return False
            entries = [Entry(r[0], r[1], r[2], SpecialUse(r[3]) if r[3] else None, bool(r[4]), r[5]) for r in folders]
            self._use(entries, frozenset(name for (name,) in names))
            self._loaded = (version, identity_of(self._path))
            return bool(entries)

    def _use(self, entries: list[Entry], subscribed: frozenset[str]) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._by_id = {entry.mailbox: entry for entry in entries}
        self._paths = {_alike(entry.path) for entry in entries}
        self._sorted = None
        self._subscribed = subscribed

    def forget(self) -> None:
        self._loaded = None

    def entries(self) -> list[Entry]:
        """INBOX first, then by name."""
        entries = self._sorted
        if entries is None:
            entries = sorted(self._entries.values(), key=lambda entry: (entry.name != INBOX, entry.name.casefold()))
            self._sorted = entries
        return list(entries)

    def named(self, name: str) -> Entry | None:
        return self._entries.get(name)

    def identified(self, mailbox: MailboxId) -> Entry | None:
        return self._by_id.get(mailbox)

    def links(self) -> list[str]:
        """Symbolic links to directories, where folders would be: none is followed."""
        paths = ("", *(entry.path for entry in self.entries()))
        items = (item for path in paths for item in _scanned(self.root / path) if not item.name.startswith("#"))
        return [item.path for item in items if item.is_symlink() and item.is_dir()]

    def strayed(self) -> bool:
        """The directories are not those of the folders: a crash came between a directory and its entry, or a person
        was at work. Walks over them all."""
        # Some file systems give back other spellings than they were given.
        return {_alike(path) for path in _directories(self.root, "")} != self._paths

    @property
    def subscribed(self) -> frozenset[str]:
        return self._subscribed

    def below(self, name: str) -> list[Entry]:
        """All folders under `name`, at any depth."""
        prefix = name + DELIMITER
        return [entry for entry in self.entries() if entry.name.startswith(prefix)]

    # Writing, under the account's lock

    @contextlib.contextmanager
    def _writing(self) -> Iterator[apsw.Connection]:
        """The database for one change, or for several that are made together."""
        if self._connection is not None:
            yield self._connection
            return
        self._connection = open_database(self._path, _SCHEMA, _VERSION, create=True)
        try:
            with self._connection:
                yield self._connection
        finally:
            self._connection.close()
            self._connection = None

    def add(self, name: str, special_use: SpecialUse | None, *, selectable: bool = True) -> Entry:
        """Makes the directory and its `#folder.xml`; the parent exists."""
        above = self.named(parent(name))
        base = above.path + "/" if above else ""
        entry = Entry(new_mailbox_id(), name, self._free(base, leaf(name)), special_use, selectable, self.validity())
        folder = self.root / entry.path
        (folder / "#msgs").mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write_xml(entry)
        self._store([entry])
        return entry

    def _free(self, base: str, level: str) -> str:
        """A directory that does not exist yet: where case or composition of letters make no difference, `Foo` and
        `foo`, or two spellings of `e` with an accent, must not meet."""
        wanted = base + on_disk(level)
        path, count = wanted, 1
        while _alike(path) in self._paths or os.path.lexists(self.root / path):
            count += 1
            path = f"{wanted}%~{count}"
        return path

    def validity(self) -> int:
        """A new UIDVALIDITY: above all that this account ever gave."""
        with self._writing() as connection:
            last = row(connection, "SELECT last_validity FROM account")
            value = max(int(time.time()), (last[0] if last else 0) + 1)
            connection.execute("INSERT OR REPLACE INTO account VALUES(1, ?)", (value,))
            return value

    def change(
        self,
        entry: Entry,
        *,
        name: str | None = None,
        selectable: bool | None = None,
        special_use: SpecialUse | None = None,
    ) -> Entry:
        """Renames (the directory moves), marks as selectable or not, gives a use."""
        changed = entry if special_use is None else replace(entry, special_use=special_use)
        if selectable is not None:
            changed = replace(changed, selectable=selectable)
        moved: list[Entry] = []
        if name is not None and name != entry.name:
            above = self.named(parent(name))
            path = self._free(above.path + "/" if above else "", leaf(name))
            os.rename(self.root / entry.path, self.root / path)
            for child in self.below(entry.name):
                moved.append(
                    replace(child, name=name + child.name[len(entry.name) :], path=path + child.path[len(entry.path) :])
                )
            changed = replace(changed, name=name, path=path)
        for each in (changed, *moved):
            self._write_xml(each)
        self._store([changed, *moved])
        return changed

    def keep_level(self, entry: Entry) -> Entry:
        """What is left of a deleted folder with others below: a level, another folder as far as clients can tell."""
        level = replace(
            entry, mailbox=new_mailbox_id(), selectable=False, special_use=None, uid_validity=self.validity()
        )
        self._write_xml(level)
        self._store([level])
        return level

    def check_length(self, name: str) -> None:
        """MailboxError CANNOT where the directories of `name` would be longer than a path may be."""
        path = self.root.joinpath(*(on_disk(level) for level in name.split(DELIMITER)))
        if len(os.fsencode(path)) + 8 * name.count(DELIMITER) + 64 > _MAX_PATH:
            raise MailboxError(Condition.CANNOT, "The folder's full name is too long")

    def remove(self, entry: Entry) -> None:
        """Forgets an entry; the caller has moved its directory away."""
        with self._writing() as connection:
            connection.execute("DELETE FROM folder WHERE mailbox_id = ?", (entry.mailbox,))
        self._entries.pop(entry.name, None)
        self._by_id.pop(entry.mailbox, None)
        self._paths.discard(_alike(entry.path))
        self._sorted = None

    def revive(self, entry: Entry) -> None:
        """A folder whose directory has come back, in place of a level of its name."""
        level = self.named(entry.name)
        if level is not None:
            self.remove(level)
        self._write_xml(entry)
        self._store([entry])

    def place(self, name: str) -> str:
        """A free directory for a folder of this name; the parent exists."""
        above = self.named(parent(name))
        return self._free(above.path + "/" if above else "", leaf(name))

    def subscribe(self, name: str, *, subscribed: bool) -> bool:
        """True if that changed something."""
        if (name in self._subscribed) == subscribed:
            return False
        names = self._subscribed | {name} if subscribed else self._subscribed - {name}
        with self._writing() as connection:
            connection.execute("DELETE FROM subscription")
            connection.executemany("INSERT INTO subscription VALUES(?)", [(each,) for each in names])
        self._subscribed = names
        write_account_xml(self.root, names)
        self._written.update((str(self.root / "#account.xml"), str(self.root)))
        return True

    def _store(self, entries: list[Entry]) -> None:
        with self._writing() as connection:
            for entry in entries:
                connection.execute("DELETE FROM folder WHERE mailbox_id = ?", (entry.mailbox,))
            for entry in entries:
                use = entry.special_use.value if entry.special_use else ""
                connection.execute(
                    "INSERT INTO folder VALUES(?,?,?,?,?,?)",
                    (entry.mailbox, entry.name, entry.path, use, int(entry.selectable), entry.uid_validity),
                )
                old = self._by_id.get(entry.mailbox)
                if old is not None:
                    self._entries.pop(old.name, None)
                    self._paths.discard(_alike(old.path))
        for entry in entries:
            self._entries[entry.name] = entry
            self._by_id[entry.mailbox] = entry
            self._paths.add(_alike(entry.path))
        self._sorted = None

    def take_written(self) -> set[str]:
        """Files and directories written since they were last taken: they are to be made durable."""
        written, self._written = self._written, set()
        return written

    def annotations(self, entry: Entry | None) -> dict[str, bytes]:
        """Of a folder, or of the account; from the file, so always the latest."""
        return account_annotations(self.root) if entry is None else folder_annotations(self.root / entry.path)

    def annotate(self, entry: Entry | None, annotations: Mapping[str, bytes]) -> None:
        if entry is None:
            write_account_xml(self.root, self._subscribed, annotations)
            self._written.update((str(self.root / "#account.xml"), str(self.root)))
        else:
            self._write_xml(entry, annotations)

    def rebuild(self) -> None:
        """Makes `account.fld` anew from the directories. Under the lock."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.cleared += clear_files(self.root, (*map(os.path.basename, self._files), "#account.xml"))
        for file in self._files:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(file)
        self._use([], frozenset())
        with self._writing():
            self._rebuild()

    def _rebuild(self) -> None:
        entries: list[Entry] = []
        names: set[str] = set()
        identities: set[str] = set()
        for path in _directories(self.root, ""):
            entry = self._read(path, entries)
            if entry.mailbox in identities or not entry.mailbox:
                entry = replace(entry, mailbox=new_mailbox_id())  # A directory copied by hand.
            while entry.name in names:
                entry = replace(entry, name=entry.name + " (2)")
            names.add(entry.name)
            identities.add(entry.mailbox)
            entries.append(entry)
        last = max([int(time.time()) - 1, *(entry.uid_validity for entry in entries)])
        entries = [
            entry if entry.uid_validity else replace(entry, uid_validity=last + number)
            for number, entry in enumerate(entries, 1)
        ]
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO account VALUES(1, ?)", (last + len(entries) + 1,))
        for entry in entries:
            self._write_xml(entry)
        self._store(entries)
        for name in read_subscriptions(self.root):
            self.subscribe(name, subscribed=True)
        if self.named(INBOX) is None:
            self.add(INBOX, None)

    def _read(self, path: str, entries: list[Entry]) -> Entry:
        base, _, level = path.rpartition("/")
        above = next((entry.name + DELIMITER for entry in entries if entry.path == base), "") if base else ""
        own = by_hand(_ESCAPED.sub(lambda match: _unescape(match[1]), level))
        own = INBOX if not above and own.upper() == INBOX else own
        folder_xml = read_folder_xml(self.root / path)
        if folder_xml is None:
            return Entry(MailboxId(""), above + own, path, None, True, 0)
        wanted = leaf(folder_xml.name)
        known = _possible(wanted) and level.partition("%~")[0] == on_disk(wanted).partition("%~")[0]
        return Entry(
            folder_xml.mailbox,
            above + (wanted if known else own),  # A directory that was renamed by hand has the name it has now.
            path,
            folder_xml.special_use,
            folder_xml.selectable,
            folder_xml.uid_validity,
        )

    def _write_xml(self, entry: Entry, annotations: Mapping[str, bytes] | None = None) -> None:
        folder = self.root / entry.path
        write_folder_xml(
            folder,
            name=entry.name,
            mailbox=entry.mailbox,
            uid_validity=entry.uid_validity,
            special_use=entry.special_use,
            selectable=entry.selectable,
            annotations=annotations,
        )
        self._written.update((str(folder / "#folder.xml"), str(folder), str(folder.parent)))


def _alike(path: str) -> str:
    return unicodedata.normalize("NFC", path.casefold())


def new_mailbox_id() -> MailboxId:
    return MailboxId("F" + os.urandom(16).hex())


def _scanned(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as items:
            return list(items)
    except FileNotFoundError:
        return []


def _directories(root: Path, base: str) -> Iterator[str]:
    """Folder directories, parents first."""
    for name in sorted(item.name for item in _scanned(root / base) if item.is_dir(follow_symlinks=False)):
        if not name.startswith("#") and _TEXT.match(name):
            path = f"{base}/{name}" if base else name
            yield path
            yield from _directories(root, path)


def _possible(level: str) -> bool:
    """A file that somebody edited may say anything."""
    try:
        return canonical(level) == level
    except MailboxError:
        return False


def _unescape(text: str) -> str:
    return bytes.fromhex(text.replace("%", "")).decode("utf-8", "replace")
