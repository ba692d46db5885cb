"""IP groups and time intervals: sets that an administrator names once, and that every rule of access can mean.

A list of clients in a setting (`relay/allow-from`) has addresses, networks, ranges and names of IP groups. Who asks
whether a client is in it resolves the names by the definitions in use at that moment: a change of a group is one of all
that it is used by.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import PrivateAttr

from whimbrel.core.network import Network, contains
from whimbrel.core.settings import Concern, Gravity, Section, Whole, required, setting
from whimbrel.core.values import text_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

IP_GROUP: Final = "ip-group"
TIME_INTERVAL: Final = "time-interval"
"""What settings refer to (`ref`)."""
_NAME: Final = r"[A-Za-z][A-Za-z0-9._-]{0,62}"
_NAMED: Final = re.compile(_NAME)
_LIKE: Final = "a letter, then letters, digits, dots, dashes and underscores, such as office"
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Clients(str):
    """Members of a list of clients: an address, a network (10.0.0.0/8), a range (10.0.0.5-10.0.0.20) or the name of an
    IP group, which begins with a letter as no address does."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Clients":
        written = str(text).strip()
        if is_group(written):
            return str.__new__(cls, written)
        first, dash, last = (part.strip() for part in written.partition("-"))
        if dash:
            _range(first, last)
            return str.__new__(cls, f"{ipaddress.ip_address(first)}-{ipaddress.ip_address(last)}")
        try:
            return str.__new__(cls, Network(written))
        except ValueError as error:
            if "stands for" in str(error):
                raise
            raise ValueError(
                f"'{written}' is no address, network such as 10.0.0.0/8, range such as 10.0.0.5-10.0.0.20, or name of "
                "an IP group"
            ) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: "GetCoreSchemaHandler") -> "CoreSchema":
        return text_schema(cls, "clients")


def is_group(text: str) -> bool:
    """Whether a member of a list of clients is the name of an IP group."""
    return _NAMED.fullmatch(text) is not None


def _range(first: str, last: str) -> tuple[str, ...]:
    """The networks between two addresses, both included. ValueError: it is no range."""
    try:
        low, high = ipaddress.ip_address(first), ipaddress.ip_address(last)
        return tuple(network.with_prefixlen for network in ipaddress.summarize_address_range(low, high))
    except (ValueError, TypeError):
        raise ValueError(
            f"'{first}-{last}' is no range: write the lower address first, such as 10.0.0.5-10.0.0.20"
        ) from None


@lru_cache(256)
def _networks_of(member: str) -> tuple[str, ...]:
    first, dash, last = member.partition("-")
    return _range(first, last) if dash else (member,)


class IpGroup(Section, tag="ip-group", key="name"):
    """A set of clients with a name: hosts, networks, ranges, other groups."""

    name: str = required(help="Its name, by which settings mean it, such as office.", pattern=rf"^{_NAME}$", like=_LIKE)
    description: str = setting("", help="What it is for, in your own words.")
    members: tuple[Clients, ...] = setting(
        (), item="member", ref=IP_GROUP, help="Addresses, networks, ranges such as 10.0.0.5-10.0.0.20, or other groups."
    )


_Names = Mapping[str, tuple[str, ...]]
"""What each name contains by name."""


class _Hours(NamedTuple):
    days: frozenset[int]
    begin: time
    end: time


class When(str):
    """A part of a time interval: `mon-fri 08:00-18:00`, `sat,sun`, `22:00-06:00`, or days of the calendar such as
    `2026-12-24..2026-12-26`. Hours that end before they begin go on into the next day."""

    __slots__ = ()

    def __new__(cls, text: str) -> "When":
        written = " ".join(str(text).lower().split())
        try:
            if _is_interval(written):
                return str.__new__(cls, str(text).strip())  # The name of another interval.
            if ".." in written or _DATE.fullmatch(written):
                _dates(written)
            else:
                _hours(written)
        except ValueError:
            raise ValueError(
                f"'{text}' is no time such as 'mon-fri 08:00-18:00', 'sat,sun', '22:00-06:00' or "
                "'2026-12-24..2026-12-26', nor the name of an interval"
            ) from None
        return str.__new__(cls, written)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: "GetCoreSchemaHandler") -> "CoreSchema":
        return text_schema(cls, "times")


_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(([01]\d|2[0-3]):([0-5]\d)|24:00)")


def _is_interval(text: str) -> bool:
    """Whether a part of an interval is the name of another: what can be read as days of the week is these."""
    if not _NAMED.fullmatch(text):
        return False
    try:
        _days(text.lower())
    except ValueError:
        return True
    return False


def _dates(text: str) -> tuple[date, date]:
    first, _, last = text.partition("..")
    begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    if end < begin:
        raise ValueError(text)
    return begin, end


@lru_cache(256)
def _hours(text: str) -> _Hours:
    days, clock = frozenset(range(7)), ""
    for part in text.split(" "):
        if part[:1].isdigit():
            if clock:
                raise ValueError(text)
            clock = part
        else:
            days = _days(part)
    if not clock:
        return _Hours(days, time.min, time.min)
    if not _CLOCK.fullmatch(clock):
        raise ValueError(text)
    begin, _, end = clock.partition("-")
    return _Hours(days, time.fromisoformat(begin), time.min if end == "24:00" else time.fromisoformat(end))


