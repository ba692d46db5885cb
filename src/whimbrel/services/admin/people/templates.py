"""Calls about templates of users (mission S34): named sets of values that are copied when a user is added."""

from typing import Annotated, Any, Final

from whimbrel.core.directory import DirectoryChange, Entry, Kind, Op
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, Known, call
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.lists import After, Listed, Skip, Sort, columns_of, order_of, sliced
from whimbrel.services.admin.numbers import MOST_LISTED
from whimbrel.services.admin.people.fields import answers, shown, step_of, takes, view
from whimbrel.services.admin.people.people import address_of, change, changed, domain_named, entry, place
from whimbrel.services.admin.people.records import TEMPLATE
from whimbrel.services.admin.people.template_use import every_template, is_offered, may_set, template_seen, visible
from whimbrel.services.admin.versions import digest
from whimbrel.services.admin.views import Done, done

TemplateView: Any = view("TemplateView", TEMPLATE, "A template.", before=[("template", str)])

Name = Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("template")]
COLUMNS: Final = columns_of(TEMPLATE, "template")


def _view(template: Entry) -> Any:
    return TemplateView(template=address_of(template), **shown(TEMPLATE, template))


async def _version(ctx: AdminContext, name: str) -> str:
    template = await template_seen(ctx, name)
    return digest(sorted(template.values.items()))


@call(
    "template",
    "list",
    reads=True,
    names=("template", "template"),
    right=Right.ACCOUNTS,
    help="Lists templates: those of the domains that you administer, and those that are offered there.",
)
@answers(Listed[TemplateView])
async def template_list(
    ctx: AdminContext,
    domain: Annotated[str, "Only those from which users of this domain may be added.", Known("domain")] = "",
    search: Annotated[str, "Part of name or description."] = "",
    sort: Sort = "",
    after: After = "",
    skip: Skip = 0,
    limit: Annotated[int, "Most to list.", MOST_LISTED] = 1000,
) -> Listed[Any]:
    order = order_of(sort or "template", tuple(COLUMNS))
    only = [await domain_named(ctx, domain)] if domain else None
    rows = [
        _view(each)
        async for each in every_template(ctx, search)
        if await visible(ctx, each) and (only is None or await is_offered(ctx, each, only))
    ]
    return sliced(rows, "template", order, after, limit, skip)


@call("template", "show", reads=True, right=Right.ACCOUNTS, version=_version, help="Shows a template.")
@answers(TemplateView)
async def template_show(ctx: AdminContext, name: Name) -> Any:
    return _view(await template_seen(ctx, name))


@call("template", "add", right=Right.ACCOUNTS, help="Adds a template. Its values are copied by `user add --template`.")
@takes(TEMPLATE)
async def template_add(
    ctx: AdminContext,
    name: Annotated[str, "name@domain of the new template; a bare name is put into the primary domain."],
    **values: object,
) -> Done:
    domain, local = await place(ctx, name)
    step = step_of(TEMPLATE, Op.ADD, domain, local, values)
    await _made(ctx, step)
    return done(ctx.dry_run, f"Template {local}@{domain}", "added")


@call(
    "template",
    "set",
    right=Right.ACCOUNTS,
    help="Changes a template; what is not named stays as it is, and so do users who were added from it.",
)
@takes(TEMPLATE)
async def template_set(ctx: AdminContext, name: Name, **values: object) -> Done:
    template = await entry(ctx, Kind.TEMPLATE, name)
    step = step_of(TEMPLATE, Op.SET, template.domain, template.name, values)
    if not step.values:
        raise CallError(Failure.USAGE, "nothing to change was named; see `whimbrel template set --help`")
    await _made(ctx, step)
    return done(ctx.dry_run, f"Template {address_of(template)}", "changed")


async def _made(ctx: AdminContext, step: DirectoryChange) -> None:
    await ctx.editor.check([step])  # What a value is comes before what it would give.
    await may_set(ctx, step)
    await change(ctx, step)


@call(
    "template",
    "remove",
    right=Right.ACCOUNTS,
    help="Removes a template; users who were added from it stay as they are.",
    confirm="Remove the template {name}? Users who were added from it stay as they are.",
)
async def template_remove(ctx: AdminContext, name: Name) -> Done:
    template = await entry(ctx, Kind.TEMPLATE, name)
    await change(ctx, changed(Op.REMOVE, Kind.TEMPLATE, template.domain, template.name))
    return done(ctx.dry_run, f"Template {address_of(template)}", "removed")
