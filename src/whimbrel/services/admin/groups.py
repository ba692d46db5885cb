"""Calls about groups (mission S34)."""

from dataclasses import dataclass
from typing import Annotated

from whimbrel.core.address import folded
from whimbrel.core.directory import Entry, Kind, Op
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, Known, call
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people import address_of, change, changed, entry, listed, one, place, several
from whimbrel.services.admin.views import Done, Page, done


@dataclass(frozen=True, slots=True)
class GroupView:
    group: str
    members: tuple[str, ...]
    description: str


Name = Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("group")]
Members = Annotated[tuple[str, ...] | None, "Addresses of the members: all of them. Repeat for several; '' for none."]
Description = Annotated[str | None, "A remark for administrators."]


def _view(found: Entry) -> GroupView:
    return GroupView(address_of(found), several(found, "member"), one(found, "description"))


@call("group", "list", reads=True, names=("group", "group"), right=Right.ACCOUNTS, help="Lists groups.")
async def group_list(
    ctx: AdminContext,
    domain: Annotated[str, "Only groups of this domain.", Known("domain")] = "",
    search: Annotated[str, "Part of name or description."] = "",
    after: Annotated[str, "Begin after this group."] = "",
    limit: Annotated[int, "Most to list."] = 1000,
) -> Page[GroupView]:
    found, more = await listed(ctx, Kind.GROUP, domain, search, after, limit)
    return Page(tuple(map(_view, found)), more)


@call("group", "show", reads=True, right=Right.ACCOUNTS, help="Shows a group.")
async def group_show(ctx: AdminContext, name: Name) -> GroupView:
    return _view(await entry(ctx, Kind.GROUP, name))


@call("group", "add", right=Right.ACCOUNTS, help="Adds a group.")
async def group_add(
    ctx: AdminContext,
    name: Annotated[str, "name@domain of the new group."],
    member: Members = None,
    description: Description = None,
) -> Done:
    domain, local = await place(ctx, name)
    await change(ctx, changed(Op.ADD, Kind.GROUP, domain, local, member=member, description=description))
    return done(ctx.dry_run, f"Group {local}@{domain}", "added")


@call("group", "set", right=Right.ACCOUNTS, help="Changes a group; what is not named stays as it is.")
async def group_set(
    ctx: AdminContext,
    name: Name,
    member: Members = None,
    description: Description = None,
    add_member: Annotated[tuple[str, ...], "Members to add. Repeat for several."] = (),
    remove_member: Annotated[tuple[str, ...], "Members to take out. Repeat for several."] = (),
) -> Done:
    found = await entry(ctx, Kind.GROUP, name)
    if add_member or remove_member:
        gone = {folded(text) for text in remove_member}
        base = several(found, "member") if member is None else member
        kept = [text for text in base if folded(text) not in gone]
        have = {folded(text) for text in kept}
        member = (*kept, *(text for text in add_member if folded(text) not in have))
    step = changed(Op.SET, Kind.GROUP, found.domain, found.name, member=member, description=description)
    if not step.values:
        raise CallError(Failure.USAGE, "nothing to change was named; see `whimbrel group set --help`")
    await change(ctx, step)
    return done(ctx.dry_run, f"Group {address_of(found)}", "changed")


@call("group", "remove", right=Right.ACCOUNTS, help="Removes a group; its members stay.", confirm="Remove {name}?")
async def group_remove(ctx: AdminContext, name: Name) -> Done:
    found = await entry(ctx, Kind.GROUP, name)
    await change(ctx, changed(Op.REMOVE, Kind.GROUP, found.domain, found.name))
    return done(ctx.dry_run, f"Group {address_of(found)}", "removed")
