"""Filling `users.idx`: from the whole file in one pass, or one record at a time; and the rules that hold for all.

Rules: exactly one primary domain; a name once in a domain, whether of a user, a user's alias, an alias or a group, in
any case; a template's name once among the templates of its domain; a domain's alias is no other domain's name; groups
and aliases do not lead back to themselves.
"""

from array import array
from collections.abc import Callable, Iterator

import apsw
from lxml import etree

from whimbrel.backends.config import text, xml
from whimbrel.backends.directory import index
from whimbrel.backends.directory.index import ALIAS, DOMAIN, FIELD, GROUP, ROOT, ROOT_ID, TEMPLATE, USER, Values
from whimbrel.backends.directory.records import Schema
from whimbrel.backends.directory.scan import Child, Opened, scan
from whimbrel.backends.directory.words import words_of
from whimbrel.core.address import folded
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.people import full_address
from whimbrel.core.settings import Section

WORDS = {DOMAIN: "domain", USER: "user", ALIAS: "alias", GROUP: "group", TEMPLATE: "template"}
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def element_of(fragment: bytes, file: str = "", line: int = 0) -> etree._Element:
    """One record's XML. ConfigError."""
    try:
        return etree.fromstring(fragment, _PARSER)
    except etree.XMLSyntaxError as error:
        message = (error.msg or "").rsplit(", line", 1)[0]
        raise ConfigError(Fault(file, line, "", f"not well-formed XML: {message}")) from None


class Records:
    """The records of a file, one after the other; `faults` are all mistakes found on the way."""

    def __init__(self, content: bytes, file: str, schema: Schema) -> None:
        self.content, self.file, self._schema = content, file, schema
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self.newer = False

    def fault(self, line: int, path: str, sentence: str) -> None:
        self.faults.append(Fault(self.file, line, path, sentence))
        if len(self.faults) >= xml.MAX_FAULTS:
            raise ConfigError(*self.faults, Fault(self.file, 0, "", "and perhaps more"))

    def __iter__(self) -> Iterator["Opened | Child | tuple[Child, Section] | DomainEnd | RootEnd"]:
        """Opened for each domain; its own settings as Child; (Child, record); its end; at last the root's end."""
        domain: Opened | None = None
        root: Opened | None = None
        header: list[tuple[etree._Element, int]] = []
        for item in scan(self.content, self.file):
            if isinstance(item, Opened) and item.depth == 0:
                root = item
                self.newer = xml.check_root(item.tag, item.attributes, self._schema.root, self.file, item.line)
            elif isinstance(item, Opened):
                domain, header = item if item.tag == "domain" else None, []
                if domain:
                    yield domain
                elif self.newer:
                    self.warnings.append(Fault(self.file, item.line, item.tag, "unknown here, kept as it is"))
                else:
                    self.fault(item.line, item.tag, f"unknown{text.nearest(item.tag, ['domain'])}")
            elif domain is None:
                if not isinstance(item, Child) and root and item.depth == 0:
                    yield RootEnd(root.start, item.end)
            elif isinstance(item, Child):
                element = element_of(self.content[item.start : item.end], self.file, item.line)
                if item.tag in self._schema.kinds:
                    record = self._record(element, item, domain)
                    if record is not None:
                        yield item, record
                else:
                    header.append((element, item.line))
                    yield item
            elif item.depth == 1:
                yield DomainEnd(domain, item.end, self._domain(domain, header))
                domain = None

    def _record(self, element: etree._Element, item: Child, domain: Opened) -> Section | None:
        kind = self._schema.kinds[item.tag][1]
        first = item.line - 1
        reader = xml.Reader[Section](kind, self.file, line=lambda part: xml.source_line(part) + first, newer=self.newer)
        name = element.get("name") or ""
        made = reader.read(element, f"domain[{domain.attributes.get('name', '')}]/{item.tag}[{name}]")
        self._take(reader)
        return made

    def _domain(self, opened: Opened, header: list[tuple[etree._Element, int]]) -> Section | None:
        element = etree.Element("domain", opened.attributes)
        lines = {element: opened.line}
        for child, line in header:
            for part in child.iter():
                lines[part] = xml.source_line(part) + line - 1
            element.append(child)
        reader = xml.Reader(
            self._schema.domain, self.file, line=lambda part: lines.get(part, opened.line), newer=self.newer
        )
        made = reader.read(element, f"domain[{opened.attributes.get('name', '')}]")
        self._take(reader)
        return made

    def _take(self, reader: xml.Reader[Section]) -> None:
        self.warnings += reader.warnings[: xml.MAX_FAULTS - len(self.warnings)]
        for fault in reader.faults:
            self.fault(fault.line, fault.path, fault.text)


