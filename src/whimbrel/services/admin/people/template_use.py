"""What a template gives to a new user: looked up, kept within the caller's rights, and copied.

Nobody gains by a template what the caller could not give by hand: rights and groups beyond the caller's reach are
refused by name. `without` names what is not to be taken from it.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from whimbrel.core.address import Address, Domain
from whimbrel.core.directory import DirectoryChange, Entry, Kind, Op
from whimbrel.core.people import full_address
from whimbrel.core.record import Field, fields_of
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, nearest, not_found
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people.fields import usual
from whimbrel.services.admin.people.people import PAGE, address_of, domain_named, place, value_of, values_of
from whimbrel.services.admin.people.records import ALIKE
from whimbrel.services.admin.people.template_part import EVERYWHERE, TemplateGifts
from whimbrel.services.admin.permission import demand_password

_COPIED: Final = tuple(field for part in ALIKE for field in fields_of(part))
_NAMES: Final = tuple(field.parameter for field in (*fields_of(TemplateGifts), *_COPIED))
"""What can be left out: everything that a new user gets."""


@dataclass(frozen=True, slots=True)
class Template:
    """What one gives to users of one domain: `values` by element, groups by their addresses."""

    name: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    groups: tuple[str, ...] = ()


NO_TEMPLATE: Final = Template()


async def every_template(ctx: AdminContext, search: str = "") -> AsyncIterator[Entry]:
    """In the order of domain and name, whoever may see them."""
    after = ""
    while page := await ctx.editor.entries(Kind.TEMPLATE, search=search, after=after, limit=PAGE):
        for each in page:
            yield each
        if len(page) < PAGE:
            return
        after = address_of(page[-1])


async def is_offered(ctx: AdminContext, template: Entry, domains: Iterable[str]) -> bool:
    """New users of one of these domains may be added from it."""
    offered = {name for name in values_of(template, "offered-to") if name != EVERYWHERE}
    here = {str(home.name) for name in offered if (home := await ctx.directory.domain(name)) is not None}
    wanted = set(domains)
    everywhere = EVERYWHERE in values_of(template, "offered-to")
    return bool(wanted) and (everywhere or template.domain in wanted or bool(here & wanted))


async def visible(ctx: AdminContext, template: Entry) -> bool:
    """Those of the domains that the caller administers, and those that are offered to one of them."""
    domains = ctx.domains()
    return domains is None or template.domain in domains or await is_offered(ctx, template, map(str, domains))


async def template_seen(ctx: AdminContext, text: str) -> Entry:
    """The one named `name@domain`, also of another domain if it is offered to one of the caller's. CallError"""
    local, _, host = text.rpartition("@")
    home = await ctx.directory.domain(host) if local else None
    if home is not None:
        other = await ctx.editor.entry(Kind.TEMPLATE, str(home.name), local)
        if other is not None and await visible(ctx, other):
            return other
    domain, name = await place(ctx, text)
    template = await ctx.editor.entry(Kind.TEMPLATE, domain, name)
    if template is None:
        known = [address_of(each) for each in await ctx.editor.entries(Kind.TEMPLATE, domain=domain, limit=PAGE)]
        not_found("template", f"{name}@{domain}", nearest(f"{name}@{domain}", known))
    return template


async def template_for(
    ctx: AdminContext, text: str, domain: str, without: Sequence[str] = (), *, rights_said: bool = False
) -> Template:
    """What the template gives to a new user of `domain`; empty text: nothing. A bare name is first one of that domain,
    then one that is offered there. CallError: there is none, or it gives what the caller may not give.
    `rights_said`: all rights are said otherwise."""
    unknown = sorted(set(without) - set(_NAMES))
    if unknown:
        fault = f"a template gives no '{unknown[0]}'{nearest(unknown[0], _NAMES)}"
        raise CallError(Failure.USAGE, f"without: {fault}", FieldFault("without", fault))
    if not text:
        return NO_TEMPLATE
    template = await _offered(ctx, text, domain)
    name = address_of(template)
    taken = [field for field in _COPIED if field.parameter not in without]
    values = {field.element: said for field in taken if (said := _said(field, template)) is not None}
    if "remark" not in without and value_of(template, "remark"):
        values["description"] = value_of(template, "remark")
    if not rights_said:
        values |= _rights(ctx, template, domain, without)
    groups = values_of(template, "group") if "group" not in without else ()
    return Template(name, values, tuple([await _group(ctx, template, group) for group in groups]))


