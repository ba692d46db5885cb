"""Where addresses lead, as delivery decides it: the routing rules are asked, there is no second opinion.

`problems_of` is for the answer to a change; `dangling` looks through the whole directory, for checks and status.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from whimbrel.core.address import Address
from whimbrel.core.directory import Kind, Naming, TargetKind
from whimbrel.core.errors import MailError

if TYPE_CHECKING:
    from whimbrel.flow.routing.router import Explanation, Followed
    from whimbrel.services.admin.context import AdminContext

MOST: Final = 2000
"""Records that may lead nowhere and are looked at more closely in one check."""
_SHOWN: Final = 10
_ELSEWHERE_HERE: Final = "(another domain here)"
_PLACEHOLDER: Final = "any"
"""Stands for what a wildcard or a catch-all takes."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a resolution; `depth` counts from 0. `is_a` says in words what `kind` says in one: user, forwarding
    (`keeps`: with a copy in the mailbox), alias, group, catch-all, postmaster, elsewhere, refused, hidden."""

    depth: int
    address: str
    is_a: str
    leads_to: tuple[str, ...]
    kind: str = ""
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """How an address resolves. `problems`: loops, targets that get nothing, a refusal."""

    steps: tuple[Step, ...]
    mailboxes: tuple[str, ...]
    remote: tuple[str, ...]
    problems: tuple[str, ...]


async def resolved(ctx: "AdminContext", address: Address) -> Resolution:
    """MailError: the directory cannot answer now."""
    explanation = await _explained(ctx, address)
    expansion = explanation.expansion
    former = frozenset(await _former(ctx)) if expansion and expansion.remote else frozenset[str]()
    left = {each.address.domain for each in expansion.remote} & former if expansion else ()
    return Resolution(
        tuple(_steps(explanation.followed)),
        tuple(str(each.account.address) for each in expansion.local) if expansion else (),
        tuple(str(each.address) for each in expansion.remote) if expansion else (),
        (*_problems(address, explanation), *map(_gone_away, sorted(left))),
    )


async def resolved_within(ctx: "AdminContext", address: Address) -> Resolution:
    """As `resolved`, for who administers some domains: of others here not even names come up. CallError: the address
    itself is of one of them."""
    hidden = frozenset(
        str(name)
        for domain in await ctx.directory.domains()
        if not ctx.sees(domain.name)
        for name in (domain.name, *domain.aliases)
    )
    if address.domain in hidden:
        ctx.within(address.domain)
    whole = await resolved(ctx, address)
    steps, known = list[Step](), set[str]()
    below: int | None = None  # The depth of a hidden step: what it leads to is hidden too.
    for step in whole.steps:
        if below is not None and step.depth > below:
            continue
        below = step.depth if _domain(step.address) in hidden else None
        if below is not None:
            name = step.address if step.address.casefold() in known else _ELSEWHERE_HERE
            steps.append(Step(step.depth, name, "address in a domain here that you do not administer", (), "hidden"))
            continue
        if step.kind != "postmaster":  # What others' records name the caller may read there, not whom the rules choose.
            known |= {each.casefold() for each in step.leads_to}
        shown = tuple(
            each if _domain(each) not in hidden or each.casefold() in known else _ELSEWHERE_HERE
            for each in step.leads_to
        )
        steps.append(replace(step, leads_to=shown))
    return Resolution(
        tuple(steps),
        tuple(each for each in whole.mailboxes if _domain(each) not in hidden),
        whole.remote,
        tuple([await discreet(ctx, problem) for problem in whole.problems]),
    )


def _domain(address: str) -> str:
    return address.rpartition("@")[2].casefold()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why mail to an address is refused; `loop` is the way it would go round, if it is that."""

    reason: str
    loop: str


async def refusal(ctx: "AdminContext", address: Address) -> Refusal | None:
    """None: somebody has the mail."""
    explanation = await _explained(ctx, address)
    if explanation.error is None:
        return None
    loops = _loops(explanation.followed)
    nobody = _nobody(explanation.followed)
    beyond = [
        _reason(each.address, each.error)
        for each in explanation.followed
        if each.error is not None and each.address.key != address.key
    ]
    reason = nobody[0] if nobody else _reason(address, explanation.error)
    if beyond and not nobody:
        reason = f"mail to {address} is refused: {beyond[0]}"
    return Refusal(reason, loops[0] if loops else "")


async def problems_of(ctx: "AdminContext", addresses: Iterable[Address]) -> tuple[str, ...]:
    """What is wrong with where these addresses lead."""
    problems: dict[str, None] = {}
    for address in addresses:
        problems |= dict.fromkeys(_problems(address, await _explained(ctx, address)))
    return tuple(problems)


