"""A users.cfg for tests, and the check that index and file say the same."""

from pathlib import Path

import apsw
from lxml import etree

from tests.support.fakes import InlinePool, MemoryLog
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.backends.directory.records import NUMBERS
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.services.admin.people.records import RECORDS

FILE = """<?xml version="1.0" encoding="UTF-8"?>
<!-- Our people. -->
<users version="1.0">
  <!-- Head office -->
  <domain name="example.org">
    <primary>yes</primary> <!-- since 2020 -->
    <domain-alias>example.net</domain-alias>
    <!-- Staff -->
    <user name="alice">
      <!-- the boss -->
      <full-name>Alice "A" Ä</full-name>
      <password>$argon2id$alice</password>
      <rights>server-write</rights>
      <alias>boss</alias>
      <quota>5G</quota>
    </user> <!-- sits by the window -->
    <user name="Bob"><forward-to>bob@elsewhere.example</forward-to><forward-to>alice</forward-to></user>
    <alias name="info"><to>alice</to><to>x@remote.example</to></alias>
    <alias name="shop-*">
      <to>bob</to>
    </alias>
    <alias name="shop-?x"><to>alice</to></alias>
    <group name="all"><member>alice</member><member>bob@example.org</member></group>
  </domain>
  <domain name="second.example">
    <max-message-size>1M</max-message-size>
    <catch-all>alice</catch-all>
    <user name="alice"><enabled>no</enabled><rights>server-write</rights></user>
  </domain>
  <domain name="empty.example"/>
</users>
<!-- The end. -->
"""


class House:
    """A directory in a folder, with writer and reader."""

    def __init__(self, folder: Path, text: str = FILE, *, journal: bool = False, write_after: float = 3600) -> None:
        """`journal`: as for a large file; what is written into the journal reaches the file by `fold`."""
        self.path, self.index = folder / "users.cfg", folder / "users.idx"
        if text:
            self.path.write_text(text, encoding="utf-8")
        self.log = MemoryLog()
        self.time = 0.0
        self.told = 0
        self.changes = folder / "users.cfg.changes"
        self.editor = DirectoryFile(
            self.path, self.index, records=RECORDS, pool=InlinePool(), log=self.log, changed=self._tell,
            journal_from=0 if journal else 1 << 20, write_after=write_after,
        )  # fmt: skip
        self.editor.open()
        self.reader = IndexDirectory(self.index, monotonic=lambda: self.time)

    def _tell(self) -> None:
        self.told += 1

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def edit(self, *changes: DirectoryChange) -> None:
        self.editor.edit(changes)
        self.reader.refresh()

    def fold(self) -> None:
        self.editor._ledger.fold()

    def abandon(self) -> None:
        """As if the process were killed: nothing more is written."""
        self.editor._ledger._pending.clear()
        self.close()

    def close(self) -> None:
        self.editor.close()
        self.reader.close()


def add(kind: Kind, domain: str, name: str = "", **values: object) -> DirectoryChange:
    return DirectoryChange(Op.ADD, kind, domain, name, _named(values))


def put(kind: Kind, domain: str, name: str = "", **values: object) -> DirectoryChange:
    return DirectoryChange(Op.SET, kind, domain, name, _named(values))


def remove(kind: Kind, domain: str, name: str = "") -> DirectoryChange:
    return DirectoryChange(Op.REMOVE, kind, domain, name)


def _named(values: dict[str, object]) -> dict[str, object]:
    return {name.replace("_", "-"): value for name, value in values.items()}


Row = tuple[object, ...]


def contents(db: apsw.Connection) -> list[Row]:
    """All that the index says, with names instead of numbers."""
    owner = {int(node): str(name) for node, name in db.execute("SELECT id, name FROM node WHERE kind = 1")} | {0: ""}
    key = {
        int(node): (int(kind), owner[domain], str(name))
        for node, kind, domain, name in db.execute("SELECT id, kind, domain, name FROM node")
    }
    rows: list[Row] = [
        ("meta", *row) for row in db.execute("SELECT * FROM meta WHERE key NOT IN ('identity', 'made-in')")
    ]
    rows += [("node", *key[node], search, admin, data)
             for node, search, admin, data in db.execute("SELECT id, search, admin, data FROM node")]  # fmt: skip
    rows += [("place", *key[node], start, length) for node, start, length in db.execute("SELECT * FROM place")]
    rows += [("host", name, owner[domain], alias) for name, domain, alias in db.execute("SELECT * FROM host")]
    rows += [("local", owner[domain], name, key[node]) for domain, name, node in db.execute("SELECT * FROM local")]
    rows += [
        ("wildcard", owner[domain], key[node], text) for domain, node, text in db.execute("SELECT * FROM wildcard")
    ]
    rows += [("word", key[node], word) for word, node in db.execute("SELECT * FROM word")]
    rows += [("edge", key[node], host, name) for node, host, name in db.execute("SELECT * FROM edge")]
    return sorted(rows, key=repr)


def same_as_rebuilt(house: House, folder: Path) -> None:
    """The index after changes is what a fresh one of the file would be; each place is that of its record."""
    db = apsw.Connection(str(house.index), flags=apsw.SQLITE_OPEN_READONLY)
    other = DirectoryFile(house.path, folder / "fresh.idx", records=RECORDS)
    other.open()
    fresh = apsw.Connection(str(folder / "fresh.idx"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        assert contents(db) == contents(fresh)
        content = house.path.read_bytes()
        etree.fromstring(content)
        for kind, name, start, length in db.execute("SELECT kind, name, start, length FROM node JOIN place USING (id)"):
            element = etree.fromstring(content[start : start + length])
            if kind in NUMBERS.values():
                assert element.get("name") == name
    finally:
        other.close()
        db.close()
        fresh.close()
        for suffix in ("", "-wal", "-shm"):
            (folder / f"fresh.idx{suffix}").unlink(missing_ok=True)
