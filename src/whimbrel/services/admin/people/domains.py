"""Calls about domains (mission S34, S35)."""

from typing import Annotated

from whimbrel.core.address import Domain
from whimbrel.core.counting import counted
from whimbrel.core.directory import Kind, Op
from whimbrel.services.admin.calls import CallError, Failure, Known, Needs, call
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people.domain_keys import forget_keys
from whimbrel.services.admin.people.fields import step_of, takes
from whimbrel.services.admin.people.people import change, changed, count, domain_named
from whimbrel.services.admin.people.records import DOMAIN
from whimbrel.services.admin.people.resolving import sample_of, still_sent_to, warn_of
from whimbrel.services.admin.views import Done, done

Name = Annotated[Domain, "Name of the domain, such as example.org.", Known("domain")]


@call("domain", "add", help="Adds a domain.")
@takes(DOMAIN)
async def domain_add(
    ctx: AdminContext, name: Annotated[Domain, "Name of the new domain, such as example.org."], **values: object
) -> Done:
    await change(ctx, step_of(DOMAIN, Op.ADD, name, "", values))
    if values.get("catch_all"):
        await warn_of(ctx, sample_of(Kind.DOMAIN, "", name), f"the catch-all of {name}")
    return done(ctx.dry_run, f"Domain {name}", "added")


@call("domain", "set", help="Changes a domain; what is not named stays as it is.")
@takes(DOMAIN)
async def domain_set(ctx: AdminContext, name: Name, **values: object) -> Done:
    domain = await domain_named(ctx, name)
    step = step_of(DOMAIN, Op.SET, domain, "", values)
    if not step.values:
        raise CallError(Failure.USAGE, "nothing to change was named; see `whimbrel domain set --help`")
    await change(ctx, step)
    if values.get("catch_all"):
        await warn_of(ctx, sample_of(Kind.DOMAIN, "", domain), f"the catch-all of {domain}")
    return done(ctx.dry_run, f"Domain {domain}", "changed")


async def _ask_remove(ctx: AdminContext, name: str) -> str:
    """What goes with it."""
    domain = await _removable(ctx, name)
    aliases, groups = await count(ctx, Kind.ALIAS, domain), await count(ctx, Kind.GROUP, domain)
    parts = [f"{aliases} alias{'' if aliases == 1 else 'es'}"] if aliases else []
    parts += [counted(groups, "group")] if groups else []
    templates = await count(ctx, Kind.TEMPLATE, domain)
    parts += [counted(templates, "template")] if templates else []
    rest = f" with its {' and '.join(filter(None, (', '.join(parts[:-1]), parts[-1])))}" if parts else ""
    return f"Remove the domain {domain}{rest}?"


@call("domain", "remove", help="Removes a domain that has no users.", confirm=_ask_remove)
async def domain_remove(ctx: AdminContext, name: Name) -> Done:
    domain = await _removable(ctx, name)
    await change(ctx, changed(Op.REMOVE, Kind.DOMAIN, domain))
    await forget_keys(ctx, domain)
    await still_sent_to(ctx, domain)
    return done(ctx.dry_run, f"Domain {domain}", "removed")


async def _removable(ctx: AdminContext, name: str) -> str:
    """The domain. CallError: there is none, it has users, or it is the primary one."""
    domain = await domain_named(ctx, name)
    users = await count(ctx, Kind.USER, domain)
    if users:
        raise CallError(
            Failure.REFUSED, f"{domain} holds {counted(users, 'user')}; remove them first with "
            f"`whimbrel user remove`"
        )  # fmt: skip
    if str((await ctx.directory.primary()).name) == domain:
        raise CallError(Failure.REFUSED, f"{domain} is the primary domain; make another one primary first")
    return domain


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