async def _offered(ctx: AdminContext, text: str, domain: str) -> Entry:
    if "@" in text:
        template = await template_seen(ctx, text)
        if not await is_offered(ctx, template, [domain]):
            raise _fault(Failure.REFUSED, f"{address_of(template)} is not offered to users of {domain}")
        return template
    own = await ctx.editor.entry(Kind.TEMPLATE, domain, text)
    if own is not None:
        return own
    offered = [each async for each in every_template(ctx) if await is_offered(ctx, each, [domain])]
    named = [each for each in offered if each.name.casefold() == text.strip().casefold()]
    if len(named) > 1:
        raise _fault(Failure.USAGE, f"'{text}' may be {' or '.join(map(address_of, named))}: give the whole name")
    if not named:
        names = [address_of(each) for each in offered]
        not_found("template", f"{text}@{domain}", nearest(f"{text}@{domain}", names))
    return named[0]


def _said(field: Field, template: Entry) -> object:
    """Its value; None where the template says nothing. Addresses without a domain are those of the template's."""
    if field.many:
        texts = values_of(template, field.element)
        if field.declared.address:
            texts = tuple(str(full_address(text, template.domain)) for text in texts)
        return texts or None
    text = value_of(template, field.element)
    return None if text == usual(field.default) else text


def _rights(ctx: AdminContext, template: Entry, domain: str, without: Sequence[str]) -> dict[str, object]:
    rights = "none" if "rights" in without else value_of(template, "rights", "none")
    grants = () if "grant" in without else values_of(template, "grant")
    may_give(ctx, rights, grants, domain, address_of(template))
    given: dict[str, object] = {} if rights == "none" else {"rights": rights}
    return given | ({"grant": grants} if grants else {})


def may_give(ctx: AdminContext, rights: str, grants: Sequence[str], domain: str, name: str) -> None:
    """Nobody gives more than they have, nor from a browser that was left open. CallError."""
    given = Grants.of(rights, grants, Domain(domain))
    if not given.grants:
        return
    demand_password(ctx.caller, "Giving rights")
    if not ctx.caller.grants.includes(given):
        raise _fault(Failure.FORBIDDEN, f"{name} gives the rights {given}, and only who may do all of it gives it")


async def may_set(ctx: AdminContext, step: DirectoryChange) -> None:
    """As the template will be: what the caller could not give to a user of its domain, nor offer to others, is refused
    by name. CallError."""
    present = await ctx.editor.entry(Kind.TEMPLATE, step.domain, step.name)
    values = {**({} if present is None else present.values), **_texts(step)}
    template = Entry(Kind.TEMPLATE, step.domain, step.name, values)
    may_give(ctx, value_of(template, "rights", "none"), values_of(template, "grant"), step.domain, address_of(template))
    for group in values_of(template, "group"):
        await _group(ctx, template, group)
    if "offered-to" in step.values:
        for domain in values_of(template, "offered-to"):
            await _may_offer(ctx, domain)


def _texts(step: DirectoryChange) -> dict[str, str | tuple[str, ...]]:
    return {name: value if isinstance(value, tuple) else str(value or "") for name, value in step.values.items()}


async def _may_offer(ctx: AdminContext, domain: str) -> None:
    if domain.strip() != EVERYWHERE:
        await domain_named(ctx, domain)
    elif ctx.domains() is not None:
        text = "only who administers the server offers a template to all domains"
        raise CallError(Failure.FORBIDDEN, f"offered-to: {text}", FieldFault("offered_to", text))


async def _group(ctx: AdminContext, template: Entry, text: str) -> str:
    """Its whole address. CallError: it is gone, or in a domain that the caller does not administer."""
    address = full_address(text, template.domain)
    home = await ctx.directory.domain(address.domain)
    domain = str(home.name) if home is not None else str(address.domain)
    whole = f"{address.local}@{domain}"
    if not ctx.sees(domain):
        raise _fault(
            Failure.FORBIDDEN,
            f"{address_of(template)} takes users into the group {whole}, whose domain {ctx.caller.name} does not "
            "administer",
        )
    if await ctx.editor.entry(Kind.GROUP, domain, address.local) is None:
        raise _fault(Failure.NOT_FOUND, f"{address_of(template)} takes users into the group {whole}, and there is none")
    return whole


def _fault(kind: Failure, text: str) -> CallError:
    return CallError(kind, f"template: {text}", FieldFault("template", text))


async def joined(ctx: AdminContext, groups: Sequence[str], user: str) -> list[DirectoryChange]:
    """The changes that take a new user into groups, named by their whole addresses."""
    steps = []
    for text in dict.fromkeys(groups):
        address = Address.parse(text)
        group = await ctx.editor.entry(Kind.GROUP, str(address.domain), address.local)
        if group is not None:
            members = tuple(dict.fromkeys((*values_of(group, "member"), user)))
            steps.append(DirectoryChange(Op.SET, Kind.GROUP, group.domain, group.name, {"member": members}))
    return steps


def merged(template: Template, own: Mapping[str, object]) -> dict[str, object]:
    """What is said of the user stands before what the template says."""
    return {**template.values, **own}
