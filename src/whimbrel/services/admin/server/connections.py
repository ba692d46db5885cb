"""Calls about the connections of clients at this moment.

Who administers some domains sees and ends the sessions of their users, as far as the caller reaches them
(`people/reach.py`), and nobody else's.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

from whimbrel.core.address import unquoted
from whimbrel.core.connections import MOST, ConnectionList, LiveConnection, Order, Which, key_of
from whimbrel.core.counting import counted
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import ARGUMENT, CallError, Failure, FieldFault, Known, Needs, call, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.lists import After, Skip
from whimbrel.services.admin.numbers import Between
from whimbrel.services.admin.people.reach import out_of_reach
from whimbrel.services.admin.views import Done, Moment, Octets

FASTEST: Final = 0.25
"""Seconds between two looks, at least."""
SHOWN: Final = 500
"""Connections that a list has at most unless more are asked for."""
WATCHED: Final = 2000

Service = Annotated[str, "Only of this service.", Known("service")]
User = Annotated[str, "Only of users with this in their name."]
Address = Annotated[str, "Only from this IP address or network, such as 192.0.2.0/24."]


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    id: str
    service: str
    user: str
    address: str
    tls: str
    cipher: str
    since: Moment
    idle: int
    """Seconds."""
    command: str
    received: Octets
    sent: Octets
    process: str


@dataclass(frozen=True, slots=True)
class ConnectionsView:
    items: tuple[ConnectionRow, ...]
    more: str
    """Where the next page begins. What changes meanwhile (idle, octets) may stand on both pages, or on none."""
    total: int
    """All that fit, whether they are among the items or not."""
    services: dict[str, int]
    """All that fit, by service."""


@dataclass(frozen=True, slots=True)
class ConnectionChange:
    """A connection that is new, has signed in, has another command, or is over."""

    id: str
    what: str
    """`open`, `changed` or `ended`."""
    service: str
    user: str
    address: str
    tls: str
    command: str


@call(
    "connection",
    "list",
    reads=True,
    right=Right.ACCOUNTS,
    needs=Needs.SERVER,
    names=("connection", "id"),
    help="Lists the connections of clients at this moment.",
)
async def connection_list(
    ctx: AdminContext,
    service: Service = "",
    user: User = "",
    address: Address = "",
    sort: Annotated[Order, "What comes first; - turns it round. `since`: the oldest."] = "since",
    search: Annotated[str, "Part of id, service, user or address."] = "",
    after: After = "",
    skip: Skip = 0,
    limit: Annotated[int, "At most so many.", Between(1, MOST)] = SHOWN,
) -> ConnectionsView:
    connections = need(ctx.connections, "The list of connections")
    which = replace(_which(ctx, service, user, address), search=search.casefold())
    whole = which.domains is None
    page = await connections.list(which, sort, MOST if after or skip or not whole else min(limit + 1, MOST))
    if not whole:
        hidden = await out_of_reach(ctx, (each.user for each in page.items), reads=True)
        page = _without(page, hidden)
    rows = page.items
    if after:
        rows = behind(rows, sort, place_of(after, sort))
    rows = rows[skip:]
    more = place(rows[limit - 1], sort) if len(rows) > limit else ""
    return ConnectionsView(tuple(map(connection_row, rows[:limit])), more, page.total, page.counts)


def _without(page: ConnectionList, hidden: Collection[str]) -> ConnectionList:
    """Nothing of those: they are not counted either."""
    counts = Counter(page.counts)
    counts.subtract(each.service for each in page.items if each.user in hidden)
    return ConnectionList(
        tuple(each for each in page.items if each.user not in hidden),
        {service: count for service, count in counts.items() if count > 0},
    )


def place(row: LiveConnection, sort: str) -> str:
    """Where a page ended."""
    return json.dumps([sort, key_of(sort)(row), row.id])


def place_of(after: str, sort: str) -> tuple[str | float, str]:
    """CallError: it is none of this order."""
    text = f"'{after[:100]}' is not where a list in this order ended"
    try:
        order, key, ident = json.loads(after)
        known = order == sort and isinstance(key, str) is isinstance(key_of(sort)(_ANY), str)
        place = (key if isinstance(key, str) else float(key)), str(ident)
    except (ValueError, TypeError, OverflowError):
        known = False
    if not known:
        raise CallError(Failure.USAGE, f"after: {text}", FieldFault("after", text))
    return place


def behind(rows: Sequence[LiveConnection], sort: str, place: tuple[str | float, str]) -> tuple[LiveConnection, ...]:
    """Those of them that come after a place, whether the connection that stood there is there still or not."""
    key, turned = key_of(sort), sort.startswith("-")
    return tuple(each for each in rows if ((key(each), each.id) < place if turned else (key(each), each.id) > place))


_ANY: Final = LiveConnection("", "", "", "", 0, "", "", 0.0, 0.0, "", 0, 0, "")


@call(
    "connection",
    "watch",
    reads=True,
    live=True,
    right=Right.ACCOUNTS,
    needs=Needs.SERVER,
    help="Shows connections as they come, change and go, until interrupted.",
)
async def connection_watch(
    ctx: AdminContext,
    service: Service = "",
    user: User = "",
    address: Address = "",
    interval: Annotated[float, "Seconds between two looks.", Between(FASTEST, 3600)] = 1.0,
    looks: Annotated[int, "End after so many looks; 0: never.", Between(0)] = 0,
) -> AsyncIterator[ConnectionChange]:
    connections = need(ctx.connections, "The list of connections")
    which = _which(ctx, service, user, address)
    before: dict[str, LiveConnection] = {}
    number = 0
    while True:
        rows = (await connections.list(which, "-since", WATCHED)).items
        if which.domains is not None:
            hidden = await out_of_reach(ctx, (each.user for each in rows), reads=True)
            rows = tuple(each for each in rows if each.user not in hidden)
        now = {each.id: each for each in rows if each.id}
        for ident, each in now.items():
            earlier = before.get(ident)
            if earlier is None:
                yield _change(each, "open")
            elif (each.user, each.command, each.tls) != (earlier.user, earlier.command, earlier.tls):
                yield _change(each, "changed")
        for ident, each in before.items():
            if ident not in now:
                yield _change(each, "ended")
        before = now
        number += 1
        if number == looks:
            return
        await asyncio.sleep(interval)


@call(
    "connection",
    "disconnect",
    right=Right.ACCOUNTS,
    needs=Needs.SERVER,
    help="Ends sessions, by id or all of a user or an address. Clients are told as at a shutdown, and may come again.",
)
async def connection_disconnect(
    ctx: AdminContext,
    ids: Annotated[tuple[str, ...], ARGUMENT, "Ids of connections.", Known("connection")] = (),
    user: Annotated[str, "All of this user.", Known("user")] = "",
    address: Annotated[str, "All from this IP address or network."] = "",
) -> Done:
    connections = need(ctx.connections, "Ending connections")
    if not (ids or user or address):
        raise CallError(Failure.USAGE, "say which: ids of `connection list`, --user or --address")
    which = _which(ctx, "", await _account(ctx, user) if user else "", address, ids)
    chosen = [each for each in (await connections.list(which)).items if which.fits(each, whole=True)]
    hidden = await out_of_reach(ctx, (each.user for each in chosen))
    # Who sees them all is told why, where others hear of none.
    if hidden and which.domains is None and all(each.user in hidden for each in chosen):
        raise CallError(Failure.FORBIDDEN, f"{', '.join(sorted(hidden))} may do more than {ctx.caller.name}")
    chosen = [each for each in chosen if each.user not in hidden]
    if chosen and not ctx.dry_run:
        # By their ids: whoever comes at this moment was not looked at. A connection in its handshake has none.
        if hidden or which.domains is not None:
            which = replace(which, ids=tuple(each.id for each in chosen if each.id))
        chosen = list(await connections.disconnect(which, _by(ctx)))
    if not chosen:
        what = f"id {', '.join(ids)}" if ids else f"user {user}" if user else f"address {address}"
        not_found("connection with the" if ids else "connection of the", what)
    verb = "would be" if ctx.dry_run else "was" if len(chosen) == 1 else "were"
    return Done(f"{counted(len(chosen), 'connection')} {verb} ended")


def _by(ctx: AdminContext) -> str:
    return f"{ctx.caller.name} ({ctx.caller.origin})" if ctx.caller.origin else ctx.caller.name


async def _account(ctx: AdminContext, name: str) -> str:
    """The account that a name means; the name itself if there is none any more: it may have sessions still."""
    name = unquoted(name)
    account = await ctx.directory.sign_in(name)
    return account.id if account is not None else name.casefold()


def _which(ctx: AdminContext, service: str, user: str, address: str, ids: tuple[str, ...] = ()) -> Which:
    domains = ctx.domains()
    within = None if domains is None else tuple(map(str, domains))
    try:
        return Which(ids=ids, service=service, user=unquoted(user).casefold(), address=address, domains=within)
    except ValueError:
        raise CallError(Failure.USAGE, f"address: '{address}' is no IP address or network") from None


def connection_row(each: LiveConnection) -> ConnectionRow:
    """A connection as calls and events show it."""
    return ConnectionRow(
        each.id, each.service, each.user, each.address, each.tls, each.cipher, Moment(each.since), int(each.idle),
        each.command, Octets(each.received), Octets(each.sent), each.process,
    )  # fmt: skip


def _change(each: LiveConnection, what: Literal["open", "changed", "ended"]) -> ConnectionChange:
    return ConnectionChange(each.id, what, each.service, each.user, each.address, each.tls, each.command)
