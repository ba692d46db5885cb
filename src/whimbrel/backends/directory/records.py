"""What stands in `users.cfg`, as sections of XML: made from the declared parts of each kind of record.

Nothing here knows a single setting: `app` gives the kinds of records (`services/admin/people/records.py`), and a codec
comes out that reads, checks and writes them like any other configuration file.
"""

import types
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import AfterValidator, WithJsonSchema

from whimbrel.backends.directory.index import ALIAS, DOMAIN, GROUP, TEMPLATE, USER
from whimbrel.core.record import Field, Kind, RecordType
from whimbrel.core.settings import Section, required, setting

NUMBERS: Final = {
    Kind.DOMAIN: DOMAIN, Kind.USER: USER, Kind.ALIAS: ALIAS, Kind.GROUP: GROUP, Kind.TEMPLATE: TEMPLATE
}  # fmt: skip
"""How the index calls them."""


FORMAT_1_0: Final = frozenset({
    "alias", "catch-all", "clean-out", "default-quota", "description", "domain-alias", "enabled", "forward-to",
    "full-name", "keep-copy", "keep-deleted", "max-message-size", "member", "password", "primary", "quota",
    "quota-messages", "rights", "to",
})  # fmt: skip
"""Elements of the first format. Whatever else a part declares, the former release keeps without knowing it."""
KINDS_1_0: Final = frozenset({"user", "alias", "group"})
"""Records inside a domain of the first format."""


class Schema:
    """The sections of one table of records. `root` is that of the file."""

    def __init__(self, table: Sequence[RecordType]) -> None:
        self.types: dict[Kind, RecordType] = {each.kind: each for each in table}
        inside = [each for each in table if each.kind is not Kind.DOMAIN]
        self.kinds: dict[str, tuple[int, type[Section]]] = {
            each.kind.value: (NUMBERS[each.kind], _section(each)) for each in inside
        }
        """Of the records inside a domain, by element."""
        self.domain = _section(
            self.types[Kind.DOMAIN],
            {each.plural: (self.kinds[each.kind.value][1], f"{each.plural.capitalize()} of the domain.")
             for each in inside},
        )  # fmt: skip
        self.root = _made(
            "UsersFile",
            "users",
            "",
            "All domains and everyone in them.",
            {"domains": (_many(self.domain), setting((), help="The domains.", row="S34"))},
        )
        self.addresses: dict[int, tuple[str, ...]] = {
            NUMBERS[each.kind]: tuple(field.element for field in each.fields if field.declared.address)
            for each in table
        }
        """The elements whose values are addresses, by the kind's number."""
        names = {field.element for each in table for field in each.fields} - FORMAT_1_0
        kinds = {each.kind.value for each in inside} - KINDS_1_0
        self.added = tuple(f"<{name}>".encode() for name in sorted(names)) + tuple(
            f"<{kind} ".encode() for kind in sorted(kinds)
        )
        """Start tags that format 1.0 has not: a file with one says that it is of a later minor version."""

    def section(self, kind: Kind) -> type[Section]:
        return self.domain if kind is Kind.DOMAIN else self.kinds[kind.value][1]

    def numbered(self, number: int) -> type[Section]:
        return self.section(next(kind for kind, known in NUMBERS.items() if known == number))


@lru_cache(8)
def schema_of(table: tuple[RecordType, ...]) -> Schema:
    """The schema of a table; made once in a process."""
    return Schema(table)


def _section(record: RecordType, inner: dict[str, tuple[type[Section], str]] | None = None) -> type[Section]:
    name_kind = Annotated[str, AfterValidator(record.name_check), WithJsonSchema(_schema(record.name_form))]
    fields: dict[str, tuple[Any, Any]] = {"name": (name_kind, required(help=record.name_help))}
    for field in record.fields:
        fields[field.name] = (_annotation(field), _setting(field))
    for name, (section, help) in (inner or {}).items():
        fields[name] = (_many(section), setting((), help=help))
    return _made(f"{record.kind.value.capitalize()}Record", record.kind.value, "name", record.help, fields)


def _made(name: str, tag: str, key: str, doc: str, fields: dict[str, tuple[Any, Any]]) -> type[Section]:
    body = {
        "__doc__": doc,
        "__module__": __name__,
        "__annotations__": {field: annotation for field, (annotation, _) in fields.items()},
    }
    body |= {field: value for field, (_, value) in fields.items()}
    return types.new_class(name, (Section,), {"tag": tag, "key": key}, lambda namespace: namespace.update(body))


def _many(kind: Any) -> Any:
    return tuple[kind, ...]


def _annotation(field: Field) -> Any:
    kind: Any = field.kind
    if field.declared.check is not None:
        kind = Annotated[kind, AfterValidator(field.declared.check)]
        if field.declared.form and field.kind is str:
            kind = Annotated[kind, WithJsonSchema(_schema(field.declared.form))]
    if field.many:
        return _many(kind)
    return kind | None if field.optional else kind


def _setting(field: Field) -> Any:
    declared = field.declared
    return setting(
        field.default, help=declared.help, minimum=declared.minimum, maximum=declared.maximum, pattern=declared.pattern,
        like=declared.like, item=declared.element, ref=declared.reference, row=declared.row,
    )  # fmt: skip


def _schema(form: str) -> dict[str, Any]:
    return {"type": "string", "format": form}
