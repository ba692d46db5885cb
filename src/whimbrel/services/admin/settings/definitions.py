"""Calls about IP groups and time intervals: what rules mean by name, and which of them do.

They are settings (`definitions/...`), and changed as such; what is used cannot be removed.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from whimbrel.services.admin.calls import ARGUMENT, CallError, Failure, FieldFault, Known, call, nearest, not_found
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.lists import After, Listed, Skip, Sort, order_of, sliced
from whimbrel.services.admin.numbers import MOST_LISTED
from whimbrel.services.admin.settings.configuration import Changed, change_settings
from whimbrel.services.admin.views import Page

if TYPE_CHECKING:
    from whimbrel.core.config import Setting
    from whimbrel.core.definitions import Definitions, IpGroup, TimeInterval

T = TypeVar("T", bound="IpGroup | TimeInterval")
IP_GROUP: Final = "ip-group"
TIME_INTERVAL: Final = "time-interval"


@dataclass(frozen=True, slots=True)
class IpGroupRow:
    name: str
    members: tuple[str, ...]
    used_by: tuple[str, ...]
    """Settings that name it."""
    description: str


@dataclass(frozen=True, slots=True)
class TimeIntervalRow:
    name: str
    times: tuple[str, ...]
    now: bool
    """Whether it is such a time at this moment."""
    used_by: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A list of clients that a client is in."""

    place: str
    """An IP group or a setting."""
    by: tuple[str, ...]
    """The members that it is in it by."""


@dataclass(frozen=True, slots=True)
class MomentView:
    name: str
    moment: str
    """Local time."""
    inside: bool


GroupName = Annotated[str, "Name of the IP group, such as office.", Known(IP_GROUP)]
IntervalName = Annotated[str, "Name of the time interval, such as working-hours.", Known(TIME_INTERVAL)]
NewGroup = Annotated[str, "Its name, such as office."]
NewInterval = Annotated[str, "Its name, such as holidays."]
Members = Annotated[
    tuple[str, ...],
    "Addresses, networks such as 10.0.0.0/8, ranges such as 10.0.0.5-10.0.0.20, other groups.",
    ARGUMENT,
]
Times = Annotated[
    tuple[str, ...],
    "Times such as 'mon-fri 08:00-18:00', days such as 2026-12-24..2026-12-26, other intervals.",
    ARGUMENT,
]
Description = Annotated[str | None, "What it is for."]
Search = Annotated[str, "Part of name or description."]
Limit = Annotated[int, "Most to list.", MOST_LISTED]
COLUMNS: Final = ("name", "description")


@call("ip-group", "list", reads=True, names=(IP_GROUP, "name"), help="Lists IP groups with what uses them.")
async def ip_group_list(
    ctx: AdminContext, search: Search = "", sort: Sort = "", after: After = "", skip: Skip = 0, limit: Limit = 1000
) -> Listed[IpGroupRow]:
    used = _used(ctx, IP_GROUP)
    groups = _matching(_definitions(ctx).ip_groups, search)
    rows = [IpGroupRow(g.name, g.members, used.get(g.name, ()), g.description) for g in groups]
    return sliced(rows, "name", order_of(sort or "name", COLUMNS), after, limit, skip)


@call("ip-group", "check", reads=True, help="Shows which IP groups and settings mean a client.")
async def ip_group_check(
    ctx: AdminContext, client: Annotated[str, "Address of the client, such as 192.0.2.7."]
) -> Page[ClientRow]:
    try:
        ip = str(ipaddress.ip_address(client))
    except ValueError:
        raise CallError(
            Failure.USAGE, f"'{client}' is no IP address", FieldFault("client", "write an IP address")
        ) from None
    definitions = _definitions(ctx)
    inner = f"definitions/{IP_GROUP}["
    lists: list[tuple[str, tuple[str, ...]]] = [(f"{inner}{g.name}]", g.members) for g in definitions.ip_groups]
    lists += [(s.path, _several(s)) for s in _naming(ctx, IP_GROUP) if not s.path.startswith(inner)]
    rows = []
    for place, clients in lists:
        by = tuple(each for each in clients if definitions.include((each,), ip))
        if by:
            rows.append(ClientRow(place, by))
    return Page(tuple(rows))


@call("ip-group", "add", help="Adds an IP group.")
async def ip_group_add(
    ctx: AdminContext,
    name: Annotated[str, "Its name, such as office."],
    members: Members,
    description: Description = None,
) -> Changed:
    _new(ctx, IP_GROUP, name, [group.name for group in _definitions(ctx).ip_groups])
    return await _set(ctx, IP_GROUP, name, "member", members, description)


@call("ip-group", "set", dangerous=True, help="Changes the members of an IP group, or what it says of itself.")
async def ip_group_set(
    ctx: AdminContext, name: GroupName, members: Members = (), description: Description = None
) -> Changed:
    _there(IP_GROUP, name, [group.name for group in _definitions(ctx).ip_groups])
    return await _set(ctx, IP_GROUP, name, "member", members, description)


@call("ip-group", "remove", confirm="Remove the IP group {name}?", help="Removes an IP group that nothing uses.")
async def ip_group_remove(ctx: AdminContext, name: GroupName) -> Changed:
    _there(IP_GROUP, name, [group.name for group in _definitions(ctx).ip_groups])
    return await _remove(ctx, IP_GROUP, name)


