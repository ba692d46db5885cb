"""Records for people: lists with search and paging, what an edit made outside changes, the whole as a file."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import apsw

from whimbrel.backends.config import text, tree
from whimbrel.backends.directory import index
from whimbrel.backends.directory.build import DomainEnd, Records, name_of
from whimbrel.backends.directory.index import DOMAIN, Values
from whimbrel.backends.directory.records import NUMBERS, Schema
from whimbrel.core.address import Domain, folded
from whimbrel.core.config import ConfigError, Text
from whimbrel.core.directory import Entry, Kind, Naming
from whimbrel.core.settings import Section

MAX_LIMIT: Final = 10_000
_MAX_LINES: Final = 2000


_NAMING: Final = (
    "SELECT n.kind, n.name, coalesce(d.name, ''), e.name, e.host FROM edge e JOIN node n ON n.id = e.source "
    "LEFT JOIN node d ON d.id = n.domain"
)
_NOWHERE: Final = (
    f"{_NAMING} JOIN host h ON h.name = e.host "
    "WHERE NOT EXISTS(SELECT 1 FROM local l WHERE l.domain = h.domain AND l.name = e.name)"
)
_ONWARD: Final = (
    f"{_NAMING} JOIN host h ON h.name = e.host JOIN local l ON l.domain = h.domain AND l.name = e.name "
    "WHERE EXISTS(SELECT 1 FROM edge o WHERE o.source = l.id)"
)


class Listing:
    """A connection of its own, so that nothing is read that is not committed."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self._schema = schema
        self.db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self.db.set_busy_timeout(5000)

    def close(self) -> None:
        self.db.close()

    def entry(self, kind: Kind, domain: str, name: str) -> Entry | None:
        host = self._host(domain)
        if host is None:
            return None
        if kind is Kind.DOMAIN:
            row = self.db.execute("SELECT name, name, data FROM node WHERE id = ?", (host,)).get
        else:
            row = self.db.execute(
                "SELECT n.name, d.name, n.data FROM node n JOIN node d ON d.id = n.domain "
                "WHERE n.kind = ? AND n.domain = ? AND n.fold = ?",
                (NUMBERS[kind], host, name.strip().casefold()),
            ).get
        return self._entry(kind, *row) if isinstance(row, tuple) else None

    def numbered(self, kind: Kind, node: int) -> Entry:
        """The record with this number in the index."""
        row = self.db.execute(
            "SELECT n.name, coalesce(d.name, n.name), n.data FROM node n LEFT JOIN node d ON d.id = n.domain "
            "WHERE n.id = ?",
            (node,),
        ).get
        assert isinstance(row, tuple)
        return self._entry(kind, *row)

    def entries(self, kind: Kind, domain: str, search: str, after: str, limit: int) -> list[Entry]:
        limit = max(1, min(limit, MAX_LIMIT))
        local, _, behind = after.casefold().rpartition("@")
        words = f"%{escaped(search.casefold())}%"
        if kind is Kind.DOMAIN:
            rows = self.db.execute(
                "SELECT name, name, data FROM node WHERE kind = ? AND fold > ? AND search LIKE ? ESCAPE '!' "
                "ORDER BY fold LIMIT ?",
                (DOMAIN, behind, words, limit),
            )
            return [self._entry(kind, *row) for row in rows]
        hosts = [
            (int(node), str(name))
            for node, name in self.db.execute("SELECT id, fold FROM node WHERE kind = ? ORDER BY fold", (DOMAIN,))
        ]
        if domain:
            only = self._host(domain)
            hosts = [host for host in hosts if host[0] == only]
        entries: list[Entry] = []
        for host, name in hosts:
            if name < behind or len(entries) >= limit:
                continue
            rows = self.db.execute(
                "SELECT n.name, d.name, n.data FROM node n JOIN node d ON d.id = n.domain WHERE n.kind = ? "
                "AND n.domain = ? AND n.fold > ? AND (n.search || '@' || d.fold) LIKE ? ESCAPE '!' "
                "ORDER BY n.fold LIMIT ?",
                (NUMBERS[kind], host, local if name == behind else "", words, limit - len(entries)),
            )
            entries += [self._entry(kind, *row) for row in rows]
        return entries

    def naming(self, addresses: Sequence[str]) -> list[Naming]:
        namings: dict[Naming, None] = {}
        for address in addresses:
            local, _, domain = address.rpartition("@")
            here = self._host(domain)
            hosts = [domain] if here is None else [
                str(name) for (name,) in self.db.execute("SELECT name FROM host WHERE domain = ?", (here,))
            ]  # fmt: skip
            for host in hosts:
                query = f"{_NAMING} WHERE e.host = ?" + (" AND e.name = ?" if local else "")
                rows = self.db.execute(query, (host, local.casefold()) if local else (host,))
                namings |= dict.fromkeys(_naming(*row) for row in rows)
        return list(namings)

    def doubtful(self, limit: int) -> list[Naming]:
        namings: dict[Naming, None] = {}
        for query in (_NOWHERE, _ONWARD):
            rows = self.db.execute(f"{query} LIMIT ?", (limit - len(namings),)) if len(namings) < limit else ()
            namings |= dict.fromkeys(_naming(*row) for row in rows)
        return list(namings)

    def _host(self, domain: str) -> int | None:
        try:
            name = Domain(domain)
        except ValueError:
            return None
        row = self.db.execute("SELECT domain FROM host WHERE name = ?", (name,)).get
        return None if row is None else int(str(row))

    def _entry(self, kind: Kind, name: object, domain: object, data: object) -> Entry:
        return entry_of(self._schema, kind, name, domain, data)