class RootEnd:
    """Where the root element stands."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end


class DomainEnd:
    """A whole domain; `record` is without its users, None if it has faults."""

    def __init__(self, opened: Opened, end: int, record: Section | None) -> None:
        self.opened, self.end, self.record = opened, end, record


def rebuild(db: apsw.Connection, content: bytes, file: str, schema: Schema) -> list[Fault]:
    """All anew, inside the caller's transaction; what a newer minor version brought. ConfigError tells every fault."""
    index.empty(db)
    records = Records(content, file, schema)
    lines = array("L", [0, 0])
    add_node(db, ROOT_ID, ROOT, 0, "users", Values())
    domain_id, host = 0, ""

    def next_id(line: int) -> int:
        lines.append(line)
        return len(lines) - 1

    def place(node: int, start: int, end: int) -> None:
        db.execute("INSERT INTO place VALUES(?, ?, ?)", (node, start, end - start))

    for item in records:
        if isinstance(item, Opened):
            domain_id, host = next_id(item.line), folded(item.attributes.get("name", "").strip())
        elif isinstance(item, Child):
            node = next_id(item.line)
            add_node(db, node, FIELD, domain_id, item.tag, Values())
            place(node, item.start, item.end)
        elif isinstance(item, tuple):
            child, record = item
            node = next_id(child.line)
            for sentence in add_record(db, schema, node, domain_id, host, record, lines):
                records.fault(child.line, f"domain[{host}]/{child.tag}[{name_of(record)}]", sentence)
            place(node, child.start, child.end)
        elif isinstance(item, DomainEnd):
            place(domain_id, item.opened.start, item.end)
            if item.record:
                for sentence in add_domain(db, schema, domain_id, item.record, lines):
                    records.fault(item.opened.line, f"domain[{name_of(item.record)}]", sentence)
        else:
            place(ROOT_ID, item.start, item.end)
    if not records.faults:
        for sentence in [*primary_fault(db), *loops(db)]:
            records.fault(0, "", sentence)
    if records.faults:
        raise ConfigError(*sorted(records.faults, key=lambda fault: fault.line))
    return records.warnings


def add_node(db: apsw.Connection, node: int, kind: int, domain: int, name: str, values: Values) -> None:
    words = [name, index.value_of(values, "full-name"), index.value_of(values, "description")]
    rights = (index.value_of(values, "rights"), *index.values_of(values, "grant"))
    admin = (
        kind == USER
        and "server-write" in rights
        and values.get("enabled", "yes") == "yes"
        and values.get("left") != "yes"
    )
    db.execute(
        "INSERT INTO node VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
        (node, kind, domain, name, name.casefold(), " ".join(words).casefold().strip(), admin, index.pack(values)),
    )


def name_of(record: Section) -> str:
    """What stands in its attribute `name`."""
    return str(getattr(record, "name", ""))


def add_record(
    db: apsw.Connection,
    schema: Schema,
    node: int,
    domain: int,
    host: str,
    record: Section,
    lines: "array[int] | None" = None,
) -> list[str]:
    """A user, alias, group or template into the index; what it collides with."""
    kind, name, values = schema.kinds[record.tag][0], name_of(record), text.texts(record)
    problems = []
    if kind == TEMPLATE:
        problems += _template_taken(db, domain, name, lines)
    add_node(db, node, kind, domain, name, values)
    if kind == TEMPLATE:
        pass  # Its name is no address.
    elif kind == ALIAS and ("*" in name or "?" in name):
        fold = name.casefold()
        known = db.execute("SELECT id FROM wildcard WHERE domain = ? AND pattern = ?", (domain, fold)).get
        if known is not None:
            problems.append(f"'{name}' is already {_who(db, known, lines)}")
        db.execute("INSERT INTO wildcard VALUES(?, ?, ?)", (domain, node, fold))
    else:
        for local in (name, *(index.values_of(values, "alias") if kind == USER else ())):
            db.execute("INSERT OR IGNORE INTO local VALUES(?, ?, ?)", (domain, local.casefold(), node))
            if not db.changes():
                query = "SELECT id FROM local WHERE domain = ? AND name = ?"
                known = db.execute(query, (domain, local.casefold())).get
                problems.append(f"'{local}' is already {_who(db, known, lines)}")
    _add_edges(db, schema, kind, node, host, values)
    if kind in (USER, GROUP):
        names = (name, *index.values_of(values, "alias"), index.value_of(values, "full-name"))
        db.executemany("INSERT INTO word VALUES(?, ?)", [(word, node) for word in words_of(*names)])
    if kind == ALIAS and not values.get("to"):
        problems.append("an alias needs at least one 'to'")
    return problems


def _template_taken(db: apsw.Connection, domain: int, name: str, lines: "array[int] | None") -> list[str]:
    query = "SELECT id FROM node WHERE kind = ? AND domain = ? AND fold = ?"
    known = db.execute(query, (TEMPLATE, domain, name.casefold())).get
    return [] if known is None else [f"'{name}' is already {_who(db, known, lines)}"]


def _add_edges(db: apsw.Connection, schema: Schema, kind: int, node: int, host: str, values: Values) -> None:
    for element in schema.addresses[kind]:
        for member in index.values_of(values, element):
            if member:
                _add_edge(db, node, member, host)


