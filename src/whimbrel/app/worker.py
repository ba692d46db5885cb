"""One worker process: its loop, its parts and services by the tables, its end."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from whimbrel.app.process import loop_factory, prepare
from whimbrel.app.processes.process import Process
from whimbrel.app.services import Service, Serving
from whimbrel.app.wiring import opened
from whimbrel.backends.net.listener import watch_lag

if TYPE_CHECKING:
    from whimbrel.app.installation import Installation

Sockets = Mapping[str, list[socket.socket]]
GRACE = 10.0
"""Seconds sessions have to finish what they are at when the server stops."""


@dataclass(frozen=True, slots=True)
class Role:
    """Which of the processes of its kind a worker is; `number` from 1."""

    process: Process
    number: int

    def __str__(self) -> str:
        return f"{self.process.name}/{self.number}"

    @property
    def slot(self) -> int:
        """Tells the processes of a server apart in ids."""
        return self.process.slots[self.number - 1]


def run_worker(
    installation: "Installation",
    role: Role,
    services: Sequence[Service],
    sockets: Sockets,
    generation: int,
    life: int,
    ready: int,
) -> int:
    """In the forked child: serves until SIGTERM, or until the parent has gone. The exit status."""
    prepare()
    with contextlib.suppress(OSError):  # What ps, top and `whimbrel status` show.
        Path("/proc/self/comm").write_text(str(role))
    # Sessions make many short-lived objects and few cycles: looking for them less often saves a tenth of the time.
    gc.set_threshold(20_000, 20, 50)
    runner = asyncio.Runner(loop_factory=loop_factory())
    with runner:
        runner.run(_serve(installation, role, services, sockets, generation, life, ready))
    return 0


async def _serve(
    installation: "Installation",
    role: Role,
    services: Sequence[Service],
    sockets: Sockets,
    generation: int,
    life: int,
    ready: int,
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(life, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        house = await stack.enter_async_context(
            opened(installation, role.slot, str(role), role.process.topics, generation)
        )
        for part in role.process.parts:
            await stack.enter_async_context(part(house))
        serving: list[Serving] = []
        for service in services:
            if service.process == role.process.name and service.name in sockets:
                serving.append(service.start(house, service.name))
                serving[-1].listen(sockets[service.name])
        watch = loop.create_task(watch_lag(serving)) if serving else None
        house.log.info("server.started", process=str(role))
        os.write(ready, b"1")
        os.close(ready)
        await stop.wait()
        loop.remove_reader(life)
        house.log.info("server.stopping", process=str(role))
        if watch is not None:
            watch.cancel()
        await asyncio.gather(*(each.close(GRACE) for each in serving))
