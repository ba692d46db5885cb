"""Calls about groups (mission S34)."""

from typing import Annotated, Any, Final

from whimbrel.core.address import Address, folded
from whimbrel.core.counting import counted
from whimbrel.core.directory import Entry, Kind, Op
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, Known, call
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.lists import After, Listed, Skip, Sort, columns_of, listed_records
from whimbrel.services.admin.numbers import MOST_LISTED
from whimbrel.services.admin.people.fields import answers, shown, step_of, takes, view
from whimbrel.services.admin.people.people import address_of, change, changed, entry, place, values_of
from whimbrel.services.admin.people.records import GROUP
from whimbrel.services.admin.people.resolving import names_of, still_named, warn_of, warn_of_tags
from whimbrel.services.admin.views import Done, done

GroupView: Any = view("GroupView", GROUP, "A group.", before=[("group", str)])

Name = Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("group")]


def _view(group: Entry) -> Any:
    return GroupView(group=address_of(group), **shown(GROUP, group))


COLUMNS: Final = columns_of(GROUP, "group")


@call("group", "list", reads=True, names=("group", "group"), right=Right.ACCOUNTS, help="Lists groups.")
@answers(Listed[GroupView])
async def group_list(
    ctx: AdminContext,
    domain: Annotated[str, "Only groups of this domain.", Known("domain")] = "",
    search: Annotated[str, "Part of name or description."] = "",
    sort: Sort = "",
    after: After = "",
    skip: Skip = 0,
    limit: Annotated[int, "Most to list.", MOST_LISTED] = 1000,
) -> Listed[Any]:
    return await listed_records(
        ctx, GROUP, COLUMNS, _view, sort=sort, domain=domain, search=search, after=after, skip=skip, limit=limit
    )


@call("group", "show", reads=True, right=Right.ACCOUNTS, help="Shows a group.")
@answers(GroupView)
async def group_show(ctx: AdminContext, name: Name) -> Any:
    return _view(await entry(ctx, Kind.GROUP, name))


@call("group", "add", right=Right.ACCOUNTS, help="Adds a group.")
@takes(GROUP)
async def group_add(ctx: AdminContext, name: Annotated[str, "name@domain of the new group."], **values: object) -> Done:
    domain, local = await place(ctx, name)
    await change(ctx, step_of(GROUP, Op.ADD, domain, local, values))
    await warn_of(ctx, Address(local, domain))
    await warn_of_tags(ctx, Address(local, domain))
    return done(ctx.dry_run, f"Group {local}@{domain}", "added")


@call("group", "set", right=Right.ACCOUNTS, help="Changes a group; what is not named stays as it is.")
@takes(GROUP)
async def group_set(
    ctx: AdminContext,
    name: Name,
    *,
    add_member: Annotated[tuple[str, ...], "Members to add. Repeat for several."] = (),
    remove_member: Annotated[tuple[str, ...], "Members to take out. Repeat for several."] = (),
    **values: object,
) -> Done:
    group = await entry(ctx, Kind.GROUP, name)
    if add_member or remove_member:
        gone = {folded(text) for text in remove_member}
        named = values.get("member")
        base = named if isinstance(named, tuple) else values_of(group, "member")
        kept = [text for text in base if folded(text) not in gone]
        have = {folded(text) for text in kept}
        values["member"] = (*kept, *(text for text in add_member if folded(text) not in have))
    step = step_of(GROUP, Op.SET, group.domain, group.name, values)
    if not step.values:
        raise CallError(Failure.USAGE, "nothing to change was named; see `whimbrel group set --help`")
    await change(ctx, step)
    await warn_of(ctx, Address(group.name, group.domain))
    return done(ctx.dry_run, f"Group {address_of(group)}", "changed")


async def _ask_remove(ctx: AdminContext, name: str) -> str:
    """How many members, and who names it."""
    group = await entry(ctx, Kind.GROUP, name)
    names = await names_of(ctx, address_of(group))
    text = f"Remove the group {address_of(group)} of {counted(len(values_of(group, 'member')), 'member')}?"
    return f"{text} It is still named by {names}." if names else text


@call("group", "remove", right=Right.ACCOUNTS, help="Removes a group; its members stay.", confirm=_ask_remove)
async def group_remove(ctx: AdminContext, name: Name) -> Done:
    group = await entry(ctx, Kind.GROUP, name)
    await change(ctx, changed(Op.REMOVE, Kind.GROUP, group.domain, group.name))
    await still_named(ctx, address_of(group))
    return done(ctx.dry_run, f"Group {address_of(group)}", "removed")
