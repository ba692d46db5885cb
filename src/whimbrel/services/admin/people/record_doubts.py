"""What stands in users.cfg and would be said of it if it were typed today: for `config check`."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.directory import Entry, Kind
from whimbrel.core.record import RecordType
from whimbrel.core.visible import refuse_hidden
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people.people import PAGE, address_of, value_of, values_of
from whimbrel.services.admin.people.records import RECORDS
from whimbrel.services.admin.people.resolving import tag_taken

MOST: Final = 200


async def record_doubts(ctx: AdminContext, most: int = MOST) -> list[str]:
    """At most so many sentences: texts with hidden characters or too long, names that tags of others look like."""
    doubts: list[str] = []
    for record in RECORDS:
        async for entry in _every(ctx, record.kind):
            doubts += _texts(record, entry)
            for name in _names(entry):
                doubts += filter(None, [await tag_taken(ctx, Address(name, entry.domain))])
            if len(doubts) >= most:
                return [*doubts[:most], f"no more than {most} records are named here"]
    return doubts


async def _every(ctx: AdminContext, kind: Kind) -> AsyncIterator[Entry]:
    after = ""
    while page := await ctx.editor.entries(kind, after=after, limit=PAGE):
        for entry in page:
            yield entry
        if len(page) < PAGE:
            return
        after = address_of(page[-1])


def _names(entry: Entry) -> list[str]:
    """Those that may be taken for a name with a tag."""
    further = values_of(entry, "alias") if entry.kind is Kind.USER else ()
    return [name for name in (entry.name, *further) if "+" in name]


def _texts(record: RecordType, entry: Entry) -> Iterator[str]:
    what = f"{record.kind} {address_of(entry)}"
    try:
        refuse_hidden(entry.name)
    except ValueError as error:
        yield f"{what}: its name {error}"
    for field in record.fields:
        try:
            field.check_text(values_of(entry, field.element) if field.many else value_of(entry, field.element))
        except ValueError as error:
            yield f"{what}: {field.element} {error}"