async def dangling(ctx: "AdminContext", most: int = MOST) -> tuple[str, ...]:
    """All records that name somebody who gets nothing, each with who names and what is wrong."""
    problems: dict[str, None] = {}
    for naming in await ctx.editor.doubtful(most):
        target = Address.parse(_parsable(naming.address))
        try:
            wrong = await refusal(ctx, target)
        except MailError:
            continue  # The directory cannot answer now.
        if wrong is not None:
            problems[f"{naming_words(naming)} names {target}: {wrong.loop or wrong.reason}"] = None
    former = await _former(ctx)
    for naming in await ctx.editor.naming([f"@{domain}" for domain in former]) if former else ():
        domain = naming.address.rpartition("@")[2]
        problems[f"{naming_words(naming)} names {naming.address}: {_gone_away(domain)}"] = None
    return tuple(problems)


async def tag_taken(ctx: "AdminContext", address: Address) -> str:
    """What to know of a name with a `+` in it, while `name+tag` is mail for `name`; empty: nothing."""
    from whimbrel.core.directory import TargetKind
    from whimbrel.flow.routing.settings import RoutingSettings  # Here: the command line's client asks a server.

    base, plus, tag = address.local.partition("+")
    if not (plus and base) or not ctx.config.section(RoutingSettings).plus_addressing:
        return ""
    owner = await ctx.directory.resolve(Address(base, address.domain))
    if owner is None or owner.kind is TargetKind.CATCH_ALL:
        return ""
    return (
        f"mail to {address} goes to the record of that name, and not to {base}@{address.domain} with the tag '{tag}', "
        f"as mail to {base}+anything else does (routing/plus-addressing)"
    )


async def warn_of_tags(ctx: "AdminContext", *addresses: Address) -> None:
    """Of names that are added: tells which of them take mail from others that have tags."""
    for address in addresses:
        if "+" in address.local and (text := await tag_taken(ctx, address)):
            ctx.warn(text)


async def warn_of(ctx: "AdminContext", address: Address, what: str = "") -> None:
    """After a change: tells what is wrong with where the address leads now, which is called `what`."""
    if ctx.dry_run:
        return
    for problem in await problems_of(ctx, [address]):
        ctx.warn(f"{what or address} leads to what gets nothing: {await discreet(ctx, problem)}")


async def discreet(ctx: "AdminContext", text: str) -> str:
    """The text, unless it names an address of a domain here that the caller does not administer."""
    here = [name for domain in await ctx.directory.domains() for name in (domain.name, *domain.aliases)]
    hidden = [name for name in here if not ctx.sees(name)]
    if any(f"@{name}" in text.casefold() for name in hidden):
        return "nobody gets it in a domain here that you do not administer"
    return text


async def still_named(ctx: "AdminContext", *addresses: str) -> None:
    """After something was removed: tells who still names it."""
    names = await names_of(ctx, *addresses)
    if names:
        ctx.warn(
            f"{', '.join(addresses)} is still named by {names}; take it out there, or mail that comes to it "
            "that way is returned"
        )


async def still_sent_to(ctx: "AdminContext", domain: str) -> None:
    """After a domain was removed: its addresses are now those of another server, and mail to them is sent there."""
    names = await names_of(ctx, f"@{domain}")
    if names:
        ctx.warn(
            f"Addresses at {domain} are still named by {names}; take them out there, or mail that comes to them that "
            f"way is sent to whichever server the DNS names for {domain}"
        )


async def _former(ctx: "AdminContext") -> tuple[str, ...]:
    """Domains that were here: mail of removed users is still kept, and they are no longer ours."""
    if ctx.mailboxes is None:
        return ()
    ours = {str(name) for domain in await ctx.directory.domains() for name in (domain.name, *domain.aliases)}
    were = {str(each.account).rpartition("@")[2] for each in await ctx.mailboxes.removed()}
    return tuple(sorted(were - ours))[:_SHOWN]


def _gone_away(domain: str) -> str:
    return f"{domain} is no domain here any more, and mail is sent to whichever server the DNS names for it"


async def names_of(ctx: "AdminContext", *addresses: str) -> str:
    """Who names one of the addresses, in words; empty: nobody. Of domains that the caller does not administer only how
    many."""
    naming = await ctx.editor.naming(addresses)
    names = list(dict.fromkeys(naming_words(each) for each in naming if ctx.sees(each.domain)))
    hidden = len({naming_words(each) for each in naming if not ctx.sees(each.domain)})
    others = f"{hidden} of domains that you do not administer" if hidden else ""
    return " and ".join(filter(None, [listing(names), others]))


def listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def naming_words(naming: Naming) -> str:
    """`group staff@example.org`, `the forwarding of bob@example.org`."""
    if naming.kind is Kind.DOMAIN:
        return f"the catch-all of {naming.domain}"
    if naming.kind is Kind.USER:
        return f"the forwarding of {naming.name}@{naming.domain}"
    return f"{naming.kind.value} {naming.name}@{naming.domain}"


async def _explained(ctx: "AdminContext", address: Address) -> "Explanation":
    from whimbrel.flow.routing.router import Router  # Here: the command line's client asks a server.

    return await Router(ctx.directory, ctx.config).explain(address)


def _parsable(key: str) -> str:
    local, _, domain = key.rpartition("@")
    return str(Address(local, domain))


def _steps(followed: Sequence["Followed"]) -> list[Step]:
    """In the order of a tree that is read from above: what an address leads to stands below it."""
    below: dict[tuple[str, ...], list[Followed]] = {}
    for each in followed:
        below.setdefault(tuple(address.key for address in each.way), []).append(each)
    steps: list[Step] = []
    waiting = [(each, 0) for each in reversed(below.get((), []))]
    seen: set[int] = set()
    while waiting:
        each, depth = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        steps.append(_step(each, depth))
        own = [*(address.key for address in each.way), each.address.key]
        account = getattr(each.step, "account", None)
        ways = [tuple(own)] + ([(*own, account.address.key)] if account is not None else [])
        waiting += [(child, depth + 1) for way in reversed(ways) for child in reversed(below.get(way, []))]
    return steps


def _step(each: "Followed", depth: int) -> Step:
    from whimbrel.flow.routing.route import Local, Onward

    shown, step = str(each.address), each.step
    if isinstance(step, Local):
        return Step(depth, shown, _tagged("user", each), (str(step.account.address),), "user", True)
    if isinstance(step, Onward):
        members = tuple(map(str, step.members))
        if step.account is not None:
            kept = "keeps a copy" if step.keeps else "keeps no copy"
            what = _tagged(f"user, forwards and {kept}", each)
            return Step(depth, shown, what, members, "forwarding", step.keeps)
        if each.rule == "postmaster":
            what = "postmaster, an address that nobody has: the administrators get it"
            return Step(depth, shown, what, members, "postmaster")
        kind = TargetKind.CATCH_ALL if each.rule == "catch_all" else each.kind or TargetKind.ALIAS
        what = _tagged(f"{kind.value.replace('-', ' ')} ({step.name})", each)
        return Step(depth, shown, what, members, str(kind.value))
    if step is not None:
        return Step(depth, shown, "address elsewhere", (), "elsewhere")
    return Step(depth, shown, f"refused: {each.error.text}" if each.error is not None else "refused", (), "refused")


def _tagged(what: str, each: "Followed") -> str:
    return f"{what}, with a tag" if each.rule == "plus_address" else what


def _problems(address: Address, explanation: "Explanation") -> list[str]:
    problems = [*(f"loop: {loop}" for loop in _loops(explanation.followed)), *_nobody(explanation.followed)]
    for each in explanation.followed:
        if each.error is not None:
            problems.append(_reason(each.address, each.error))
    error = explanation.error
    if error is not None and not problems:
        problems.append(_reason(address, error))
    return problems


def _reason(address: Address, error: MailError) -> str:
    if error.enhanced == "5.1.1":
        return f"{address} does not exist"
    return f"mail to {address} is refused: {error.text}"


def _loops(followed: Sequence["Followed"]) -> list[str]:
    loops = []
    for each in followed:
        members = getattr(each.step, "members", ())
        way = [*(address.key for address in each.way), each.address.key]
        for member in members:
            if member.key in way and not _only_caught(each, member):
                loops.append(" -> ".join((*way[way.index(member.key) :], member.key)))
    return loops


def _only_caught(each: "Followed", member: Address) -> bool:
    """A catch-all that leads to an address which nobody but the catch-all itself answers: no loop, nobody is there."""
    return each.rule == "catch_all" and member.key == each.address.key


def _nobody(followed: Sequence["Followed"]) -> list[str]:
    return [
        f"{each.address} does not exist"
        for each in followed
        if any(_only_caught(each, member) for member in getattr(each.step, "members", ()))
    ]


def sample_of(kind: Kind, name: str, domain: str) -> Address:
    """An address that this record answers: a wildcard stands for something, a domain for its catch-all."""
    if kind is Kind.DOMAIN:
        return Address(f"{_PLACEHOLDER}-{domain}", domain)
    return Address(name.replace("*", _PLACEHOLDER).replace("?", "x"), domain)
