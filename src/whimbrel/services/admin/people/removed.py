"""Calls about removed users, whose mail is kept until an administrator deletes it, and about new names."""

from dataclasses import dataclass, fields
from typing import Annotated, Final

from whimbrel.core.address import Address, Domain
from whimbrel.core.counting import counted
from whimbrel.core.directory import DirectoryChange, Entry, Kind, Op
from whimbrel.core.mailbox import AccountId
from whimbrel.core.mailboxes import Mailboxes, RemovedMailbox
from whimbrel.core.rights import Grants, Right
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Known, Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.lists import After, Listed, Skip, Sort, order_of, sliced
from whimbrel.services.admin.numbers import MOST_LISTED
from whimbrel.services.admin.people.lifecycle import Kept, account_id, redirected, rename_user, restore_user
from whimbrel.services.admin.people.people import address_of, change, entry, new_place, place, values_of
from whimbrel.services.admin.people.records import RECORDS
from whimbrel.services.admin.people.resolving import warn_of, warn_of_tags
from whimbrel.services.admin.people.users import may_change
from whimbrel.services.admin.views import Done, Moment, Octets, done


@dataclass(frozen=True, slots=True)
class RemovedUser:
    """A removed user and the mail that is kept. `record`: the password, names and settings are known too."""

    id: str
    address: str
    removed: Moment
    messages: int
    size: Octets
    record: bool


COLUMNS: Final = tuple(field.name for field in fields(RemovedUser))

Which = Annotated[
    str,
    "Id as `user removed-list` shows it, or the address if it was removed once; a bare name is one of the primary "
    "domain.",
]


@call(
    "user",
    "removed-list",
    reads=True,
    right=Right.ACCOUNTS,
    needs=Needs.STORE_IF_ANY,
    help="Lists removed users whose mail is kept, the latest first.",
)
async def user_removed_list(
    ctx: AdminContext,
    domain: Annotated[str, "Only those of this domain.", Known("domain")] = "",
    search: Annotated[str, "Part of the address."] = "",
    sort: Sort = "-removed",
    after: After = "",
    skip: Skip = 0,
    limit: Annotated[int, "Most to list.", MOST_LISTED] = 1000,
) -> Listed[RemovedUser]:
    order = order_of(sort or "-removed", COLUMNS)
    rows = [
        RemovedUser(
            each.id, str(each.account), Moment(each.removed), each.messages, Octets(each.bytes), bool(each.record)
        )
        for each in await _within(ctx)
        if domain in ("", _domain(each)) and search.casefold() in each.account
    ]
    return sliced(rows, "id", order, after, limit, skip)


@call(
    "user",
    "removed-restore",
    right=Right.ACCOUNTS,
    needs=Needs.STORE,
    help="Brings a removed user back with mail, password, names and groups, as far as these are still free.",
)
async def user_removed_restore(
    ctx: AdminContext,
    removed: Which,
    to: Annotated[str, "Another name@domain for the user; or a user who has no mail yet, who gets it."] = "",
) -> Done:
    mailbox = await _removed(ctx, removed)
    domain, local = await place(ctx, to or str(mailbox.account))
    account = AccountId(Address(local, domain).key)
    there = await ctx.editor.entry(Kind.USER, domain, local)
    if there is not None:
        if not to:
            raise CallError(
                Failure.REFUSED,
                f"There is a user {account} again: say by --to who gets the mail, {account} or another user",
            )
        may_change(ctx, there)
        await restore_user(ctx, mailbox, [], account)
        return done(ctx.dry_run, f"The mail of {mailbox.account}", "brought back", f" as the mailbox of {account}")
    changes, left = await _returning(ctx, mailbox, domain, local)
    await restore_user(ctx, mailbox, changes, account)
    for text in left:
        ctx.warn(text)
    rest = f" as {account}" if account != mailbox.account else ""
    return done(ctx.dry_run, f"User {mailbox.account}", "brought back", rest)


@call(
    "user",
    "removed-purge",
    right=Right.ACCOUNTS,
    needs=Needs.STORE,
    help="Deletes the mail and all that is known of a removed user, for good.",
    confirm="Delete all mail of the removed user {removed} for good?",
)
async def user_removed_purge(ctx: AdminContext, removed: Which) -> Done:
    mailbox = await _removed(ctx, removed)
    if not ctx.dry_run:
        await _mailboxes(ctx).purge(mailbox.id)
    what = f"The mail of {mailbox.account} ({counted(mailbox.messages, 'message')}, {mailbox.bytes} octets)"
    return done(ctx.dry_run, what, "deleted for good")


