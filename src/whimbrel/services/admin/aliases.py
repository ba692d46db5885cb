"""Calls about aliases, and what an address resolves to (mission S34)."""

from dataclasses import dataclass
from typing import Annotated, Final

from whimbrel.core.address import Address, Domain
from whimbrel.core.directory import Entry, Kind, Op, Target, TargetKind
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Known, call
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people import address_of, change, changed, entry, listed, one, place, several
from whimbrel.services.admin.views import Done, Page, done

_MAX_STEPS: Final = 1000
_MAX_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class AliasView:
    alias: str
    to: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a resolution; `depth` counts from 0."""

    depth: int
    address: str
    is_a: str
    leads_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resolution:
    """How an address resolves. `problems`: loops, targets that do not exist."""

    steps: tuple[Step, ...]
    mailboxes: tuple[str, ...]
    remote: tuple[str, ...]
    problems: tuple[str, ...]


Name = Annotated[str, "name@domain; * stands for any characters, ? for one.", Known("alias")]
To = Annotated[tuple[str, ...] | None, "Addresses that get the mail, here or elsewhere. Repeat for several."]
Description = Annotated[str | None, "A remark for administrators."]


def _view(found: Entry) -> AliasView:
    return AliasView(address_of(found), several(found, "to"), one(found, "description"))


@call("alias", "list", reads=True, names=("alias", "alias"), right=Right.ACCOUNTS, help="Lists aliases.")
async def alias_list(
    ctx: AdminContext,
    domain: Annotated[str, "Only aliases of this domain.", Known("domain")] = "",
    search: Annotated[str, "Part of name or description."] = "",
    after: Annotated[str, "Begin after this alias."] = "",
    limit: Annotated[int, "Most to list."] = 1000,
) -> Page[AliasView]:
    found, more = await listed(ctx, Kind.ALIAS, domain, search, after, limit)
    return Page(tuple(map(_view, found)), more)


@call("alias", "show", reads=True, right=Right.ACCOUNTS, help="Shows an alias.")
async def alias_show(ctx: AdminContext, name: Name) -> AliasView:
    return _view(await entry(ctx, Kind.ALIAS, name))


@call("alias", "add", right=Right.ACCOUNTS, help="Adds an alias.")
async def alias_add(
    ctx: AdminContext,
    name: Annotated[str, "name@domain of the new alias; * stands for any characters, ? for one."],
    to: Annotated[tuple[str, ...], "Addresses that get the mail, here or elsewhere."],
    description: Description = None,
) -> Done:
    domain, local = await place(ctx, name)
    if not any(to):
        raise CallError(Failure.USAGE, "to: at least one address must be given", FieldFault("to", "must be given"))
    await change(ctx, changed(Op.ADD, Kind.ALIAS, domain, local, to=to, description=description))
    return done(ctx.dry_run, f"Alias {local}@{domain}", "added")


@call("alias", "set", right=Right.ACCOUNTS, help="Changes an alias; what is not named stays as it is.")
async def alias_set(ctx: AdminContext, name: Name, to: To = None, description: Description = None) -> Done:
    found = await entry(ctx, Kind.ALIAS, name)
    step = changed(Op.SET, Kind.ALIAS, found.domain, found.name, to=to, description=description)
    if not step.values:
        raise CallError(Failure.USAGE, "nothing to change was named; see `whimbrel alias set --help`")
    await change(ctx, step)
    return done(ctx.dry_run, f"Alias {address_of(found)}", "changed")


@call("alias", "remove", right=Right.ACCOUNTS, help="Removes an alias.", confirm="Remove the alias {name}?")
async def alias_remove(ctx: AdminContext, name: Name) -> Done:
    found = await entry(ctx, Kind.ALIAS, name)
    await change(ctx, changed(Op.REMOVE, Kind.ALIAS, found.domain, found.name))
    return done(ctx.dry_run, f"Alias {address_of(found)}", "removed")


@call(
    "alias",
    "check",
    reads=True,
    problems="problems",
    help="Shows how an address resolves, step by step; finds loops and targets that do not exist.",
)
async def alias_check(
    ctx: AdminContext, address: Annotated[str, "Any address; a bare name is one of the primary domain."]
) -> Resolution:
    try:
        start = Address.parse(address if "@" in address else f"{address}@{(await ctx.directory.primary()).name}")
    except ValueError as error:
        raise CallError(Failure.USAGE, f"address: {error}", FieldFault("address", str(error))) from None
    walk = await walked(ctx, start)
    return Resolution(tuple(walk.steps), tuple(walk.mailboxes), tuple(walk.remote), tuple(walk.problems))


async def walked(ctx: AdminContext, start: Address) -> "Walk":
    """All that an address leads to."""
    walk = Walk(ctx)
    await walk.step(start, 0, ())
    return walk


class Walk:
    """Follows an address to its mailboxes, each address once."""

    def __init__(self, ctx: AdminContext) -> None:
        self._directory = ctx.directory
        self._seen: set[str] = set()
        self.steps: list[Step] = []
        self.mailboxes: list[str] = []
        self.remote: list[str] = []
        self.problems: list[str] = []
        self.loops: list[str] = []

    async def step(self, address: Address, depth: int, way: tuple[str, ...]) -> None:
        shown = str(address)
        if address.key in way:
            loop = " -> ".join((*way[way.index(address.key) :], address.key))
            self.problems.append(f"loop: {loop}")
            self.loops.append(loop)
            return
        if address.key in self._seen:
            return
        if depth > _MAX_DEPTH or len(self.steps) >= _MAX_STEPS:
            self.problems.append(f"{shown}: not followed further, too many steps")
            return
        self._seen.add(address.key)
        if address.domain.startswith("[") or await self._directory.domain(_domain(address)) is None:
            self.steps.append(Step(depth, shown, "address elsewhere", ()))
            self.remote.append(shown)
            return
        target = await self._directory.resolve(address)
        if target is None:
            self.steps.append(Step(depth, shown, "unknown here", ()))
            self.problems.append(f"{shown} does not exist")
            return
        onward = self._note(shown, target, depth)
        for member in onward:
            # Forwarding back to oneself is how a copy is kept, not a loop.
            if not (target.account and member.key == target.account.address.key):
                await self.step(member, depth + 1, (*way, address.key))

    def _note(self, shown: str, target: Target, depth: int) -> tuple[Address, ...]:
        if target.kind is not TargetKind.ACCOUNT or target.account is None:
            word = target.kind.value.replace("-", " ")
            self.steps.append(Step(depth, shown, f"{word} ({target.name})", tuple(map(str, target.members))))
            return target.members
        account = target.account
        mailbox = str(account.address)
        # Forwarding to oneself is an old way of saying that a copy is kept.
        keeps = account.keep_copy or any(one.key == account.address.key for one in account.forward_to)
        if account.forward_to:
            kept = "keeps a copy" if keeps else "keeps no copy"
            self.steps.append(Step(depth, shown, f"user, forwards and {kept}", tuple(map(str, account.forward_to))))
        else:
            self.steps.append(Step(depth, shown, "user", (mailbox,)))
        if (keeps or not account.forward_to) and mailbox not in self.mailboxes:
            self.mailboxes.append(mailbox)
        return account.forward_to


def _domain(address: Address) -> Domain:
    return Domain(address.domain)
