"""Calls about deliveries under way (mission S42, S43)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from whimbrel.core.tasks import DeliveryTask
from whimbrel.services.admin.calls import Known, Needs, call, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.numbers import Between
from whimbrel.services.admin.views import Done, Moment, Octets, Page, done

FASTEST = 0.1
"""Seconds between two looks, at least."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    id: str
    queue_id: str
    sender: str
    destination: str
    recipients: int
    phase: str
    server: str
    size: Octets
    percent: int
    tls: str
    since: Moment


@dataclass(frozen=True, slots=True)
class TaskChange:
    """A task that is new, has gone on, or has ended."""

    id: str
    queue_id: str
    destination: str
    phase: str
    """`ended` when it is over."""
    progress: str
    """`45%`"""
    server: str
    tls: str


@call(
    "task",
    "list",
    reads=True,
    needs=Needs.SERVER,
    names=("task", "id"),
    help="Lists the deliveries under way, the longest running first.",
)
async def task_list(ctx: AdminContext) -> Page[TaskRow]:
    return Page(tuple(
        TaskRow(
            task.id, task.queue_id, task.sender, task.destination, task.recipients, task.phase, task.server,
            Octets(task.size), _percent(task), task.tls, Moment(task.since),
        )
        for task in await need(ctx.tasks, "The list of tasks").list()
    ))  # fmt: skip


@call(
    "task",
    "watch",
    reads=True,
    live=True,
    needs=Needs.SERVER,
    help="Shows deliveries as they go on, until interrupted.",
)
async def task_watch(
    ctx: AdminContext,
    interval: Annotated[float, "Seconds between two looks.", Between(FASTEST, 3600, such_as=0.5)] = 0.25,
    looks: Annotated[int, "End after so many looks; 0: never."] = 0,
) -> AsyncIterator[TaskChange]:
    tasks = need(ctx.tasks, "The list of tasks")
    before: dict[str, TaskChange] = {}
    number = 0
    while True:
        now = {task.id: _change(task) for task in await tasks.list()}
        for name, change in now.items():
            if before.get(name) != change:
                yield change
        for name, change in before.items():
            if name not in now:
                yield TaskChange(name, change.queue_id, change.destination, "ended", "", change.server, change.tls)
        before = now
        number += 1
        if number == looks:
            return
        await asyncio.sleep(interval)


@call("task", "abort", needs=Needs.SERVER, help="Ends a delivery; its message goes back into the queue.")
async def task_abort(ctx: AdminContext, id: Annotated[str, "Task id.", Known("task")]) -> Done:
    tasks = need(ctx.tasks, "The list of tasks")
    if ctx.dry_run:
        if all(task.id != id for task in await tasks.list()):
            not_found("delivery under way with the id", id)
    elif not await tasks.abort(id):
        not_found("delivery under way with the id", id)
    return done(ctx.dry_run, f"The delivery {id}", "ended", "; its message is tried again by the schedule")


def _percent(task: DeliveryTask) -> int:
    return min(100 * task.sent // task.size, 100) if task.size else 0


def _change(task: DeliveryTask) -> TaskChange:
    return TaskChange(task.id, task.queue_id, task.destination, task.phase, f"{_percent(task)}%", task.server, task.tls)