@call(
    "user",
    "rename",
    right=Right.ACCOUNTS,
    needs=Needs.STORE,
    help="Gives a user another name, also in another domain. Mail, groups, aliases and forwardings move along; the "
    "user signs in by the new name.",
    confirm="Rename the user {name} to {new}? The user's sessions end.",
)
async def user_rename(
    ctx: AdminContext,
    name: Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("user")],
    new: Annotated[str, "The new name@domain; a bare name stays in the user's domain."],
    keep_alias: Annotated[bool, "The former address goes on working."] = False,
) -> Done:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    domain, local = await new_place(ctx, new if "@" in new else f"{new}@{user.domain}", "new")
    if (domain, local) == (user.domain, user.name):
        raise CallError(Failure.USAGE, f"new: {local}@{domain} is the name already", FieldFault("new", "is the same"))
    account = await ctx.directory.account(account_id(user))
    if account is None:
        raise CallError(Failure.NOT_FOUND, f"There is no user '{address_of(user)}'")
    values: dict[str, object] = dict(account.record.texts)
    names = _names(values)
    moved = {f"{user.name}@{user.domain}".casefold(): f"{local}@{domain}"}
    if domain != user.domain:
        _fix_rights(values, Domain(user.domain))
        moved |= {f"{each}@{user.domain}".casefold(): f"{each}@{domain}" for each in names}
    elif keep_alias and local.casefold() != user.name.casefold():
        names = (*(each for each in names if each.casefold() != local.casefold()), user.name)
    else:
        names = tuple(each for each in names if each.casefold() != local.casefold())
    values |= {"alias": names}
    new_address = Address(local, domain)
    changes = [
        DirectoryChange(Op.REMOVE, Kind.USER, user.domain, user.name),
        DirectoryChange(Op.ADD, Kind.USER, domain, local, values),
    ]
    for step in changes:
        ctx.within(step.domain)
    naming = await redirected(ctx, moved, skip=user)
    ctx.stays_within(step.domain for step in naming)
    changes += naming
    if keep_alias and domain != user.domain:
        changes += [
            DirectoryChange(Op.ADD, Kind.ALIAS, user.domain, each, {"to": (str(new_address),)})
            for each in (user.name, *_names(account.record.texts))
        ]
    await rename_user(ctx, account.id, AccountId(new_address.key), changes)
    await warn_of_tags(ctx, new_address)
    kept = f"; mail to {address_of(user)} still arrives" if keep_alias else ""
    return done(ctx.dry_run, f"User {address_of(user)}", "renamed", f" to {new_address}{kept}")


@call(
    "group",
    "rename",
    right=Right.ACCOUNTS,
    help="Gives a group another name, also in another domain; who names it names it by the new one.",
    confirm="Rename the group {name} to {new}?",
)
async def group_rename(
    ctx: AdminContext,
    name: Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("group")],
    new: Annotated[str, "The new name@domain; a bare name stays in the group's domain."],
    keep_alias: Annotated[bool, "The former address goes on working."] = False,
) -> Done:
    return await _renamed(ctx, Kind.GROUP, name, new, keep_alias=keep_alias)


@call(
    "alias",
    "rename",
    right=Right.ACCOUNTS,
    help="Gives an alias another name, also in another domain; who names it names it by the new one.",
    confirm="Rename the alias {name} to {new}?",
)
async def alias_rename(
    ctx: AdminContext,
    name: Annotated[str, "name@domain; * stands for any characters, ? for one.", Known("alias")],
    new: Annotated[str, "The new name@domain; a bare name stays in the alias's domain."],
) -> Done:
    return await _renamed(ctx, Kind.ALIAS, name, new, keep_alias=False)


async def _renamed(ctx: AdminContext, kind: Kind, name: str, new: str, *, keep_alias: bool) -> Done:
    record = await entry(ctx, kind, name)
    domain, local = await new_place(ctx, new if "@" in new else f"{new}@{record.domain}", "new")
    if (domain, local) == (record.domain, record.name):
        raise CallError(Failure.USAGE, f"new: {local}@{domain} is the name already", FieldFault("new", "is the same"))
    values = _absolute(record, domain)
    changes = [
        DirectoryChange(Op.REMOVE, kind, record.domain, record.name),
        DirectoryChange(Op.ADD, kind, domain, local, values),
    ]
    naming = await redirected(ctx, {address_of(record).casefold(): f"{local}@{domain}"}, skip=record)
    ctx.stays_within(step.domain for step in naming)
    changes += naming
    if keep_alias:
        target = {"to": (f"{local}@{domain}",)}
        changes.append(DirectoryChange(Op.ADD, Kind.ALIAS, record.domain, record.name, target))
    for step in changes:
        ctx.within(step.domain)
    await change(ctx, *changes)
    await warn_of_tags(ctx, Address(local, domain))
    if "*" not in local and "?" not in local:
        await warn_of(ctx, Address(local, domain))
    return done(ctx.dry_run, f"{kind.value.capitalize()} {address_of(record)}", "renamed", f" to {local}@{domain}")


