"""The table of topics that a console can watch. What a call answers is shown as the call answers it."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Final

from pydantic import TypeAdapter

from whimbrel.core.log import LogLine
from whimbrel.core.rights import Right
from whimbrel.core.stats import LATENCY
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.invoke import invoke, result_adapter
from whimbrel.services.admin.server.operation import OperationRow, operation_row
from whimbrel.services.admin.server.stats import today
from whimbrel.services.admin.table import calls_of
from whimbrel.services.console.events_hub import Follow, Look, Topic

CONNECTIONS: Final = 500
OPERATIONS: Final = 50
_OPERATIONS: Final = TypeAdapter(list[OperationRow])


def topics(logs: Sequence[str]) -> Sequence[Topic]:
    """All of them; `logs` are the names of the logs."""
    return (
        Topic("counters", Right.SERVER_READ, _counters, period=2.0),
        Topic("queue", Right.SERVER_READ, _queue, period=1.0),
        Topic("tasks", Right.SERVER_READ, _of_call("task", "list"), period=0.25),
        Topic("connections", Right.ACCOUNTS, _of_call("connection", "list", {"limit": CONNECTIONS}), period=1.0),
        Topic("services", Right.SERVER_READ, _of_call("service", "list"), period=2.0),
        Topic("operations", Right.ACCOUNTS, _operations, period=0.5, own=True),
        Topic("health", Right.SERVER_READ, _of_call("doctor", "", {"kept": True, "all": True}), period=2.0),
        Topic("servers", Right.SERVER_READ, _of_call("server", "list"), period=2.0),
        Topic("alerts", Right.SERVER_READ, _of_call("alert", "list"), period=2.0),
        Topic("config", Right.SERVER_READ, follow=_following("config")),
        *(Topic(f"log:{name}", Right.SERVER_READ, follow=_following(name)) for name in logs),
    )


def _of_call(noun: str, verb: str, arguments: Mapping[str, object] | None = None) -> Look:
    call = next(each for each in calls_of(noun) if each.verb == verb)

    async def look(ctx: AdminContext) -> bytes:
        return result_adapter(call).dump_json(await invoke(call, ctx.request(ctx.caller), arguments or {}))

    return look


async def _counters(ctx: AdminContext) -> bytes:
    """Totals since ever of what was counted at all: who watches makes rates of them."""
    totals = await need(ctx.statistics, "Statistics").totals()
    counts = {name: value for name, value in totals.counts["ever"].items() if value and not name.startswith(LATENCY)}
    return json.dumps(
        {"at": round(totals.at, 1), "counts": counts, "today": dict(today(totals)), "now": dict(totals.gauges)}
    ).encode()


async def _queue(ctx: AdminContext) -> bytes:
    counts = await need(ctx.queue, "The queue").counts(ctx.clock.now())
    return json.dumps(asdict(counts)).encode()


async def _operations(ctx: AdminContext) -> bytes:
    """All for who may see the whole server; for others their own."""
    caller, rows = ctx.caller, need(ctx.operations, "Operations").list()
    if caller.grants.domains(Right.SERVER_READ, reads=True) is not None:
        rows = [operation for operation in rows if operation.owner == caller.owner]
    return b'{"items":' + _OPERATIONS.dump_json([operation_row(each) for each in rows[:OPERATIONS]]) + b"}"


def _following(log: str) -> Follow:
    async def follow(ctx: AdminContext) -> AsyncGenerator[LogLine, None]:
        lines = need(ctx.logs, "The logs").follow([log])
        if isinstance(lines, AsyncGenerator):
            async with aclosing(lines):
                async for line in lines:
                    yield line
        else:
            async for line in lines:
                yield line

    return follow
