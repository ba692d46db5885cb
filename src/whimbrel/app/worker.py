"""One worker process: its loop, its parts and services by the tables, its end."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whimbrel.app.line import Line
from whimbrel.app.process import loop_factory, prepare
from whimbrel.app.processes.process import Process
from whimbrel.app.processes.telling import telling
from whimbrel.app.services import Service, Serving
from whimbrel.app.wiring import DiskHouse
from whimbrel.backends.net.listener import watch_lag
from whimbrel.backends.tls.server import ServerContexts

if TYPE_CHECKING:
    from whimbrel.app.house import House
    from whimbrel.app.installation import Installation

Sockets = Mapping[str, list[socket.socket]]
GRACE = 10.0
"""Seconds sessions have to finish what they are at when the server, or their service, stops."""
_LEFT = 1.0
"""Seconds between two looks whether the last session of a worker that is replaced is over."""


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
    line: socket.socket,
    tls: ServerContexts | None,
) -> int:
    """In the forked child: serves until SIGTERM, or until the zygote has gone. The exit status."""
    prepare()
    with contextlib.suppress(OSError):  # What ps, top and `whimbrel status` show.
        Path("/proc/self/comm").write_text(str(role))
    # Sessions make many short-lived objects and few cycles: looking for them less often saves a tenth of the time.
    gc.set_threshold(20_000, 20, 50)
    runner = asyncio.Runner(loop_factory=loop_factory())
    with runner:
        runner.run(_serve(installation, role, services, sockets, generation, line, tls))
    return 0


async def _serve(
    installation: "Installation",
    role: Role,
    services: Sequence[Service],
    sockets: Sockets,
    generation: int,
    channel: socket.socket,
    tls: ServerContexts | None,
) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    line = Line(channel)
    line.open(stop.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(line.close)
        house = DiskHouse(installation, role.slot, str(role), role.process.topics, generation, line, tls)
        stack.push_async_callback(house.close)
        for part in role.process.parts:
            await stack.enter_async_context(part(house))
        serving = Services(house, services, line, stop)
        await stack.enter_async_context(telling(house, serving.serving))
        for name, inherited in sockets.items():
            serving.listen(name, inherited)
        line.use(house.log, serving.order)
        house.log.info("server.started", process=str(role))
        line.send({"do": "ready"})
        await stop.wait()
        house.log.info("server.stopping", process=str(role))
        await serving.close()


class Services:
    """What one process serves. A service begins with its first socket; stopped, it ends with its last session."""

    def __init__(self, house: "House", services: Sequence[Service], line: Line, stop: asyncio.Event) -> None:
        self._house, self._line, self._stop = house, line, stop
        self._services = {service.name: service for service in services}
        self._serving: dict[str, Serving] = {}
        self._ending: dict[asyncio.Task[None], Serving] = {}
        self._watch: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None

    def order(self, message: dict[str, Any], sockets: list[socket.socket]) -> None:
        """What the zygote wants."""
        match message.get("do"):
            case "listen":
                self.listen(str(message["service"]), sockets)
                if message["end"]:
                    self._end([str(message["service"])])
                self._line.send({"do": "done"})
            case "end":
                self._end(message["services"])
            case "drain":
                for serving in self._serving.values():
                    serving.listen(())
                self._draining = asyncio.get_running_loop().create_task(self._drain())
                self._line.send({"do": "done"})
            case "connections":
                counts = {name: serving.connections for name, serving in self._serving.items()}
                self._line.send({"do": "done", "connections": counts})

    def serving(self) -> list[Serving]:
        """Those with sessions, services that end included."""
        return [*self._serving.values(), *self._ending.values()]

    def listen(self, name: str, sockets: Sequence[socket.socket]) -> None:
        serving = self._serving.get(name)
        if serving is None:
            if not sockets or name not in self._services:
                return
            serving = self._serving[name] = self._services[name].start(self._house, name)
        serving.listen(sockets)
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(watch_lag(self._serving.values()))

    def _end(self, names: Sequence[str]) -> None:
        for name in names:
            if (serving := self._serving.pop(name, None)) is not None:
                task = asyncio.get_running_loop().create_task(serving.close(GRACE))
                self._ending[task] = serving
                task.add_done_callback(lambda task: self._ending.pop(task) and None)

    async def _drain(self) -> None:
        """This process is replaced: it ends with its last session."""
        while any(serving.connections for serving in self._serving.values()) or self._ending:  # noqa: ASYNC110
            await asyncio.sleep(_LEFT)
        self._stop.set()

    async def close(self) -> None:
        """Ends all sessions."""
        for task in (self._watch, self._draining):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(each.close(GRACE) for each in self._serving.values()), *self._ending)
