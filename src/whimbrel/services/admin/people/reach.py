"""Whom a caller reaches: the one rule of all calls that act on another person or show what a person does.

Who administers domains reaches the people of these, but nobody who may do more than the caller: their sessions,
connections, tokens and lock-outs are neither ended nor shown, and a choice of many (all from an address, all of a
domain) is made as if they were not there. Who sees the whole server sees all of it; to act takes the rights of the
person acted upon as well. Everybody reaches oneself. Of somebody who has gone only the domain counts.
"""

from collections.abc import Iterable

from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Right
from whimbrel.services.admin.context import AdminContext


async def reaches(ctx: AdminContext, account: str, *, reads: bool = False) -> bool:
    """The caller may act on what `account` (`name@domain`) does at this moment; `reads`: see it."""
    grants = ctx.caller.grants
    if account and account == ctx.caller.account:
        return True
    within = grants.domains(Right.ACCOUNTS, reads=reads)
    if within is None and (reads or not account):
        return True
    if within is not None and account.rpartition("@")[2] not in within:
        return False
    try:
        person = await ctx.directory.account(AccountId(account))
    except MailError:
        return False  # What somebody may do cannot be said now.
    return person is None or grants.includes(person.grants)


async def out_of_reach(ctx: AdminContext, accounts: Iterable[str], *, reads: bool = False) -> frozenset[str]:
    """Those of them that the caller does not reach."""
    return frozenset([each for each in set(accounts) if not await reaches(ctx, each, reads=reads)])
