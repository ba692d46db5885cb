"""Calls about users (mission S12, S34, S36, S63)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from whimbrel.core.address import Address, Domain
from whimbrel.core.counting import counted
from whimbrel.core.credentials.policy import known_names
from whimbrel.core.credentials.schemes import password_or_verifier
from whimbrel.core.directory import DirectoryChange, Entry, Kind, Naming, Op, Rights
from whimbrel.core.errors import MailboxError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Grant, Grants, Right
from whimbrel.core.values import Secret, Size
from whimbrel.services.admin.access.link_rules import open_link
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Known, Needs, Own, call
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people.fields import answers, own_options, shown, step_of, takes, view
from whimbrel.services.admin.people.lifecycle import make_way, redirected, remove_user
from whimbrel.services.admin.people.people import (
    address_of,
    change,
    changed,
    domain_named,
    entry,
    place,
    value_of,
    values_of,
)
from whimbrel.services.admin.people.records import USER
from whimbrel.services.admin.people.resolving import (
    discreet,
    listing,
    names_of,
    naming_words,
    refusal,
    still_named,
    warn_of,
    warn_of_tags,
)
from whimbrel.services.admin.people.template_use import joined, merged, template_for
from whimbrel.services.admin.people.user_list import sign_in_of
from whimbrel.services.admin.permission import demand_password
from whimbrel.services.admin.views import Done, Moment, done

UserView: Any = view(
    "UserView",
    USER,
    "A user; values as they stand in the file. The password itself is nowhere.",
    before=[("address", str), ("has_password", bool)],
    after=[
        ("last_sign_in", Moment),
        ("last_service", str),
        ("last_address", str),
        ("password_link_expires", Moment),
        ("password_link_sent_to", str),
    ],
)

Name = Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("user")]


@call("user", "show", reads=True, right=Right.ACCOUNTS, own=Own("name"), help="Shows a user.")
@answers(UserView)
async def user_show(ctx: AdminContext, name: Name) -> Any:
    user = await entry(ctx, Kind.USER, name)
    last = await sign_in_of(ctx, user)
    link = await open_link(ctx, address_of(user).casefold())
    return UserView(
        address=address_of(user),
        has_password=bool(value_of(user, "password")),
        last_sign_in=Moment(last.at),
        last_service=last.service,
        last_address=last.ip,
        password_link_expires=Moment(link.expires if link else 0.0),
        password_link_sent_to=link.sent_to if link else "",
        **shown(USER, user),
    )


@call("user", "add", right=Right.ACCOUNTS, help="Adds a user.")
@takes(USER)
async def user_add(
    ctx: AdminContext,
    name: Annotated[str, "name@domain of the new user; a bare name is put into the primary domain."],
    password: Annotated[Secret | None, "Password to sign in with; without one the user cannot."] = None,
    rights: Annotated[Rights | None, "What the user may administer."] = None,
    enabled: Annotated[bool | None, "May sign in."] = None,
    template: Annotated[
        str,
        "A template whose values the user gets as far as nothing else is said; a bare name is one of the user's "
        "domain. They are copied: a later change of the template changes no user.",
        Known("template"),
    ] = "",
    without: Annotated[
        tuple[str, ...], "A value that is not taken from the template, such as quota or group. Repeat for several."
    ] = (),
    **values: object,
) -> Done:
    domain, local = await place(ctx, name)
    may_grant(ctx, rights, Domain(domain))
    own = step_of(USER, Op.ADD, domain, local, values, rights=rights, enabled=enabled)
    given = await template_for(ctx, template, domain, without, rights_said=rights is not None)
    step = replace(own, values=merged(given, own.values))
    if "quota" not in step.values and (quota := await default_quota(ctx, domain)) is not None:
        step = replace(step, values={**step.values, "quota": quota})
    joining = await joined(ctx, given.groups, f"{local}@{domain}")
    await added(ctx, await with_password(ctx, step, password), *joining)
    warning = await forward_warning(ctx, f"{local}@{domain}") if step.values.get("forward-to") else ""
    rest = f"{f' from the template {given.name}' if given.name else ''}"
    rest += f"{'' if password else ', without a password'}{warning}"
    return done(ctx.dry_run, f"User {local}@{domain}", "added", rest)


async def added(ctx: AdminContext, *steps: DirectoryChange) -> None:
    """Makes new users, whose mailboxes begin empty, and other changes in the same write."""
    await ctx.editor.check(steps)
    new = [step for step in steps if step.op is Op.ADD and step.kind is Kind.USER]
    await make_way(ctx, *(AccountId(Address(step.name, step.domain).key) for step in new))
    await change(ctx, *steps)
    for step in steps:
        if step.kind in (Kind.USER, Kind.ALIAS):
            await warn_of_names(ctx, step)


async def warn_of_names(ctx: AdminContext, step: DirectoryChange) -> None:
    """Of names that a step gives: those that look like others' with a tag."""
    further = step.values.get("alias", ()) if step.kind is Kind.USER else ()
    names = [*([step.name] if step.op is Op.ADD else []), *(further if isinstance(further, tuple) else ())]
    await warn_of_tags(ctx, *(Address(name, step.domain) for name in names if "+" in name))


