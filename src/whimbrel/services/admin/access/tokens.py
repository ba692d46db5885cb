"""Calls about API tokens (decision 0020)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from whimbrel.core.directory import Rights
from whimbrel.core.rights import Grant, Grants, Right
from whimbrel.core.state import State
from whimbrel.core.tokens import Token
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Known, call, nearest, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.people.people import domain_named
from whimbrel.services.admin.people.reach import out_of_reach, reaches
from whimbrel.services.admin.server.moments import moment, span
from whimbrel.services.admin.views import Done, Moment, Page, done

USED: Final = "token-used"
"""Kind in State, by digest: when a token was last used, and from where. Losing it loses a piece of information."""
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class TokenMade:
    """`token` is shown this once."""

    token: str
    name: str
    rights: str
    expires: Moment


@dataclass(frozen=True, slots=True)
class TokenRow:
    name: str
    rights: str
    user: str
    """Who made it; empty: somebody on the machine itself."""
    expires: Moment
    """Never, if nothing is said."""
    last_used: Moment
    last_address: str
    expired: bool
    created: Moment


@call(
    "admin",
    "token-create",
    right=Right.SELF,
    shows="token",
    reauthenticate=True,
    help="Makes an API token, for programs that administer; it is shown this once. It ends with its rights: when the "
    "user who made it is removed, renamed or has fewer rights.",
)
async def token_create(
    ctx: AdminContext,
    name: Annotated[str, "What it is for, such as monitoring."],
    right: Annotated[Rights, "What it allows: domain, server-read or server-write."] = Rights.NONE,
    grant: Annotated[
        tuple[str, ...], "A further right: 'domain' or 'accounts' with names of domains, or 'mail-read'. Repeat it."
    ] = (),
    expires: Annotated[str, "How long it is good, such as 90d, a day such as 2027-12-31, or never."] = "90d",
) -> TokenMade:
    from whimbrel.services.admin.access.token_text import digest, new_token

    if ctx.caller.token:
        raise CallError(Failure.FORBIDDEN, "A token makes no tokens: sign in with a password")
    if not name.strip() or len(name) > _LONGEST_NAME:
        raise _fault("name", f"say in 1 to {_LONGEST_NAME} characters what the token is for")
    grants = await _given(ctx, right, grant)
    now = ctx.clock.now()
    until = _until(expires, now)
    text = new_token()
    if not ctx.dry_run:
        token = Token(name, digest(text), ctx.caller.account, tuple(sorted(grants.grants)), now, until)
        await need(ctx.tokens, "Tokens").change(add=[token])
        ctx.log.info("token.made", name=name, rights=str(grants), user=ctx.caller.name, origin=ctx.caller.origin)
    return TokenMade("" if ctx.dry_run else text, name, str(grants), Moment(until))


@call(
    "admin", "token-list", reads=True, right=Right.SELF, names=("token", "name"),
    help="Lists API tokens: one's own, and those of users whom one administers.",
)  # fmt: skip
async def token_list(ctx: AdminContext) -> Page[TokenRow]:
    tokens = await _seen(ctx, await need(ctx.tokens, "Tokens").tokens())
    return Page(tuple([await _row(ctx, token) for token in tokens]))


@call("admin", "token-revoke", right=Right.SELF, help="Ends API tokens, at once and for good.")
async def token_revoke(ctx: AdminContext, names: Annotated[tuple[str, ...], "Names.", Known("token")]) -> Done:
    store = need(ctx.tokens, "Tokens")
    known = {token.name: token for token in await _seen(ctx, await store.tokens())}
    for name in names:
        if name not in known:
            not_found("token", name, nearest(name, known))
        if not await _may_revoke(ctx, known[name]):
            raise CallError(
                Failure.FORBIDDEN, f"'{name}' is of {known[name].maker or 'the machine'}, not of {ctx.caller.name}"
            )
    if not ctx.dry_run:
        await store.change(remove=names)
        for name in names:
            ctx.log.info("token.ended", name=name, reason=f"revoked by {ctx.caller.name}", origin=ctx.caller.origin)
    return done(ctx.dry_run, f"Token {', '.join(names)}", "revoked")


async def _seen(ctx: AdminContext, tokens: Sequence[Token]) -> list[Token]:
    hidden = await out_of_reach(ctx, (token.maker for token in tokens), reads=True)
    return [token for token in tokens if token.maker not in hidden]


async def _may_revoke(ctx: AdminContext, token: Token) -> bool:
    """One's own, or that of a user whom one reaches, if it allows no more than one has."""
    if token.maker and token.maker == ctx.caller.account:
        return True
    grants = ctx.caller.grants
    mine = await reaches(ctx, token.maker) if token.maker else grants.allows(Right.SERVER_WRITE)
    return mine and grants.includes(Grants.of("none", token.grants))


async def _row(ctx: AdminContext, token: Token) -> TokenRow:
    at, address = await last_used(ctx.state, token)
    return TokenRow(
        token.name, ", ".join(token.grants), token.maker, Moment(token.expires), Moment(at), address,
        not token.alive(ctx.clock.now()), Moment(token.created),
    )  # fmt: skip


async def last_used(state: State | None, token: Token) -> tuple[float, str]:
    """When, and from where; 0: never, or nobody remembers."""
    words = (await state.get(USED, token.digest) or "").split() if state is not None else []
    return (float(words[0]), words[1]) if len(words) == 2 and words[0].isdigit() else (0.0, "")


async def _given(ctx: AdminContext, right: Rights, more: tuple[str, ...]) -> Grants:
    """The rights of a new token, each domain by its name: it must not depend on who has it. CallError"""
    home = ctx.caller.grants.own
    try:
        asked = Grants.of(right.value, more, home)
    except ValueError as error:
        raise _fault("grant", str(error)) from None
    if not asked.grants:
        raise _fault("right", "say what the token allows, by --right or --grant")
    named = [await _named(ctx, grant, home) for grant in sorted(asked.grants)]
    grants = Grants(frozenset(named))
    if not ctx.caller.grants.includes(grants):
        raise CallError(
            Failure.FORBIDDEN, f"A token allows no more than its maker may: {ctx.caller.name} has {ctx.caller.grants}"
        )
    return grants


async def _named(ctx: AdminContext, grant: Grant, home: object) -> Grant:
    domains = [str(domain) for domain in grant.domains]
    if grant.right in (Right.DOMAIN, Right.ACCOUNTS) and not domains:
        if home is None:
            raise _fault("grant", f"say of which domains: --grant '{grant.right} example.org'")
        domains = [str(home)]
    for domain in domains:
        await domain_named(ctx, domain)
    return Grant(" ".join([grant.right, *domains]))


def _until(text: str, now: float) -> float:
    if text.strip().lower() == "never":
        return 0.0
    try:
        until = now + span(text)
    except ValueError:
        try:
            until = moment(text, now)
        except ValueError:
            raise _fault("expires", f"'{text}': 90d, a day such as 2027-12-31, or never is meant") from None
    if until <= now:
        raise _fault("expires", f"'{text}' is over")
    return until


def _fault(name: str, text: str) -> CallError:
    return CallError(Failure.USAGE, f"{name}: {text}", FieldFault(name, text))
