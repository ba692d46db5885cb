"""Calls about the logs (mission S29 to S33)."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from whimbrel.services.admin.calls import call
from whimbrel.services.admin.context import AdminContext, need

LogName = Literal["mail", "security", "warning", "error", "debug", "config", "operations", "spam"]


@call("log", "tail", reads=True, help="Shows the end of a log, and with --follow what is written from now on.")
async def log_tail(
    ctx: AdminContext,
    log: Annotated[LogName, "Which log."],
    lines: Annotated[int, "How many lines from its end."] = 20,
    follow: Annotated[bool, "Go on with new lines until interrupted."] = False,
    grep: Annotated[str, "Only lines that contain this text, in any case."] = "",
) -> AsyncIterator[str]:
    logs = need(ctx.logs, "Reading logs")
    for line in await logs.tail(log, max(0, min(lines, 100_000)), grep):
        yield line
    if follow:
        async for line in logs.follow(log, grep):
            yield line