@call(
    "user",
    "set",
    right=Right.ACCOUNTS,
    own=Own("name", own_options(USER)),
    help="Changes a user; what is not named stays as it is.",
)
@takes(USER)
async def user_set(ctx: AdminContext, name: Name, **values: object) -> Done:
    return await _set(ctx, name, values)


def addresses_of(user: Entry) -> list[str]:
    """All that a user is named by, folded."""
    return [f"{local}@{user.domain}".casefold() for local in (user.name, *values_of(user, "alias"))]


async def _ask_remove(ctx: AdminContext, name: str, everywhere: bool) -> str:
    """How much mail, and whose records name the user."""
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    mail = await mail_of(ctx, AccountId(address_of(user).casefold()))
    addresses = addresses_of(user)
    if everywhere:
        steps = await redirected(ctx, dict.fromkeys(addresses, ""), skip=user)
        ctx.stays_within(step.domain for step in steps)
        rest = consequences(steps)
    else:
        rest = await names_of(ctx, *addresses)
        rest = f"still named by {rest}" if rest else ""
    text = f"Remove the user {address_of(user)}{mail}? The mail is kept until `user removed-purge`"
    return f"{text}; {rest}." if rest else f"{text}."


async def mail_of(ctx: AdminContext, account: AccountId) -> str:
    """` with 3 messages (3000 octets)`; empty: there is no mailbox, and none is made."""
    if ctx.store is None:
        return ""
    try:
        folders = [each async for each in ctx.store.sizes(account)]
    except MailboxError:
        return ""
    messages, octets = sum(each.messages for each in folders), sum(each.bytes for each in folders)
    return f" with {counted(messages, 'message')} ({octets} octets)"


def consequences(steps: Sequence[DirectoryChange]) -> str:
    """What becomes of those who name a user that goes, in words; empty: nothing."""
    gone = [f"{step.kind.value} {step.name}@{step.domain}" for step in steps if step.op is Op.REMOVE]
    changed_too = [naming_words(Naming(step.kind, step.domain, step.name, "")) for step in steps if step.op is Op.SET]
    parts = []
    if gone:
        parts.append(f"removed too, since nobody else gets their mail: {listing(gone)}")
    if changed_too:
        parts.append(f"taken out of {listing(changed_too)}")
    return "; ".join(parts)


