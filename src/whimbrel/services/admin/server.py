"""Calls about the running server and its services (mission S21 to S23)."""

from dataclasses import dataclass
from typing import Annotated, Final

from whimbrel.services.admin.calls import Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.ports import Running
from whimbrel.services.admin.resolving import dangling
from whimbrel.services.admin.views import Moment, Octets, Page

DOUBTFUL: Final = 200
"""Names that may lead nowhere and are looked at with each status; `config check` looks at more."""


@dataclass(frozen=True, slots=True)
class ProcessRow:
    name: str
    pid: int
    memory: Octets


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """`state`: listening, partly (one address could not be bound), refused, off, or stopped (no server)."""

    service: str
    state: str
    listen: tuple[str, ...]
    """As configured."""
    tls: str
    detail: str


@dataclass(frozen=True, slots=True)
class StatusView:
    version: str
    pid: int
    started: Moment
    waiting: int
    """Messages in the queue."""
    held: int
    free: Octets
    """Where the store is."""
    space: str
    """enough, low (below the soft limit) or full (no mail is taken in)."""
    attention: tuple[str, ...]
    """What an administrator should look at, each a sentence."""
    services: tuple[ServiceRow, ...]
    processes: tuple[ProcessRow, ...]


@call("status", reads=True, needs=Needs.SERVER, help="Shows the running server: services, processes, queue.")
async def status(ctx: AdminContext) -> StatusView:
    running = await need(ctx.status, "The status").running()
    counts = await ctx.queue.counts(ctx.clock.now()) if ctx.queue else None
    return StatusView(
        running.version,
        running.pid,
        Moment(running.started),
        counts.waiting if counts else 0,
        counts.held if counts else 0,
        Octets(running.free),
        running.space,
        await _attention(ctx, running),
        _services(ctx, running),
        tuple(ProcessRow(process.name, process.pid, Octets(process.memory)) for process in running.processes),
    )


async def _attention(ctx: AdminContext, running: Running) -> tuple[str, ...]:
    found = [str(concern) for concern in ctx.config.concerns()]
    for file, difference in (("mailserver.cfg", ctx.config.difference()), ("users.cfg", ctx.editor.difference())):
        if difference:
            found.append(
                f"{file} was changed outside and the server goes on with what it has: see `whimbrel config diff`, then "
                "`whimbrel config reload` or `whimbrel config keep`"
            )
    if running.space != "enough":
        found.append(f"free space is {running.space}: {running.free} octets are left where the store is")
    found += await dangling(ctx, DOUBTFUL)
    if ctx.jobs is not None:
        found += [f"job {job.name}: {job.result}" for job in ctx.jobs.list() if job.failed]
    return tuple(found)


@call(
    "service",
    "list",
    reads=True,
    names=("service", "service"),
    help="Lists the services with their addresses and states.",
)
async def service_list(
    ctx: AdminContext, enabled: Annotated[bool, "Only those that are switched on."] = False
) -> Page[ServiceRow]:
    running = await ctx.status.running() if ctx.status else None
    return Page(tuple(row for row in _services(ctx, running) if not enabled or row.state != "off"))


def _services(ctx: AdminContext, running: Running | None) -> tuple[ServiceRow, ...]:
    from whimbrel.services.session.services import ServicesSettings  # Here: the command line's client needs it not.

    configured = ctx.config.section(ServicesSettings)
    listening = {found.service: found for found in running.listening} if running else {}
    rows = []
    for name in type(configured).model_fields:
        service, found = configured.named(name), listening.get(name)
        if not running:
            state = "stopped" if service.enabled else "off"
        elif found is None or not (found.addresses or found.refused):
            state = "off"
        else:
            state = "refused" if not found.addresses else "partly" if found.refused else "listening"
        detail = "; ".join(found.refused) if found else ""
        if running and not detail and service.enabled != (state != "off"):
            detail = "changed: takes effect at a restart"
        rows.append(ServiceRow(name, state, tuple(map(str, service.listen)), service.tls, detail))
    return tuple(rows)
