"""What a DirectoryChange does to the index, and to the text of the records it touches.

All is done in the caller's transaction on `users.idx`, where every rule is checked; the text comes out as `Edit`s.
"""

from collections.abc import Callable, Iterable, Mapping

import apsw

from whimbrel.backends.config import text, tree
from whimbrel.backends.directory import build, index
from whimbrel.backends.directory.index import ALIAS, DOMAIN, FIELD, GROUP, USER, Values
from whimbrel.backends.directory.pending import Pending
from whimbrel.backends.directory.records import Schema
from whimbrel.backends.directory.splices import Edit
from whimbrel.core.address import Domain
from whimbrel.core.config import ConfigError, Fault, Text, UnknownName
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.core.settings import Section


class Changer:
    """Applies changes; `pending` is what they mean for the file. What is between `begin` and `done` can be undone."""

    def __init__(
        self, db: apsw.Connection, source: Callable[[int, int], bytes], pending: Pending, schema: Schema
    ) -> None:
        """`source` has bytes of the file: from where on, and how many."""
        self._db, self._source, self._pending, self._schema = db, source, pending, schema
        self._former: list[tuple[int, Edit | None]] = []
        highest = [db.execute(f"SELECT max(id) FROM {table}").get for table in ("node", "place")]
        self._next = max(pending.highest, *(int(str(number or 1)) for number in highest)) + 1

    def begin(self) -> None:
        self._db.execute("SAVEPOINT call")
        self._former.clear()

    def done(self) -> None:
        self._db.execute("RELEASE call")

    def undo(self) -> None:
        self._db.execute("ROLLBACK TO call; RELEASE call")
        for node, former in reversed(self._former):
            if former is None:
                self._pending.forget(node)
            else:
                self._pending.set(former)

    def tried(self, changes: Iterable[DirectoryChange]) -> Exception | None:
        """All of them or none; why not."""
        self.begin()
        try:
            self.apply(changes)
        except ConfigError as error:
            self.undo()
            return error
        except BaseException:
            self.undo()
            raise
        self.done()
        return None

    def apply(self, changes: Iterable[DirectoryChange]) -> None:
        """ConfigError; the caller then undoes."""
        touched: list[int] = []
        whole = False
        for change in changes:
            if change.kind is Kind.DOMAIN:
                self._domain_change(change)
                whole = True
            else:
                touched.append(self._record_change(change))
        problems = build.loops(self._db) if whole else []
        if whole:
            problems += build.primary_fault(self._db)
        for node in touched:
            if not problems and not whole and node:
                problems = build.loops(self._db, node)
        if problems:
            raise ConfigError(*(Fault("", 0, "", sentence) for sentence in problems))

    # Users, aliases, groups

    def _record_change(self, change: DirectoryChange) -> int:
        """The node, where it can be part of a loop."""
        number, kind = self._schema.kinds[change.kind.value]
        domain, host = self._find_domain(change.domain)
        path = f"{change.kind} {change.name}@{host}"
        row = self._db.execute(
            "SELECT id, name, data FROM node WHERE kind = ? AND domain = ? AND fold = ?",
            (number, domain, change.name.strip().casefold()),
        ).get
        if change.op is Op.ADD:
            if row is not None:
                raise ConfigError(Fault("", 0, path, "exists already"))
            node = self._new_id()
            record = self._typed(kind, change.name, change.values, path)
            self._index(node, domain, host, record, path)
            self._set(Edit(node, number, domain, tree.fragment(tree.build(record, 2))))
            return node if number in (ALIAS, GROUP) else 0
        if not isinstance(row, tuple):
            raise UnknownName(Fault("", 0, path, f"there is no such {change.kind}"))
        node, name, data = int(row[0]), str(row[1]), str(row[2])
        if change.op is Op.REMOVE:
            self._drop(node, domain)
            self._set(Edit(node, number, domain, None))
            return 0
        values = index.unpack(data)
        if any(values.get(field, "") != value for field, value in change.expect.items()):
            raise ConfigError(Fault("", 0, path, "was changed by somebody else meanwhile"))
        old = self._typed(kind, name, values, path)
        new = self._typed(kind, name, _merged(kind.elements(), values, change.values), path)
        if old == new:
            return 0
        self._drop(node, domain)
        self._index(node, domain, host, new, path)
        self._set(Edit(node, number, domain, self._rewritten(node, name, old, new)))
        return node if number in (ALIAS, GROUP) else 0

    def _typed(self, kind: type[Section], name: str, values: Mapping[str, object], path: str) -> Section:
        record, faults = text.typed(kind, name, values)
        if record is None:
            raise ConfigError(*(Fault("", 0, f"{path}: {fault.path}", fault.text) for fault in faults))
        return record

    def _index(self, node: int, domain: int, host: str, record: Section, path: str) -> None:
        problems = build.add_record(self._db, self._schema, node, domain, host, record)
        if problems:
            raise ConfigError(*(Fault("", 0, path, sentence) for sentence in problems))

    def _drop(self, node: int, domain: int) -> None:
        build.drop(self._db, node)
        self._db.execute("DELETE FROM wildcard WHERE domain = ? AND id = ?", (domain, node))

    def _rewritten(self, node: int, name: str, old: Section, new: Section) -> bytes:
        """The record's own text with the change in it: remarks inside it survive."""
        pending = self._pending.get(node)
        source = pending.text if pending else self._text_in_file(node)
        element = build.element_of(source or b"", "users.cfg")
        if element.tag != new.tag or (element.get("name") or "").strip() != name:
            raise ConfigError(Fault("users.cfg", 0, name, "the index is not that of the file; reload"))
        tree.apply(element, new, old, 2)
        return tree.fragment(element)

    def _text_in_file(self, node: int) -> bytes:
        row = self._db.execute("SELECT start, length FROM place WHERE id = ?", (node,)).get
        return self._source(int(row[0]), int(row[1])) if isinstance(row, tuple) else b""

    # Domains

    def _domain_change(self, change: DirectoryChange) -> None:
        path = f"domain {change.domain}"
        if change.op is Op.ADD:
            self._add_domain(change, path)
            return
        node, name = self._find_domain(change.domain, alias=False)
        values = index.unpack(str(self._db.execute("SELECT data FROM node WHERE id = ?", (node,)).get))
        if change.op is Op.REMOVE:
            self._remove_domain(node, name, values, path)
            return
        old = self._typed_domain(name, values, path)
        new = self._typed_domain(name, _merged(self._schema.domain.elements(), values, change.values), path)
        if _primary(new) and not _primary(old):
            self._no_longer_primary()
        self._put_domain(node, old, new, path)

    def _typed_domain(self, name: str, values: Mapping[str, object], path: str) -> Section:
        return self._typed(self._schema.domain, name, values, path)

    def _add_domain(self, change: DirectoryChange, path: str) -> None:
        values = dict(change.values)
        first = self._db.execute("SELECT count(*) FROM node WHERE kind = ?", (DOMAIN,)).get == 0
        if first:
            values["primary"] = "yes"  # S35: there is one from the first on.
        record = self._typed_domain(change.domain, values, path)
        if _primary(record) and not first:
            self._no_longer_primary()
        node = self._new_id()
        problems = build.add_domain(self._db, self._schema, node, record)
        if problems:
            raise ConfigError(*(Fault("", 0, path, sentence) for sentence in problems))
        # A Domain has no character that XML would escape.
        self._set(Edit(node, DOMAIN, 0, b'<domain name="%s">' % build.name_of(record).encode()))
        self._fields(node, self._typed_domain(build.name_of(record), {}, path), record)

    def _remove_domain(self, node: int, name: str, values: Values, path: str) -> None:
        users = int(str(self._db.execute("SELECT count(*) FROM node WHERE kind = ? AND domain = ?", (USER, node)).get))
        if users:
            raise ConfigError(Fault("", 0, path, f"holds {users} user{'s' if users > 1 else ''}; remove them first"))
        others = self._db.execute("SELECT count(*) FROM node WHERE kind = ? AND id <> ?", (DOMAIN, node)).get
        if values.get("primary") == "yes" and others:
            raise ConfigError(Fault("", 0, path, "is the primary domain; make another one primary first"))
        for (child,) in list(self._db.execute("SELECT id FROM node WHERE domain = ?", (node,))):
            self._drop(int(child), node)
            self._db.execute("DELETE FROM place WHERE id = ?", (child,))
            if self._pending.get(int(child)):
                self._set(Edit(int(child), FIELD, node, None))
        build.drop(self._db, node)
        self._db.execute("DELETE FROM host WHERE domain = ?", (node,))
        self._set(Edit(node, DOMAIN, 0, None))

    def _no_longer_primary(self) -> None:
        name = index.meta(self._db, "primary")
        row = self._db.execute("SELECT id, data FROM node WHERE kind = ? AND fold = ?", (DOMAIN, name.casefold())).get
        if isinstance(row, tuple):
            old = self._typed_domain(name, index.unpack(str(row[1])), f"domain {name}")
            self._put_domain(int(row[0]), old, old.model_copy(update={"primary": False}), f"domain {name}")

    def _put_domain(self, node: int, old: Section, new: Section, path: str) -> None:
        self._db.execute("DELETE FROM node WHERE id = ?", (node,))
        self._db.execute("DELETE FROM host WHERE domain = ?", (node,))
        self._db.execute("DELETE FROM edge WHERE source = ?", (node,))
        problems = build.add_domain(self._db, self._schema, node, new)
        if problems:
            raise ConfigError(*(Fault("", 0, path, sentence) for sentence in problems))
        self._fields(node, old, new)

    def _fields(self, node: int, old: Section, new: Section) -> None:
        """The domain's own settings are elements of their own in the file: only those that changed are touched."""
        before, after = text.texts(old), text.texts(new)
        for name in self._schema.domain.elements():
            if before.get(name) == after.get(name):
                continue
            wanted = _items(after.get(name, ()))
            present = [int(row[0]) for row in self._db.execute(
                "SELECT id FROM node WHERE kind = ? AND domain = ? AND fold = ? ORDER BY id", (FIELD, node, name)
            )]  # fmt: skip
            for field, item in zip(present, wanted, strict=False):
                self._set(Edit(field, FIELD, node, tree.value_fragment(name, item), self._after(field)))
            for field in present[len(wanted) :]:
                build.drop(self._db, field)
                self._set(Edit(field, FIELD, node, None))
            for item in wanted[len(present) :]:
                field = self._new_id()
                build.add_node(self._db, field, FIELD, node, name, Values())
                last = present[-1] if present else 0
                self._set(Edit(field, FIELD, node, tree.value_fragment(name, item), self._after(last) or last))

    def _after(self, field: int) -> int:
        """Behind what a setting that is not yet in the file will stand."""
        edit = self._pending.fresh(field)
        return edit.after if edit else 0

    # Both

    def _find_domain(self, name: str, *, alias: bool = True) -> tuple[int, str]:
        try:
            host = Domain(name)
        except ValueError as error:
            raise ConfigError(Fault("", 0, f"domain {name}", str(error))) from None
        row = self._db.execute(
            "SELECT d.id, d.name, h.alias FROM host h JOIN node d ON d.id = h.domain WHERE h.name = ?", (host,)
        ).get
        if not isinstance(row, tuple) or (row[2] and not alias):
            is_alias = f"; it is an alias of {row[1]}" if isinstance(row, tuple) else ""
            known = [str(other) for (other,) in self._db.execute("SELECT name FROM host LIMIT 10000")]
            raise UnknownName(
                Fault("", 0, f"domain {name}", f"there is no such domain{is_alias or text.nearest(host, known)}")
            )
        return int(row[0]), str(row[1])

    def _new_id(self) -> int:
        self._next += 1
        return self._next - 1

    def _set(self, edit: Edit) -> None:
        self._former.append((edit.node, self._pending.fresh(edit.node)))
        self._pending.set(edit)


def _primary(record: Section) -> bool:
    return text.texts(record).get("primary") == "yes"


def _items(value: Text) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _merged(known: dict[str, str], values: Values, change: Mapping[str, object]) -> dict[str, object]:
    """`members` names what `member` names, so both must not stand side by side."""
    merged: dict[str, object] = dict(values)
    fields = {field: name for name, field in known.items()}
    for name, value in change.items():
        merged[name if name in known else fields.get(name.replace("-", "_"), name)] = value
    return merged
