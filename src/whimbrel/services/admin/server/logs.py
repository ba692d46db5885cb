"""Calls about the logs (mission S29 to S33)."""

import time
from calendar import timegm
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

from whimbrel.core.address import as_recorded
from whimbrel.core.log import LogLine, LogPage, LogQuery
from whimbrel.services.admin.calls import ARGUMENT, CallError, Failure, FieldFault, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.numbers import MOST_LISTED, Between
from whimbrel.services.admin.server import moments
from whimbrel.services.admin.views import Done, Moment, done

LogName = Literal["mail", "security", "warning", "error", "debug", "config", "operations", "spam"]
DebugCategory = Literal[
    "all", "admin", "config", "delivery", "dns", "filter", "imap", "lmtp", "message", "pop3", "queue", "routing",
    "sending", "server", "session", "signin", "smtp", "store", "tls"]  # fmt: skip
ALL_LOGS: Final = ("mail", "security", "warning", "error", "debug", "config", "operations", "spam")
MOST: Final = 10_000
PAGES: Final = 6
"""A command looks on for so many pages that ended because their time was up: half a minute."""
_NEEDED: Final = "Reading logs"

Logs = Annotated[tuple[LogName, ...], "Which logs; mail unless said.", ARGUMENT]
Grep = Annotated[str, "Only lines that contain this text, in any case."]
Since = Annotated[str, "From then on: 1h ago is 1h; or yesterday, 17:00, 2026-11-24 17:00."]
Until = Annotated[str, "Up to then; 1h or a local time."]


@dataclass(frozen=True, slots=True)
class LineView:
    log: str
    at: Moment
    text: str


@dataclass(frozen=True, slots=True)
class PageView:
    items: tuple[LineView, ...]
    more: str
    """Where the next page begins; empty at the end."""
    note: str


@call("log", "tail", reads=True, help="Shows the end of logs, and with --follow what is written from now on.")
async def log_tail(
    ctx: AdminContext,
    log: Logs = ("mail",),
    lines: Annotated[int, "How many lines from the end.", Between(0, MOST, such_as=100)] = 20,
    follow: Annotated[bool, "Go on with new lines until interrupted."] = False,
    grep: Grep = "",
    since: Since = "",
) -> AsyncIterator[str]:
    logs = need(ctx.logs, _NEEDED)
    query = LogQuery(tuple(dict.fromkeys(log)), since=moment(ctx, "since", since), text=grep, newest_first=True)
    page = await pages(ctx, query, lines)
    for line in reversed(page.lines):
        yield _shown(line, log)
    if page.note and len(page.lines) < lines:
        if not follow:
            raise CallError(Failure.FAILED, page.note)
        yield f"({page.note})"
    if follow:
        needle = grep.casefold()
        async for line in logs.follow(query.logs):
            if not needle or needle in line.text.casefold():
                yield _shown(line, log)


@call("log", "search", reads=True, help="Finds lines by text, regular expression, id, address or host, and time.")
async def log_search(
    ctx: AdminContext,
    text: Annotated[str, "Part of the line, in any case.", ARGUMENT] = "",
    log: Annotated[tuple[LogName, ...], "Which logs; all unless said. May be given again."] = (),
    regex: Annotated[str, "A regular expression, in any case."] = "",
    id: Annotated[str, "A queue id or a message-id. Found by the index."] = "",
    address: Annotated[str, "An address, or a domain. Found by the index."] = "",
    host: Annotated[str, "A host name or IP address. Found by the index."] = "",
    since: Since = "",
    until: Until = "",
    newest: Annotated[bool, "The newest line first."] = False,
    limit: Annotated[int, "At most so many lines.", MOST_LISTED] = 1000,
    after: Annotated[str, "Go on where the last page ended."] = "",
) -> PageView:
    query = LogQuery(
        tuple(dict.fromkeys(log)) or ALL_LOGS,
        moment(ctx, "since", since),
        moment(ctx, "until", until),
        text,
        regex,
        tuple(word for word in (id, as_recorded(address).removeprefix("@"), as_recorded(host)) if word),
        newest,
    )
    return _view(await pages(ctx, query, limit, after), several=len(query.logs) > 1)


@call("log", "show", reads=True, help="Shows a part of a log: from a time, or from a line number on.")
async def log_show(
    ctx: AdminContext,
    log: Annotated[LogName, "Which log.", ARGUMENT] = "mail",
    at: Annotated[str, "From this time on: 1h ago is 1h; or yesterday, 17:00, 2026-11-24 17:00."] = "",
    line: Annotated[int, "From this line on; the first is 1.", Between(1, such_as=100)] = 1,
    file: Annotated[
        int, "With --line: 0 is the current file, 1 the youngest put aside.", Between(0, 1000, such_as=1)
    ] = 0,
    lines: Annotated[int, "How many.", MOST_LISTED] = 50,
    after: Annotated[str, "With --at: go on where the last page ended."] = "",
) -> PageView:
    if at or after:
        return _view(await pages(ctx, LogQuery((log,), since=moment(ctx, "at", at)), lines, after))
    try:
        page_lines = await need(ctx.logs, _NEEDED).lines(log, file, line, lines)
    except ValueError as error:
        raise CallError(Failure.NOT_FOUND, str(error)) from None
    if not page_lines and line > 1:
        raise CallError(
            Failure.NOT_FOUND, f"There is no line {line}: the file ends before it", FieldFault("line", "is not there")
        )
    return PageView(tuple(map(_line, page_lines)), "", "")