def _absolute(record: Entry, domain: str) -> dict[str, object]:
    """The values for another domain: a bare name meant the former one."""
    values: dict[str, object] = dict(record.values)
    if domain != record.domain:
        for field in next(each for each in RECORDS if each.kind is record.kind).fields:
            if field.declared.address:
                values[field.element] = tuple(
                    each if "@" in each else f"{each}@{record.domain}" for each in values_of(record, field.element)
                )
    return values


def _fix_rights(values: dict[str, object], own: Domain) -> None:
    """Rights for "the own domain" stay those for the former one: nobody administers another by moving there. Bare names
    that the record has mean the former domain too."""
    rights, grants = str(values.get("rights", "none")), values.get("grant", ())
    words = grants if isinstance(grants, tuple) else (str(grants),)
    if rights == "domain":
        values["rights"] = "none"
        words = (*words, "domain")
    named = Grants.of("none", words, own)
    values["grant"] = tuple(
        f"{grant} {own}" if not grant.domains and grant.right in (Right.DOMAIN, Right.ACCOUNTS) else str(grant)
        for grant in sorted(named.grants)
    )
    forward = values.get("forward-to", ())
    values["forward-to"] = tuple(
        each if "@" in each else f"{each}@{own}"
        for each in (forward if isinstance(forward, tuple) else (str(forward),))
    )


async def _returning(
    ctx: AdminContext, mailbox: RemovedMailbox, domain: str, local: str
) -> tuple[list[DirectoryChange], list[str]]:
    """What makes the user again, and what could not come back."""
    kept, left = Kept.read(mailbox.record), list[str]()
    known = {field.element for each in RECORDS if each.kind is Kind.USER for field in each.fields}
    values: dict[str, object] = {name: value for name, value in kept.values.items() if name in known}
    theirs = Grants.of(str(values.get("rights", "none")), _words(values.get("grant", ())), Domain(domain))
    if not ctx.caller.grants.includes(theirs):
        values |= {"rights": "none", "grant": ()}
        left.append(f"The rights ({theirs}) did not come back: only who has them gives them")
    for name in ("left", "refusal", "delete-on"):
        values.pop(name, None)  # Who is brought back is here, and nothing is due.
    values["alias"] = ()
    steps = [DirectoryChange(Op.ADD, Kind.USER, domain, local, values)]
    names = []
    for name in _names(kept.values):
        trial = DirectoryChange(Op.ADD, Kind.ALIAS, domain, name, {"to": (f"x@{domain}",)})
        if (await ctx.editor.check_each([steps, [trial]]))[1] is None and name.casefold() != local.casefold():
            names.append(name)
        else:
            left.append(f"The further name {name} did not come back: somebody else has it now")
    steps = [DirectoryChange(Op.ADD, Kind.USER, domain, local, {**values, "alias": tuple(names)})]
    for group in kept.groups:
        name, _, where = group.rpartition("@")
        entry = await ctx.editor.entry(Kind.GROUP, where, name)
        if entry is None:
            left.append(f"The group {group} is gone")
            continue
        members, address = values_of(entry, "member"), f"{local}@{domain}"
        same = {address.casefold(), *([local.casefold()] if entry.domain == domain else [])}
        if not same & {each.casefold() for each in members}:
            ctx.within(entry.domain)
            steps.append(DirectoryChange(Op.SET, Kind.GROUP, where, name, {"member": (*members, address)}))
    return steps, left


def _names(values: "object") -> tuple[str, ...]:
    return _words(values.get("alias", ()) if isinstance(values, dict) else ())


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple | list) else (str(value),)


async def _within(ctx: AdminContext) -> list[RemovedMailbox]:
    """Those that the caller administers."""
    domains = ctx.domains()
    mailboxes = await ctx.mailboxes.removed() if ctx.mailboxes is not None else ()
    return [each for each in mailboxes if domains is None or _domain(each) in domains]


async def _removed(ctx: AdminContext, which: str) -> RemovedMailbox:
    text = which.strip().casefold()
    names = {text} if "@" in text else {text, f"{text}@{(await ctx.directory.primary()).name}"}
    matching = [each for each in await _within(ctx) if {each.id, str(each.account)} & names]
    if not matching:
        raise CallError(Failure.NOT_FOUND, f"There is no removed user '{which}'; see `whimbrel user removed-list`")
    if len(matching) > 1:
        ids = ", ".join(each.id for each in matching)
        raise CallError(Failure.USAGE, f"{which} was removed {len(matching)} times; name one by its id: {ids}")
    return matching[0]


def _mailboxes(ctx: AdminContext) -> Mailboxes:
    return need(ctx.mailboxes, "The mail store")


def _domain(removed: RemovedMailbox) -> str:
    return removed.account.rpartition("@")[2]
