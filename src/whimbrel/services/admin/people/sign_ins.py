"""`user sign-ins`: a user's attempts to sign in, with why they failed and what mends it; and `user unlock`.

Attempts are read from the security log: it has one line for each, under the account that the name led to. Beside them
stand attempts from the same addresses under names that nobody has: a name that was typed wrong is one of these.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from whimbrel.core.address import as_recorded
from whimbrel.core.counting import counted
from whimbrel.core.directory import Entry, Kind
from whimbrel.core.log import LogLine, LogPage, LogQuery
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, Known, Needs, call
from whimbrel.services.admin.changes.change_lines import fields_of
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.numbers import MOST_LISTED
from whimbrel.services.admin.people.people import address_of, entry, flag, values_of
from whimbrel.services.admin.people.reach import reaches
from whimbrel.services.admin.people.users import may_change
from whimbrel.services.admin.server.logs import Since, moment, pages
from whimbrel.services.admin.views import Done, Moment, Words
from whimbrel.services.session.account_ids import made_at

if TYPE_CHECKING:
    from whimbrel.services.session.lockout import Failures

_TITLE: Final = re.compile(r"(?:(?P<how>Failed|Locked) )?(?P<service>\S+) login\Z", re.IGNORECASE)
_LOGS: Final = ("security",)
_COUNTERS: Final = "What is locked"
_NOBODY: Final = "unknown user"
HOSTS: Final = 5
"""Addresses whose other attempts are looked for, the latest."""
OTHERS: Final = 200
"""Lines of each of these that are looked at."""
RECENT: Final = 200
"""Attempts that are looked through for addresses that may be locked."""

Name = Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("user")]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. `outcome`: ok, failed or locked. `name`: the user, or what else was typed. `cause` says in one word
    what `reason` says in the words of the log: password, name, domain, disabled, locked, client, other."""

    at: Moment
    outcome: str
    service: str
    name: str
    address: str
    method: str
    reason: Words
    cause: str
    mend: Words


@dataclass(frozen=True, slots=True)
class Locked:
    """An address from which the user cannot sign in now. `everybody`: nor anybody else."""

    address: str
    everybody: bool


@dataclass(frozen=True, slots=True)
class SignIns:
    """The latest first. `locked`: where that is so now; it ends by itself `window` seconds after the failures."""

    items: tuple[Attempt, ...]
    more: str
    locked: tuple[Locked, ...]
    window: int
    note: str


@call(
    "user",
    "sign-ins",
    reads=True,
    right=Right.ACCOUNTS,
    needs=Needs.SERVER,
    help="Shows a user's attempts to sign in, the latest first: from where, why they failed, and what mends it.",
)
async def user_sign_ins(
    ctx: AdminContext,
    name: Name,
    since: Since = "7d",
    limit: Annotated[int, "Most to list.", MOST_LISTED] = 50,
    after: Annotated[str, "Go on where the page before ended: its `more`."] = "",
) -> SignIns:
    user = await entry(ctx, Kind.USER, name)
    if not await reaches(ctx, address_of(user).casefold(), reads=True):
        raise CallError(Failure.FORBIDDEN, f"{address_of(user)} may do more, and is looked after by others")
    account = address_of(user).casefold()
    # Attempts under the name from before it was this user's are not this user's.
    begin = max(moment(ctx, "since", since), await made_at(ctx.state, account))
    page = await _lines(ctx, address_of(user), begin, limit, after)
    own = [made for line in page.lines if (made := _attempt(line)) is not None and _is(made, user)]
    others: list[Attempt] = []
    if not after:
        for host in _hosts(each for each in own if each.outcome != "ok")[:HOSTS]:
            others += await _others(ctx, user, host, begin)
    items = [_explained(each, user) for each in own] + others
    items.sort(key=lambda each: -each.at)
    window = 0
    locked: tuple[Locked, ...] = ()
    if ctx.counters is not None:
        failures = {host: _failures(ctx, user, host) for host in _hosts(own)}
        locked = tuple(Locked(host, each.host_locked()) for host, each in failures.items() if each.locked())
        window = _window(ctx)
    return SignIns(tuple(items), page.cursor, locked, window, page.note)


