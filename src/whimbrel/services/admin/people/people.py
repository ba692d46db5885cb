"""What the calls about domains, users, aliases and groups share: names made into entries of the directory."""

from collections.abc import Mapping
from typing import Final

from whimbrel.core.address import Address, Domain
from whimbrel.core.directory import DirectoryChange, Entry, Kind, Op
from whimbrel.core.listing import RecordQuery
from whimbrel.core.visible import refuse_hidden
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, nearest, not_found
from whimbrel.services.admin.context import AdminContext

PAGE: Final = 1000


async def domain_named(ctx: AdminContext, text: str) -> str:
    """The domain that `text` is, or is an alias of. CallError with the nearest known name."""
    try:
        name = Domain(text)
    except ValueError as error:
        raise CallError(Failure.USAGE, str(error), FieldFault("domain", str(error))) from None
    domain = await ctx.directory.domain(name)
    if domain is None:
        known = [domain.name for domain in await ctx.directory.domains() if ctx.sees(domain.name)]
        not_found("domain", name, nearest(name, known))
    ctx.within(str(domain.name))
    return str(domain.name)


async def place(ctx: AdminContext, text: str, parameter: str = "name") -> tuple[str, str]:
    """Domain and local part of `name@domain`, or of a bare name in the primary domain. CallError."""
    try:
        domain = "" if "@" in text else str((await ctx.directory.primary()).name)
        address = Address.parse(f"{text}@{domain}" if domain else text)
    except ValueError as error:
        raise CallError(Failure.USAGE, f"{parameter}: {error}", FieldFault(parameter, str(error))) from None
    return await domain_named(ctx, address.domain), address.local


async def new_place(ctx: AdminContext, text: str, parameter: str = "name") -> tuple[str, str]:
    """As `place`, of a name that is given now: nothing in it hides. CallError."""
    domain, local = await place(ctx, text, parameter)
    try:
        refuse_hidden(local)
    except ValueError as error:
        raise CallError(Failure.USAGE, f"{parameter}: {error}", FieldFault(parameter, str(error))) from None
    return domain, local


async def entry(ctx: AdminContext, kind: Kind, text: str) -> Entry:
    """The record named `text`. CallError with the nearest known name."""
    domain, name = await place(ctx, text)
    record = await ctx.editor.entry(kind, domain, name)
    if record is None:
        known = [address_of(near) for near in await ctx.editor.entries(kind, domain=domain, limit=PAGE)]
        not_found(str(kind.value), f"{name}@{domain}", nearest(f"{name}@{domain}", known))
    return record


async def listed(
    ctx: AdminContext, kind: Kind, domain: str, search: str, after: str, limit: int
) -> tuple[list[Entry], str]:
    """A page of records, and what to give as `after` for the next one (empty: that was all)."""
    domains: frozenset[str] | None = frozenset({await domain_named(ctx, domain)}) if domain else ctx.domains()
    page = await ctx.editor.page(RecordQuery(kind, domains, search, after=after, limit=limit))
    return list(page.entries), page.more


async def count(ctx: AdminContext, kind: Kind, domain: str) -> int:
    """How many records of a kind a domain holds."""
    total, after = 0, ""
    while page := await ctx.editor.entries(kind, domain=domain, after=after, limit=PAGE):
        total += len(page)
        after = address_of(page[-1])
        if len(page) < PAGE:
            break
    return total


async def change(ctx: AdminContext, *changes: DirectoryChange) -> None:
    """Makes all changes in one write, or only checks them."""
    if ctx.dry_run:
        await ctx.editor.check(changes)
    else:
        await ctx.editor.change(changes)


def changed(op: Op, kind: Kind, domain: str, name: str = "", **values: object) -> DirectoryChange:
    """One step. Values by parameter name; None means that nothing was said of it."""
    return DirectoryChange(op, kind, domain, name, written(values))


def written(values: Mapping[str, object]) -> dict[str, object]:
    """By the names of the file; what is None is left out."""
    return {name.replace("_", "-"): text(value) for name, value in values.items() if value is not None}


def text(value: object) -> object:
    """A value as it is written; empty text in a list is how a person says `none`."""
    if isinstance(value, tuple):
        return tuple(str(item) for item in value if str(item))
    return value


def address_of(record: Entry) -> str:
    """`name@domain`; a domain's own name."""
    return f"{record.name}@{record.domain}" if record.name else record.domain


def value_of(record: Entry, name: str, default: str = "") -> str:
    """A value that is not a list."""
    value = record.values.get(name, default)
    return value if isinstance(value, str) else ", ".join(value)


def values_of(record: Entry, name: str) -> tuple[str, ...]:
    """A value that is a list."""
    value = record.values.get(name, ())
    return (value,) if isinstance(value, str) else tuple(value)


def flag(record: Entry, name: str, default: bool) -> bool:
    """A yes or no."""
    return {"yes": True, "no": False}.get(value_of(record, name), default)
