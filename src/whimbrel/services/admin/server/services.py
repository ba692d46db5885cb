"""Calls about the network services (mission S21 to S23)."""

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from whimbrel.services.admin.calls import CallError, Failure, Known, Needs, call, nearest, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.ports import Listening, Running
from whimbrel.services.admin.views import Page, Words

Name = Annotated[str, "Name of the service, such as imaps.", Known("service")]


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """`state`: listening, partly (one address could not be bound), refused, stopped (by a person, or since no server
    runs), starting (enabled a moment ago) or off (not enabled)."""

    service: str
    state: str
    listen: tuple[str, ...]
    """As configured."""
    tls: str
    connections: int
    detail: Words


@call(
    "service",
    "list",
    reads=True,
    names=("service", "service"),
    help="Lists the services with their addresses, states and connections.",
)
async def service_list(
    ctx: AdminContext, enabled: Annotated[bool, "Only those that are switched on."] = False
) -> Page[ServiceRow]:
    running = await ctx.status.running() if ctx.status else None
    return Page(tuple(row for row in await service_rows(ctx, running) if not enabled or row.state != "off"))


@call("service", "start", needs=Needs.SERVER, help="Starts a service, until the server ends.")
async def service_start(ctx: AdminContext, name: Name) -> ServiceRow:
    _known(ctx, name)
    if not ctx.dry_run:
        await _switch(need(ctx.services, "Starting a service").start(name))
        await warn_of_refused(ctx, (name,))
    return await _row(ctx, name)


async def _before_stopping(_ctx: AdminContext, name: str) -> str:
    """What a person is asked; of the console, how it comes back."""
    again = " The console is gone with it: `whimbrel service start console` on the server brings it back."
    question = f"End the sessions of {name}, and take no connections until it or the server is started?"
    return question + (again if name == "console" else "")


@call(
    "service",
    "stop",
    needs=Needs.SERVER,
    confirm=_before_stopping,
    help="Stops a service and ends its sessions. It stays so until `service start` or the next start of the server.",
)
async def service_stop(ctx: AdminContext, name: Name) -> ServiceRow:
    _known(ctx, name)
    if not ctx.dry_run:
        await _switch(need(ctx.services, "Stopping a service").stop(name))
    return await _row(ctx, name)


@call(
    "service",
    "restart",
    needs=Needs.SERVER,
    confirm="End the sessions of {name}?",
    help="Ends the sessions of a service and begins it anew; its ports stay open.",
)
async def service_restart(ctx: AdminContext, name: Name) -> ServiceRow:
    _known(ctx, name)
    if not ctx.dry_run:
        await _switch(need(ctx.services, "Restarting a service").restart(name))
        await warn_of_refused(ctx, (name,))
    return await _row(ctx, name)


async def service_rows(ctx: AdminContext, running: Running | None) -> tuple[ServiceRow, ...]:
    """All services; `running` is the server, if one runs."""
    from whimbrel.services.session.services import ServicesSettings  # Here: the command line's client needs it not.

    configured = ctx.config.section(ServicesSettings)
    listening = {each.service: each for each in running.listening} if running else {}
    counts: Mapping[str, int] = {}
    if ctx.services is not None:
        try:
            counts = await ctx.services.connections()
        except OSError:  # What is known is shown all the same.
            counts = {}
    rows = []
    for name in type(configured).model_fields:
        service, present = configured.named(name), listening.get(name, Listening(name, ()))
        if present.override is False:
            state, detail = "stopped", "until `service start`, or the next start of the server"
        elif not running:
            state, detail = "stopped" if service.enabled else "off", ""
        elif not (present.addresses or present.refused):
            state, detail = "starting" if service.enabled and service.listen else "off", ""
        else:
            state = "refused" if not present.addresses else "partly" if present.refused else "listening"
            detail = _refused(name, present, tuple(map(str, service.listen)))
        rows.append(ServiceRow(name, state, tuple(map(str, service.listen)), service.tls, counts.get(name, 0), detail))
    return tuple(rows)


NOT_OURS: Final = "this machine has no such address"
"""As the supervisor says it, which loads no services."""


def _refused(name: str, present: Listening, configured: tuple[str, ...]) -> str:
    """Which addresses could not be had, where the service is instead, and what to do."""
    if not present.refused:
        return ""
    former = ", ".join(address for address in present.addresses if address not in configured)
    still = f"; until then it goes on listening on {former}" if former else ""
    foreign = all(NOT_OURS in each for each in present.refused)
    remedy = "give it the address, or choose one that it has" if foreign else "free the port, or choose another"
    return (
        f"{'; '.join(present.refused)}. It is tried again every few seconds{still}: {remedy} "
        f"by `whimbrel config set services/{name.replace('_', '-')}/listen`"
    )


async def warn_of_refused(ctx: AdminContext, names: Collection[str]) -> None:
    """Says which of these services could not have the ports that they are to have."""
    running = await ctx.status.running() if ctx.status else None
    for row in await service_rows(ctx, running):
        if row.service in names and row.state in ("refused", "partly"):
            ctx.warn(f"{row.service} is {row.state}: {row.detail}")


async def apply_services(ctx: AdminContext, paths: Collection[str] | None = None) -> None:
    """Changed settings of services are in force when this returns; warns of ports that could not be had. `paths`: of
    the settings that changed; any may have unless given."""
    from whimbrel.services.session.services import ServicesSettings

    if paths is None:
        names = set(type(ctx.config.section(ServicesSettings)).model_fields)
    else:
        names = {path.split("/")[1].replace("-", "_") for path in paths if path.startswith("services/")}
    if not names or ctx.services is None:
        return
    try:
        await ctx.services.apply()
    except OSError as error:
        ctx.warn(f"The services do not listen as set yet: {error or 'the server does not answer'}; see the error log")
        return
    await warn_of_refused(ctx, names)


def _known(ctx: AdminContext, name: str) -> None:
    from whimbrel.services.session.services import ServicesSettings

    names = tuple(type(ctx.config.section(ServicesSettings)).model_fields)
    if name not in names:
        not_found("service", name, nearest(name, names))


async def _switch(change: Awaitable[None]) -> None:
    try:
        await change
    except OSError as error:
        text = str(error) or "it does not answer"
        raise CallError(Failure.UNAVAILABLE, f"The server could not do that: {text}; see the error log") from None


async def _row(ctx: AdminContext, name: str) -> ServiceRow:
    running = await ctx.status.running() if ctx.status else None
    return next(row for row in await service_rows(ctx, running) if row.service == name)
