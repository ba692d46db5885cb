"""Calls about aliases, and what an address resolves to (mission S34)."""

from typing import Annotated, Any, Final

from whimbrel.core.address import Address
from whimbrel.core.directory import Entry, Kind, Op
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Known, call
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.lists import After, Listed, Skip, Sort, columns_of, listed_records
from whimbrel.services.admin.numbers import MOST_LISTED
from whimbrel.services.admin.people.fields import answers, shown, step_of, takes, view
from whimbrel.services.admin.people.people import address_of, change, changed, entry, place, values_of
from whimbrel.services.admin.people.records import ALIAS
from whimbrel.services.admin.people.resolving import (
    Resolution,
    listing,
    names_of,
    resolved,
    resolved_within,
    sample_of,
    still_named,
    warn_of,
    warn_of_tags,
)
from whimbrel.services.admin.views import Done, done

AliasView: Any = view("AliasView", ALIAS, "An alias.", before=[("alias", str)])

Name = Annotated[str, "name@domain; * stands for any characters, ? for one.", Known("alias")]


def _view(alias: Entry) -> Any:
    return AliasView(alias=address_of(alias), **shown(ALIAS, alias))


COLUMNS: Final = columns_of(ALIAS, "alias")


@call("alias", "list", reads=True, names=("alias", "alias"), right=Right.ACCOUNTS, help="Lists aliases.")
@answers(Listed[AliasView])
async def alias_list(
    ctx: AdminContext,
    domain: Annotated[str, "Only aliases of this domain.", Known("domain")] = "",
    search: Annotated[str, "Part of name or description."] = "",
    sort: Sort = "",
    after: After = "",
    skip: Skip = 0,
    limit: Annotated[int, "Most to list.", MOST_LISTED] = 1000,
) -> Listed[Any]:
    return await listed_records(
        ctx, ALIAS, COLUMNS, _view, sort=sort, domain=domain, search=search, after=after, skip=skip, limit=limit
    )


@call("alias", "show", reads=True, right=Right.ACCOUNTS, help="Shows an alias.")
@answers(AliasView)
async def alias_show(ctx: AdminContext, name: Name) -> Any:
    return _view(await entry(ctx, Kind.ALIAS, name))


@call("alias", "add", right=Right.ACCOUNTS, help="Adds an alias.")
@takes(ALIAS)
async def alias_add(
    ctx: AdminContext,
    name: Annotated[str, "name@domain of the new alias; * stands for any characters, ? for one."],
    to: Annotated[tuple[str, ...], "Addresses that get the mail, here or elsewhere."],
    **values: object,
) -> Done:
    domain, local = await place(ctx, name)
    if not any(to):
        raise CallError(Failure.USAGE, "to: at least one address must be given", FieldFault("to", "must be given"))
    await change(ctx, step_of(ALIAS, Op.ADD, domain, local, values | {"to": to}))
    await warn_of(ctx, sample_of(Kind.ALIAS, local, domain))
    await warn_of_tags(ctx, Address(local, domain))
    return done(ctx.dry_run, f"Alias {local}@{domain}", "added")


@call("alias", "set", right=Right.ACCOUNTS, help="Changes an alias; what is not named stays as it is.")
@takes(ALIAS)
async def alias_set(ctx: AdminContext, name: Name, **values: object) -> Done:
    alias = await entry(ctx, Kind.ALIAS, name)
    step = step_of(ALIAS, Op.SET, alias.domain, alias.name, values)
    if not step.values:
        raise CallError(Failure.USAGE, "nothing to change was named; see `whimbrel alias set --help`")
    await change(ctx, step)
    await warn_of(ctx, sample_of(Kind.ALIAS, alias.name, alias.domain))
    return done(ctx.dry_run, f"Alias {address_of(alias)}", "changed")


async def _ask_remove(ctx: AdminContext, name: str) -> str:
    """To whom it leads, and who names it."""
    alias = await entry(ctx, Kind.ALIAS, name)
    names = await names_of(ctx, address_of(alias))
    text = f"Remove the alias {address_of(alias)}, which leads to {listing(values_of(alias, 'to'))}?"
    return f"{text} It is still named by {names}." if names else text


@call("alias", "remove", right=Right.ACCOUNTS, help="Removes an alias.", confirm=_ask_remove)
async def alias_remove(ctx: AdminContext, name: Name) -> Done:
    alias = await entry(ctx, Kind.ALIAS, name)
    await change(ctx, changed(Op.REMOVE, Kind.ALIAS, alias.domain, alias.name))
    await still_named(ctx, address_of(alias))
    return done(ctx.dry_run, f"Alias {address_of(alias)}", "removed")


@call(
    "alias",
    "check",
    reads=True,
    right=Right.ACCOUNTS,
    problems="problems",
    help="Shows how an address resolves, step by step; finds loops and targets that do not exist.",
)
async def alias_check(
    ctx: AdminContext, address: Annotated[str, "Any address; a bare name is one of the primary domain."]
) -> Resolution:
    try:
        start = Address.parse(address if "@" in address else f"{address}@{(await ctx.directory.primary()).name}")
    except ValueError as error:
        raise CallError(Failure.USAGE, f"address: {error}", FieldFault("address", str(error))) from None
    return await resolved(ctx, start) if ctx.domains() is None else await resolved_within(ctx, start)
