"""Reaches one server of a name: both families, and nobody waits twice for one that is dead.

The addresses of a server are tried family by family: the second family begins after a short head start of the first, or
when that has failed, and the first connection counts. What timed out is remembered for a while, so that the next
message does not wait for it again.

Standards: RFC 8305 5 and 8 (the spirit of it), RFC 5321 4.5.4.1, 5.1
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.net import Connector, Link, TlsPolicy
from whimbrel.flow.delivery.destination import Server
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.source import Sources

HEAD_START: Final = 0.3
"""Seconds. RFC 8305 8 has 250 ms; a mail server need not hurry more than a browser."""
HURRIED: Final = 5.0
"""Seconds for one address while very many are tried: two repeated SYN fit in (after 1 and 3 s)."""
MAX_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class Dialled:
    """`link` leads to `server`; None: nobody could be reached."""

    server: Server | None = None
    link: Link | None = None
    failed: dict[Server, str] = field(default_factory=dict)
    """Why, in the order in which it was found out."""


@dataclass(frozen=True, slots=True)
class _Call:
    """What is the same for all addresses that are tried."""

    policy: TlsPolicy
    sources: Sources
    seconds: float
    """For each address."""
    failed: dict[Server, str]


class Dialer:
    def __init__(self, connector: Connector, config: ConfigStore, clock: Clock) -> None:
        self._connector, self._config, self._clock = connector, config, clock
        self._dead: OrderedDict[tuple[str, int], tuple[float, str]] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def open(
        self,
        servers: Sequence[Server],
        policy: TlsPolicy,
        sources: Sources,
        *,
        anew: bool = False,
        crowded: bool = False,
    ) -> Dialled:
        """`servers` are addresses of one name, in order. `anew`: those that timed out a moment ago are tried too, and
        what is remembered of them is forgotten. `crowded`: others wait, so no address gets the whole time. Never
        raises OSError."""
        dialled = Dialled()
        seconds = float(self._config.section(DeliverySettings).connect_timeout)
        call = _Call(policy, sources, min(seconds, HURRIED) if crowded else seconds, dialled.failed)
        living = []
        for server in servers:
            if anew:
                self._dead.pop((server.address, server.port), None)
            why = self._remembered(server)
            if why:
                dialled.failed[server] = why
            else:
                living.append(server)
        lanes = [[s for s in living if (":" in s.address) is six] for six in (True, False)]
        if living and ":" not in living[0].address:
            lanes.reverse()
        if all(lanes):
            reached = await self._race(lanes, call)
        else:
            reached = await self._lane(living, call)
        if reached is not None:
            dialled.server, dialled.link = reached
        return dialled

    async def close(self) -> None:
        """Ends what was on its way when it was no longer wanted."""
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _lane(self, servers: Sequence[Server], call: "_Call") -> tuple[Server, Link] | None:
        for server in servers:
            try:
                async with asyncio.timeout(call.seconds):
                    source = call.sources.towards(server.address)
                    return server, await self._connector.open(server.address, server.port, source, call.policy)
            except TimeoutError as error:
                call.failed[server] = str(error) or "timed out"
                self._remember(server, call.failed[server])
            except OSError as error:
                call.failed[server] = str(error) or type(error).__name__
        return None

    async def _race(self, lanes: list[list[Server]], call: "_Call") -> tuple[Server, Link] | None:
        tasks = [asyncio.ensure_future(self._lane(lanes[0], call))]
        won: asyncio.Task[tuple[Server, Link] | None] | None = None
        try:
            await asyncio.wait(tasks, timeout=HEAD_START)
            if not (tasks[0].done() and tasks[0].result()):
                tasks.append(asyncio.ensure_future(self._lane(lanes[1], call)))
                running = {task for task in tasks if not task.done()}
                while running and not any(task.done() and task.result() for task in tasks):
                    _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            won = next((task for task in tasks if task.done() and task.result()), None)
            return won.result() if won is not None else None
        finally:
            for task in tasks:
                if task is not won:
                    task.cancel()
                    task.add_done_callback(self._late)

    def _late(self, task: "asyncio.Task[tuple[Server, Link] | None]") -> None:
        """A connection that came too late is closed."""
        if not task.cancelled() and task.exception() is None and (reached := task.result()) is not None:
            closing = asyncio.ensure_future(reached[1].close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _remembered(self, server: Server) -> str:
        entry = self._dead.get((server.address, server.port))
        if entry is None:
            return ""
        if entry[0] <= self._clock.monotonic():
            del self._dead[server.address, server.port]
            return ""
        return f"{entry[1]} a moment ago"

    def _remember(self, server: Server, why: str) -> None:
        seconds = self._config.section(DeliverySettings).unreachable_for
        if seconds:
            self._dead[server.address, server.port] = (self._clock.monotonic() + seconds, why)
            self._dead.move_to_end((server.address, server.port))
            if len(self._dead) > MAX_REMEMBERED:
                self._dead.popitem(last=False)