@call(
    "time-interval", "list", reads=True, names=(TIME_INTERVAL, "name"), help="Lists time intervals with what uses them."
)
async def time_interval_list(
    ctx: AdminContext, search: Search = "", sort: Sort = "", after: After = "", skip: Skip = 0, limit: Limit = 1000
) -> Listed[TimeIntervalRow]:
    used = _used(ctx, TIME_INTERVAL)
    definitions, now = _definitions(ctx), _local(ctx)
    rows = [
        TimeIntervalRow(
            each.name, each.times, definitions.covers(each.name, now), used.get(each.name, ()), each.description
        )
        for each in _matching(definitions.time_intervals, search)
    ]
    return sliced(rows, "name", order_of(sort or "name", COLUMNS), after, limit, skip)


@call("time-interval", "check", reads=True, help="Says whether a moment is in a time interval.")
async def time_interval_check(
    ctx: AdminContext,
    name: IntervalName,
    moment: Annotated[str, "Local time, such as 2026-12-24T09:30; empty: now.", ARGUMENT] = "",
) -> MomentView:
    definitions = _definitions(ctx)
    _there(TIME_INTERVAL, name, [each.name for each in definitions.time_intervals])
    try:
        when = datetime.fromisoformat(moment).replace(tzinfo=None) if moment else _local(ctx)
    except ValueError:
        raise CallError(
            Failure.USAGE, f"'{moment}' is no time such as 2026-12-24T09:30", FieldFault("moment", "no time")
        ) from None
    return MomentView(name, when.isoformat(" ", "minutes"), definitions.covers(name, when))


@call("time-interval", "add", help="Adds a time interval.")
async def time_interval_add(
    ctx: AdminContext,
    name: Annotated[str, "Its name, such as holidays."],
    times: Times,
    description: Description = None,
) -> Changed:
    _new(ctx, TIME_INTERVAL, name, [each.name for each in _definitions(ctx).time_intervals])
    return await _set(ctx, TIME_INTERVAL, name, "when", times, description)


@call("time-interval", "set", dangerous=True, help="Changes the times of an interval, or what it says of itself.")
async def time_interval_set(
    ctx: AdminContext, name: IntervalName, times: Times = (), description: Description = None
) -> Changed:
    _there(TIME_INTERVAL, name, [each.name for each in _definitions(ctx).time_intervals])
    return await _set(ctx, TIME_INTERVAL, name, "when", times, description)


@call(
    "time-interval",
    "remove",
    confirm="Remove the time interval {name}?",
    help="Removes a time interval that nothing uses.",
)
async def time_interval_remove(ctx: AdminContext, name: IntervalName) -> Changed:
    _there(TIME_INTERVAL, name, [each.name for each in _definitions(ctx).time_intervals])
    return await _remove(ctx, TIME_INTERVAL, name)


def _definitions(ctx: AdminContext) -> "Definitions":
    from whimbrel.core.definitions import Definitions  # Here: a command asks a server, and has no settings.

    return ctx.config.section(Definitions)


def _naming(ctx: AdminContext, kind: str) -> "list[Setting]":
    return [setting for setting in ctx.config.settings() if setting.ref == kind]


def _several(setting: "Setting") -> tuple[str, ...]:
    return setting.value if isinstance(setting.value, tuple) else (setting.value,)


def _matching(all_of_them: "Sequence[T]", search: str) -> "list[T]":
    word = search.casefold()
    return [each for each in all_of_them if word in each.name.casefold() or word in each.description.casefold()]


def _used(ctx: AdminContext, kind: str) -> dict[str, tuple[str, ...]]:
    """Paths of settings by the name of what they use."""
    used: dict[str, tuple[str, ...]] = {}
    for setting in _naming(ctx, kind):
        for name in _several(setting):
            used[name] = (*used.get(name, ()), setting.path)
    return used


def _local(ctx: AdminContext) -> datetime:
    return datetime.fromtimestamp(ctx.clock.now())


def _new(ctx: AdminContext, kind: str, name: str, names: Sequence[str]) -> None:
    if name in names:
        raise CallError(Failure.REFUSED, f"there is a {_words(kind)} '{name}' already", FieldFault("name", "is taken"))


def _there(kind: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        not_found(_words(kind), name, nearest(name, names))


def _words(kind: str) -> str:
    return "IP group" if kind == IP_GROUP else "time interval"


async def _set(
    ctx: AdminContext, kind: str, name: str, item: str, members: tuple[str, ...], description: str | None
) -> Changed:
    values: dict[str, object] = {}
    if members:
        values[f"definitions/{kind}[{name}]/{item}"] = members
    if description is not None:
        values[f"definitions/{kind}[{name}]/description"] = description
    if not values:
        raise CallError(Failure.USAGE, "say what changes: members, or --description")
    return await change_settings(ctx, values)


async def _remove(ctx: AdminContext, kind: str, name: str) -> Changed:
    if uses := _used(ctx, kind).get(name, ()):
        raise CallError(Failure.REFUSED, f"'{name}' is used by {', '.join(uses)}: take it out there first")
    return await change_settings(ctx, {f"definitions/{kind}[{name}]": None})
