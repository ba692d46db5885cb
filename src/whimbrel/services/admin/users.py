"""Calls about users (mission S12, S34, S36, S63)."""

from dataclasses import dataclass
from typing import Annotated

from whimbrel.core.address import Address, Domain
from whimbrel.core.credentials.schemes import password_or_verifier
from whimbrel.core.directory import DirectoryChange, Entry, Kind, Op, Rights
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Grants, Right
from whimbrel.core.values import Secret, Size
from whimbrel.services.admin.aliases import walked
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Known, Needs, Own, call
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people import (
    address_of,
    change,
    changed,
    entry,
    flag,
    listed,
    one,
    place,
    several,
)
from whimbrel.services.admin.views import Done, Moment, Page, done
from whimbrel.services.session.record import LastSignIn, last_sign_in


@dataclass(frozen=True, slots=True)
class UserRow:
    address: str
    full_name: str
    enabled: bool
    rights: str
    quota: str
    last_sign_in: Moment


@dataclass(frozen=True, slots=True)
class UserView:
    """A user; values as they stand in the file. The password itself is nowhere."""

    address: str
    full_name: str
    description: str
    enabled: bool
    has_password: bool
    rights: str
    aliases: tuple[str, ...]
    quota: str
    quota_messages: str
    max_message_size: str
    forward_to: tuple[str, ...]
    keep_copy: bool
    clean_out: tuple[str, ...]
    last_sign_in: Moment
    last_service: str
    last_address: str


Name = Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("user")]
FullName = Annotated[str | None, "The person's name, as others see it."]
Description = Annotated[str | None, "A remark for administrators."]
Aliases = Annotated[
    tuple[str, ...] | None,
    "Further names in the same domain for this mailbox. Repeat for several; '' for none.",
]
Quota = Annotated[Size | None, "Largest size of the mailbox, such as 2G; 0: no limit."]
QuotaMessages = Annotated[int | None, "Most messages in the mailbox; 0: no limit."]
MaxSize = Annotated[Size | None, "Largest message from and to this user, such as 80M; 0: the domain's limit."]
ForwardTo = Annotated[tuple[str, ...] | None, "Addresses that get this user's mail. Repeat for several; '' for none."]
KeepCopy = Annotated[bool | None, "With forward-to: mail is also delivered here."]
CleanOutRules = Annotated[
    tuple[str, ...] | None,
    "Deletes what lay in a folder for so many days: deleted, junk, sent, inbox or all, as in 'deleted 30d'; before the "
    "domain's rules, 0d: never. Repeat for several; '' for none.",
]
RightsOption = Annotated[Rights | None, "What the user may administer."]


@call("user", "list", reads=True, names=("user", "address"), right=Right.ACCOUNTS, help="Lists users.")
async def user_list(
    ctx: AdminContext,
    domain: Annotated[str, "Only users of this domain.", Known("domain")] = "",
    search: Annotated[str, "Part of name, full name or description."] = "",
    after: Annotated[str, "Begin after this address."] = "",
    limit: Annotated[int, "Most to list."] = 1000,
) -> Page[UserRow]:
    found, more = await listed(ctx, Kind.USER, domain, search, after, limit)
    return Page(
        tuple([
            UserRow(
                address_of(user), one(user, "full-name"), flag(user, "enabled", True), one(user, "rights", "none"),
                one(user, "quota", "0"), Moment((await _last(ctx, user)).at),
            )
            for user in found
        ]),
        more,
    )  # fmt: skip


@call("user", "show", reads=True, right=Right.ACCOUNTS, own=Own("name"), help="Shows a user.")
async def user_show(ctx: AdminContext, name: Name) -> UserView:
    user = await entry(ctx, Kind.USER, name)
    last = await _last(ctx, user)
    return UserView(
        address_of(user),
        one(user, "full-name"),
        one(user, "description"),
        flag(user, "enabled", True),
        bool(one(user, "password")),
        one(user, "rights", "none"),
        several(user, "alias"),
        one(user, "quota", "0"),
        one(user, "quota-messages", "0"),
        one(user, "max-message-size", "0"),
        several(user, "forward-to"),
        flag(user, "keep-copy", True),
        several(user, "clean-out"),
        Moment(last.at),
        last.service,
        last.ip,
    )