def _days(text: str) -> frozenset[int]:
    made = set[int]()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low = DAYS.index(first)
        high = DAYS.index(last) if dash else low
        made |= {(low + step) % 7 for step in range((high - low) % 7 + 1)}
    return frozenset(made)


class TimeInterval(Section, tag="time-interval", key="name"):
    """A set of times with a name, such as working hours, in the server's local time."""

    name: str = required(help="Its name, such as working-hours.", pattern=rf"^{_NAME}$", like=_LIKE)
    description: str = setting("", help="What it is for, in your own words.")
    times: tuple[When, ...] = setting(
        (),
        item="when",
        ref=TIME_INTERVAL,
        help="Times such as 'mon-fri 08:00-18:00', days such as '2026-12-24..2026-12-26', or other intervals.",
    )


def _known(whole: Whole) -> Iterator[Concern]:
    """Groups and intervals that contain what is not there, or themselves."""
    settings = whole.section(Definitions)
    groups: _Names = {group.name: tuple(filter(is_group, group.members)) for group in settings.ip_groups}
    intervals: _Names = {each.name: tuple(filter(_is_interval, each.times)) for each in settings.time_intervals}
    kinds = {IP_GROUP: (groups, "IP group", is_group), TIME_INTERVAL: (intervals, "time interval", _is_interval)}
    for kind, (named, _, _) in kinds.items():
        for name in named:
            if (way := _way_back(named, name)) is not None:
                yield Concern(f"definitions/{kind}[{name}]", f"contains itself: {' > '.join(way)}", Gravity.WRONG)
    for path, ref, value in whole.references():
        if ref in kinds:
            known, words, is_name = kinds[ref]
            if value not in known and is_name(value):
                yield Concern(path, f"there is no {words} '{value}'", Gravity.WRONG)


def _way_back(named: _Names, name: str) -> tuple[str, ...] | None:
    """The way from `name` back to it, the shortest; None if there is none."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen = set[str]()
    while ways:
        way = ways.pop(0)
        for inner in named.get(way[-1], ()):
            if inner == name:
                return (*way, name)
            if inner not in seen:
                seen.add(inner)
                ways.append((*way, inner))
    return None


class _Resolved(dict[tuple[str, ...], tuple[str, ...]]):
    """What lists of clients stand for, as far as it was asked: nothing by which two configurations differ."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Resolved)

    __hash__ = None


class Definitions(Section, tag="definitions", checks=(_known,)):
    """What rules of access mean by name: IP groups and time intervals."""

    ip_groups: tuple[IpGroup, ...] = setting((), help="IP groups: sets of clients.", row="S56")
    time_intervals: tuple[TimeInterval, ...] = setting((), help="Time intervals: working hours, holidays.")

    _resolved: _Resolved = PrivateAttr(default_factory=_Resolved)
    # Kept with the snapshot, which a change replaces as a whole: lists of clients are asked for at each connection.

    def networks(self, clients: tuple[str, ...]) -> tuple[str, ...]:
        """The networks that a list of clients stands for. A group that is not there stands for nobody."""
        if not clients:
            return ()
        known = self._resolved.get(clients)
        if known is None:
            known = self._resolved[clients] = tuple(dict.fromkeys(self._expanded(clients, set())))
        return known

    def include(self, clients: tuple[str, ...], ip: str) -> bool:
        """Whether the client at `ip` is in a list of clients. What is no address is in none."""
        return bool(clients) and contains(self.networks(clients), ip)

    def _expanded(self, clients: tuple[str, ...], seen: set[str]) -> Iterator[str]:
        for member in clients:
            if not is_group(member):
                yield from _networks_of(member)
            elif member not in seen:
                seen.add(member)
                for group in self.ip_groups:
                    if group.name == member:
                        yield from self._expanded(group.members, seen)

    def covers(self, name: str, moment: datetime) -> bool:
        """Whether `moment`, in local time, is in the interval `name`. One that is not there covers nothing."""
        return self._covers(name, moment, set())

    def _covers(self, name: str, moment: datetime, seen: set[str]) -> bool:
        if name in seen:
            return False
        seen.add(name)
        return any(
            self._covers(each, moment, seen) if _is_interval(each) else _in(each, moment)
            for interval in self.time_intervals
            if interval.name == name
            for each in interval.times
        )


def _in(when: str, moment: datetime) -> bool:
    if ".." in when or _DATE.fullmatch(when):
        begin, end = _dates(when)
        return begin <= moment.date() <= end
    days, opens, closes = _hours(when)
    now, today = moment.time(), moment.weekday()
    if opens < closes:
        return today in days and opens <= now < closes
    if opens == closes == time.min:
        return today in days
    # Until midnight, or over it into the next day.
    before_midnight = today in days and now >= opens
    return before_midnight or ((today - 1) % 7 in days and now < closes)
