"""What belongs to an account beside its record and its mail: none of it goes to another account of the same name.

State (`OF_ACCOUNTS`, the id among it), sessions of the console and API tokens. See `services/session/account_ids.py`.
"""

import json
from typing import Final

from whimbrel.core.config import ConfigError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.state import CONSOLE_SESSION, OF_ACCOUNTS
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.session.account_ids import give_id

_FEW: Final = 20
_MANY: Final = 1_000_000
"""More is kept of no kind."""


async def begin(ctx: AdminContext, *accounts: AccountId) -> None:
    """New users have these names: nothing of former ones is theirs."""
    await forget(ctx, *accounts)
    if ctx.state is not None:
        for account in accounts if len(accounts) <= _FEW else ():  # Of a large import none has a past here.
            await give_id(ctx.state, account, ctx.clock.now())


async def forget(ctx: AdminContext, *accounts: AccountId) -> None:
    """Who had these names is no more: sessions and tokens end now, whether or not the names are others' at once."""
    names = {str(account) for account in accounts}
    await _end(ctx, names)
    if ctx.state is None:
        return
    for kind in OF_ACCOUNTS:
        known = [key for key, _ in await ctx.state.list(kind, _MANY)] if len(names) > _FEW else names
        for key in known:
            if key in names:
                await ctx.state.delete(kind, key)


async def move(ctx: AdminContext, old: AccountId, new: AccountId) -> None:
    """A user has another name. The sessions were opened by the former one; tokens end with that of who made them."""
    await _end(ctx, {str(old)})
    if ctx.state is not None:
        for kind in OF_ACCOUNTS:
            value = await ctx.state.get(kind, old)
            if value is not None:
                await ctx.state.set(kind, new, value)
                await ctx.state.delete(kind, old)


def _account(text: str) -> str:
    """Of a session as State has it."""
    try:
        return str(json.loads(text)["account"])
    except (ValueError, KeyError, TypeError):
        return ""


async def _end(ctx: AdminContext, names: set[str]) -> None:
    """Their sessions of the console, their links to set a password, and their API tokens."""
    if ctx.sessions is not None:
        for name in names:
            await ctx.sessions.end_all(name, "the user was removed")
    elif ctx.state is not None:  # No server runs: those that it would take up again.
        for key, text in await ctx.state.list(CONSOLE_SESSION, _MANY):
            if _account(text) in names:
                await ctx.state.delete(CONSOLE_SESSION, key)
    await _end_links(ctx, names)
    if ctx.tokens is None:
        return
    try:
        ending = {token.name: token.maker for token in await ctx.tokens.tokens() if token.maker in names}
        if ending:
            await ctx.tokens.change(remove=ending.keys())
    except (ConfigError, OSError) as error:  # Nobody is let in by a file that cannot be read.
        ctx.log.warning("token.not-reviewed", reason=str(error))
        return
    for name, maker in ending.items():
        ctx.log.info("token.ended", name=name, reason=f"{maker}, who made it, was removed", origin=ctx.caller.origin)


async def _end_links(ctx: AdminContext, names: set[str]) -> None:
    if ctx.password_links is None:
        return
    try:
        ending = [link.account for link in await ctx.password_links.links() if link.account in names]
        if ending:
            await ctx.password_links.change(remove=ending)
    except (ConfigError, OSError) as error:  # No link opens anything by a file that cannot be read.
        ctx.log.warning("signin.links-not-ended", reason=str(error))
        return
    for account in ending:
        ctx.log.info(
            "signin.link-ended", user=account, reason="the user was removed or renamed", origin=ctx.caller.origin
        )