@call(
    "user",
    "remove",
    right=Right.ACCOUNTS,
    needs=Needs.STORE_IF_ANY,
    help="Removes a user. The mail is kept on disk, out of reach, until an administrator deletes it: "
    "see `user removed-list`.",
    confirm=_ask_remove,
)
async def user_remove(
    ctx: AdminContext,
    name: Name,
    everywhere: Annotated[bool, "Also takes the user out of groups, aliases and forwardings."] = False,
) -> Done:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    addresses = addresses_of(user)
    more = await redirected(ctx, dict.fromkeys(addresses, ""), skip=user) if everywhere else []
    ctx.stays_within(step.domain for step in more)
    await remove_user(ctx, user, *more)
    if not ctx.dry_run:
        await still_named(ctx, *addresses, *(f"{step.name}@{step.domain}" for step in more if step.op is Op.REMOVE))
    rest = consequences(more)
    return done(ctx.dry_run, f"User {address_of(user)}", "removed", f"; {rest}" if rest else "")


@call("user", "enable", right=Right.ACCOUNTS, help="Lets a user sign in again, also one who had left.")
async def user_enable(ctx: AdminContext, name: Name) -> Done:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    # What `user leave` said; forwarding stays, which may have been there before.
    back = {} if value_of(user, "left") != "yes" else {"left": None, "refusal": None, "delete-on": None}
    await change(ctx, DirectoryChange(Op.SET, Kind.USER, user.domain, user.name, {"enabled": True, **back}))
    warning = (
        f". Mail is still forwarded to {listing(values_of(user, 'forward-to'))}"
        if back and values_of(user, "forward-to")
        else ""
    )
    return done(ctx.dry_run, f"User {address_of(user)}", "changed", warning)


@call(
    "user",
    "disable",
    right=Right.ACCOUNTS,
    help="Keeps a user from signing in; mail to the user is refused (550 5.2.1) until `user enable`.",
)
async def user_disable(ctx: AdminContext, name: Name) -> Done:
    return await _set(ctx, name, {}, enabled=False)


@call("user", "password", right=Right.ACCOUNTS, own=Own("name", ("password",)), help="Sets a user's password.")
async def user_password(ctx: AdminContext, name: Name, password: Annotated[Secret, "The new password."]) -> Done:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    if rights_of(user).grants:
        demand_password(ctx.caller, "The password of an administrator")
    if not password.reveal():
        raise CallError(Failure.USAGE, "password: an empty password is not allowed; see `whimbrel user disable`")
    step = changed(Op.SET, Kind.USER, user.domain, user.name)
    await change(ctx, await with_password(ctx, step, password, value_of(user, "full-name")))
    return done(ctx.dry_run, f"The password of {address_of(user)}", "changed")


@call(
    "user",
    "rights",
    reauthenticate=True,
    help="Sets what a user may administer: none, own domain, the server (to read or to write).",
)
async def user_rights(
    ctx: AdminContext,
    name: Name,
    rights: Annotated[Rights, "The right to give."],
    grant: Annotated[
        tuple[str, ...] | None,
        "A further right: 'domain' or 'accounts' with names of domains, or 'mail-read' for other people's mail. Repeat "
        "for several; '' for none.",
    ] = None,
) -> Done:
    user = await entry(ctx, Kind.USER, name)
    try:
        grants = None if grant is None else tuple(Grant(text) for text in grant if text)
    except ValueError as error:
        raise CallError(Failure.USAGE, f"grant: {error}", FieldFault("grant", str(error))) from None
    for domain in sorted({domain for each in grants or () for domain in each.domains}):
        await domain_named(ctx, domain)
    given = Grants.of(rights.value, values_of(user, "grant") if grants is None else grants, Domain(user.domain))
    if not ctx.caller.grants.includes(given):
        raise CallError(Failure.FORBIDDEN, f"rights: only who may do all of it gives {given}")
    return await _set(ctx, name, {}, rights=rights, grant=grants)


async def _set(ctx: AdminContext, name: str, values: Mapping[str, object], **more: object) -> Done:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    step = step_of(USER, Op.SET, user.domain, user.name, values, **more)
    if not step.values:
        raise CallError(Failure.USAGE, "nothing to change was named; see `whimbrel user set --help`")
    await change(ctx, step)
    await warn_of_names(ctx, step)
    warning = await forward_warning(ctx, address_of(user)) if {"forward-to", "keep-copy"} & step.values.keys() else ""
    return done(ctx.dry_run, f"User {address_of(user)}", "changed", warning)


