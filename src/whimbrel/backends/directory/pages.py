"""Pages of records from `users.idx`, filtered and ordered by SQLite: by any value, 50,000 records in a moment.

For threads of the pool: each page has a connection of its own.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import apsw

from whimbrel.backends.config import text
from whimbrel.backends.directory.listing import MAX_LIMIT, Listing, escaped
from whimbrel.backends.directory.records import NUMBERS, Schema
from whimbrel.core.directory import RecordPage
from whimbrel.core.listing import BadPlace, RecordQuery
from whimbrel.core.record import Kind
from whimbrel.core.values import Duration, Size

Value = str | int | float
_RANKS: Final = "#ranks"
"""Names, in a place, the order by numbers that the caller gave."""
_NUMBERS: Final[dict[Any, Callable[[Any], float]]] = {
    int: float,
    float: float,
    Size: lambda written: float(int(Size(written))),
    Duration: lambda written: float(Duration(written)),
}


def page_of(path: Path, schema: Schema, query: RecordQuery) -> RecordPage:
    """BadPlace: `after` is none of this order."""
    listing = Listing(path, schema)
    try:
        return _page(listing, schema, query)
    finally:
        listing.close()


def counts_of(path: Path) -> dict[str, dict[Kind, int]]:
    """How many records of each kind stand in each domain."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        db.set_busy_timeout(5000)
        kinds = {number: kind for kind, number in NUMBERS.items() if kind is not Kind.DOMAIN}
        counts: dict[str, dict[Kind, int]] = {}
        for domain, number, count in db.execute(
            "SELECT d.name, n.kind, count(*) FROM node n JOIN node d ON d.id = n.domain WHERE d.kind = ? "
            "GROUP BY n.domain, n.kind",
            (NUMBERS[Kind.DOMAIN],),
        ):
            if number in kinds:
                counts.setdefault(str(domain), {})[kinds[int(number)]] = int(count)
        return counts
    finally:
        db.close()


def _page(listing: Listing, schema: Schema, query: RecordQuery) -> RecordPage:
    statement = _Statement(listing, schema, query)
    limit = max(1, min(query.limit, MAX_LIMIT))
    rows = listing.db.execute(statement.text, (*statement.values, limit + 1, max(0, query.skip))).fetchall()
    total = int(str(rows[0][0]))
    reached = [row for row in rows if row[1] is not None]
    entries = tuple(listing.numbered(query.kind, int(str(row[1]))) for row in reached[:limit])
    return RecordPage(entries, total, statement.place(*reached[limit - 1][2:]) if len(reached) > limit else "")


class _Statement:
    """A query as SQL: `text`, and `values` for all but the limit and what is skipped. Its functions are those of the
    connection."""

    def __init__(self, listing: Listing, schema: Schema, query: RecordQuery) -> None:
        self._db, self._query = listing.db, query
        self._elements = text.elements(schema.section(query.kind))
        self.values: list[Value] = []
        of_domain = query.kind is Kind.DOMAIN
        host, name = ("n.fold", "''") if of_domain else ("d.fold", "n.fold")
        self._address = "n.fold" if of_domain else "n.fold || '@' || d.fold"
        self._host, self._search = host, "n.search" if of_domain else "n.search || ' ' || n.fold || '@' || d.fold"
        self.values.append(NUMBERS[query.kind])
        where = " AND ".join(["n.kind = ?", *self._filters()])
        joined = "" if of_domain else "JOIN node d ON d.id = n.domain"
        beyond, turn = ("<", " DESC") if query.descending else (">", "")
        order = f"key{turn}, host{turn}, name{turn}"
        after = self._after()
        begin = f"WHERE (key, host, name) {beyond} (?, ?, ?)" if after else ""
        self.values += after
        # What people said is among the values; the names in the text are ours.
        self.text = (
            f"WITH chosen AS MATERIALIZED (SELECT n.id AS id, {host} AS host, {name} AS name, {self._key()} AS key "
            f"FROM node n {joined} WHERE {where}) "
            "SELECT total, id, key, host, name FROM (SELECT count(*) AS total FROM chosen) LEFT JOIN "
            f"(SELECT * FROM chosen {begin} ORDER BY {order} LIMIT ? OFFSET ?) ORDER BY {order}"
        )

    def _filters(self) -> list[str]:
        query, parts = self._query, list[str]()
        if query.domains is not None:
            parts.append(f"{self._host} IN (SELECT value FROM json_each(?))")
            self.values.append(json.dumps(sorted(query.domains)))
        if query.search:
            parts.append(f"({self._search}) LIKE ? ESCAPE '!'")
            self.values.append(f"%{escaped(query.search.casefold())}%")
        for element, value in query.having.items():
            parts.append(f"coalesce({self._value(element)}, ?) = ?")
            self.values += [text.written(self._elements[element].default), value]
        for element, filled in query.filled.items():
            parts.append(f"coalesce({self._value(element)}, '') {'<>' if filled else '='} ''")
        if query.among is not None or query.outside:
            self._db.create_scalar_function("is_chosen", self._is_chosen, 1, deterministic=True)
            parts.append(f"is_chosen({self._address})")
        return parts

    def _is_chosen(self, *row: Any) -> bool:
        (address,), among = row, self._query.among
        return (among is None or address in among) and address not in self._query.outside

    def _value(self, element: str) -> str:
        """Of a list: its first."""
        if element not in self._elements:
            raise KeyError(element)
        first = "[0]" if self._elements[element].shape.many else ""
        return f"json_extract(n.data, '$.\"{element}\"{first}')"

    def _key(self) -> str:
        query = self._query
        if query.ranks is not None:
            ranks = query.ranks
            self._db.create_scalar_function("rank_of", lambda *row: ranks.get(str(row[0]), 0.0), 1, deterministic=True)
            return f"rank_of({self._address})"
        if not query.sort:
            return "0"
        self._db.create_scalar_function("key_of", _key_of(self._elements[query.sort]), 1, deterministic=True)
        return f"key_of({self._value(query.sort)})"

    @property
    def _order(self) -> str:
        return _RANKS if self._query.ranks is not None else self._query.sort

    def _after(self) -> list[Value]:
        """Where the page begins: key, host and name of the last record before it. BadPlace."""
        after, kind = self._query.after, self._query.kind
        if not after:
            return []
        if not self._order:
            name, _, host = after.casefold().rpartition("@")
            return [0, host, "" if kind is Kind.DOMAIN else name]
        try:
            order, key, host, name = json.loads(after)
            place: list[Value] = [key if isinstance(key, str) else float(key), str(host), str(name)]
        except (ValueError, TypeError, OverflowError):
            raise BadPlace(f"'{after}' is not where a list ended") from None
        if order != self._order:
            raise BadPlace(f"'{after}' is where a list in another order ended")
        return place

    def place(self, key: object, host: object, name: object) -> str:
        """What `_after` reads."""
        if self._order:
            return json.dumps([self._order, key, host, name], ensure_ascii=False, separators=(",", ":"))
        return f"{name}@{host}" if name else str(host)


def _key_of(declared: text.Declared) -> Callable[..., Value]:
    """What a value, as it is written (None: nowhere), is ordered by."""
    number = None if declared.shape.many else _NUMBERS.get(declared.annotation)
    default = "" if declared.shape.many or declared.default is None else text.written(declared.default)

    @lru_cache(10_000)  # Few sizes are given to many.
    def by_number(*row: Any) -> Value:
        assert number is not None
        return number((default or "0") if row[0] is None else row[0])

    def by_text(*row: Any) -> Value:
        return (default if row[0] is None else str(row[0])).casefold()

    return by_text if number is None else by_number
