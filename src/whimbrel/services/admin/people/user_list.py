"""`user list`: users in any order, by what their records say and by what they did (mission S34)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from whimbrel.core.directory import Entry, Rights
from whimbrel.core.errors import MailboxError
from whimbrel.core.mailbox import AccountId, Usage
from whimbrel.core.quota import FULL, WARNED
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Known, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.lists import After, Listed, Skip, Sort, columns_of, order_of, record_page
from whimbrel.services.admin.numbers import MOST_LISTED
from whimbrel.services.admin.people.fields import answers, shown, view
from whimbrel.services.admin.people.people import address_of
from whimbrel.services.admin.people.records import USER
from whimbrel.services.admin.views import Moment, Octets
from whimbrel.services.session.record import LAST, NEVER, LastSignIn, last_sign_in, read_last

UserRow: Any = view(
    "UserRow", USER, "A user in a list. `storage` and `messages` are what the mailbox holds, where that was asked for.",
    before=[("address", str)],
    after=[("last_sign_in", Moment), ("storage", Octets | None), ("messages", int | None)],
    listed=True,
)  # fmt: skip
COLUMNS: Final = columns_of(USER, "address", "last_sign_in", listed=True)
_ALL: Final = 1_000_000
"""More users than there are."""
_AT_ONCE: Final = 100
"""Rows that are made in one go: other calls come in between."""
_IN_A_STEP: Final = 5_000
"""Texts that are read in one go."""
MOST_COUNTED: Final = 500
"""Mailboxes that are looked into for one list."""


@call("user", "list", reads=True, names=("user", "address"), right=Right.ACCOUNTS, help="Lists users.")
@answers(Listed[UserRow])
async def user_list(
    ctx: AdminContext,
    domain: Annotated[str, "Only users of this domain.", Known("domain")] = "",
    search: Annotated[str, "Part of name, full name or description."] = "",
    rights: Annotated[Rights | None, "Only users with just this right."] = None,
    enabled: Annotated[bool | None, "Only users that may sign in, or may not."] = None,
    forwarding: Annotated[bool | None, "Only users whose mail is forwarded, or is not."] = None,
    signed_in: Annotated[bool | None, "Only users that have ever signed in, or never."] = None,
    over_quota: Annotated[bool, "Only users whose mailbox was full when it was last counted."] = False,
    usage: Annotated[bool, f"Count what each mailbox holds; with a limit of at most {MOST_COUNTED}."] = False,
    sort: Sort = "",
    after: After = "",
    skip: Skip = 0,
    limit: Annotated[int, "Most to list.", MOST_LISTED] = 1000,
) -> Listed[Any]:
    if usage and limit > MOST_COUNTED:
        text = f"mailboxes are counted for at most {MOST_COUNTED} users at a time"
        raise CallError(Failure.USAGE, f"limit: {text}", FieldFault("limit", text))
    by_sign_in = order_of(sort, tuple(COLUMNS)).column == "last_sign_in"
    known = await _sign_ins(ctx) if by_sign_in or signed_in is not None else None
    ranks = await _moments(known) if by_sign_in and known is not None else None
    among = await _full(ctx) if over_quota else None
    if signed_in and known is not None:
        among = frozenset(known) if among is None else among & known.keys()
    page = await record_page(
        ctx, USER, COLUMNS, sort=sort, domain=domain, search=search, after=after, skip=skip, limit=limit, ranks=ranks,
        having=_having(rights, enabled), filled={} if forwarding is None else {"forward-to": forwarding},
        among=among, outside=frozenset(known or ()) if signed_in is False else frozenset(),
    )  # fmt: skip
    return Listed(await _rows(ctx, page.entries, known, usage=usage), page.more, page.total)


def _having(rights: Rights | None, enabled: bool | None) -> dict[str, str]:
    having = {} if rights is None else {"rights": rights.value}
    return having if enabled is None else having | {"enabled": "yes" if enabled else "no"}


async def _sign_ins(ctx: AdminContext) -> Mapping[str, str]:
    """Of all users who ever signed in, by address, folded: as State has it."""
    return dict(await ctx.state.list(LAST, _ALL)) if ctx.state is not None else {}


async def _moments(sign_ins: Mapping[str, str]) -> dict[str, float]:
    """When each of them signed in last."""
    moments: dict[str, float] = {}
    for number, (account, text) in enumerate(sign_ins.items(), 1):
        second = text.partition(" ")[0]
        moments[account] = float(second) if second.isdigit() else 0.0
        if not number % _IN_A_STEP:
            await _turn()
    return moments


async def _full(ctx: AdminContext) -> frozenset[str]:
    """Accounts whose mailbox was full when it was last counted."""
    warned = await ctx.state.list(WARNED, _ALL) if ctx.state is not None else []
    return frozenset(account for account, text in warned if text == FULL)


async def _rows(
    ctx: AdminContext, users: Sequence[Entry], known: Mapping[str, str] | None, *, usage: bool
) -> tuple[Any, ...]:
    if known is None and len(users) > _AT_ONCE:  # One question instead of many.
        known = await _sign_ins(ctx)
    rows = []
    for number, user in enumerate(users, 1):
        last = await sign_in_of(ctx, user) if known is None else read_last(known.get(_key(user), "")) or NEVER
        held = await _usage(ctx, user) if usage else None
        rows.append(
            UserRow(
                address=address_of(user),
                last_sign_in=Moment(last.at),
                storage=None if held is None else Octets(held.bytes),
                messages=None if held is None else held.messages,
                **shown(USER, user, listed=True),
            )
        )
        if not number % _AT_ONCE:
            await _turn()
    return tuple(rows)


def _key(user: Entry) -> AccountId:
    return AccountId(address_of(user).casefold())


async def _usage(ctx: AdminContext, user: Entry) -> Usage:
    try:
        return await need(ctx.store, "Counting mail").usage(_key(user))
    except MailboxError:  # No mail has come yet; a list makes no mailbox.
        return Usage(0, 0)


async def sign_in_of(ctx: AdminContext, user: Entry) -> LastSignIn:
    """`NEVER` also if nobody remembers."""
    return NEVER if ctx.state is None else await last_sign_in(ctx.state, _key(user)) or NEVER


async def _turn() -> None:
    """Others have theirs."""
    import asyncio  # Here: the command line's client needs it not.

    await asyncio.sleep(0)