@call(
    "user",
    "unlock",
    right=Right.ACCOUNTS,
    needs=Needs.SERVER,
    help="Lets a user try again who was locked out after too many failed sign-ins, from each address or from one.",
)
async def user_unlock(
    ctx: AdminContext, name: Name, address: Annotated[str, "Only from this IP address."] = ""
) -> Done:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    need(ctx.counters, _COUNTERS)
    page = await _lines(ctx, address_of(user), ctx.clock.now() - _window(ctx), RECENT, "")
    hosts = _hosts(made for line in page.lines if (made := _attempt(line)) is not None and _is(made, user))
    ended, closed = [], []
    for host in hosts:
        failures = _failures(ctx, user, host)
        if address in ("", host) and failures.pair_locked():
            if not ctx.dry_run:
                failures.forgive()
                ctx.log.info("signin.unlocked", user=address_of(user), sender_host=host, by=ctx.caller.name)
            ended.append(host)
        if address in ("", host) and failures.host_locked():
            closed.append(host)
    for host in closed:
        ctx.warn(f"{host} failed under many names and stays locked for everybody until {_window(ctx)} s have passed")
    if not ended:
        return Done(f"{address_of(user)} is not locked out" + (f" from {address}" if address else ""))
    verb = "may try" if not ctx.dry_run else "could try"
    return Done(f"{address_of(user)} {verb} again from {counted(len(ended), 'address')}: {', '.join(ended)}")


async def _lines(ctx: AdminContext, word: str, since: float, limit: int, after: str) -> LogPage:
    query = LogQuery(_LOGS, since=max(since, 0.0), words=(as_recorded(word),), newest_first=True)
    return await pages(ctx, query, limit, after)


def _attempt(line: LogLine) -> Attempt | None:
    """None: the line tells of something else."""
    match = _TITLE.match(line.title)
    if match is None:
        return None
    fields = fields_of(line)
    outcome = {"failed": "failed", "locked": "locked"}.get((match["how"] or "").lower(), "ok")
    return Attempt(
        Moment(line.at), outcome, match["service"].lower(), fields.get("User", ""), fields.get("Sender-Host", ""),
        fields.get("Method", ""), fields.get("Reason", ""), "", "",
    )  # fmt: skip


def _is(attempt: Attempt, user: Entry) -> bool:
    """An address in another field of the line makes it none of the user's."""
    return attempt.name.casefold() == address_of(user).casefold()


def _hosts(attempts: Iterable[Attempt]) -> list[str]:
    return list(dict.fromkeys(each.address for each in attempts if each.address))


async def _others(ctx: AdminContext, user: Entry, host: str, since: float) -> list[Attempt]:
    """What was tried from there under names that nobody has."""
    page = await _lines(ctx, host, since, OTHERS, "")
    made = [each for line in page.lines if (each := _attempt(line)) is not None]
    return [
        _explained(each, user)
        for each in made
        if each.reason == _NOBODY and each.address == host and not _is(each, user) and await _may_know(ctx, each.name)
    ]


async def _may_know(ctx: AdminContext, name: str) -> bool:
    """A name that nobody has, unless it looks like one of a domain here that the caller does not administer."""
    here = await ctx.directory.domain(name.rpartition("@")[2]) if "@" in name else None
    return here is None or ctx.sees(str(here.name))


def _failures(ctx: AdminContext, user: Entry, host: str) -> "Failures":
    from whimbrel.services.session.lockout import LockOut  # Here: the command line's client asks a server.

    return LockOut(ctx.config, need(ctx.counters, _COUNTERS)).of(host, address_of(user).casefold())


def _window(ctx: AdminContext) -> int:
    from whimbrel.services.session.settings import SecuritySettings  # Here: as above.

    return int(ctx.config.section(SecuritySettings).lock_out_window)


def _explained(attempt: Attempt, user: Entry) -> Attempt:
    cause, mend = _mend(attempt, user)
    values = (attempt.at, attempt.outcome, attempt.service, attempt.name, attempt.address, attempt.method)
    return Attempt(*values, attempt.reason, cause, mend)


def _mend(attempt: Attempt, user: Entry) -> tuple[str, str]:
    """In one word what is wrong, and in a sentence what to do about it."""
    address = address_of(user)
    if attempt.outcome == "ok":
        return "", ""
    if attempt.outcome == "locked":
        return "locked", "too many failures before: unlock, or wait; then the right password"
    if not _is(attempt, user):
        local = attempt.name.rpartition("@")[0] if "@" in attempt.name else attempt.name
        if local.casefold() in {each.casefold() for each in (user.name, *values_of(user, "alias"))}:
            return "domain", f"the name is of another domain: sign in as {address}"
        return "name", f"nobody has this name: sign in as {address}, if it was meant so"
    if attempt.reason == "wrong password":
        return "password", "type it anew where the program keeps it, or set a new password"
    if attempt.reason == "the user is disabled":
        again = "it is let in again by now" if flag(user, "enabled", True) else "let the user sign in again"
        return "disabled", again
    if attempt.reason == "not of the mechanism":
        return "client", "the program does not speak the method that it chose: choose another one there"
    return "other", ""
