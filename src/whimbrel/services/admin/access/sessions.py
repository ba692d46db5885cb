"""Calls about sessions of the console: who is signed in, and the end of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from whimbrel.core.directory import Kind
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import ARGUMENT, CallError, Failure, Known, Needs, call, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.people.people import address_of, entry
from whimbrel.services.admin.people.reach import out_of_reach, reaches
from whimbrel.services.admin.views import Done, Moment, Page, done

if TYPE_CHECKING:
    from whimbrel.services.console.sessions import Session, Sessions

_SESSIONS = "The console"


@dataclass(frozen=True, slots=True)
class SessionRow:
    id: str
    """By which it can be ended; it opens nothing."""
    user: str
    address: str
    browser: str
    began: Moment
    used: Moment
    expires: Moment
    """If nothing happens any more."""
    current: bool
    """It is the one that asks."""


@call(
    "admin", "session-list", reads=True, right=Right.SELF, needs=Needs.SERVER, names=("session", "id"),
    help="Lists sessions of the console: one's own, and those of users whom one administers.",
)  # fmt: skip
async def session_list(
    ctx: AdminContext, user: Annotated[str, "Only those of this user.", Known("user")] = ""
) -> Page[SessionRow]:
    sessions = need(ctx.sessions, _SESSIONS)
    account = await _account(ctx, user) if user else ""
    return Page(
        tuple(
            SessionRow(
                each.handle, each.account, each.ip, each.agent, Moment(each.began), Moment(each.used),
                Moment(sessions.expires(each)), each.handle == ctx.caller.session,
            )
            for each in await _seen(ctx, sessions)
            if account in ("", each.account)
        )
    )  # fmt: skip


@call(
    "admin", "session-end", right=Right.SELF, needs=Needs.SERVER,
    help="Signs out: ends sessions of the console by id, or all those of a user.",
)  # fmt: skip
async def session_end(
    ctx: AdminContext,
    ids: Annotated[tuple[str, ...], "Ids, as listed.", Known("session"), ARGUMENT] = (),
    user: Annotated[str, "All sessions of this user.", Known("user")] = "",
) -> Done:
    sessions = need(ctx.sessions, _SESSIONS)
    if bool(ids) == bool(user):
        raise CallError(Failure.USAGE, "say which sessions: by their ids, or by --user")
    known = {each.handle: each for each in await _seen(ctx, sessions)}
    for id in ids:
        if id not in known:
            not_found("session", id)
    account = await _account(ctx, user) if user else ""
    ending = [each for each in known.values() if each.handle in ids or (user and each.account == account)]
    for owner in sorted({each.account for each in ending if each.account != ctx.caller.account}):
        if not await reaches(ctx, owner):
            raise CallError(Failure.FORBIDDEN, f"{ctx.caller.name} ends no sessions of {owner}, who may do more")
    if not ctx.dry_run:
        for session in ending:
            await sessions.end(session, f"ended by {ctx.caller.name}", revoked=True)
    return done(ctx.dry_run, f"{len(ending)} session{'' if len(ending) == 1 else 's'} of the console", "ended")


async def _seen(ctx: AdminContext, sessions: "Sessions") -> "list[Session]":
    known = await sessions.list()
    hidden = await out_of_reach(ctx, (each.account for each in known), reads=True)
    return [each for each in known if each.account not in hidden]


async def _account(ctx: AdminContext, user: str) -> str:
    """CallError: there is no such user, or none that the caller may see."""
    if user.casefold() == ctx.caller.account.casefold() and user:
        return ctx.caller.account
    account = address_of(await entry(ctx, Kind.USER, user)).casefold()
    within = ctx.caller.grants.domains(Right.ACCOUNTS, reads=True)
    if within is not None and account.rpartition("@")[2] not in within:
        raise CallError(Failure.FORBIDDEN, f"{ctx.caller.name} does not administer {account}")
    return account
