"""Calls that apply clean-out rules now: to one user, or to all of a domain. With --dry-run they only tell."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from whimbrel.core.address import Domain
from whimbrel.core.directory import Account, Kind
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Right
from whimbrel.flow.retention.cleanout import clean_out
from whimbrel.services.admin.calls import CallError, Failure, Known, Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.people.people import PAGE, address_of, domain_named, entry
from whimbrel.services.admin.people.reach import reaches
from whimbrel.services.admin.people.users import may_change
from whimbrel.services.admin.views import Words


@dataclass(frozen=True, slots=True)
class CleanedFolder:
    """Messages that went from one folder, or would go; an account that could not be read has an `error`."""

    account: str
    folder: str
    messages: int
    error: Words = ""


@call(
    "user",
    "clean-out",
    right=Right.ACCOUNTS,
    needs=Needs.SERVER,
    help="Applies the clean-out rules to a user's folders now. What goes can be restored like anything deleted.",
)
async def user_clean_out(
    ctx: AdminContext,
    name: Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("user")],
) -> AsyncIterator[CleanedFolder]:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    owner = await ctx.directory.account(AccountId(address_of(user).casefold()))
    if owner is None or not owner.clean_out:
        raise CallError(
            Failure.REFUSED,
            f"No clean-out rule is for {address_of(user)}; see `whimbrel user set --clean-out` and "
            f"`whimbrel domain set --clean-out`",
        )
    async for cleaned in _clean(ctx, owner):
        yield cleaned


@call(
    "domain",
    "clean-out",
    right=Right.ACCOUNTS,
    needs=Needs.SERVER,
    help="Applies the clean-out rules to all users of a domain now. What goes can be restored like anything deleted.",
)
async def domain_clean_out(
    ctx: AdminContext, name: Annotated[Domain, "Name of the domain, such as example.org.", Known("domain")]
) -> AsyncIterator[CleanedFolder]:
    domain = await domain_named(ctx, name)
    after = ""
    while page := await ctx.editor.entries(Kind.USER, domain=domain, after=after, limit=PAGE):
        for user in page:
            owner = await ctx.directory.account(AccountId(address_of(user).casefold()))
            if owner is not None and owner.clean_out and await reaches(ctx, owner.id):
                async for cleaned in _clean(ctx, owner):
                    yield cleaned
        after = address_of(page[-1])
        if len(page) < PAGE:
            break


async def _clean(ctx: AdminContext, account: Account) -> AsyncIterator[CleanedFolder]:
    folders, messages = need(ctx.folders, "Cleaning out"), need(ctx.messages, "Cleaning out")
    try:
        done = await clean_out(folders, messages, account.id, account.clean_out, ctx.clock.now(), dry_run=ctx.dry_run)
    except MailError as error:
        yield CleanedFolder(account.id, "", 0, error.text)
        return
    for cleaned in done:
        if not ctx.dry_run:
            ctx.log.info("cleanout.done", account=account.id, folder=cleaned.folder, messages=cleaned.messages)
        yield CleanedFolder(account.id, cleaned.folder, cleaned.messages)