async def _last(ctx: AdminContext, user: Entry) -> LastSignIn:
    """At 0: never, or nobody remembers."""
    never = LastSignIn(0.0, "", "")
    if ctx.state is None:
        return never
    return await last_sign_in(ctx.state, AccountId(address_of(user).casefold())) or never


@call("user", "add", right=Right.ACCOUNTS, help="Adds a user.")
async def user_add(
    ctx: AdminContext,
    name: Annotated[str, "name@domain of the new user; a bare name is put into the primary domain."],
    password: Annotated[Secret | None, "Password to sign in with; without one the user cannot."] = None,
    full_name: FullName = None,
    description: Description = None,
    rights: RightsOption = None,
    alias: Aliases = None,
    quota: Quota = None,
    quota_messages: QuotaMessages = None,
    max_message_size: MaxSize = None,
    forward_to: ForwardTo = None,
    keep_copy: KeepCopy = None,
    clean_out: CleanOutRules = None,
    enabled: Annotated[bool | None, "May sign in."] = None,
) -> Done:
    domain, local = await place(ctx, name)
    may_grant(ctx, rights, Domain(domain))
    if quota is None:
        quota = await default_quota(ctx, domain)
    step = changed(
        Op.ADD, Kind.USER, domain, local, full_name=full_name, description=description, rights=_word(rights),
        alias=alias, quota=quota, quota_messages=quota_messages, max_message_size=max_message_size,
        forward_to=forward_to, keep_copy=keep_copy, clean_out=clean_out, enabled=enabled,
    )  # fmt: skip
    await change(ctx, await with_password(ctx, step, password))
    warning = await circle(ctx, f"{local}@{domain}") if forward_to else ""
    rest = f"{'' if password else ', without a password'}{warning}"
    return done(ctx.dry_run, f"User {local}@{domain}", "added", rest)


@call(
    "user",
    "set",
    right=Right.ACCOUNTS,
    own=Own("name", ("forward_to", "keep_copy")),
    help="Changes a user; what is not named stays as it is.",
)
async def user_set(
    ctx: AdminContext,
    name: Name,
    full_name: FullName = None,
    description: Description = None,
    alias: Aliases = None,
    quota: Quota = None,
    quota_messages: QuotaMessages = None,
    max_message_size: MaxSize = None,
    forward_to: ForwardTo = None,
    keep_copy: KeepCopy = None,
    clean_out: CleanOutRules = None,
) -> Done:
    return await _set(
        ctx, name, full_name=full_name, description=description, alias=alias, quota=quota,
        quota_messages=quota_messages, max_message_size=max_message_size, forward_to=forward_to, keep_copy=keep_copy,
        clean_out=clean_out,
    )  # fmt: skip


@call(
    "user",
    "remove",
    right=Right.ACCOUNTS,
    needs=Needs.STORE_IF_ANY,
    help="Removes a user. The mail is kept on disk, out of reach, until an administrator deletes it.",
    confirm="Remove the user {name}?",
)
async def user_remove(ctx: AdminContext, name: Name) -> Done:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    await change(ctx, changed(Op.REMOVE, Kind.USER, user.domain, user.name))
    if not ctx.dry_run and ctx.folders is not None:
        await ctx.folders.remove_account(AccountId(address_of(user).lower()))
    return done(ctx.dry_run, f"User {address_of(user)}", "removed")


@call("user", "enable", right=Right.ACCOUNTS, help="Lets a user sign in again.")
async def user_enable(ctx: AdminContext, name: Name) -> Done:
    return await _set(ctx, name, enabled=True)


