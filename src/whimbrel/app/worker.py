"""One worker process: its loop, its parts by role, its end."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from whimbrel.app.process import loop_factory, prepare
from whimbrel.app.wiring import start

if TYPE_CHECKING:
    from whimbrel.app.installation import Installation

Sockets = Mapping[str, list[socket.socket]]


@dataclass(frozen=True, slots=True)
class Role:
    """What a worker does: mail, queue or control; `number` from 1."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name}/{self.number}"

    @property
    def slot(self) -> int:
        """Tells the processes of a server apart in ids."""
        return {"mail": 0, "queue": 0x80, "control": 0xC0}[self.name] + self.number


def run_worker(
    installation: "Installation", role: Role, sockets: Sockets, generation: int, life: int, ready: int
) -> int:
    """In the forked child: serves until SIGTERM, or until the parent has gone. The exit status."""
    prepare()
    with contextlib.suppress(OSError):  # What ps, top and `whimbrel status` show.
        Path("/proc/self/comm").write_text(str(role))
    # Sessions make many short-lived objects and few cycles: looking for them less often saves a tenth of the time.
    gc.set_threshold(20_000, 20, 50)
    runner = asyncio.Runner(loop_factory=loop_factory())
    with runner:
        runner.run(_serve(installation, role, sockets, generation, life, ready))
    return 0


async def _serve(
    installation: "Installation", role: Role, sockets: Sockets, generation: int, life: int, ready: int
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(life, stop.set)
    async with start(installation, role.name, role.slot, str(role), sockets, generation):
        os.write(ready, b"1")
        os.close(ready)
        await stop.wait()
        loop.remove_reader(life)
