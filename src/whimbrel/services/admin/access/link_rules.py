"""Which link to set a password still opens something, and to whose account (decision 0027).

Asked whenever a link is shown, listed or used: a link is bound to the account as it was when the link was made, so that
whatever happened to the account since ends it without anybody having to think of links.
"""

import hashlib
import hmac
from typing import Final

from whimbrel.core.address import Domain
from whimbrel.core.config import ConfigError
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.password_links import PasswordLink
from whimbrel.core.rights import Grants, Right
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.session.account_ids import account_id

SECRET: Final = 43
"""Characters: 256 bits."""
PATH: Final = "/set-password"
"""The page; the secret follows as the fragment, which browsers send to nobody. RFC 3986 3.5"""


def new_secret() -> str:
    import secrets  # Here: the command line's client makes none.

    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is kept of it: nobody guesses 256 bits, so a plain hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def credential_of(account: Account) -> str:
    """The id of the password that the account has; empty: none. It outlives rehashing."""
    return StoredPassword.read(account.password, account.password_keys).id


async def opened(ctx: AdminContext, secret: str) -> tuple[PasswordLink, Account] | str:
    """The link with this secret and its account, or why it opens nothing. MailError 451, ConfigError"""
    if len(secret) != SECRET or ctx.password_links is None:
        return "it is no such link"
    shown, matching = digest(secret).encode(), None
    # All of them, whichever fits: how long it takes says nothing of any.
    for each in await ctx.password_links.links():
        if hmac.compare_digest(each.digest.encode(), shown):
            matching = each
    if matching is None:
        return "there is none: it was used or revoked, has run out, or a newer one was made"
    account = await ctx.directory.account(AccountId(matching.account))
    if account is None:
        return "the user was removed or renamed"
    return await void(ctx, matching, account) or (matching, account)


async def void(ctx: AdminContext, link: PasswordLink, account: Account) -> str:
    """Why the link of `account` opens nothing any more; empty: it does. MailError"""
    if ctx.clock.now() >= link.expires:
        return "it has run out"
    if ctx.state is None or await account_id(ctx.state, account.id) != link.owner:
        return "the user is another one of the same name"
    if account.shut_out:
        return f"the user {account.shut_out}"
    if account.source:
        return f"the password is kept by {account.source}"
    if credential_of(account) != link.credential:
        return "the password was set since"
    return await _outgrown(ctx, link, account)


async def _outgrown(ctx: AdminContext, link: PasswordLink, account: Account) -> str:
    """Whoever makes a link sets a password by another's hand: it lasts as long as the maker could set it."""
    then = Grants.of("none", link.grants, Domain(link.home) if link.home else None)
    if not then.includes(account.grants):
        return "the user may do more by now than who made it"
    if not link.maker:
        return ""
    maker = await ctx.directory.account(AccountId(link.maker))
    if maker is None or maker.shut_out:
        return f"{link.maker}, who made it, may not sign in any more"
    if not maker.grants.allows(Right.ACCOUNTS, account.address.domain) or not maker.grants.includes(account.grants):
        return f"{link.maker}, who made it, may do less by now"
    return ""


async def open_link(ctx: AdminContext, name: str) -> PasswordLink | None:
    """The link of an account that can still be used; None: there is none, or nobody can say at this moment."""
    if ctx.password_links is None or ctx.state is None:
        return None
    try:
        link = next((each for each in await ctx.password_links.links() if each.account == name), None)
        account = await ctx.directory.account(AccountId(name)) if link is not None else None
        return link if link is not None and account is not None and not await void(ctx, link, account) else None
    except (ConfigError, MailError, OSError):
        return None
