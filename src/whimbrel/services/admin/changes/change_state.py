"""A change as the config log tells it, beside what stands there now: whether it can be undone, and why not."""

import asyncio
from dataclasses import dataclass
from typing import Final

from whimbrel.core.config import Text, UnknownName
from whimbrel.core.log import LogLine, LogQuery
from whimbrel.core.record import Kind
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, not_found
from whimbrel.services.admin.changes.audit import shown
from whimbrel.services.admin.changes.change_lines import (
    ADDED,
    CHANGED,
    ID,
    RECORDS,
    REMOVED,
    SETTING,
    ChangeLine,
    begun,
    change_line,
    fields_of,
    summed_up,
)
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.server import moments
from whimbrel.services.admin.server.logs import MOST, pages
from whimbrel.services.admin.table import calls_of

_CLOCKS: Final = 300.0
"""Seconds by which the clock may have been set since an id was made."""
JUST_MADE: Final = 2.0
"""Seconds in which the lines of a change may still be on their way into the log."""
_WAIT: Final = 0.3
"""Seconds that are waited for them: three times what they take."""
_FOREIGN: Final = "the change also concerns what others administer"
_LONG: Final = "the log has more lines of it than are read in one go"
_RIGHTS: Final = frozenset({"rights", "grant"})
"""Fields of a user that `user rights` changes."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the log has of one change, as far as the caller may see it."""

    lines: tuple[ChangeLine, ...]
    call: str
    partial: str
    """Why this is not all of it; empty: it is."""


async def made_of(ctx: AdminContext, id: str) -> Made:
    """The change with this id, as far as the caller may see it. CallError."""
    id = id.strip().lower()
    if not ID.match(id):
        raise CallError(Failure.USAGE, f"'{id}' is no id of a change; see `whimbrel change list`")
    if abs(ctx.clock.now() - begun(id)) < JUST_MADE:
        await asyncio.sleep(_WAIT)  # To undo a part of it would be worse.
    since = begun(id) - _CLOCKS
    query = LogQuery(("config",), since=since if 0 < since < ctx.clock.now() else 0.0, words=(id,))
    page = await pages(ctx, query, MOST)
    # An id in a value that came from outside makes no line one of that change.
    own = [line for line in page.lines if fields_of(line).get("Change") == id]
    lines = [made for line in own if (made := change_line(line)) is not None]
    visible = summed_up(line for line in lines if line.visible_to(ctx.caller.grants))
    if not visible:
        not_found("change", id, "" if lines else await _reach(ctx))
    foreign = not all(line.visible_to(ctx.caller.grants) for line in lines)
    return Made(tuple(visible), _call_of(own), _FOREIGN if foreign else _LONG if page.cursor else "")


def _call_of(lines: list[LogLine]) -> str:
    return next((fields_of(line).get("Call", "") for line in lines if line.title == "Administration"), "")


async def _reach(ctx: AdminContext) -> str:
    oldest = (await pages(ctx, LogQuery(("config",)), 1)).lines
    return f"; the config log reaches back to {moments.shown(oldest[0].at)}" if oldest else "; the config log is empty"


async def present(ctx: AdminContext, line: ChangeLine) -> Text | None:
    """What stands there now; None: there is no such setting or record any more, or the line is about a whole one."""
    if line.kind == SETTING:
        try:
            return ctx.config.get(line.subject)
        except UnknownName:
            return None
    if line.kind == RECORDS or not line.field:
        return None
    entry = await ctx.editor.entry(Kind(line.kind), line.domain, line.name)
    return None if entry is None else entry.values.get(line.field)


def plain_refusal(line: ChangeLine) -> str:
    """Why it cannot be undone whatever stands there now; empty: it can, if what it made still stands."""
    if not line.id:
        return "the release that made it gave changes no id"
    if line.kind == RECORDS:
        return f"the log names {line.subject} of its records not: {_file(line)}"
    if line.action != CHANGED:
        return _by_its_call(line)
    if line.secret:
        return f"its values are secret and in no log: {_file(line)}"
    if line.cut:
        return f"the log has not all of its {' and '.join(dict.fromkeys(line.cut.split()))} value: {_file(line)}"
    if line.kind == "domain" and line.field == "primary":
        return "make another domain the primary one by `whimbrel domain primary`"
    return ""


def _file(line: ChangeLine) -> str:
    """How to bring back what the log does not have."""
    file = "mailserver.cfg" if line.kind == SETTING else "users.cfg"
    return (
        f"`whimbrel config undo --file {file} --version N` brings a former version of the whole file back; see "
        "`whimbrel config history`"
    )


def _by_its_call(line: ChangeLine) -> str:
    """What came or went as a whole is undone by the call that does the opposite."""
    name = line.subject
    if line.kind == SETTING:
        entry = f"{name.rpartition(']')[0]}]" if "]" in name else name
        if line.action == ADDED:
            return f"an entry of a list was added: `whimbrel config unset '{entry}'` takes it out"
        what = "removed: set it again by `whimbrel config set`" if line.action == REMOVED else "moved"
        return f"an entry of a list was {what}, or {_file(line)}"
    if line.action == ADDED:
        return f"it was added: `whimbrel {line.kind} remove {name}` takes it out"
    if line.kind == "user":
        return f"it was removed: `whimbrel user removed-restore {name}` brings the user back with the mail"
    return f"it was removed: `whimbrel {line.kind} add {name}` adds it again, with the values that the change shows"


async def refusal(ctx: AdminContext, made: Made, line: ChangeLine) -> str:
    """Why it cannot be undone now; empty: it can."""
    if made.partial:
        return made.partial
    reason = plain_refusal(line)
    if reason and line.action != CHANGED and made.call.endswith(" rename"):
        return f"it was renamed: `whimbrel {made.call}` gives it the former name again"
    if reason:
        return reason
    now = await present(ctx, line)
    if now is None:
        return "it is not there any more"
    if shown(now) == line.new:
        return "" if _may(ctx, line) else f"it needs the right {right_for(line)}"
    if shown(now) == line.old:
        return "it has its old value already"
    return f"it is {_quoted(shown(now))} by now, no longer {_quoted(line.new)}"


def right_for(line: ChangeLine) -> Right:
    """What the call needs that makes such a change."""
    if line.kind == SETTING:
        return Right.SERVER_WRITE
    verb = "rights" if line.kind == "user" and line.field in _RIGHTS else "set"
    return next(call.right for call in calls_of(line.kind) if call.verb == verb)


def _may(ctx: AdminContext, line: ChangeLine) -> bool:
    within = ctx.caller.grants.domains(right_for(line))
    return within is None or line.domain in within


def _quoted(text: str) -> str:
    return f"'{text}'" if text else "not set"
