"""Which records an edit of users.cfg changed: what was in the index before it was made anew, beside what is in it now.

Both in the transaction that makes the index anew. So many records are named as the log names; others are counted.
"""

from typing import Final

import apsw

from whimbrel.backends.config import text
from whimbrel.backends.directory import index
from whimbrel.backends.directory.index import DOMAIN
from whimbrel.backends.directory.listing import entry_of
from whimbrel.backends.directory.records import NUMBERS, Schema
from whimbrel.core.directory import Entry, Kind, RecordChange, Reread

NAMED: Final = 500
_ALL: Final = (
    "SELECT n.kind, CASE n.kind WHEN 1 THEN '' ELSE d.fold END AS host, n.fold, "
    "CASE n.kind WHEN 1 THEN n.name ELSE d.name END AS domain, n.name, n.data "
    "FROM node n JOIN node d ON d.id = CASE n.kind WHEN 1 THEN n.id ELSE n.domain END "
    f"WHERE n.kind IN {index.RECORDS}"
)
_DIFFERENT: Final = (
    f"WITH now AS ({_ALL}) SELECT now.kind, now.domain, now.name, was.data, now.data FROM now "
    "LEFT JOIN was USING (kind, host, fold) WHERE was.data IS NOT now.data"
)
_GONE: Final = (
    "SELECT was.kind, was.domain, was.name, was.data, NULL FROM was WHERE CASE was.kind WHEN 1 "
    "THEN NOT EXISTS (SELECT 1 FROM node n WHERE n.kind = 1 AND n.fold = was.fold) "
    "ELSE NOT EXISTS (SELECT 1 FROM node d JOIN node n ON n.kind = was.kind AND n.domain = d.id AND n.fold = was.fold "
    "WHERE d.kind = 1 AND d.fold = was.host) END"
)


def remember(db: apsw.Connection) -> None:
    """What is in the index now, for `differences`."""
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS was(kind INTEGER, host TEXT, fold TEXT, domain TEXT, name TEXT, data TEXT, "
        "PRIMARY KEY(kind, host, fold)) WITHOUT ROWID"
    )
    db.execute("DELETE FROM was")
    db.execute(f"INSERT OR IGNORE INTO was {_ALL}")


def differences(db: apsw.Connection, schema: Schema) -> Reread:
    """Domains first. What was remembered is forgotten."""
    named, more = list[RecordChange](), 0
    for kind, domain, name, before, after in db.execute(f"{_DIFFERENT} UNION ALL {_GONE} ORDER BY 1, 2, 3"):
        if len(named) < NAMED:
            named.append(_change(schema, int(kind), str(name), str(domain), before, after))
        else:
            more += 1
    db.execute("DELETE FROM was")
    return Reread(tuple(named), more)


def _change(schema: Schema, number: int, name: str, domain: str, before: object, after: object) -> RecordChange:
    kind = Kind.DOMAIN if number == DOMAIN else next(word for word, own in NUMBERS.items() if own == number)
    old, new = (None if data is None else entry_of(schema, kind, name, domain, data) for data in (before, after))
    return RecordChange(old, new, _secrets(schema, old, new, before, after))


def _secrets(schema: Schema, old: Entry | None, new: Entry | None, before: object, after: object) -> tuple[str, ...]:
    """Fields that are shown alike and are not."""
    if old is None or new is None:
        return ()
    section = schema.section(new.kind)
    was, now = index.unpack(str(before)), index.unpack(str(after))
    return tuple(
        element
        for element, field in section.elements().items()
        if was.get(element) != now.get(element) and text.shape_is_secret(section, field)
    )