def entry_of(schema: Schema, kind: Kind, name: object, domain: object, data: object) -> Entry:
    """With defaults filled in, secrets masked."""
    section = schema.section(kind)
    record = _record(section, str(name), index.unpack(str(data)))
    values: dict[str, Text] = {}
    for element, field in section.elements().items():
        if not text.shape(section, field).section:
            values[element] = text.shown(getattr(record, field))
    return Entry(kind, str(domain), "" if kind is Kind.DOMAIN else str(name), values)


def _naming(kind: object, name: object, domain: object, local: object, host: object) -> Naming:
    word = next(word for word, number in NUMBERS.items() if number == kind)
    where, own = (str(name), "") if word is Kind.DOMAIN else (str(domain), str(name))
    return Naming(word, where, own, f"{local}@{host}")


def escaped(words: str) -> str:
    return words.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def whole(db: apsw.Connection, schema: Schema) -> Iterator[bytes]:
    """A file that says what the index says."""
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<users version="{tree.VERSION}">\n'.encode()
    for node, name, data in db.execute("SELECT id, name, data FROM node WHERE kind = ? ORDER BY id", (DOMAIN,)):
        domain = _record(schema.domain, str(name), index.unpack(str(data)))
        lines = [f'  <domain name="{name}">\n'.encode()]
        lines += [
            b"    " + tree.value_fragment(element, item) + b"\n"
            for element, value in text.texts(domain).items()
            for item in ((value,) if isinstance(value, str) else value)
        ]
        yield b"".join(lines)
        for kind, entry, values in db.execute(
            f"SELECT kind, name, data FROM node WHERE domain = ? AND kind IN {index.INSIDE} ORDER BY id", (node,)
        ):
            record = _record(schema.numbered(int(kind)), str(entry), index.unpack(str(values)))
            yield b"    " + tree.fragment(tree.build(record, 2)) + b"\n"
        yield b"  </domain>\n"
    yield b"</users>\n"


def _record(kind: type[Section], name: str, values: Values) -> Section:
    record, faults = text.typed(kind, name, values)
    if record is None:
        raise ConfigError(*faults)
    return record


def difference(db: apsw.Connection, content: bytes, file: str, schema: Schema, other: str = "on disk") -> str:
    """Records that differ between the index and a file, as a unified diff; secrets are masked."""
    lines = [f"--- {file} (in use)", f"+++ {file} ({other})"]
    seen = bytearray(int(str(db.execute("SELECT max(id) FROM node").get or 0)) + 1)
    records = Records(content, file, schema)
    host = ""
    try:
        for item in records:
            if isinstance(item, tuple):
                lines += _compared(db, schema, seen, host, item[1])
            elif isinstance(item, DomainEnd):
                if item.record:
                    lines += _compared(db, schema, seen, "", item.record)
            elif hasattr(item, "attributes"):
                host = folded(item.attributes.get("name", "").strip())
            if len(lines) > _MAX_LINES:
                return "\n".join([*lines[:_MAX_LINES], "... and more", ""])
    except ConfigError as error:
        return f"{error}\n"
    if records.faults:
        return "\n".join([*map(str, records.faults), ""])
    for node, kind, name, data in db.execute(f"SELECT id, kind, name, data FROM node WHERE kind IN {index.RECORDS}"):
        if not seen[int(node)]:
            owner = db.execute("SELECT d.name FROM node n JOIN node d ON d.id = n.domain WHERE n.id = ?", (node,)).get
            record = _record(schema.numbered(int(kind)), str(name), index.unpack(str(data)))
            lines += [f"-{line}" for line in _lines(str(owner or ""), record, {})]
    lines = lines[:_MAX_LINES]
    return "\n".join([*lines, ""]) if len(lines) > 2 else f"{file}: only remarks or layout differ\n"


def _compared(db: apsw.Connection, schema: Schema, seen: bytearray, host: str, record: Section) -> list[str]:
    number, own = NUMBERS[Kind(record.tag)], name_of(record)
    if number == DOMAIN:
        row = db.execute("SELECT id, name, data FROM node WHERE kind = 1 AND fold = ?", (own,)).get
    else:
        row = db.execute(
            "SELECT n.id, n.name, n.data FROM node d JOIN node n ON n.kind = ? AND n.domain = d.id AND n.fold = ? "
            "WHERE d.kind = 1 AND d.fold = ?",
            (number, own.casefold(), host),
        ).get
    if not isinstance(row, tuple):
        return [f"+{line}" for line in _lines(host, record, {})]
    node, name, data = row
    seen[int(node)] = 1
    if str(name) == own and str(data) == index.pack(text.texts(record)):
        return []
    old = _record(type(record), str(name), index.unpack(str(data)))
    masks: dict[str, str] = {}
    changes = difflib.unified_diff(_lines(host, old, masks), _lines(host, record, masks), lineterm="", n=0)
    return [line for line in changes if not line.startswith(("---", "+++", "@@"))]


def _lines(host: str, record: Section, masks: dict[str, str]) -> list[str]:
    """`user alice@example.org: full-name: Alice`. The same secret has the same mask."""
    name = name_of(record)
    head = f"{record.tag} {name}@{host}" if host else f"{record.tag} {name}"
    lines = [head]
    for element, value in text.texts(record).items():
        field = type(record).field_for(element) or ""
        for item in (value,) if isinstance(value, str) else value:
            if text.shape_is_secret(type(record), field):
                item = masks.setdefault(item, f"******** ({len(masks) + 1})")
            lines.append(f"{head}: {element}: {item}")
    return lines
