"""Calls about the running server (mission S21)."""

import contextlib
from dataclasses import dataclass
from typing import Final

from whimbrel.core.counting import counted
from whimbrel.core.errors import MailError
from whimbrel.services.admin.calls import Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.people.resolving import dangling
from whimbrel.services.admin.ports import Running
from whimbrel.services.admin.server.moments import shown
from whimbrel.services.admin.server.services import ServiceRow, service_rows
from whimbrel.services.admin.server.stats import today
from whimbrel.services.admin.views import Moment, Octets, Words

DOUBTFUL: Final = 200
"""Names that may lead nowhere and are looked at with each status; `config check` looks at more."""


@dataclass(frozen=True, slots=True)
class ProcessRow:
    name: str
    pid: int
    memory: Octets


@dataclass(frozen=True, slots=True)
class AttentionRow:
    """`level`: danger (an open relay, all users gone), wrong (it cannot work so), warning."""

    level: str
    text: Words


@dataclass(frozen=True, slots=True)
class StatusView:
    version: str
    pid: int
    started: Moment
    waiting: int
    """Messages in the queue."""
    held: int
    red: int
    """Health checks that are red, as last made: see `whimbrel doctor`."""
    free: Octets
    """Where the store is."""
    space: str
    """enough, low (below the soft limit), full or read-only (no mail is taken in)."""
    today: dict[str, int]
    """What was counted since midnight."""
    attention: tuple[AttentionRow, ...]
    """What an administrator should look at."""
    services: tuple[ServiceRow, ...]
    processes: tuple[ProcessRow, ...]


@call("status", reads=True, needs=Needs.SERVER, help="Shows the running server: services, processes, queue.")
async def status(ctx: AdminContext) -> StatusView:
    running = await need(ctx.status, "The status").running()
    counts, unread = None, ""
    try:
        counts = await ctx.queue.counts(ctx.clock.now()) if ctx.queue else None
    except MailError as error:  # As while the store's file system is gone: the rest is needed all the more.
        unread = error.detail or error.text
    services = await service_rows(ctx, running)
    attention = await _attention(ctx, running, services)
    if unread:
        attention = (AttentionRow("wrong", f"the queue cannot be read: {unread}"), *attention)
    return StatusView(
        running.version,
        running.pid,
        Moment(running.started),
        counts.waiting if counts else 0,
        counts.held if counts else 0,
        len(ctx.health.red) if ctx.health else 0,
        Octets(running.free),
        running.space,
        dict(today(await ctx.statistics.totals())) if ctx.statistics else {},
        attention,
        services,
        tuple(ProcessRow(process.name, process.pid, Octets(process.memory)) for process in running.processes),
    )


async def _attention(ctx: AdminContext, running: Running, services: tuple[ServiceRow, ...]) -> tuple[AttentionRow, ...]:
    rows = [AttentionRow(concern.gravity.name.lower(), str(concern)) for concern in ctx.config.concerns()]
    sentences: list[str] = []
    forgets = {"mailserver.cfg": ctx.config.forgets(), "users.cfg": ctx.editor.forgets()}
    rows += [AttentionRow("danger", text) for text in forgets.values() if text]
    for file, difference in (("mailserver.cfg", ctx.config.difference()), ("users.cfg", ctx.editor.difference())):
        if difference and not forgets[file]:
            sentences.append(
                f"{file} was changed outside and the server goes on with what it has: see `whimbrel config diff`, then "
                "`whimbrel config reload` or `whimbrel config keep`"
            )
    sentences += [
        f"{row.service} is {row.state}: {row.detail}" for row in services if row.state in ("refused", "partly")
    ]
    if running.space == "read-only":
        sentences.append("the file system of the store is read-only: no mail is taken in")
    elif running.space != "enough":
        sentences.append(f"free space is {running.space}: {running.free} octets are left where the store is")
    sentences += await _filters_down(ctx)
    if ctx.health is not None and (red := [each.name for each in ctx.health.red]):
        sentences.append(
            f"{counted(len(red), 'health check')} {'is' if len(red) == 1 else 'are'} red ({', '.join(red)}): see "
            "`whimbrel doctor`"
        )
    with contextlib.suppress(MailError):  # The store cannot be read now, which is told above.
        sentences += await dangling(ctx, DOUBTFUL)
    if ctx.jobs is not None:
        sentences += [f"job {job.name}: {job.result}" for job in ctx.jobs.list() if job.failed]
    return (*rows, *(AttentionRow("warning", text) for text in sentences))


async def _filters_down(ctx: AdminContext) -> list[str]:
    """Since when each gives no answer, for how much mail, and why."""
    from whimbrel.flow.judging.health import filter_health  # Here: the command line's client needs it not.

    health = await filter_health(ctx.state) if ctx.state is not None else []
    return [
        f"filter {each.name} has been down since {shown(each.since)}: {counted(each.failures, 'message')} had no "
        f"answer of it; last error: {each.error or 'none was given'}"
        for each in health
        if not each.until
    ]