async def forward_warning(ctx: AdminContext, address: str) -> str:
    """As `loop_warning`; where somebody has the mail, and a target of the forwarding gets nothing, tells that."""
    warning = await loop_warning(ctx, address)
    if not warning:
        await warn_of(ctx, Address.parse(address))
    return warning


async def loop_warning(ctx: AdminContext, address: str) -> str:
    """A warning if mail to `address` now goes round without anybody having it; it is refused then. The change stands,
    since the next one may be what ends the circle."""
    if ctx.dry_run:
        return ""
    refused = await refusal(ctx, Address.parse(address))
    if refused is None:
        return ""
    if not refused.loop:
        return f". Attention: {await discreet(ctx, refused.reason)}"
    return (
        f". Attention: mail to it is refused, since its forwarding leads only back to itself "
        f"({await discreet(ctx, refused.loop)}); "
        "let one of them keep a copy, or forward elsewhere"
    )


async def default_quota(ctx: AdminContext, domain: str) -> Size | None:
    """What a user gets who is added without a word about quota."""
    home = await ctx.directory.domain(domain)
    return Size(home.default_quota) if home is not None and home.default_quota else None


async def with_password(
    ctx: AdminContext, step: DirectoryChange, password: Secret | None, full_name: str = ""
) -> DirectoryChange:
    """The step with what is stored of `password`; a ready verifier may stand for a password. `full_name`: the one that
    the user has, where the step gives none. CallError."""
    if password is None or not password.reveal():
        return step
    try:
        stored = password_or_verifier(password)
    except ValueError as error:
        raise CallError(Failure.USAGE, f"password: {error}", FieldFault("password", str(error))) from None
    if isinstance(stored, Secret):
        if text := password_refusal(ctx, step, password, full_name):
            raise CallError(Failure.REFUSED, f"password: {text}", FieldFault("password", text))
        stored = await ctx.make_password(stored)
    return DirectoryChange(step.op, step.kind, step.domain, step.name, {**step.values, **stored.values()})


def password_refusal(ctx: AdminContext, step: DirectoryChange, password: Secret, full_name: str = "") -> str:
    """Why the policy refuses `password` to the user of the step; empty: it does not, or it is a ready verifier.
    ValueError: it looks like a verifier and is not supported."""
    from whimbrel.services.session.settings import SecuritySettings  # Here: the command line's client needs it not.

    clear = password_or_verifier(password)
    if not clear or not isinstance(clear, Secret):
        return ""
    names = known_names(f"{step.name}@{step.domain}", str(step.values.get("full-name") or full_name))
    return ctx.config.section(SecuritySettings).password_policy().refusal(clear.reveal(), *names)


def may_grant(ctx: AdminContext, rights: Rights | None, domain: Domain) -> None:
    """Nobody gives more than they have, nor from a browser that was left open. CallError."""
    if rights not in (None, Rights.NONE):
        demand_password(ctx.caller, "Giving rights")
    if rights is not None and not ctx.caller.grants.includes(Grants.of(rights.value, own=domain)):
        raise CallError(Failure.FORBIDDEN, f"rights: only who has the right {rights.value} gives it")


def may_change(ctx: AdminContext, user: Entry) -> None:
    """Nobody gets more rights by way of a mightier user. CallError."""
    theirs = rights_of(user)
    if ctx.right is not Right.SELF and not ctx.caller.grants.includes(theirs):
        raise CallError(Failure.FORBIDDEN, f"{address_of(user)} may do more ({theirs}) and is changed by its equals")


def rights_of(user: Entry) -> Grants:
    """All that a user may administer."""
    return Grants.of(value_of(user, "rights", "none"), values_of(user, "grant"), Domain(user.domain))