@call("log", "rotate", help="Puts the files of logs aside now and begins new ones.")
async def log_rotate(
    ctx: AdminContext, log: Annotated[tuple[LogName, ...], "Which logs; all unless said.", ARGUMENT] = ()
) -> Done:
    logs = need(ctx.logs, _NEEDED)
    chosen = tuple(dict.fromkeys(log)) or ALL_LOGS
    rotated = chosen if ctx.dry_run else await logs.rotate(chosen)
    for name in rotated if not ctx.dry_run else ():
        ctx.log.info("log.rotated", log=name)
    if not rotated:
        return Done("All files are empty: nothing to do")
    return done(ctx.dry_run, f"Log {', '.join(rotated)}", "put aside")


@call(
    "log",
    "level",
    help="Sets what the debug log tells about, and for how long; shows it if nothing is said. smtp, lmtp, imap, pop3 "
    "and sending show whole dialogues, without passwords and mail.",
)
async def log_level(
    ctx: AdminContext,
    category: Annotated[tuple[DebugCategory, ...], "What to tell about; all for everything.", ARGUMENT] = (),
    lasting: Annotated[str, "It falls silent by itself after so long, such as 30m; 0: never."] = "1h",
    off: Annotated[bool, "Falls silent now."] = False,
) -> Done:
    if category and off:
        raise CallError(Failure.USAGE, "say either categories or --off", FieldFault("off", "with categories"))
    if not category and not off:
        return Done(_level(ctx))
    ends, seconds = "", _lasting(lasting)
    if category and seconds:
        ends = time.strftime(_UTC, time.gmtime(ctx.clock.now() + seconds))
    values: dict[str, object] = {
        # The former release knows no `sending`.
        "logs/debug": tuple(dict.fromkeys("delivery" if name == "sending" else name for name in category)) or None,
        "logs/debug-until": ends or None,
    }
    if ctx.dry_run:
        ctx.config.check(values)
        return done(True, "The debug log", "set to tell about " + (", ".join(category) or "nothing"))
    await ctx.config.change(values, passing=True)
    return Done(_level(ctx))


def _level(ctx: AdminContext) -> str:
    categories, ends = ctx.config.get("logs/debug"), str(ctx.config.get("logs/debug-until"))
    if not categories:
        return "The debug log is off"
    names = categories if isinstance(categories, str) else ", ".join(categories)
    if not ends:
        return f"The debug log tells about {names}, until it is switched off"
    try:
        until = float(timegm(time.strptime(ends, _UTC)))
    except ValueError:  # The thirtieth of February, written by hand: it has passed.
        return f"The debug log told about {names} until {ends}"
    verb = "told" if until <= ctx.clock.now() else "tells"
    return f"The debug log {verb} about {names} until {moments.shown(until)}"


async def pages(ctx: AdminContext, query: LogQuery, limit: int, cursor: str = "") -> LogPage:
    """At most `limit` lines, of several pages where the time of one is up. CallError."""
    logs, lines, note = need(ctx.logs, _NEEDED), list[LogLine](), ""
    try:
        for _ in range(PAGES):
            page = await logs.search(query, limit - len(lines), cursor)
            lines += page.lines
            cursor, note = page.cursor, page.note
            if not cursor or len(lines) >= limit:
                break
    except ValueError as error:
        raise CallError(Failure.USAGE, str(error)) from None
    return LogPage(tuple(lines), cursor, note)


_UTC: Final = "%Y-%m-%dT%H:%M:%SZ"
_LONGEST: Final = 366 * 86_400.0


def moment(ctx: AdminContext, name: str, text: str) -> float:
    """A time as people write it; 0 for none. CallError."""
    if not text.strip():
        return 0.0
    try:
        return moments.moment(text, ctx.clock.now())
    except ValueError as error:
        raise _wrong(name, str(error)) from None


def _lasting(text: str) -> float:
    """Seconds, 0 for ever. CallError."""
    if text.strip() == "0":
        return 0.0
    try:
        seconds = moments.span(text)
    except ValueError as error:
        raise _wrong("lasting", str(error)) from None
    if not 1.0 <= seconds <= _LONGEST:
        raise _wrong("lasting", f"'{text}' is not between a second and a year; 0 is for ever")
    return seconds


def _wrong(name: str, text: str) -> CallError:
    return CallError(Failure.USAGE, f"{name}: {text}", FieldFault(name, text))


def _view(page: LogPage, *, several: bool = False) -> PageView:
    """Lines of `several` logs say of which they are; `log` has it for programs."""
    lines = page.lines
    logs = tuple(dict.fromkeys(line.log for line in lines)) if several else ()
    views = [replace(_line(line), text=_shown(line, logs)) for line in lines]
    return PageView(tuple(views), page.cursor, page.note)


def _line(line: LogLine) -> LineView:
    return LineView(line.log, Moment(line.at), line.text)


def _shown(line: LogLine, logs: Sequence[str]) -> str:
    """Of several logs each line says of which it is."""
    return f"{line.log}: {line.text}" if len(logs) > 1 else line.text
