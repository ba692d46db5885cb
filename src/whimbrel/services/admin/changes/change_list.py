"""`change list` and `change show`: who changed what, when, from where, from what to what (mission S15)."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from whimbrel.core.address import as_recorded, folded
from whimbrel.core.log import LogPage, LogQuery
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Known, call
from whimbrel.services.admin.changes.audit import shown
from whimbrel.services.admin.changes.change_lines import SETTING, ChangeLine, change_line
from whimbrel.services.admin.changes.change_state import Made, made_of, plain_refusal, present, refusal
from whimbrel.services.admin.changes.origins import Origins
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.numbers import MOST_LISTED
from whimbrel.services.admin.server import moments
from whimbrel.services.admin.server.logs import Since, Until, moment
from whimbrel.services.admin.versions import digest
from whimbrel.services.admin.views import Moment, Page, Words

_PLAIN: Final = re.compile(r"[\w.@-]{3,250}\Z")
"""What the index of the log has as one word."""
PIECE: Final = 500
"""Lines of the log that are looked at in one go."""
PIECES: Final = 20
"""Of these for one page: a page of rare changes may be short, and says how to go on."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One value that was changed. The rows of one call have one id: they are a change, which is undone as a whole."""

    at: Moment
    user: str
    kind: str
    """setting, domain, user, alias, group; `records`: so many that were not named one by one."""
    action: str
    """changed, added, removed, moved."""
    subject: str
    field: str
    old: Words
    new: Words
    id: str
    """Empty for what a release before this one wrote."""
    can_undo: bool
    """By what the log has of it; `change show` compares with what stands there now."""
    origin: str


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """One value of a change, and what stands there now."""

    kind: str
    action: str
    subject: str
    field: str
    old: Words
    new: Words
    now: Words
    cannot_undo: Words
    """Why not; empty: it can be undone."""


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change: all that one call changed."""

    id: str
    at: Moment
    user: str
    origin: str
    call: str
    """Which call it was; empty while it is still at work, or if it was cut off."""
    can_undo: bool
    values: tuple[ChangedValue, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are listed: those for which all holds that is said."""

    user: str
    record: str
    setting: str

    def matches(self, line: ChangeLine) -> bool:
        """`record`: an address, or a domain with all that is in it; `setting`: a path, or what it begins with."""
        if self.record and (line.kind == SETTING or self.record not in (folded(line.subject), line.domain)):
            return False
        if self.setting and (line.kind != SETTING or not _is_below(line.subject, self.setting)):
            return False
        return self.user in ("", line.user.casefold())

    def query(self, text: str, since: float, until: float) -> LogQuery:
        """What finds all of these lines quickly, and perhaps others."""
        words = tuple(word for word in (self.user, self.record) if _PLAIN.match(word))
        text = text or (f"setting: {self.setting}" if self.setting else "")
        return LogQuery(("config",), since, until, text, words=words, newest_first=True)


def _is_below(path: str, start: str) -> bool:
    return path == start or path.startswith((f"{start}/", f"{start}["))


@call(
    "change",
    "list",
    reads=True,
    right=Right.ACCOUNTS,
    names=("change", "id"),
    help="Lists what was changed, value by value, the newest first.",
)
async def change_list(
    ctx: AdminContext,
    user: Annotated[str, "Only what this user changed; local for the command line."] = "",
    record: Annotated[str, "Only what concerns this user, alias or group, or a domain and all that is in it."] = "",
    setting: Annotated[str, "Only this setting, or those below a path such as smtp.", Known("setting")] = "",
    text: Annotated[str, "Only with this text, in any case."] = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, "Most to list.", MOST_LISTED] = 100,
    after: Annotated[str, "Go on where the last page ended."] = "",
) -> Page[ChangeRow]:
    wanted = Wanted(user.strip().casefold(), folded(as_recorded(record.strip()).removeprefix("@")), setting.strip("/ "))
    query = wanted.query(text, moment(ctx, "since", since), moment(ctx, "until", until))
    rows, origins = list[ChangeRow](), Origins(ctx)
    oldest = 0.0
    for _ in range(PIECES):
        page, lines = await _piece(ctx, query, wanted, limit - len(rows), after)
        rows += [_row(line, await origins.shown(line)) for line in lines if await origins.matches(line, text)]
        oldest, after = (page.lines[-1].at if page.lines else oldest), page.cursor
        if page.note:
            ctx.warn(page.note)
        if not after or len(rows) >= limit or page.note:
            break
    else:
        ctx.warn(f"What is older than {moments.shown(oldest)} was not looked at: go on with --after")
    return Page(tuple(rows), after)


async def _piece(
    ctx: AdminContext, query: LogQuery, wanted: Wanted, room: int, cursor: str
) -> tuple[LogPage, list[ChangeLine]]:
    """The next lines of the log, and at most `room` changes among them: the page ends with the last of these."""
    size = PIECE
    while True:
        page = await _search(ctx, query, size, cursor)
        places = [
            (number, line)
            for number, each in enumerate(page.lines, 1)
            if (line := change_line(each)) and wanted.matches(line) and line.visible_to(ctx.caller.grants)
        ]
        if len(places) <= room:
            return page, [line for _, line in places]
        size = places[room - 1][0]  # Fewer than before: it ends.


async def _search(ctx: AdminContext, query: LogQuery, limit: int, cursor: str) -> LogPage:
    try:
        return await need(ctx.logs, "Reading logs").search(query, limit, cursor)
    except ValueError as error:
        raise CallError(Failure.USAGE, str(error), FieldFault("after" if cursor else "text", str(error))) from None


def _row(line: ChangeLine, origin: str) -> ChangeRow:
    return ChangeRow(
        Moment(line.at), line.user, line.kind, line.action, line.subject, line.field, line.old, line.new, line.id,
        not plain_refusal(line), origin,
    )  # fmt: skip


async def version(ctx: AdminContext, id: str, **_values: object) -> str:
    """Of what a change changed, as it stands now."""
    made = await made_of(ctx, id)
    return digest([(line.place, await present(ctx, line)) for line in made.lines])


Id = Annotated[str, "Id of the change, as change list shows it.", Known("change")]


@call(
    "change",
    "show",
    reads=True,
    right=Right.ACCOUNTS,
    version=version,
    help="Shows all that one call changed, what stands there now, and whether it can be undone.",
)
async def change_show(ctx: AdminContext, id: Id) -> ChangeView:
    made = await made_of(ctx, id)
    values = [await _value(ctx, made, line) for line in made.lines]
    first = made.lines[0]
    can_undo = not any(value.cannot_undo for value in values)
    origin = await Origins(ctx).shown(first)
    return ChangeView(first.id, Moment(first.at), first.user, origin, made.call, can_undo, tuple(values))


async def _value(ctx: AdminContext, made: Made, line: ChangeLine) -> ChangedValue:
    now = await present(ctx, line)
    reason = await refusal(ctx, made, line)
    return ChangedValue(line.kind, line.action, line.subject, line.field, line.old, line.new, shown(now or ""), reason)