def _add_edge(db: apsw.Connection, node: int, member: str, host: str) -> None:
    try:
        local, _, where = full_address(member, host).key.rpartition("@")
    except ValueError:
        return  # The domain's own name is wrong, which is reported elsewhere.
    db.execute("INSERT OR IGNORE INTO edge VALUES(?, ?, ?)", (node, where, local))


def _who(db: apsw.Connection, node: object, lines: "array[int] | None") -> str:
    kind, name = db.execute("SELECT kind, name FROM node WHERE id = ?", (int(str(node)),)).get
    where = f" in line {lines[int(str(node))]}" if lines else ""
    return f"a name of {WORDS[kind]} '{name}'{where}"


def add_domain(
    db: apsw.Connection, schema: Schema, node: int, record: Section, lines: "array[int] | None" = None
) -> list[str]:
    """A domain without its users; what it collides with."""
    values, own = text.texts(record), name_of(record)
    add_node(db, node, DOMAIN, 0, own, values)
    _add_edges(db, schema, DOMAIN, node, own, values)
    problems = []
    for alias, name in enumerate((own, *index.values_of(values, "domain-alias"))):
        db.execute("INSERT OR IGNORE INTO host VALUES(?, ?, ?)", (name, node, alias > 0))
        if not db.changes():
            known = int(str(db.execute("SELECT domain FROM host WHERE name = ?", (name,)).get))
            if known == node:
                problems.append(f"'{name}' stands twice among the domain's names")
                continue
            where = f" in line {lines[known]}" if lines else ""
            other = db.execute("SELECT name FROM node WHERE id = ?", (known,)).get
            problems.append(f"'{name}' is already a name of the domain '{other}'{where}")
    if values.get("primary") == "yes":
        index.set_meta(db, "primary", own)
    return problems


def drop(db: apsw.Connection, node: int) -> None:
    """A node and all that is derived from it."""
    db.execute("DELETE FROM node WHERE id = ?", (node,))
    db.execute("DELETE FROM local WHERE id = ?", (node,))
    db.execute("DELETE FROM edge WHERE source = ?", (node,))
    db.execute("DELETE FROM word WHERE id = ?", (node,))


def drop_names(db: apsw.Connection, domain: int, node: int) -> None:
    """What only one kind of node has; apart, because it is looked for by domain."""
    db.execute("DELETE FROM wildcard WHERE domain = ? AND id = ?", (domain, node))
    db.execute("DELETE FROM host WHERE domain = ?", (node,))


def primary_fault(db: apsw.Connection) -> list[str]:
    """S35"""
    domains = [
        (str(name), index.unpack(str(data)).get("primary") == "yes")
        for name, data in db.execute("SELECT name, data FROM node WHERE kind = ? ORDER BY id", (DOMAIN,))
    ]
    primary = [name for name, is_primary in domains if is_primary]
    if len(primary) == 1 or not domains:
        index.set_meta(db, "primary", primary[0] if primary else "")
        return []
    if not primary:
        return [f"exactly one domain is primary, but none is; make one of them primary, such as {domains[0][0]}"]
    return [f"exactly one domain is primary, but these are: {', '.join(primary[:5])}"]


_EDGES = (
    "SELECT e.source, n.id FROM edge e JOIN node s ON s.id = e.source AND s.kind IN (3, 4) "
    "JOIN host h ON h.name = e.host "
    "JOIN local l ON l.domain = h.domain AND l.name = e.name JOIN node n ON n.id = l.id AND n.kind IN (3, 4)"
)


def loops(db: apsw.Connection, start: int = 0) -> list[str]:
    """A way by which a group or alias leads back to itself: of all, or through the node `start`."""
    if start:

        def after(node: int) -> list[int]:
            return [int(row[1]) for row in db.execute(f"{_EDGES} WHERE e.source = ?", (node,))]

        return _loop(db, [start], after)
    edges: dict[int, list[int]] = {}
    for source, target in db.execute(f"{_EDGES} ORDER BY e.source"):
        edges.setdefault(int(source), []).append(int(target))
    return _loop(db, list(edges), lambda node: edges.get(node, []))


def _loop(db: apsw.Connection, starts: list[int], after: Callable[[int], list[int]]) -> list[str]:
    done: set[int] = set()
    for start in starts:
        path: list[int] = []
        on_path: set[int] = set()
        stack: list[tuple[int, Iterator[int]]] = []
        node = start
        if node in done:
            continue
        path.append(node)
        on_path.add(node)
        stack.append((node, iter(after(node))))
        while stack:
            node, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                path.pop()
                on_path.discard(node)
                done.add(node)
            elif following in on_path:
                way = [*path[path.index(following) :], following]
                return [f"leads back to itself: {' -> '.join(_address(db, step) for step in way)}"]
            elif following not in done:
                path.append(following)
                on_path.add(following)
                stack.append((following, iter(after(following))))
    return []


def _address(db: apsw.Connection, node: int) -> str:
    row = db.execute("SELECT n.name, d.name FROM node n JOIN node d ON d.id = n.domain WHERE n.id = ?", (node,)).get
    return f"{row[0]}@{row[1]}" if isinstance(row, tuple) else str(node)