@call("user", "disable", right=Right.ACCOUNTS, help="Keeps a user from signing in; mail is still received.")
async def user_disable(ctx: AdminContext, name: Name) -> Done:
    return await _set(ctx, name, enabled=False)


@call("user", "password", right=Right.ACCOUNTS, own=Own("name", ("password",)), help="Sets a user's password.")
async def user_password(ctx: AdminContext, name: Name, password: Annotated[Secret, "The new password."]) -> Done:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    if not password.reveal():
        raise CallError(Failure.USAGE, "password: an empty password is not allowed; see `whimbrel user disable`")
    await change(ctx, await with_password(ctx, changed(Op.SET, Kind.USER, user.domain, user.name), password))
    return done(ctx.dry_run, f"The password of {address_of(user)}", "changed")


@call("user", "rights", help="Says what a user may administer: none, own domain, the server (to read or to write).")
async def user_rights(ctx: AdminContext, name: Name, rights: Annotated[Rights, "The right to give."]) -> Done:
    return await _set(ctx, name, rights=_word(rights))


async def _set(ctx: AdminContext, name: str, **values: object) -> Done:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    step = changed(Op.SET, Kind.USER, user.domain, user.name, **values)
    if not step.values:
        raise CallError(Failure.USAGE, "nothing to change was named; see `whimbrel user set --help`")
    await change(ctx, step)
    warning = await circle(ctx, address_of(user)) if {"forward-to", "keep-copy"} & step.values.keys() else ""
    return done(ctx.dry_run, f"User {address_of(user)}", "changed", warning)


async def circle(ctx: AdminContext, address: str) -> str:
    """A warning if mail to `address` now goes round without anybody having it; it is refused then. The change stands,
    since the next one may be what ends the circle."""
    if ctx.dry_run:
        return ""
    walk = await walked(ctx, Address.parse(address))
    if walk.mailboxes or walk.remote or not walk.loops:
        return ""
    return (
        f". Attention: mail to it is refused, since its forwarding leads only back to itself ({walk.loops[0]}); "
        "let one of them keep a copy, or forward elsewhere"
    )


async def default_quota(ctx: AdminContext, domain: str) -> Size | None:
    """What a user gets who is added without a word about quota."""
    found = await ctx.directory.domain(domain)
    return Size(found.default_quota) if found is not None and found.default_quota else None


async def with_password(ctx: AdminContext, step: DirectoryChange, password: Secret | None) -> DirectoryChange:
    """The step with what is stored of `password`; a ready verifier may stand for a password. CallError."""
    if password is None or not password.reveal():
        return step
    try:
        stored = password_or_verifier(password)
    except ValueError as error:
        raise CallError(Failure.USAGE, f"password: {error}", FieldFault("password", str(error))) from None
    if isinstance(stored, Secret):
        stored = await ctx.make_password(stored)
    return DirectoryChange(step.op, step.kind, step.domain, step.name, {**step.values, **stored.values()})


def may_grant(ctx: AdminContext, rights: Rights | None, domain: Domain) -> None:
    """Nobody gives more than they have. CallError."""
    if rights is not None and not ctx.caller.grants.includes(Grants.of(rights.value, own=domain)):
        raise CallError(Failure.FORBIDDEN, f"rights: only who has the right {rights.value} gives it")


def may_change(ctx: AdminContext, user: Entry) -> None:
    """Nobody gets more rights by way of a mightier user. CallError."""
    theirs = Grants.of(one(user, "rights", "none"), several(user, "grant"), Domain(user.domain))
    if ctx.right is not Right.SELF and not ctx.caller.grants.includes(theirs):
        raise CallError(Failure.FORBIDDEN, f"{address_of(user)} may do more ({theirs}) and is changed by its equals")


def _word(rights: Rights | None) -> str | None:
    return None if rights is None else str(rights.value)
