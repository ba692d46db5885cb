"""Calls about domains (mission S34, S35)."""

from dataclasses import dataclass
from typing import Annotated

from whimbrel.core.address import Domain
from whimbrel.core.directory import Entry, Kind, Op
from whimbrel.core.values import Size
from whimbrel.services.admin.calls import CallError, Failure, Known, Needs, call, not_found
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people import change, changed, count, domain_named, flag, listed, one, several
from whimbrel.services.admin.views import Done, Page, done


@dataclass(frozen=True, slots=True)
class DomainView:
    """A domain; its values as they stand in the file."""

    name: str
    primary: bool
    description: str
    aliases: tuple[str, ...]
    max_message_size: str
    catch_all: str
    quota: str
    quota_messages: str
    default_quota: str
    keep_deleted: str
    clean_out: tuple[str, ...]


def _view(found: Entry) -> DomainView:
    return DomainView(
        found.domain,
        flag(found, "primary", False),
        one(found, "description"),
        several(found, "domain-alias"),
        one(found, "max-message-size", "0"),
        one(found, "catch-all"),
        one(found, "quota", "0"),
        one(found, "quota-messages", "0"),
        one(found, "default-quota", "0"),
        one(found, "keep-deleted"),
        several(found, "clean-out"),
    )


Name = Annotated[Domain, "Name of the domain, such as example.org.", Known("domain")]


@call("domain", "list", reads=True, names=("domain", "name"), help="Lists the domains.")
async def domain_list(
    ctx: AdminContext,
    search: Annotated[str, "Part of the name or description."] = "",
    after: Annotated[str, "Begin after this domain."] = "",
    limit: Annotated[int, "Most to list."] = 1000,
) -> Page[DomainView]:
    found, more = await listed(ctx, Kind.DOMAIN, "", search, after, limit)
    return Page(tuple(map(_view, found)), more)


@call("domain", "show", reads=True, help="Shows a domain.")
async def domain_show(ctx: AdminContext, name: Name) -> DomainView:
    domain = await domain_named(ctx, name)
    found = await ctx.editor.entry(Kind.DOMAIN, domain)
    if found is None:
        not_found("domain", domain)
    return _view(found)


Description = Annotated[str | None, "A remark for administrators."]
Aliases = Annotated[
    tuple[str, ...] | None, "Other names of the domain: every address works there too. Repeat for several; '' for none."
]
MaxSize = Annotated[Size | None, "Largest message in the domain, such as 80M; 0: the server's limit."]
Quota = Annotated[Size | None, "Largest size of all mailboxes of the domain together, such as 500G; 0: no limit."]
QuotaMessages = Annotated[int | None, "Most messages in all mailboxes of the domain together; 0: no limit."]
DefaultQuota = Annotated[Size | None, "Quota of users that are added without one; 0: none."]
KeepDeleted = Annotated[str | None, "How long deleted mail can be restored, such as 30d; '': as the server says."]
CleanOutRules = Annotated[
    tuple[str, ...] | None,
    "Deletes what lay in a folder for so many days: deleted, junk, sent, inbox or all, as in 'deleted 30d'. Repeat for "
    "several; '' for none.",
]
CatchAll = Annotated[str | None, "Who gets mail to names that do not exist here; '': such mail is refused."]


@call("domain", "add", help="Adds a domain.")
async def domain_add(
    ctx: AdminContext,
    name: Annotated[Domain, "Name of the new domain, such as example.org."],
    description: Description = None,
    alias: Aliases = None,
    max_message_size: MaxSize = None,
    catch_all: CatchAll = None,
    quota: Quota = None,
    quota_messages: QuotaMessages = None,
    default_quota: DefaultQuota = None,
    keep_deleted: KeepDeleted = None,
    clean_out: CleanOutRules = None,
) -> Done:
    await change(
        ctx,
        changed(
            Op.ADD, Kind.DOMAIN, name, description=description, domain_alias=alias, max_message_size=max_message_size,
            catch_all=catch_all, quota=quota, quota_messages=quota_messages, default_quota=default_quota,
            keep_deleted=keep_deleted, clean_out=clean_out,
        ),
    )  # fmt: skip
    return done(ctx.dry_run, f"Domain {name}", "added")


@call("domain", "set", help="Changes a domain; what is not named stays as it is.")
async def domain_set(
    ctx: AdminContext,
    name: Name,
    description: Description = None,
    alias: Aliases = None,
    max_message_size: MaxSize = None,
    catch_all: CatchAll = None,
    quota: Quota = None,
    quota_messages: QuotaMessages = None,
    default_quota: DefaultQuota = None,
    keep_deleted: KeepDeleted = None,
    clean_out: CleanOutRules = None,
) -> Done:
    domain = await domain_named(ctx, name)
    step = changed(
        Op.SET, Kind.DOMAIN, domain, description=description, domain_alias=alias, max_message_size=max_message_size,
        catch_all=catch_all, quota=quota, quota_messages=quota_messages, default_quota=default_quota,
        keep_deleted=keep_deleted, clean_out=clean_out,
    )  # fmt: skip
    if not step.values:
        raise CallError(Failure.USAGE, "nothing to change was named; see `whimbrel domain set --help`")
    await change(ctx, step)
    return done(ctx.dry_run, f"Domain {domain}", "changed")


@call("domain", "remove", help="Removes a domain that has no users.", confirm="Remove the domain {name}?")
async def domain_remove(ctx: AdminContext, name: Name) -> Done:
    domain = await domain_named(ctx, name)
    users = await count(ctx, Kind.USER, domain)
    if users:
        raise CallError(
            Failure.REFUSED, f"{domain} holds {users} user{'s' if users > 1 else ''}; remove them first with "
            f"`whimbrel user remove`"
        )  # fmt: skip
    if str((await ctx.directory.primary()).name) == domain:
        raise CallError(Failure.REFUSED, f"{domain} is the primary domain; make another one primary first")
    await change(ctx, changed(Op.REMOVE, Kind.DOMAIN, domain))
    return done(ctx.dry_run, f"Domain {domain}", "removed")


@call("domain", "primary", help="Makes a domain the primary one: its users sign in by bare name.")
async def domain_primary(ctx: AdminContext, name: Name) -> Done:
    domain, former = await domain_named(ctx, name), str((await ctx.directory.primary()).name)
    if domain == former:
        return Done(f"{domain} is the primary domain already")
    await change(ctx, changed(Op.SET, Kind.DOMAIN, domain, primary="yes"))
    return done(ctx.dry_run, domain, "made the primary domain", f"; users of {former} sign in as name@{former}")


@call(
    "domain",
    "rename",
    help="Renames a domain with its users and their mail, while the server is stopped. The former name stays an alias.",
    needs=Needs.NO_SERVER,
    confirm="Rename the domain {name} to {new}?",
)
async def domain_rename(ctx: AdminContext, name: Name, new: Annotated[Domain, "The new name."]) -> Done:
    domain = await domain_named(ctx, name)
    other = await ctx.directory.domain(new)
    if other is not None:
        raise CallError(Failure.REFUSED, f"{new} is {'an alias of ' if other.name != new else ''}{other.name} already")
    if ctx.live or ctx.rename_domain is None:
        raise CallError(
            Failure.REFUSED, "Mail is moved to another folder: stop the server, then rename, then start it again"
        )
    if not ctx.dry_run:
        await ctx.rename_domain(domain, str(new))
    return done(ctx.dry_run, domain, f"renamed to {new}", f"; addresses at {domain} go on working")
