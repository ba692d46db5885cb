"""What lists have in common: an order by any column, how many there are in all, where the next page begins."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from whimbrel.core.directory import Entry, RecordPage
from whimbrel.core.listing import BadPlace, RecordQuery
from whimbrel.core.record import Field, RecordType
from whimbrel.core.values import Secret
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, nearest
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.numbers import Between
from whimbrel.services.admin.people.people import domain_named

T = TypeVar("T")
Sort = Annotated[str, "Order: by a column, as in quota; with - before it the last first, as in --sort=-quota."]
After = Annotated[str, "Go on where the page before ended: its `more`."]
Skip = Annotated[int, "Leave out so many rows first: to jump into a long list.", Between(0, 10_000_000)]


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A page of a list; `more` is what to give as `after` for what comes next, empty at the end."""

    items: tuple[T, ...]
    more: str
    total: int
    """All that fit, on whatever page."""


@dataclass(frozen=True, slots=True)
class Order:
    """By which column; empty: as the list stands by itself."""

    column: str
    descending: bool


def order_of(sort: str, columns: Sequence[str]) -> Order:
    """CallError names the columns that there are."""
    word = sort.strip().lower()
    name = word.removeprefix("-").replace("-", "_")
    if word and name not in columns:
        known = f"{nearest(name[:100], columns)}; there are {', '.join(columns)}"
        text = f"there is no column '{name[:100]}' to sort by{known}"
        raise CallError(Failure.USAGE, f"sort: {text}", FieldFault("sort", text))
    return Order(name, word.startswith("-"))


def columns_of(record: RecordType, own: str, *more: str, listed: bool = False) -> dict[str, str]:
    """The columns of a list of records by name, with their XML elements; `own` has the record's name, `more` are not
    in the record."""
    fields = [field for field in record.fields if _is_shown(field, listed=listed)]
    return {own: "", **dict.fromkeys(more, ""), **{field.shown: field.element for field in fields}}


def _is_shown(field: Field, *, listed: bool) -> bool:
    return field.kind is not Secret and (field.declared.listed or not listed)


async def record_page(
    ctx: AdminContext,
    record: RecordType,
    columns: Mapping[str, str],
    *,
    sort: str,
    domain: str = "",
    **query: Any,
) -> RecordPage:
    """A page of the records that the caller may see; `query` as in RecordQuery. CallError."""
    order = order_of(sort, tuple(columns))
    domains: frozenset[str] | None = ctx.domains()
    if domain:
        domains = frozenset({await domain_named(ctx, domain)})
    asked = RecordQuery(record.kind, domains, sort=columns.get(order.column, ""), descending=order.descending, **query)
    try:
        return await ctx.editor.page(asked)
    except BadPlace as error:
        raise _no_place(str(error)) from None


async def listed_records(
    ctx: AdminContext, record: RecordType, columns: Mapping[str, str], view: Callable[[Entry], Any], **asked: Any
) -> Listed[Any]:
    """As `record_page`, each record as `view` shows it. CallError."""
    page = await record_page(ctx, record, columns, **asked)
    return Listed(tuple(map(view, page.entries)), page.more, page.total)


def _no_place(text: str) -> CallError:
    return CallError(Failure.USAGE, f"after: {text}", FieldFault("after", text))


def sliced(rows: Sequence[T], own: str, order: Order, after: str, limit: int, skip: int = 0) -> Listed[T]:
    """A page of rows that are all at hand; `own` is the column by which each is known. CallError."""
    keyed = [((_key(getattr(row, order.column)), str(getattr(row, own))), row) for row in rows]
    keyed.sort(key=lambda each: each[0], reverse=order.descending)
    if after:
        place = _place(after, order.column)
        # Beyond the place, whether the row that stood there is there still or not.
        keyed = [each for each in keyed if (each[0] < place if order.descending else each[0] > place)]
    keyed = keyed[skip:]
    page = keyed[:limit]
    more = json.dumps([order.column, *page[-1][0]], ensure_ascii=False) if len(keyed) > limit else ""
    return Listed(tuple(row for _, row in page), more, len(rows))


def _key(value: object) -> list[Any]:
    """Numbers before texts: any two can be compared."""
    if isinstance(value, int | float):
        return [0, float(value), ""]
    return [1, 0.0, (value if isinstance(value, str) else "").casefold()]


def _place(after: str, column: str) -> tuple[list[Any], str]:
    try:
        name, (kind, number, text), own = json.loads(after)
        place = [int(kind), float(number), str(text)], str(own)
    except (ValueError, TypeError, OverflowError):
        raise _no_place(f"'{after[:100]}' is not where a list ended") from None
    if name != column:
        raise _no_place(f"'{after[:100]}' is where a list in another order ended")
    return place
